"""The table of the 22 structures and the numbering of label maps: pure data, no dependencies."""

from .structures import (
    LEFT_OFFSET,
    STRUCTURES,
    Code,
    Segment,
    Side,
    Structure,
    segment_of_key,
    segment_of_label,
    segments,
    structure_of,
)

__all__ = [
    "LEFT_OFFSET",
    "STRUCTURES",
    "Code",
    "Segment",
    "Side",
    "Structure",
    "segment_of_key",
    "segment_of_label",
    "segments",
    "structure_of",
]
