"""Icons of the panel: every light and mark has its own shape, so that the icon can be read without colour."""

import os

import qt

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "Icons")
SIZE = 16

_MARKS = {
    "green": "LightGreen",
    "yellow": "LightYellow",
    "unconfirmed": "LightYellow",
    "red": "LightRed",
    "grey": "LightGrey",
    "suspect": "LightSuspect",
    "missed": "LightMissed",
}


def markIcons():
    """A QIcon by the mark of a row: green, yellow, red, grey; suspect (grey, but likely wrong), missed (perhaps),
    unconfirmed (yellow, but more likely accurate than not)."""
    return {mark: icon(name) for mark, name in _MARKS.items()}


def icon(name):
    """The icon in the file of that name; it keeps its colours in a selected row.

    One of mere lines has a second file, with a disc behind: the colour of a selected row is too close to that of the lines.
    """
    result = qt.QIcon(_path(name))
    selected = _path(name + "Selected")
    result.addFile(selected if os.path.isfile(selected) else _path(name), qt.QSize(SIZE, SIZE), qt.QIcon.Selected)
    return result


def _path(name):
    return os.path.join(FOLDER, name + ".svg")


def pixmap(anIcon):
    """The icon as a picture for a label."""
    return anIcon.pixmap(qt.QSize(SIZE, SIZE))
