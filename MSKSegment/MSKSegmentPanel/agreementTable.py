"""The table of two results: its rows come from `MSKSegmentLib.two_results.agreement_rows`."""

from MSKSegmentLib.two_results.agreement_rows import AGREEMENT_TABLE

from .wordsTable import WordsTable


class AgreementTable(WordsTable):
    """`onChosen` is called with the `AgreementRow` that the user clicks."""

    titles = AGREEMENT_TABLE

    def texts(self, row):
        """The cells."""
        return row.texts

    def tooltip(self, row):
        """The name, which a narrow panel may break."""
        return row.name
