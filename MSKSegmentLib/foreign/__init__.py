"""Segmentations of other programs: read, recognised, translated into a table of structures, measured like our own."""

from .import_case import Imported, import_case, write_imported
from .label_tables import LabelEntry, LabelTable, find_label_table
from .mask import ForeignMask, ForeignSegment, Layer, mask_of_array
from .reading import read_mask
from .translation import Translation, translate

__all__ = [
    "ForeignMask",
    "ForeignSegment",
    "Imported",
    "LabelEntry",
    "LabelTable",
    "Layer",
    "Translation",
    "find_label_table",
    "import_case",
    "mask_of_array",
    "read_mask",
    "translate",
    "write_imported",
]
