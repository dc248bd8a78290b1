"""The review of one case, shared by the desktop module and the browser: table, corrections, history; no screen, no Slicer."""

from ..case_result import HistoryEvent
from .columns import COLUMNS, Column, columns_of
from .histogram import Band, Histogram
from .label_maps import LabelEdit
from .masks import SegmentMask
from .redaction import redacted
from .rows import RowFilter, SegmentRow, make_rows, sorted_by, worst_first
from .session import ReviewSession
from .worst_slices import WorstSlice

__all__ = [
    "COLUMNS",
    "Band",
    "Column",
    "Histogram",
    "HistoryEvent",
    "LabelEdit",
    "ReviewSession",
    "SegmentRow",
    "RowFilter",
    "SegmentMask",
    "WorstSlice",
    "columns_of",
    "make_rows",
    "redacted",
    "sorted_by",
    "worst_first",
]
