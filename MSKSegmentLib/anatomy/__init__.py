"""Tables of structures and the numbering of label maps: pure data, no dependencies."""

from .table import LEFT_OFFSET, Code, Group, Landmark, Segment, Side, Structure, StructureTable, Tissue
from .table_json import table_from_json, table_json

__all__ = [
    "LEFT_OFFSET",
    "Code",
    "Group",
    "Landmark",
    "Segment",
    "Side",
    "Structure",
    "StructureTable",
    "Tissue",
    "table_from_json",
    "table_json",
]
