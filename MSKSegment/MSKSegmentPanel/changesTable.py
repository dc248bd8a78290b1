"""The table of changes: its rows come from `MSKSegmentLib.comparison.change_table`."""

from MSKSegmentLib.comparison.change_words import NARROW_CHANGE_TABLE
from MSKSegmentLib.comparison.changes import ChangeVerdict

from .wordsTable import WordsTable

_REAL = {True: "\u25b2 ", False: "\u25bc "}


class ChangesTable(WordsTable):
    """`onChosen` is called with the key of the segment whose row the user clicks."""

    titles = NARROW_CHANGE_TABLE

    def __init__(self, table, onChosen):
        WordsTable.__init__(self, table, lambda row: onChosen(row.key))

    def texts(self, row):
        """The cells; a real change is known by its arrow, without colour."""
        *cells, verdict = row.narrow_texts
        if row.verdict is ChangeVerdict.REAL:
            verdict = _REAL[not row.change.startswith("\u2212")] + verdict
        return (*cells, verdict)

    def tooltip(self, row):
        """Name, percent and verdict."""
        return ", ".join(filter(None, (row.name, row.percent, row.verdict_text)))
