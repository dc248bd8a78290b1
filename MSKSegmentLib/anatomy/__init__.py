"""Tables of structures and the numbering of label maps: pure data, no dependencies."""

from .structures import STRUCTURES, segment_of_key, segment_of_label, segments, structure_of
from .table import LEFT_OFFSET, Code, Group, Landmark, Segment, Side, Structure, StructureTable, Tissue
from .table_json import table_from_json, table_json

__all__ = [
    "LEFT_OFFSET",
    "STRUCTURES",
    "Code",
    "Group",
    "Landmark",
    "Segment",
    "Side",
    "Structure",
    "StructureTable",
    "Tissue",
    "segment_of_key",
    "segment_of_label",
    "segments",
    "structure_of",
    "table_from_json",
    "table_json",
]
