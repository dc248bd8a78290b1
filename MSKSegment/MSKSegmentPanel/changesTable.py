"""The table of changes in a QTableWidget: its rows come from `MSKSegmentLib.comparison.change_table`."""

import qt

from MSKSegmentLib.comparison.change_words import NARROW_CHANGE_TABLE
from MSKSegmentLib.comparison.changes import ChangeVerdict
from MSKSegmentLib.language.catalogue import tr as _

from .widgets import RIGHT_CENTRED, fitHeight, signalsBlocked, singleShot

_NAME, _VERDICT = 0, len(NARROW_CHANGE_TABLE) - 1
_CELL_MARGIN = 9
_LEAST_NAME, _LEAST_VERDICT = 120, 100
_REAL = {True: "\u25b2 ", False: "\u25bc "}


class ChangesTable:
    """`onChosen` is called with the key of the segment whose row the user clicks. As high as its rows: the panel scrolls."""

    def __init__(self, table, onChosen):
        self._table = table
        self._onChosen = onChosen
        self._rows = ()
        self._fit = singleShot(0, lambda: fitHeight(table))
        table.setColumnCount(len(NARROW_CHANGE_TABLE))
        table.connect("itemSelectionChanged()", self._selectionChanged)

    def setRows(self, rows):
        """Show these rows, in their order."""
        self._rows = tuple(rows)
        for place, title in enumerate(NARROW_CHANGE_TABLE):
            self._table.setHorizontalHeaderItem(place, qt.QTableWidgetItem(_(title)))
        with signalsBlocked(self._table):
            self._table.setRowCount(len(self._rows))
            for place, row in enumerate(self._rows):
                self._fill(place, row)
            self._table.clearSelection()
            self._table.setCurrentItem(None)
        self._fitColumns()

    @property
    def firstKey(self):
        """The key of the first row, that of a real change if there is any; None without rows."""
        return self._rows[0].key if self._rows else None

    def close(self):
        """The panel goes away."""
        self._fit.stop()

    def _fill(self, place, row):
        for index, text in enumerate(row.narrow_texts):
            item = qt.QTableWidgetItem(_marked(row, text) if index == _VERDICT else text)
            if index not in (_NAME, _VERDICT):
                item.setTextAlignment(RIGHT_CENTRED)
            item.setToolTip(", ".join(filter(None, (row.name, row.percent, row.verdict_text))))
            self._table.setItem(place, index, item)

    def _fitColumns(self):
        metrics, left = self._table.fontMetrics(), self._table.viewport().width
        for index, title in enumerate(NARROW_CHANGE_TABLE):
            if index not in (_NAME, _VERDICT):
                texts = {_(title), *(row.narrow_texts[index] for row in self._rows)}
                width = max(metrics.horizontalAdvance(text) for text in texts) + _CELL_MARGIN
                self._table.setColumnWidth(index, width)
                left -= width
        # Name and verdict break into lines.
        self._table.setColumnWidth(_NAME, max(_LEAST_NAME, left - _LEAST_VERDICT))
        self._table.setColumnWidth(_VERDICT, max(_LEAST_VERDICT, left - max(_LEAST_NAME, left - _LEAST_VERDICT)))
        self._fit.start()

    def _selectionChanged(self):
        self._fitColumns()
        place = self._table.currentRow()
        if 0 <= place < len(self._rows) and self._table.selectedItems():
            self._onChosen(self._rows[place].key)


def _marked(row, text):
    """A real change is known by its arrow, without colour."""
    return _REAL[not row.change.startswith("\u2212")] + text if row.verdict is ChangeVerdict.REAL else text
