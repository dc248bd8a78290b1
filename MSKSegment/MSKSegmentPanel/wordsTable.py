"""A narrow table in a QTableWidget: a name, numbers, and words at the end. As high as its rows: the panel scrolls."""

import qt

from MSKSegmentLib.language.catalogue import tr as _

from .widgets import RIGHT_CENTRED, WidthWatch, fitHeight, signalsBlocked, singleShot

_CELL_MARGIN = 8
_LEAST_NAME = 90
_NUMBER_BEGINS = tuple("+-0123456789")


class WordsTable:
    """`onChosen` is called with the row that the user clicks. A subclass says what stands in the cells."""

    # Titles of the columns, in English.
    titles = ()

    def __init__(self, table, onChosen):
        self._table = table
        self._onChosen = onChosen
        self._rows = ()
        self._fit = singleShot(0, self._arrange)
        self._watch = WidthWatch(table, self._arrange)
        table.setColumnCount(len(self.titles))
        table.connect("itemSelectionChanged()", self._selectionChanged)

    def texts(self, row):
        """The cells of a row; the last one holds words."""
        raise NotImplementedError

    def tooltip(self, row):
        """What is said of a row where the mouse rests on it."""
        raise NotImplementedError

    @property
    def chosen(self):
        """The row that is chosen, or None."""
        place = self._table.currentRow()
        return self._rows[place] if 0 <= place < len(self._rows) and self._table.selectedItems() else None

    @property
    def firstKey(self):
        """The key of the first row; None without rows."""
        return self._rows[0].key if self._rows else None

    def setRows(self, rows):
        """Show these rows, in their order; none is chosen."""
        self._rows = tuple(rows)
        for place, title in enumerate(self.titles):
            self._table.setHorizontalHeaderItem(place, qt.QTableWidgetItem(_(title)))
        with signalsBlocked(self._table):
            self._table.setRowCount(len(self._rows))
            for place, row in enumerate(self._rows):
                self._fill(place, row)
            self._table.clearSelection()
            self._table.setCurrentItem(None)
        # The panel gives the table its width first.
        self._fit.start()

    def choose(self, key):
        """Choose the row of a segment without telling; none where it has no row."""
        places = [place for place, row in enumerate(self._rows) if row.key == key]
        if places:
            with signalsBlocked(self._table):
                self._table.selectRow(places[0])

    def close(self):
        """The panel goes away."""
        self._watch.close()
        self._fit.stop()

    def _fill(self, place, row):
        last = len(self.titles) - 1
        for index, text in enumerate(self.texts(row)):
            item = qt.QTableWidgetItem(text)
            # Of the last column too, or its numbers would stand next to those before them.
            if 0 < index < last or (index == last and text[:1] in _NUMBER_BEGINS):
                item.setTextAlignment(RIGHT_CENTRED)
            item.setToolTip(self.tooltip(row))
            self._table.setItem(place, index, item)

    def _arrange(self):
        self._fitColumns()
        fitHeight(self._table)

    def _fitColumns(self):
        left, last = self._table.viewport().width, len(self.titles) - 1
        for index in range(1, last):
            width = self._widest([_(self.titles[index]), *(self.texts(row)[index] for row in self._rows)])
            self._table.setColumnWidth(index, width)
            left -= width
        # Name and words break into lines, between words.
        texts = [_(self.titles[last]), *map(self._words, self._rows)]
        names = [_(self.titles[0]), *(self.texts(row)[0] for row in self._rows)]
        leastName = max(_LEAST_NAME, self._widest(_unbroken(names)))
        least = self._widest(_unbroken(texts))
        words = max(least, min(self._widest(texts), left // 2, left - leastName))
        self._table.setColumnWidth(last, words)
        # Stretched, the name would vanish in a very narrow panel.
        fits = left - words >= leastName
        mode = qt.QHeaderView.Stretch if fits else qt.QHeaderView.Interactive
        self._table.horizontalHeader().setSectionResizeMode(0, mode)
        if not fits:
            self._table.setColumnWidth(0, leastName)

    def _words(self, row):
        return self.texts(row)[-1]

    def _widest(self, texts):
        metrics = self._table.fontMetrics()
        return max(map(metrics.horizontalAdvance, texts), default=0) + _CELL_MARGIN

    def _selectionChanged(self):
        # The panel may have another width by now.
        self._fit.start()
        row = self.chosen
        if row is not None:
            self._onChosen(row)


def _unbroken(texts):
    """The words that must not be broken; a language without spaces breaks anywhere."""
    return [word for text in texts for word in text.split() if word.isascii()]
