"""The single-score rule of Soufi et al. 2025: the uncertainty at which a segment counts as inaccurate or failed.

A structure's Dice coefficient is inaccurate below median - 2 * 1.4826 * MAD and failed below median - 3 * 1.4826 * MAD; the line
fitted to Dice over uncertainty turns both into uncertainty thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .observations import Observation, patients_of
from .wording import counted

INACCURATE_K, FAILED_K = -2.0, -3.0
# Makes the median absolute deviation comparable to a standard deviation of normal data.
MAD_TO_SD = 1.4826
FEWEST_PATIENTS = 10
RULE = "Soufi et al. 2025: median + 1.4826 k MAD of Dice (k = -2, -3), inverted through a regression line"


@dataclass(frozen=True)
class StructureCalibration:
    """The line ``dice = intercept + slope * uncertainty`` of a structure and what follows from it; sides are pooled.

    `patients` and `segments` count what it rests on; `inaccurate` and `failed` how many segments lay below the two Dice
    thresholds. `auroc_inaccurate` is None when none or all did.
    """

    patients: int
    segments: int
    dice_median: float
    dice_mad: float
    slope: float
    intercept: float
    pearson_r: float
    dice_inaccurate: float
    dice_failed: float
    uncertainty_inaccurate: float
    uncertainty_failed: float
    inaccurate: int
    failed: int
    auroc_inaccurate: float | None
    auroc_failed: float | None

    def predicted_dice(self, uncertainty: float) -> float:
        """Dice coefficient on the fitted line, held to 0..1."""
        return float(np.clip(self.intercept + self.slope * uncertainty, 0.0, 1.0))


@dataclass(frozen=True)
class DiceThresholds:
    """Median and median absolute deviation of a structure's Dice coefficient over `patients`, and what lies below them."""

    patients: int
    median: float
    mad: float

    @property
    def inaccurate(self) -> float:
        """The Dice coefficient below which a segment needs moderate correction."""
        return self.median + MAD_TO_SD * INACCURATE_K * self.mad

    @property
    def failed(self) -> float:
        """The Dice coefficient below which a segment needs notable correction."""
        return self.median + MAD_TO_SD * FAILED_K * self.mad


def dice_thresholds(observations: Sequence[Observation]) -> DiceThresholds | str:
    """The Dice thresholds of one structure from its ordinary observations, or the sentence why there are none."""
    ordinary = [observation for observation in observations if observation.ordinary]
    patients = len(patients_of(ordinary))
    if patients < FEWEST_PATIENTS:
        few = f"only {counted(patients, 'calibration patient shows', 'calibration patients show')}"
        return f"{few if patients else 'no calibration patient shows'} it, {FEWEST_PATIENTS} are needed"
    scores = np.array([observation.dice for observation in ordinary])
    median = float(np.median(scores))
    return DiceThresholds(patients, median, float(np.median(np.abs(scores - median))))


def fit_structure(observations: Sequence[Observation]) -> StructureCalibration | str:
    """The calibration of one structure, or the sentence why there is none.

    Only ordinary patients count, such as the paper had: a straight line through scans that were made to break the network misses
    the range in which the thresholds lie.
    """
    from scipy import stats

    used = [item for item in observations if item.ordinary and item.uncertainty is not None]
    limits = dice_thresholds(used)
    if isinstance(limits, str):
        return limits
    scores = np.array([observation.dice for observation in used])
    uncertainties = np.array([observation.uncertainty for observation in used], dtype=float)
    if np.ptp(uncertainties) == 0 or np.ptp(scores) == 0:
        return "its calibration cases do not differ"
    line = stats.linregress(uncertainties, scores)
    if line.slope >= 0:
        return "its uncertainty did not fall with better segmentations in the calibration cases"
    return StructureCalibration(
        patients=len(patients_of(used)),
        segments=len(used),
        dice_median=limits.median,
        dice_mad=limits.mad,
        slope=float(line.slope),
        intercept=float(line.intercept),
        pearson_r=float(line.rvalue),
        dice_inaccurate=limits.inaccurate,
        dice_failed=limits.failed,
        uncertainty_inaccurate=float((limits.inaccurate - line.intercept) / line.slope),
        uncertainty_failed=float((limits.failed - line.intercept) / line.slope),
        inaccurate=int((scores < limits.inaccurate).sum()),
        failed=int((scores < limits.failed).sum()),
        auroc_inaccurate=auroc(uncertainties, scores < limits.inaccurate),
        auroc_failed=auroc(uncertainties, scores < limits.failed),
    )


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve of a score ``[n]`` for `positive`, bool ``[n]``, as the Mann-Whitney statistic.

    None without positives or without negatives.
    """
    from scipy import stats

    if positive.all() or not positive.any():
        return None
    u = stats.mannwhitneyu(score[positive], score[~positive]).statistic
    return float(u / (positive.sum() * (~positive).sum()))


def rule_to_json(structures: Mapping[str, StructureCalibration], missing: Mapping[str, str]) -> dict[str, Any]:
    """JSON-ready: the fitted structures by abbreviation and the reasons for the others."""
    return {"rule": RULE, "structures": {key: asdict(value) for key, value in structures.items()}, "missing": dict(missing)}
