"""Axial cross-sections of every segment: area, mean radiodensity and share of fat, slice by slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment, Side
from ..ct.boxes import labelled
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from .density import FAT_BELOW_HU
from .levels import Level, find_levels
from .measure import MM2_PER_CM2


@dataclass(frozen=True)
class Section:
    """A segment's cross-section in one slice.

    `index` counts slices from inferior, on axes in order (see `ct.orientation.axis_order`); `z_mm` is the LPS z of its centre.
    `fat_percent` is the share of voxels below -30 HU, None where the segment has no composition; both it and `mean_hu` are None
    in scans without Hounsfield units.
    """

    index: int
    z_mm: float
    segment: Segment
    area_cm2: float
    mean_hu: float | None
    fat_percent: float | None


@dataclass(frozen=True)
class SectionTable:
    """All cross-sections of a case, slice by slice from inferior, and the levels that its bones show."""

    sections: tuple[Section, ...]
    levels: tuple[Level, ...]

    def at_levels(self) -> Iterator[tuple[Level, Section]]:
        """The cross-sections at each level: those of its side and of unpaired structures, at a level without side all."""
        by_slice: dict[int, list[Section]] = {}
        for section in self.sections:
            by_slice.setdefault(section.index, []).append(section)
        for level in self.levels:
            for section in by_slice.get(level.index, ()):
                if Side.MIDLINE in (level.side, section.segment.side) or section.segment.side is level.side:
                    yield level, section


def section_table(labels: np.ndarray, hu: np.ndarray, geometry: Geometry, segments: Iterable[Segment]) -> SectionTable:
    """Measure the cross-sections of `segments`.

    Args:
        labels: uint8 ``[z, y, x]`` with sides, on any grid.
        hu: int16 ``[z, y, x]`` in HU on the same grid.
        geometry: that grid. Slices lie along the axis nearest to superior-inferior.
        segments: what the labels may hold.

    Raises:
        ValueError: the shapes are not the grid's.
    """
    if labels.shape != geometry.shape or hu.shape != geometry.shape:
        raise ValueError(f"labels and hu must have the grid's shape {geometry.shape}")
    order = axis_order(geometry.direction)
    ordered, values, grid = order.apply(labels), order.apply(hu), order.geometry(geometry)
    known = tuple(segments)
    x, y, _ = grid.size
    pixel_cm2 = grid.spacing[0] * grid.spacing[1] / MM2_PER_CM2
    found = []
    for index in range(ordered.shape[0]):
        section = np.ascontiguousarray(ordered[index])
        where = labelled(section)
        if where.size == 0:
            continue
        inside, density = section.ravel()[where], np.ascontiguousarray(values[index]).ravel()[where]
        counts = np.bincount(inside, minlength=256)
        sums = np.bincount(inside, density, 256)
        fat = np.bincount(inside, density < FAT_BELOW_HU, 256)
        z_mm = float(grid.to_physical(((x - 1) / 2, (y - 1) / 2, index))[2])
        for segment in known:
            count = int(counts[segment.label])
            if count:
                share = 100 * float(fat[segment.label]) / count if segment.structure.has_composition else None
                found.append(Section(index, z_mm, segment, count * pixel_cm2, float(sums[segment.label]) / count, share))
    return SectionTable(tuple(found), find_levels(labels, geometry, known))
