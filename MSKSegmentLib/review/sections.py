"""The sides of a structure, and the slice in which each is largest."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import Segment, Side
from ..ct.orientation import axis_order
from ..ct.volume import Vector
from ..measurement.measure import MM2_PER_CM2
from ..measurement.shown_extent import extent_in_plane
from .session import ReviewSession
from .worst_slices import input_index


@dataclass(frozen=True)
class SegmentSection:
    """A slice of a segment: its `index` counts the CT's slices as `review.WorstSlice` does; `half_mm` is half of what to show.

    `middle_lps` (mm) is the middle of what to show.
    """

    index: int
    area_cm2: float
    half_mm: float
    middle_lps: Vector


def pair_of(session: ReviewSession, key: str) -> tuple[Segment, Segment] | None:
    """The segments of a structure, right and left; None for one that has no sides."""
    of_structure = {s.side: s for s in session.table.segments if s.structure == session.table.segment(key).structure}
    right, left = of_structure.get(Side.RIGHT), of_structure.get(Side.LEFT)
    return (right, left) if right and left else None


def other_side(session: ReviewSession, key: str) -> str | None:
    """The key of the same structure on the other side; None for one that has no sides."""
    pair = pair_of(session, key)
    return next((segment.key for segment in pair if segment.key != key), None) if pair else None


def widest_section(session: ReviewSession, key: str) -> SegmentSection | None:
    """The slice with the largest cross-section of a segment; None when there is no voxel of it."""
    mask = session.mask(key)
    if mask is None or not mask.mask.any():
        return None
    order = axis_order(session.geometry.direction)
    grid = order.geometry(session.geometry.cropped(mask.box.start_xyz, mask.box.size_xyz))
    planes = order.apply(mask.mask)
    areas = planes.sum(axis=(1, 2))
    at = int(areas.argmax())
    (x, y), half_mm = extent_in_plane(planes[at], grid.spacing)
    middle = grid.to_physical((x, y, at))
    return SegmentSection(
        input_index(at, mask, order),
        float(areas[at] * grid.spacing[0] * grid.spacing[1] / MM2_PER_CM2),
        half_mm,
        (float(middle[0]), float(middle[1]), float(middle[2])),
    )
