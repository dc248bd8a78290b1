"""The rule of Soufi et al. 2025, fitted to observations (see `quality.paper_rule`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..quality.paper_rule import DiceThresholds, StructureCalibration
from ..quality.wording import counted
from .missing import Missing
from .observations import Observation, patients_of

FEWEST_PATIENTS = 10


def dice_thresholds(observations: Sequence[Observation]) -> DiceThresholds | Missing:
    """The Dice thresholds of one structure from its ordinary observations, or why there are none."""
    from scipy import stats

    ordinary = [observation for observation in observations if observation.ordinary]
    patients = len(patients_of(ordinary))
    if patients < FEWEST_PATIENTS:
        few = f"only {counted(patients, 'calibration patient shows', 'calibration patients show')}"
        return Missing(f"{few if patients else 'no calibration patient shows'} it, {FEWEST_PATIENTS} are needed")
    scores = np.array([observation.dice for observation in ordinary])
    return DiceThresholds(patients, float(np.median(scores)), float(stats.median_abs_deviation(scores)))


def fit_structure(observations: Sequence[Observation]) -> StructureCalibration | Missing:
    """The calibration of one structure, or why there is none.

    Only ordinary patients count, such as the paper had: a straight line through scans that were made to break the network misses
    the range in which the thresholds lie.
    """
    from scipy import stats

    used = [item for item in observations if item.ordinary and item.uncertainty is not None]
    limits = dice_thresholds(used)
    if isinstance(limits, Missing):
        return limits
    scores = np.array([observation.dice for observation in used])
    uncertainties = np.array([observation.uncertainty for observation in used], dtype=float)
    if np.ptp(uncertainties) == 0 or np.ptp(scores) == 0:
        return Missing("its calibration cases do not differ")
    line = stats.linregress(uncertainties, scores)
    if line.slope >= 0:
        return Missing("its uncertainty did not fall with better segmentations in the calibration cases")
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
