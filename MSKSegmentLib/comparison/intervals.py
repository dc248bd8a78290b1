"""Between which values a number of a result may lie, and the change between two of them.

An automatic number has the interval of its calibration. A yellow light widens it: what makes a light yellow beside the prediction
(metal near, a warning on the scan) is not in that interval. A structure that a person corrected or drew, and accepted, has no
prediction; its interval is what a Dice coefficient of `BY_HAND_DICE` with another reader's label allows at most. With the label's
voxels B, the true ones A and d = 2 |A and B| / (|A| + |B|), |A| / |B| lies between d / (2 - d) and (2 - d) / d, at either end with
one inside the other; then 2 (1 - d) / d of a label's voxels are wrong, each off by the contrast of muscle and fat at most.

No calibration speaks of the share of fat. Its interval follows from that of the mean HU: a wrong voxel that shifts the mean by the
contrast of lean and fat tissue shifts the share of fat by one voxel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..case_result import Light, Measurements, ReviewState, SegmentReport
from ..measurement.density import FAT_BELOW_HU, HISTOGRAM_BIN_HU, HISTOGRAM_FIRST_HU

# Readers of muscle on CT agree to about this with each other.
BY_HAND_DICE = 0.95
YELLOW_WIDENS = 1.5
# Subcutaneous and intermuscular fat, where a segment holds too little fat to say.
_USUAL_FAT_HU = -100.0
_LEAST_CONTRAST_HU = 60.0
_FEWEST_FAT_VOXELS = 50


class FollowedQuantity(str, Enum):
    """What is followed over time, by its column in the results table."""

    VOLUME = "volume_cc"
    MEAN_HU = "mean_hu"
    FAT = "fat_percent"

    @property
    def unit(self) -> str:
        """The unit, as it is printed."""
        return {"volume_cc": "cc", "mean_hu": "HU", "fat_percent": "points"}[self.value]


@dataclass(frozen=True)
class Bounded:
    """A number with the ends of the interval that holds the true one."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Hold the numbers to their order."""
        if not (math.isfinite(self.value) and self.low <= self.high):
            raise ValueError(f"no interval: {self}")


def is_by_hand(report: SegmentReport) -> bool:
    """Whether the voxels are those of a person and not of the network: corrected, drawn, or given and then accepted."""
    return report.state is ReviewState.EDITED or (report.state is ReviewState.ACCEPTED and report.scores is None)


def bounded_value(report: SegmentReport, quantity: FollowedQuantity) -> Bounded | None:
    """The number of a report with its interval; None where it has no such number, or nothing bounds it.

    Volumes are in cc, densities in HU, shares of fat in percent.
    """
    found = report.measurements
    value = None if found is None else _value(found, quantity)
    if found is None or value is None:
        return None
    ends = _by_hand(found, quantity, value) if is_by_hand(report) else _calibrated(report, found, quantity, value)
    if ends is None:
        return None
    if report.light is Light.YELLOW:
        ends = _widened(value, ends)
    low, high = max(ends[0], _LOWEST[quantity]), min(ends[1], _HIGHEST[quantity])
    return Bounded(value, min(low, high), high)


def change(before: Bounded, after: Bounded) -> Bounded:
    """After minus before; the interval holds the true change whenever both intervals hold, however their errors go together."""
    return Bounded(after.value - before.value, after.low - before.high, after.high - before.low)


_LOWEST = {FollowedQuantity.VOLUME: 0.0, FollowedQuantity.MEAN_HU: -math.inf, FollowedQuantity.FAT: 0.0}
_HIGHEST = {FollowedQuantity.VOLUME: math.inf, FollowedQuantity.MEAN_HU: math.inf, FollowedQuantity.FAT: 100.0}


def _value(found: Measurements, quantity: FollowedQuantity) -> float | None:
    if quantity is FollowedQuantity.VOLUME:
        return found.volume_cc
    if quantity is FollowedQuantity.MEAN_HU:
        return found.mean_hu
    return None if found.fat_fraction is None else 100 * found.fat_fraction


def _calibrated(report: SegmentReport, found: Measurements, quantity: FollowedQuantity, value: float) -> tuple[float, float] | None:
    if quantity is FollowedQuantity.VOLUME:
        return report.volume_interval_cc
    if report.mean_hu_interval is None or quantity is FollowedQuantity.MEAN_HU:
        return report.mean_hu_interval
    assert found.mean_hu is not None, "a density with an interval was measured"
    low, high = (100 * (bound - found.mean_hu) / contrast_hu(found) for bound in report.mean_hu_interval)
    return value - high, value - low


def _by_hand(found: Measurements, quantity: FollowedQuantity, value: float) -> tuple[float, float]:
    ratio = (2 - BY_HAND_DICE) / BY_HAND_DICE
    if quantity is FollowedQuantity.VOLUME:
        return value / ratio, value * ratio
    wrong = ratio - 1
    off = 100 * wrong if quantity is FollowedQuantity.FAT else wrong * contrast_hu(found)
    return value - off, value + off


def _widened(value: float, ends: tuple[float, float]) -> tuple[float, float]:
    """Ends farther from the value; one that lies on its other side stays."""
    low, high = (value + YELLOW_WIDENS * (end - value) for end in ends)
    return min(low, ends[0]), max(high, ends[1])


def contrast_hu(found: Measurements) -> float:
    """Mean HU of what is no fat minus that of what is fat in a segment, from its histogram, 60 HU at least."""
    counts = np.array(found.histogram, dtype=float)
    middles = HISTOGRAM_FIRST_HU + HISTOGRAM_BIN_HU * (np.arange(counts.size) + 0.5)
    is_fat = middles < FAT_BELOW_HU
    fat, rest = counts * is_fat, counts * ~is_fat
    fat_hu = float(fat @ middles / fat.sum()) if fat.sum() >= _FEWEST_FAT_VOXELS else _USUAL_FAT_HU
    rest_hu = float(rest @ middles / rest.sum()) if rest.sum() else FAT_BELOW_HU
    return max(rest_hu - fat_hu, _LEAST_CONTRAST_HU)
