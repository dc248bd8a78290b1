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
    """See `StructureTable.segment`."""
    return HIP_AND_THIGH.segment(key)


def segment_of_label(label: int) -> Segment | None:
    """See `StructureTable.segment_of_label`."""
    return HIP_AND_THIGH.segment_of_label(label)
