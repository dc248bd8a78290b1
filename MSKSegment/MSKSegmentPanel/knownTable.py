"""The table of what there is to learn from: patients by structure, and by how it became known."""

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.language.catalogue import noted as N_
from MSKSegmentLib.language.catalogue import tr as _

from .wordsTable import WordsTable

_NOBODY = N_("nobody")


class KnownTable(WordsTable):
    """Its rows are those of `MSKSegmentLib.learning.listing`."""

    titles = (N_("Structure"), N_("Corrected"), N_("In slices"), N_("As drawn"), N_("Patients"))

    def __init__(self, table):
        WordsTable.__init__(self, table, lambda row: None)

    def texts(self, row):
        """The cells."""
        abbreviation, *counts, patients = row
        name = _(HIP_AND_THIGH.structure(abbreviation).name)
        return (name, *(str(count) if count else "" for count in counts), str(patients) if patients else _(_NOBODY))

    def tooltip(self, row):
        """The abbreviation, by which the sentences call it."""
        return row[0]
