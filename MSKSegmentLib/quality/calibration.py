"""From cases with known labels to the uncertainty at which a segment counts as inaccurate or failed.

The rule is that of Soufi et al. 2025: a structure's Dice coefficient is inaccurate below median - 2 * 1.4826 * MAD and failed
below median - 3 * 1.4826 * MAD; the line fitted to Dice over uncertainty turns both into uncertainty thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..anatomy import STRUCTURES
from ..errors import BundleError

INACCURATE_K, FAILED_K = -2.0, -3.0
# Makes the median absolute deviation comparable to a standard deviation of normal data.
MAD_TO_SD = 1.4826
FEWEST_PATIENTS = 10


@dataclass(frozen=True)
class Observation:
    """One segment of one calibration patient."""

    patient: str
    abbreviation: str
    side: str
    uncertainty: float
    dice: float


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
class Calibration:
    """Calibrations by abbreviation, and for structures without one the reason. `passes` is the T they were made with."""

    date: str
    source: str
    passes: int
    structures: Mapping[str, StructureCalibration]
    missing: Mapping[str, str]
    reference: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, the content of a bundle's ``calibration.json``."""
        return {
            "rule": "Soufi et al. 2025: median + 1.4826 k MAD of Dice (k = -2, -3), inverted through a regression line",
            "date": self.date,
            "source": self.source,
            "passes": self.passes,
            "structures": {key: asdict(value) for key, value in self.structures.items()},
            "missing": dict(self.missing),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` wrote.

        Raises:
            BundleError: entries are missing or not numbers.
        """
        try:
            structures = {str(key): StructureCalibration(**value) for key, value in data["structures"].items()}
            missing = {str(key): str(value) for key, value in data["missing"].items()}
            return Calibration(str(data["date"]), str(data["source"]), int(data["passes"]), structures, missing)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError("The bundle's calibration.json cannot be read; calibrate the bundle again.") from error


def calibrate(observations: Iterable[Observation], date: str, source: str, passes: int) -> Calibration:
    """Fit every structure for which the observations suffice; say why for the others."""
    by_structure: dict[str, list[Observation]] = {structure.abbreviation: [] for structure in STRUCTURES}
    for observation in observations:
        by_structure[observation.abbreviation].append(observation)
    structures: dict[str, StructureCalibration] = {}
    missing: dict[str, str] = {}
    for abbreviation, found in by_structure.items():
        fitted = _fit(found)
        if isinstance(fitted, str):
            missing[abbreviation] = fitted
        else:
            structures[abbreviation] = fitted
    return Calibration(date, source, passes, structures, missing)


def _fit(found: list[Observation]) -> StructureCalibration | str:
    """The calibration of one structure, or the sentence why there is none."""
    from scipy import stats

    patients = len({observation.patient for observation in found})
    if patients < FEWEST_PATIENTS:
        return f"only {patients} calibration patients show it, {FEWEST_PATIENTS} are needed"
    scores = np.array([observation.dice for observation in found])
    uncertainties = np.array([observation.uncertainty for observation in found])
    if np.ptp(uncertainties) == 0 or np.ptp(scores) == 0:
        return "its calibration cases do not differ"
    line = stats.linregress(uncertainties, scores)
    if line.slope >= 0:
        return "its uncertainty did not fall with better segmentations in the calibration cases"
    median = float(np.median(scores))
    mad = float(np.median(np.abs(scores - median)))
    inaccurate, failed = (median + MAD_TO_SD * k * mad for k in (INACCURATE_K, FAILED_K))
    return StructureCalibration(
        patients=patients,
        segments=len(found),
        dice_median=median,
        dice_mad=mad,
        slope=float(line.slope),
        intercept=float(line.intercept),
        pearson_r=float(line.rvalue),
        dice_inaccurate=inaccurate,
        dice_failed=failed,
        uncertainty_inaccurate=float((inaccurate - line.intercept) / line.slope),
        uncertainty_failed=float((failed - line.intercept) / line.slope),
        inaccurate=int((scores < inaccurate).sum()),
        failed=int((scores < failed).sum()),
        auroc_inaccurate=_auroc(uncertainties, scores < inaccurate),
        auroc_failed=_auroc(uncertainties, scores < failed),
    )


def _auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve as the Mann-Whitney statistic; None without positives or negatives."""
    from scipy import stats

    if positive.all() or not positive.any():
        return None
    u = stats.mannwhitneyu(score[positive], score[~positive]).statistic
    return float(u / (positive.sum() * (~positive).sum()))
