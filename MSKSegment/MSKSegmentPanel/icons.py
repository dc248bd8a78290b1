"""Icons of the panel: every light has its own shape, so that none depends on colour."""

import os

import qt

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "Icons")
SIZE = 16

_LIGHTS = {"green": "LightGreen", "yellow": "LightYellow", "red": "LightRed", "grey": "LightGrey"}


def lightIcons():
    """A QIcon by the value of a light: green, yellow, red, grey."""
    return {light: icon(name) for light, name in _LIGHTS.items()}


def icon(name):
    """The icon in the file of that name; it keeps its colours in a selected row."""
    path = os.path.join(FOLDER, name + ".svg")
    result = qt.QIcon(path)
    result.addFile(path, qt.QSize(SIZE, SIZE), qt.QIcon.Selected)
    return result


def pixmap(anIcon):
    """The icon as a picture for a label."""
    return anIcon.pixmap(qt.QSize(SIZE, SIZE))
