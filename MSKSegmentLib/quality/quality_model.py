"""What a calibration holds beside the paper's rule: predicted Dice, intervals, failure probability, limits of the lights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..case_result import Scores
from .conformal import COVERAGE, Reach, Reaches
from .curve import Curve
from .dice_model import SMALLEST_ERROR, DiceModel, dice_of, log_error
from .limits import LightLimits


@dataclass(frozen=True)
class QualityEstimate:
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
    """The Dice model and everything fitted on top of it.

    `scatter` is the mean absolute error of a predicted log error as a function of that prediction; the intervals are multiples of
    it. `limits` maps abbreviations to limits, `missing` the other structures to the reason why they have none. `covered` are the
    shares of segments that the intervals of "dice", "volume" and "mean_hu" held when their patients were left out.
    """

    dice: DiceModel
    scatter: Curve
    limits: Mapping[str, LightLimits]
    missing: Mapping[str, str]
    failure: Curve | None
    dice_reach: Reaches
    volume_reach: Reaches
    hu_reach: Reaches
    patients: int
    segments: int
    covered: Mapping[str, float | None]

    def estimate(self, abbreviation: str, scores: Scores, warned: bool = False) -> QualityEstimate | None:
        """What is predicted of a segment; None where a score that the rule needs is missing.

        `warned` says whether the scan as a whole has a warning.
        """
        error = float(self.dice.predicted_errors([abbreviation], [scores], [warned])[0])
        return self.estimate_of_error(abbreviation, error) if math.isfinite(error) else None

    def estimate_of_error(self, abbreviation: str, error: float) -> QualityEstimate:
        """What goes with a predicted log error (see `dice_model.log_error`)."""
        dice = float(dice_of(error))
        limits = self.limits.get(abbreviation)
        failure = None
        if limits is not None and self.failure is not None:
            failure = float(self.failure.at(float(log_error(limits.inaccurate_below)) - error))
        at = error_of(np.array(dice))
        return QualityEstimate(
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
            limits={str(key): LightLimits(**value) for key, value in data["limits"].items()},
            missing={str(key): str(value) for key, value in data["missing"].items()},
            failure=None if failure is None else _curve(failure),
            dice_reach=Reaches.from_json(data["dice_reach"]),
            volume_reach=Reaches.from_json(data["volume_reach"]),
            hu_reach=Reaches.from_json(data["hu_reach"]),
            patients=int(data["patients"]),
            segments=int(data["segments"]),
            covered=dict(data["covered"]),
        )


def error_of(dice: np.ndarray) -> np.ndarray:
    """The spread of volume and mean HU, up to a factor: it grows with the predicted error, since wrong voxels change both."""
    return 1.0 + SMALLEST_ERROR - dice


def _dice_interval(error: float, unit: float, reach: Reach | None) -> tuple[float, float] | None:
    if reach is None:
        return None
    return float(dice_of(error + reach.high * unit)), float(dice_of(error + reach.low * unit))


def _knots_json(curve: Curve) -> list[list[float]]:
    return [list(knot) for knot in curve.knots]


def _curve(knots: Sequence[Sequence[float]]) -> Curve:
    return Curve(tuple((float(x), float(y)) for x, y in knots))


def _ends(reach: Reach | None, unit: float, scale: Any) -> tuple[float, float] | None:
    return None if reach is None else (scale(reach.low * unit), scale(reach.high * unit))
