"""The distribution of Hounsfield units of a segment, as a plot shows it."""

from __future__ import annotations

from dataclasses import dataclass

from ..case_result import SegmentReport
from ..measurement.density import (
    FAT_BELOW_HU,
    HISTOGRAM_BIN_HU,
    HISTOGRAM_FIRST_HU,
    HISTOGRAM_LAST_HU,
    LEAN_ABOVE_HU,
)


@dataclass(frozen=True)
class Band:
    """A tissue class: its name, its range on the HU axis of the histogram, its share of the voxels in percent (exact)."""

    name: str
    low_hu: int
    high_hu: int
    percent: float


@dataclass(frozen=True)
class Histogram:
    """Voxel counts per bin of 10 HU. The first and the last bin hold everything beyond.

    `edges_hu` has one entry more than `counts`; `bands` are fat, composite and lean, from left to right.
    """

    key: str
    title: str
    edges_hu: tuple[int, ...]
    counts: tuple[int, ...]
    bands: tuple[Band, Band, Band]

    def band_of(self, number: int) -> Band:
        """The band that colours a bin, by the bin's number; limits of the bands are limits of bins."""
        return next(band for band in self.bands if self.edges_hu[number] < band.high_hu)


def histogram_of(report: SegmentReport) -> Histogram | None:
    """The histogram of a segment; None when it was not found."""
    found = report.measurements
    if found is None:
        return None
    edges = tuple(range(HISTOGRAM_FIRST_HU, HISTOGRAM_LAST_HU + 1, HISTOGRAM_BIN_HU))
    bands = (
        Band("fat", HISTOGRAM_FIRST_HU, FAT_BELOW_HU, 100 * found.fat_fraction),
        Band("composite", FAT_BELOW_HU, LEAN_ABOVE_HU, 100 * found.composite_fraction),
        Band("lean", LEAN_ABOVE_HU, HISTOGRAM_LAST_HU, 100 * found.lean_fraction),
    )
    return Histogram(report.segment.key, report.segment.name, edges, found.histogram, bands)
