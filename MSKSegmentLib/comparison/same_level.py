"""A structure in two scans at the same anatomical level: which levels both scans show, and the slices there.

Levels are those of `measurement.levels`, found from the bones of each scan by itself. A structure is shown at levels of its own
side, and at those without a side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy import Segment, Side
from ..case_result import CaseResult
from ..ct.orientation import axis_order
from ..ct.volume import CTVolume, Geometry, Vector
from ..measurement.levels import Level, find_levels
from ..measurement.shown_extent import extent_in_plane


@dataclass(frozen=True)
class ScanLevel:
    """A slice of one scan at a level, with rows to posterior and columns to the patient's left.

    `values` are int16 and `labels` uint8 ``[y, x]``; `spacing_mm` is that of columns and rows.
    """

    level: Level
    values: np.ndarray
    labels: np.ndarray
    spacing_mm: tuple[float, float]


@dataclass(frozen=True)
class LevelPlace:
    """Where to look at a structure at a level: the middle of what to show (LPS, mm), and half of its width in mm.

    `found` is whether the structure is in that slice; else the middle is that of all structures in it.
    """

    middle_lps: Vector
    half_mm: float
    found: bool


@dataclass(frozen=True)
class LevelPair:
    """One level in both scans."""

    before: ScanLevel
    after: ScanLevel

    @property
    def name(self) -> str:
        """The name of the level."""
        return self.after.level.name

    def places(self, grids: Sequence[Geometry], segments: Sequence[Segment]) -> tuple[LevelPlace, LevelPlace]:
        """Where to look at a segment in both scans, at one scale; `grids` and `segments` are those of the two results."""
        before, after = (
            _place(one, grid, segment.label) for one, grid, segment in zip((self.before, self.after), grids, segments, strict=True)
        )
        half_mm = max((one.half_mm for one in (before, after) if one.found), default=max(before.half_mm, after.half_mm))
        return replace(before, half_mm=half_mm), replace(after, half_mm=half_mm)


def scan_levels(result: CaseResult, volume: CTVolume) -> tuple[ScanLevel, ...]:
    """The slices of all levels that a result's bones show, copied out of the scan, which need not be kept."""
    order = axis_order(result.geometry.direction)
    labels, values, grid = order.apply(result.labels), order.apply(volume.hu), order.geometry(result.geometry)
    spacing = grid.spacing[0], grid.spacing[1]
    return tuple(
        ScanLevel(level, values[level.index].copy(), labels[level.index].copy(), spacing)
        for level in find_levels(result.labels, result.geometry, result.table.segments)
    )


def pairs_of_levels(before: Sequence[ScanLevel], after: Sequence[ScanLevel]) -> tuple[LevelPair, ...]:
    """The levels that both scans show, from superior to inferior."""
    earlier: Mapping[tuple[str, Side], ScanLevel] = {(one.level.name, one.level.side): one for one in before}
    return tuple(LevelPair(earlier[key], one) for one in after if (key := (one.level.name, one.level.side)) in earlier)


def levels_of_segment(pairs: Sequence[LevelPair], before: Segment, after: Segment) -> tuple[LevelPair, ...]:
    """Those at which either scan shows the segment (`before` and `after` have its labels), the largest section first.

    A muscle that is there at one date alone is what a reader has to see, so that it need not be in both.
    """
    areas = []
    for pair in pairs:
        if Side.MIDLINE not in (pair.after.level.side, after.side) and pair.after.level.side is not after.side:
            continue
        sections = ((pair.before, before.label), (pair.after, after.label))
        area = sum(float((one.labels == label).sum()) * one.spacing_mm[0] * one.spacing_mm[1] for one, label in sections)
        if area > 0:
            areas.append((area, pair))
    return tuple(pair for _, pair in sorted(areas, key=lambda entry: -entry[0]))


def _place(one: ScanLevel, grid: Geometry, label: int) -> LevelPlace:
    inside = one.labels == label
    found = bool(inside.any())
    (x, y), half_mm = extent_in_plane(inside if found else one.labels > 0, (*one.spacing_mm, 0.0))
    middle = axis_order(grid.direction).geometry(grid).to_physical((x, y, one.level.index))
    return LevelPlace((float(middle[0]), float(middle[1]), float(middle[2])), half_mm, found)
