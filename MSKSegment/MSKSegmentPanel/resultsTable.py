"""The table of results in a QTableWidget: cells, order, filter and the chosen row. What it says comes from `review`."""

import textwrap

import qt

from MSKSegmentLib.review.columns import COLUMNS
from MSKSegmentLib.review.rows import RowFilter, sorted_by

from .icons import markIcons
from .widgets import signalsBlocked

# Qt.AlignRight and Qt.AlignVCenter together: bindings disagree on how to combine them.
_RIGHT_CENTRED = 0x0082
_WORST_FIRST = "light"
# A long name must not push the numbers out of a narrow panel; the whole name is in the row's tooltip.
_WIDEST_NAME = 126
_CELL_MARGIN = 10
_ICON_WIDTH = 22
# Headings are broken into lines of about so many letters: narrow columns, many of them in sight.
_HEADING_LETTERS = 9


class ResultsTable:
    """Rows by key. `onChosen` is called with the key of the row that the user chooses, None when none is."""

    def __init__(self, table, onChosen):
        self._table = table
        self._onChosen = onChosen
        self._icons = markIcons()
        self._rows = {}
        self._shown = []
        self._filter = RowFilter()
        self._sorting = (_WORST_FIRST, False)
        self._setUpHeader()
        table.connect("itemSelectionChanged()", self._selectionChanged)

    @property
    def chosen(self):
        """Key of the chosen row, or None."""
        row = self._table.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) and self._table.selectedItems() else None

    @property
    def shown(self):
        """Keys of the rows in sight, in the order they are shown."""
        return tuple(self._shown)

    def setRows(self, rows):
        """Show other rows, in the order that was chosen."""
        self._rows = {row.key: row for row in rows}
        self._arrange()
        self._fitColumns()

    def updateRows(self, rows):
        """Refresh rows in place: an order that changed under the pointer would mislead. A row leaves when the filter drops it."""
        self._rows.update((row.key, row) for row in rows)
        places = {key: place for place, key in enumerate(self._shown)}
        if any(self._matches(row) != (row.key in places) for row in rows):
            self._arrange()
            return
        with signalsBlocked(self._table):
            for row in rows:
                if row.key in places:
                    self._fill(places[row.key], row)

    def setFilter(self, rowFilter):
        """Show only the rows that a `RowFilter` matches."""
        self._filter = rowFilter
        self._arrange()

    def choose(self, key):
        """Choose the row of a key without calling `onChosen`; None, or a row out of sight, chooses none."""
        with signalsBlocked(self._table):
            if key in self._shown:
                self._table.selectRow(self._shown.index(key))
                self._table.scrollToItem(self._table.item(self._shown.index(key), 0))
            else:
                self._table.clearSelection()
                self._table.setCurrentItem(None)

    def _setUpHeader(self):
        table = self._table
        table.setColumnCount(len(COLUMNS))
        for place, column in enumerate(COLUMNS):
            heading = qt.QTableWidgetItem("\n".join(_headingLines(column)))
            heading.setToolTip(column.tooltip)
            table.setHorizontalHeaderItem(place, heading)
        header = table.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.connect("sectionClicked(int)", self._headerClicked)
        self._showSorting()

    def _headerClicked(self, place):
        name, descending = self._sorting
        clicked = COLUMNS[place]
        # A number is most often looked at from its largest value down.
        self._sorting = (clicked.name, not descending if clicked.name == name else clicked.numeric)
        self._showSorting()
        self._arrange()

    def _showSorting(self):
        name, descending = self._sorting
        place = next(index for index, column in enumerate(COLUMNS) if column.name == name)
        order = qt.Qt.DescendingOrder if descending else qt.Qt.AscendingOrder
        self._table.horizontalHeader().setSortIndicator(place, order)

    def _matches(self, row):
        # The row under review stays until another one is chosen, even when accepting it makes the filter drop it.
        return self._filter.matches(row) or row.key == self.chosen

    def _arrange(self):
        """Bring rows into order and sight; the chosen row stays chosen."""
        chosen = self.chosen
        rows = [row for row in sorted_by(self._rows.values(), *self._sorting) if self._matches(row)]
        with signalsBlocked(self._table):
            self._table.setRowCount(len(rows))
            for place, row in enumerate(rows):
                self._fill(place, row)
        self._shown = [row.key for row in rows]
        self.choose(chosen)

    def _fill(self, place, row):
        for index, column in enumerate(COLUMNS):
            item = self._table.item(place, index)
            if item is None:
                item = qt.QTableWidgetItem()
                if column.numeric:
                    item.setTextAlignment(_RIGHT_CENTRED)
                self._table.setItem(place, index, item)
            item.setText(row.texts[column.name])
            item.setToolTip(row.tooltip)
            if column.name == _WORST_FIRST:
                item.setIcon(self._icons[row.mark])

    def _fitColumns(self):
        # Qt's own fitting leaves room for a sorting arrow in every heading.
        metrics = self._table.fontMetrics()
        for index, column in enumerate(COLUMNS):
            texts = {row.texts[column.name] for row in self._rows.values()} | set(_headingLines(column))
            width = max(metrics.horizontalAdvance(text) for text in texts) + _CELL_MARGIN
            if column.name == _WORST_FIRST:
                width += _ICON_WIDTH
            self._table.setColumnWidth(index, min(width, _WIDEST_NAME))

    def _selectionChanged(self):
        self._onChosen(self.chosen)


def _headingLines(column):
    return [
        *textwrap.wrap(column.title, _HEADING_LETTERS, break_long_words=False),
        *([column.unit] if column.unit else []),
    ]
