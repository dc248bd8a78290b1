"""Small helpers for widgets that behave the same with every Python binding of Qt."""

from contextlib import contextmanager

import qt
import slicer

# Qt.AlignRight and Qt.AlignVCenter together: bindings disagree on how to combine them.
RIGHT_CENTRED = 0x0082


@contextmanager
def signalsBlocked(*widgets):
    """Change widgets without emitting signals."""
    before = [(widget, widget.blockSignals(True)) for widget in widgets]
    try:
        yield
    finally:
        for widget, blocked in before:
            widget.blockSignals(blocked)


def singleShot(milliseconds, function):
    """A timer that calls `function` once, `milliseconds` after its latest start()."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", function)
    return timer


def repeating(milliseconds, function):
    """A timer that calls `function` again and again between start() and stop()."""
    timer = qt.QTimer()
    timer.setInterval(milliseconds)
    timer.connect("timeout()", function)
    return timer


def fitHeight(table):
    """Make a table as high as its rows: the panel scrolls, and nothing inside of it."""
    table.resizeRowsToContents()
    height = table.horizontalHeader().height + table.verticalHeader().length() + 2 * table.frameWidth
    if table.horizontalHeader().length() > table.viewport().width:
        height += slicer.app.style().pixelMetric(qt.QStyle.PM_ScrollBarExtent)
    table.setFixedHeight(height)


class WidthWatch:
    """Calls `function` when a table got another width, but not when its user dragged a column."""

    def __init__(self, table, function):
        self._table = table
        self._width = table.viewport().width
        self._call = singleShot(0, function)
        # A column that is stretched follows the width; where none is, the table begins or ends to scroll.
        table.horizontalHeader().connect("sectionResized(int,int,int)", self._look)
        table.horizontalScrollBar().connect("rangeChanged(int,int)", self._look)

    def close(self):
        """The table goes away."""
        self._table.horizontalHeader().disconnect("sectionResized(int,int,int)", self._look)
        self._table.horizontalScrollBar().disconnect("rangeChanged(int,int)", self._look)
        self._call.stop()

    def _look(self, *args):
        if self._table.viewport().width != self._width:
            self._width = self._table.viewport().width
            self._call.start()


def legendText(entries):
    """Colours (red, green, blue from 0 to 1) with their words, as rich text."""
    squares = (f'<span style="color:{_hex(color)}">&#9632;</span>&nbsp;{words}' for color, words in entries)
    # Lines may break between them.
    return "&nbsp; ".join(squares)


def _hex(color):
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)


def askFileToSave(parent, title, proposal, kinds):
    """The path that the user chose for a new file; empty when the dialog was cancelled."""
    chosen = qt.QFileDialog.getSaveFileName(parent, title, proposal, kinds)
    # One binding answers with the path, the other with path and kind.
    return chosen if isinstance(chosen, str) else chosen[0]


def askFileToOpen(parent, title, kinds):
    """The path of a file that the user chose; empty when the dialog was cancelled."""
    chosen = qt.QFileDialog.getOpenFileName(parent, title, "", kinds)
    return chosen if isinstance(chosen, str) else chosen[0]


def askFolder(parent, title, proposal):
    """The folder that the user chose; empty when the dialog was cancelled."""
    return qt.QFileDialog.getExistingDirectory(parent, title, proposal)


def scrollTo(widget):
    """Bring a widget into sight where it lies in a scroll area."""
    ancestor = widget.parent()
    while ancestor is not None:
        if ancestor.inherits("QScrollArea"):
            ancestor.ensureWidgetVisible(widget)
            return
        ancestor = ancestor.parent()
