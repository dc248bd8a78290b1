"""The distribution of Hounsfield units of a segment, as a plot shows it."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import Side
from ..case_result import SegmentReport
from ..language.catalogue import spoken_words, tr
from ..measurement.density import (
    FAT_BELOW_HU,
    HISTOGRAM_BIN_HU,
    HISTOGRAM_FIRST_HU,
    HISTOGRAM_LAST_HU,
    LEAN_ABOVE_HU,
)
from ..wording.names import segment_name


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

    `edges_hu` has one entry more than `counts`; `bands` are fat, composite and lean, from left to right, or nothing for bones,
    which have no composition. `title` and `side` are words for people; `side` is empty for a structure without sides.
    """

    key: str
    title: str
    edges_hu: tuple[int, ...]
    counts: tuple[int, ...]
    bands: tuple[Band, ...]
    side: str = ""

    def band_of(self, number: int) -> Band | None:
        """The band that colours a bin, by the bin's number, None where there are no bands; limits of bands are limits of bins."""
        return next((band for band in self.bands if self.edges_hu[number] < band.high_hu), None)


def histogram_of(report: SegmentReport) -> Histogram | None:
    """The histogram of a segment; None when it was not found, or has no Hounsfield units."""
    found = report.measurements
    if found is None or not found.histogram:
        return None
    edges = tuple(range(HISTOGRAM_FIRST_HU, HISTOGRAM_LAST_HU + 1, HISTOGRAM_BIN_HU))
    limits = (HISTOGRAM_FIRST_HU, FAT_BELOW_HU, LEAN_ABOVE_HU, HISTOGRAM_LAST_HU)
    shares = (found.fat_fraction, found.composite_fraction, found.lean_fraction)
    bands = tuple(
        Band(name, low, high, 100 * share)
        for name, low, high, share in zip(("fat", "composite", "lean"), limits[:-1], limits[1:], shares, strict=True)
        if share is not None
    )
    words, segment = spoken_words(), report.segment
    side = "" if segment.side is Side.MIDLINE else tr(segment.side.value)
    return Histogram(segment.key, segment_name(words, segment), edges, found.histogram, bands, side)
