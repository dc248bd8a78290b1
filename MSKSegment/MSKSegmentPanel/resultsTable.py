"""The table of results in a QTableWidget: cells, order, filter and the chosen row. What it says comes from `review`."""

import itertools
import math
import re
import textwrap

import qt

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.review.columns import ALL_COLUMNS, COLUMN_OF, NO_VALUE, SITE_COLUMNS, without_range
from MSKSegmentLib.review.rows import RowFilter, sorted_by

from .columnChoice import ColumnChoice
from .icons import markIcons
from .widgets import RIGHT_CENTRED, WidthWatch, fitHeight, signalsBlocked, singleShot

_WORST_FIRST = "light"
# The name has the room that the numbers leave, but not less; what is longer is broken into lines.
_NAME = "structure"
_LEAST_NAME = 96
_CELL_MARGIN = 7
_ICON_WIDTH = 22
# Headings are broken into lines of about so many letters: narrow columns, many of them in sight.
_HEADING_LETTERS = 9


class ResultsTable:
    """Rows by key. `onChosen` is called with the key of the row that the user chooses, None when none is.

    The table is as high as its rows: the panel scrolls, and nothing inside of it. `columnsButton` opens the choice of columns.
    """

    def __init__(self, table, columnsButton, onChosen):
        self._table = table
        self._onChosen = onChosen
        self._icons = markIcons()
        self._rows = {}
        self._shown = []
        self._filter = RowFilter()
        self._sorting = (_WORST_FIRST, False)
        self._setUpHeader()
        self._columns = ColumnChoice(columnsButton, self._columnsChosen)
        self._fit = singleShot(0, lambda: fitHeight(table))
        self._watch = WidthWatch(table, self._fitColumns)
        table.horizontalHeader().connect("sectionResized(int,int,int)", self._resized)
        table.connect("itemSelectionChanged()", self._selectionChanged)
        self._columnsChosen()

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
        self._fit.start()

    def setTask(self, task, placed=()):
        """Show the columns of a task only; None: of the default one. `placed` as for `ColumnChoice.setTask`."""
        self._columns.setTask(task, placed)
        self._showHeadings()
        if self._sorting[0] not in self._columns.chosen:
            self._sorting = (_WORST_FIRST, False)
            self._showSorting()
        self._columnsChosen()

    def setFilter(self, rowFilter):
        """Show only the rows that a `RowFilter` matches."""
        self._filter = rowFilter
        self._arrange()

    def choose(self, key):
        """Choose the row of a key without calling `onChosen`; None, or a row out of sight, chooses none."""
        with signalsBlocked(self._table):
            if key in self._shown:
                self._table.selectRow(self._shown.index(key))
            else:
                self._table.clearSelection()
                self._table.setCurrentItem(None)

    def close(self):
        """The panel goes away."""
        self._table.horizontalHeader().disconnect("sectionResized(int,int,int)", self._resized)
        self._watch.close()
        self._fit.stop()

    def _resized(self, *args):
        self._fit.start()

    def _setUpHeader(self):
        table = self._table
        table.setColumnCount(len(ALL_COLUMNS))
        for place in range(len(ALL_COLUMNS)):
            table.setHorizontalHeaderItem(place, qt.QTableWidgetItem())
        header = table.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.connect("sectionClicked(int)", self._headerClicked)
        self._showSorting()

    def _showHeadings(self):
        for place, column in enumerate(ALL_COLUMNS):
            heading = self._table.horizontalHeaderItem(place)
            heading.setText("\n".join(_headingLines(column)))
            heading.setToolTip(column.tooltip)

    def _headerClicked(self, place):
        name, descending = self._sorting
        clicked = ALL_COLUMNS[place]
        # A number is most often looked at from its largest value down.
        self._sorting = (clicked.name, not descending if clicked.name == name else clicked.numeric)
        self._showSorting()
        self._arrange()

    def _showSorting(self):
        name, descending = self._sorting
        place = next(index for index, column in enumerate(ALL_COLUMNS) if column.name == name)
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
        self._fitColumns()

    def _fill(self, place, row):
        for index, column in enumerate(ALL_COLUMNS):
            item = self._table.item(place, index)
            if item is None:
                item = qt.QTableWidgetItem()
                if column.numeric:
                    item.setTextAlignment(RIGHT_CENTRED)
                self._table.setItem(place, index, item)
            item.setText(self._text(row, column.name))
            item.setToolTip(row.tooltip)
            if column.name == _WORST_FIRST:
                item.setIcon(self._icons[row.mark])

    def _text(self, row, name):
        text = row.texts.get(name, NO_VALUE)
        if name == _NAME and row.state is not ReviewState.AUTOMATIC and "state" not in self._columns.chosen:
            return _("{name}, {state}").format(name=text, state=_(row.state.value))
        if name == "side" and row.side is Side.MIDLINE:
            return NO_VALUE
        # The range has its place among the numbers of the selected structure, and in the tooltip.
        return without_range(text) if COLUMN_OF[name].numeric and COLUMN_OF[name] not in SITE_COLUMNS.values() else text

    def _columnsChosen(self):
        for index, column in enumerate(ALL_COLUMNS):
            self._table.setColumnHidden(index, column.name not in self._columns.chosen)
        self._arrange()

    def _fitColumns(self):
        # Qt's own fitting leaves room for a sorting arrow in every heading.
        metrics, left = self._table.fontMetrics(), self._table.viewport().width
        for index, column in enumerate(ALL_COLUMNS):
            texts = {self._text(row, column.name) for row in self._rows.values()} | set(_headingLines(column))
            width = max(metrics.horizontalAdvance(text) for text in texts) + _CELL_MARGIN
            if column.name == _WORST_FIRST:
                width += _ICON_WIDTH
            if column.name != _NAME:
                self._table.setColumnWidth(index, width)
                left -= 0 if self._table.isColumnHidden(index) else width
        header, place = self._table.horizontalHeader(), [column.name for column in ALL_COLUMNS].index(_NAME)
        # Stretched, the name would vanish between many columns; these are scrolled instead.
        header.setSectionResizeMode(place, qt.QHeaderView.Stretch if left >= _LEAST_NAME else qt.QHeaderView.Interactive)
        if left < _LEAST_NAME:
            self._table.setColumnWidth(place, _LEAST_NAME)
        self._fit.start()

    def _selectionChanged(self):
        # The panel may have another width by now.
        self._fitColumns()
        self._onChosen(self.chosen)


def _headingLines(column):
    """The heading in short lines."""
    title = column.title
    lines = textwrap.wrap(title, _HEADING_LETTERS, break_long_words=False) if title.isascii() else _equalLines(title)
    return [*lines, *([column.unit] if column.unit else [])]


def _equalLines(title):
    """Lines of a language without spaces, as few as go and of equal length; Latin words stay whole."""
    parts = re.findall("[!-~]+|.", title)
    wanted = math.ceil(sum(map(_width, parts)) / (_HEADING_LETTERS + 1))
    for room in itertools.count(max(map(_width, parts))):
        lines = [""]
        for part in parts:
            if _width(lines[-1] + part) > room:
                lines.append("")
            lines[-1] += part
        if len(lines) <= wanted:
            return lines


def _width(text):
    """In Latin letters; those of other scripts are twice as wide."""
    return sum(1 if letter.isascii() else 2 for letter in text)
