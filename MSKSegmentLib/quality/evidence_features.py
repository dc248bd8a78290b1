"""Scores of different kinds as risks that monotone regression can add up: each risk rises with the expected error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..case_result import Scores

# Below these values a score depends on a few voxels and carries no information.
SMALLEST_DISAGREEMENT = 0.005


@dataclass(frozen=True)
class Feature:
    """A score as a risk.

    `risk` turns the score into a number that rises with the expected error, on a logarithmic scale because errors multiply;
    `absent` is the usual risk, taken where the score does not exist, or None where a segment cannot be rated without it. `words`
    say what a high risk means, `form` how the score, times `factor`, is told, and `leading` what stands before it.
    """

    name: str
    risk: Callable[[float], float]
    absent: float | None
    words: str
    form: str
    leading: str = ""
    factor: float = 1.0

    def of(self, scores: Scores) -> float:
        """The risk of a segment; not a number where the score is missing."""
        value = getattr(scores, self.name)
        if value is None or not math.isfinite(value):
            return math.nan if self.absent is None else self.absent
        return self.risk(float(value))

    def told(self, value: float, usual: float | None) -> str:
        """What a high risk means, in words, with the score and, where that reads differently, the usual one."""
        here = self.form.format(self.factor * value)
        there = here if usual is None else self.form.format(self.factor * usual)
        beside = "" if there == here else f", usually {there}"
        return f"{self.words} ({self.leading}{here}{beside})"


def _rising(smallest: float) -> Callable[[float], float]:
    return lambda value: math.log(max(value, 0.0) + smallest)


def _falling(smallest: float) -> Callable[[float], float]:
    return lambda value: math.log(max(1.0 - value, 0.0) + smallest)


def _far(value: float) -> float:
    return math.log1p(abs(value))


def _off_one(ratio: float) -> float:
    """How far from 1 a ratio is, up to a factor of ten either way."""
    return math.log1p(abs(math.log(min(max(ratio, 0.1), 10.0))))


_DISAGREES, _IN_SLICES = "it disagrees with the network", "it disagrees with the network in some slices"
_OUTLINE = "the network's passes disagree about its outline"

FEATURES = (
    Feature("mean_variance", _rising(1e-5), None, "the network's passes vary inside it", "{:.2e}"),
    Feature("mean_entropy", _rising(0.01), None, "the network is undecided inside it", "{:.3f}", "entropy "),
    Feature("soft_dice", _falling(SMALLEST_DISAGREEMENT), None, "the network is unsure where it ends", "{:.2f}", "soft Dice "),
    Feature("pairwise_dice", _falling(SMALLEST_DISAGREEMENT), None, _OUTLINE, "{:.2f}", "Dice "),
    Feature("pairwise_iou", _falling(SMALLEST_DISAGREEMENT), None, _OUTLINE, "{:.2f}", "overlap "),
    Feature("low_slice_dice", _falling(0.02), None, "the network's passes disagree in its worst slices", "{:.2f}", "Dice "),
    Feature("volume_cv", _rising(0.005), None, "its volume varies between the network's passes", "{:.1f} %", "by ", 100.0),
    Feature("sd_mean_hu", _rising(0.3), None, "its mean density varies between the network's passes", "{:.1f} HU", "by "),
    Feature("sd_fat_fraction", _rising(0.002), None, "its share of fat varies between passes", "{:.1f} points", "by ", 100.0),
    Feature("stray_components", math.log1p, 0.0, "pieces of it were removed", "{:.0f}"),
    Feature("stray_share", _rising(0.01), math.log(0.01), "pieces of it were removed", "{:.1f} %", "", 100.0),
    Feature("metal_distance_mm", lambda value: math.exp(-max(value, 0.0) / 30.0), 0.0, "metal is near", "{:.0f} mm away"),
    Feature("volume_deviation", _far, math.log1p(0.7), "its volume is unusual for the bone beside it", "{:+.1f} SD"),
    Feature("position_deviation", _far, math.log1p(1.2), "its place among the bones is unusual", "{:.1f} SD"),
    Feature("agreement", _falling(SMALLEST_DISAGREEMENT), None, _DISAGREES, "{:.2f}", "Dice "),
    Feature("agreement_sd", _rising(0.002), None, "the network's passes agree with it unequally", "{:.3f}", "SD "),
    Feature("low_slice_agreement", _falling(0.02), None, _IN_SLICES, "{:.2f}", "Dice "),
    Feature("disagreeing_share", _rising(0.02), None, _IN_SLICES, "{:.0f} %", "", 100.0),
    Feature("volume_to_network", _off_one, _off_one(0.0), "it is larger or smaller than the network's", "{:.2f}", "volume ratio "),
    Feature("sure_agreement", _falling(SMALLEST_DISAGREEMENT), None, _DISAGREES, "{:.2f}", "Dice less its own doubt "),
    Feature("hole_share", _rising(0.01), math.log(0.01), "it has holes", "{:.1f} %", "", 100.0),
    Feature("jump_share", _rising(0.02), math.log(0.02), "its outline jumps between slices", "{:.1f} %", "", 100.0),
    Feature("shape_deviation", _far, math.log1p(1.2), "its shape is unusual", "{:.1f} SD"),
    Feature("density_deviation", _far, math.log1p(0.7), "its density is unusual", "{:+.1f} SD"),
)
BY_NAME = {feature.name: feature for feature in FEATURES}
# Not a score of a segment: 1 where the scan as a whole has a warning (`guards.SCAN_CAUTIONS`).
SCAN_WARNING = "scan_warning"


def risks(scores: Sequence[Scores], warned: Sequence[bool], names: Sequence[str]) -> np.ndarray:
    """The risks of segments, float ``[segments, names]``; not a number where a score is missing.

    `names` are those of scores or `SCAN_WARNING`, `warned` says whose scan has a warning.
    """
    columns = [
        [float(one) for one in warned] if name == SCAN_WARNING else [BY_NAME[name].of(one) for one in scores] for name in names
    ]
    return np.array(columns, dtype=float).reshape(len(names), len(scores)).T
