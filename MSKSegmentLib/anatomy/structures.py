"""The built-in table of hip and thigh by functions."""

from __future__ import annotations

from .built_in import HIP_AND_THIGH
from .table import Segment, Structure

STRUCTURES: tuple[Structure, ...] = HIP_AND_THIGH.structures


def segments() -> tuple[Segment, ...]:
    """The 43 segments in table order: structure by structure, right before left."""
    return HIP_AND_THIGH.segments


def structure_of(abbreviation: str) -> Structure:
    """See `StructureTable.structure`."""
    return HIP_AND_THIGH.structure(abbreviation)


def segment_of_key(key: str) -> Segment:
    """See `StructureTable.segment`.

    >>> segment_of_key("FEMUR_right").label, segment_of_key("FEMUR_left").label
    (2, 102)
    >>> segment_of_key("SACRUM").side.value
    'midline'
    """
    return HIP_AND_THIGH.segment(key)


def segment_of_label(label: int) -> Segment | None:
    """See `StructureTable.segment_of_label`.

    >>> segment_of_label(104).key, segment_of_label(104).name
    ('GMAX_left', 'Gluteus maximus, left')
    >>> segment_of_label(0) is None  # background
    True
    """
    return HIP_AND_THIGH.segment_of_label(label)
