"""Radiodensity of a segment, exact from the counts of its Hounsfield values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Tissue classes of Soufi et al. 2025: fat below, lean above, composite between and at the limits.
FAT_BELOW_HU = -30
LEAN_ABOVE_HU = 30

HISTOGRAM_FIRST_HU = -200
HISTOGRAM_LAST_HU = 300
HISTOGRAM_BIN_HU = 10
HISTOGRAM_BINS = (HISTOGRAM_LAST_HU - HISTOGRAM_FIRST_HU) // HISTOGRAM_BIN_HU

LOWEST_HU = int(np.iinfo(np.int16).min)
HU_VALUES = int(np.iinfo(np.int16).max) - LOWEST_HU + 1


@dataclass(frozen=True)
class Density:
    """Radiodensity figures of one segment; see `case_result.Measurements` for their meaning."""

    mean_hu: float
    sd_hu: float
    median_hu: float
    fat_fraction: float
    composite_fraction: float
    lean_fraction: float
    histogram: tuple[int, ...]


def density_of(counts: np.ndarray) -> Density:
    """The figures of a segment whose value ``LOWEST_HU + i`` occurs ``counts[i]`` times (int64, `HU_VALUES` long).

    Nothing is binned but the coarse histogram: mean, median (of an even number of voxels the mean of the middle two),
    and standard deviation (divisor n, as the whole segment is known, not a sample of it) are those of the voxels.

    Fat lies below -30 HU, lean tissue above 30 HU, and composite tissue between, both limits included:

    >>> counts = np.zeros(HU_VALUES, np.int64)
    >>> counts[[hu - LOWEST_HU for hu in (-31, -30, 30, 31)]] = 1, 3, 4, 2
    >>> density = density_of(counts)
    >>> density.fat_fraction, density.composite_fraction, density.lean_fraction
    (0.1, 0.7, 0.2)
    >>> density.mean_hu, density.median_hu
    (6.1, 30.0)

    Raises:
        ValueError: there is no voxel.
    """
    present = np.flatnonzero(counts)
    if present.size == 0:
        raise ValueError("a segment without voxels has no density")
    values = present + LOWEST_HU
    weights = counts[present].astype(np.int64)
    total = int(weights.sum())
    # Python integers: without rounding, the result does not depend on the order of voxels and axes.
    first = sum(int(w) * int(v) for w, v in zip(weights, values, strict=True))
    second = sum(int(w) * int(v) ** 2 for w, v in zip(weights, values, strict=True))
    up_to = np.cumsum(weights)
    middle = [int(values[np.searchsorted(up_to, rank, side="right")]) for rank in ((total - 1) // 2, total // 2)]
    fat = int(weights[values < FAT_BELOW_HU].sum())
    lean = int(weights[values > LEAN_ABOVE_HU].sum())
    return Density(
        mean_hu=first / total,
        sd_hu=math.sqrt((total * second - first**2) / total**2),
        median_hu=sum(middle) / 2.0,
        fat_fraction=fat / total,
        composite_fraction=(total - fat - lean) / total,
        lean_fraction=lean / total,
        histogram=_coarse_histogram(values, weights),
    )


def _coarse_histogram(values: np.ndarray, weights: np.ndarray) -> tuple[int, ...]:
    bins = np.clip((values - HISTOGRAM_FIRST_HU) // HISTOGRAM_BIN_HU, 0, HISTOGRAM_BINS - 1)
    histogram = np.zeros(HISTOGRAM_BINS, dtype=np.int64)
    np.add.at(histogram, bins, weights)
    return tuple(int(count) for count in histogram)
