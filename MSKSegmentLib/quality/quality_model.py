"""What a calibration knows beside the paper's rule: predicted Dice, intervals, failure probability, limits of the lights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..case_result import Scores
from .conformal import COVERAGE, FEWEST_PATIENTS, Reach, Reaches, fit_reaches
from .dice_model import FOLDS, SMALLEST_ERROR, DiceModel, cross_fitted, dice_of, fit_dice_model, log_error
from .isotonic import Curve, isotonic_curve
from .limits import Limits, fit_limits
from .observations import Observation, folds, patients_of
from .wording import counted

LEAST_SCATTER = 0.01


@dataclass(frozen=True)
class Estimate:
    """What is predicted of one segment; None where the calibration had too few cases for it.

    The volume lies between the measured one times the two `volume_factors`, the mean HU between the measured one plus the two
    `hu_shifts`, each with the calibration's coverage.
    """

    dice: float
    dice_interval: tuple[float, float] | None
    failure_probability: float | None
    volume_factors: tuple[float, float] | None
    hu_shifts: tuple[float, float] | None


@dataclass(frozen=True)
class QualityModel:
    """The monotone rule with all that was fitted around it.

    `scatter` is the usual absolute error of a predicted log error, over that; intervals are so many times as wide. `limits` are by
    abbreviation, `missing` says of the other structures why they have none. `covered` are the shares of segments
    that the intervals of "dice", "volume" and "mean_hu" held when their patients were left out.
    """

    dice: DiceModel
    scatter: Curve
    limits: Mapping[str, Limits]
    missing: Mapping[str, str]
    failure: Curve | None
    dice_reach: Reaches
    volume_reach: Reaches
    hu_reach: Reaches
    patients: int
    segments: int
    covered: Mapping[str, float | None]

    def estimate(self, abbreviation: str, scores: Scores, warned: bool = False) -> Estimate | None:
        """What is predicted of a segment; None where evidence is missing that the rule needs.

        `warned` says whether the scan as a whole was warned of.
        """
        error = float(self.dice.predicted_errors([abbreviation], [scores], [warned])[0])
        if not math.isfinite(error):
            return None
        dice = float(dice_of(error))
        limits = self.limits.get(abbreviation)
        failure = None
        if limits is not None and self.failure is not None:
            failure = float(self.failure.at(float(log_error(limits.inaccurate_below)) - error))
        at = _spread(np.array(dice))
        return Estimate(
            dice=dice,
            dice_interval=_dice_interval(error, float(self.scatter.at(error)), self.dice_reach.of(abbreviation)),
            failure_probability=failure,
            volume_factors=_ends(self.volume_reach.of(abbreviation), float(at), math.exp),
            hu_shifts=_ends(self.hu_reach.of(abbreviation), float(at), float),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "rule": "log(1 - Dice): non-negatively weighted risks, an offset per structure, isotonic; split-conformal intervals",
            "patients": self.patients,
            "segments": self.segments,
            "inaccurate": sum(limits.inaccurate for limits in self.limits.values()),
            "failed": sum(limits.failed for limits in self.limits.values()),
            "coverage_target": COVERAGE,
            "covered": dict(self.covered),
            "dice": self.dice.to_json(),
            "scatter": _knots_json(self.scatter),
            "limits": {key: asdict(limits) for key, limits in self.limits.items()},
            "missing": dict(self.missing),
            "failure": None if self.failure is None else _knots_json(self.failure),
            "dice_reach": self.dice_reach.to_json(),
            "volume_reach": self.volume_reach.to_json(),
            "hu_reach": self.hu_reach.to_json(),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> QualityModel:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: entries are missing or not numbers.
        """
        failure = data["failure"]
        return QualityModel(
            dice=DiceModel.from_json(data["dice"]),
            scatter=_curve(data["scatter"]),
            limits={str(key): Limits(**value) for key, value in data["limits"].items()},
            missing={str(key): str(value) for key, value in data["missing"].items()},
            failure=None if failure is None else _curve(failure),
            dice_reach=Reaches.from_json(data["dice_reach"]),
            volume_reach=Reaches.from_json(data["volume_reach"]),
            hu_reach=Reaches.from_json(data["hu_reach"]),
            patients=int(data["patients"]),
            segments=int(data["segments"]),
            covered=dict(data["covered"]),
        )


def fit_quality_model(observations: Sequence[Observation]) -> QualityModel | str:
    """Fit everything to the observations, or say in a sentence why nothing can be fitted."""
    patients = len(patients_of(observations))
    if patients < FEWEST_PATIENTS:
        return f"the calibration rests on {counted(patients, 'patient', 'patients')}, {FEWEST_PATIENTS} are needed"
    model = fit_dice_model(observations)
    if model is None:
        return "the calibration cases hold no evidence to learn from"
    errors = cross_fitted(observations)
    off = log_error(np.array([item.dice for item in observations])) - errors
    known = np.isfinite(off)
    scatter = _floored(isotonic_curve(errors[known], np.abs(off[known]), rising=True))
    residuals = _residuals(observations, errors, scatter)
    names, people = [item.abbreviation for item in observations], [item.patient for item in observations]
    reaches = {key: fit_reaches(values, names, people) for key, values in residuals.items()}
    high = [math.nan if (reach := reaches["dice"].of(name)) is None else reach.high for name in names]
    limits, missing, failure = fit_limits(observations, errors, errors + np.array(high) * scatter.at(errors), model.features)
    return QualityModel(
        dice=model,
        scatter=scatter,
        limits=limits,
        missing=missing,
        failure=failure,
        dice_reach=reaches["dice"],
        volume_reach=reaches["volume"],
        hu_reach=reaches["mean_hu"],
        patients=patients,
        segments=len(observations),
        covered={key: _covered(values, names, people) for key, values in residuals.items()},
    )


def _residuals(observations: Sequence[Observation], errors: np.ndarray, scatter: Curve) -> dict[str, np.ndarray]:
    """Truth minus prediction ``[n]``: log errors in units of their scatter, log volume and mean HU in units of the error."""
    unit = _spread(dice_of(errors))
    ratio = np.array([math.nan if item.volume_ratio is None else item.volume_ratio for item in observations])
    shift = np.array([math.nan if item.hu_difference is None else item.hu_difference for item in observations])
    dice = np.array([item.dice for item in observations])
    return {"dice": (log_error(dice) - errors) / scatter.at(errors), "volume": np.log(ratio) / unit, "mean_hu": shift / unit}


def _spread(dice: np.ndarray) -> np.ndarray:
    """How wide volumes and mean HU scatter, up to a factor: by the predicted error, as wrong voxels make both wrong."""
    return 1.0 + SMALLEST_ERROR - dice


def _covered(residuals: np.ndarray, names: list[str], patients: list[str]) -> float | None:
    """The share of residuals inside reaches that were fitted to other patients."""
    parts = folds(patients, FOLDS)
    held = []
    labels, people = np.array(names), np.array(patients)
    for part in np.unique(parts):
        others, inside = parts != part, (parts == part) & np.isfinite(residuals)
        reaches = fit_reaches(residuals[others], labels[others], people[others])
        for name, residual in zip(labels[inside], residuals[inside], strict=True):
            reach = reaches.of(str(name))
            if reach is not None:
                held.append(reach.low <= residual <= reach.high)
    return float(np.mean(held)) if held else None


def _dice_interval(error: float, unit: float, reach: Reach | None) -> tuple[float, float] | None:
    if reach is None:
        return None
    return float(dice_of(error + reach.high * unit)), float(dice_of(error + reach.low * unit))


def _floored(curve: Curve) -> Curve:
    """Not below the scatter that a few voxels make."""
    return Curve(tuple((x, max(y, LEAST_SCATTER)) for x, y in curve.knots))


def _knots_json(curve: Curve) -> list[list[float]]:
    return [list(knot) for knot in curve.knots]


def _curve(knots: Sequence[Sequence[float]]) -> Curve:
    return Curve(tuple((float(x), float(y)) for x, y in knots))


def _ends(reach: Reach | None, unit: float, scale: Any) -> tuple[float, float] | None:
    return None if reach is None else (scale(reach.low * unit), scale(reach.high * unit))
