"""Dice predicted from a few scores by monotone regression: a worse score never gives a better prediction.

The logarithm of the error (1 - Dice) is a sum of risks (see `evidence_features`) with weights that are not negative (Lawson and
Hanson's NNLS with a ridge, within structures), plus an offset of the structure, shrunk towards the mean offset; an isotonic
regression over all structures then maps the sum to the observed errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..case_result import Scores
from .evidence_features import SCAN_WARNING, risks

# Errors below 2 % reflect single voxels and the variability of manual labels.
SMALLEST_ERROR = 0.02
# The scores that the rule may use, where the calibration cases have them. Intersection over union follows from the Dice
# coefficient and is left out. Volume, place, shape and density depend on the patient's build, so they only act as guards: a body
# unlike those of the calibration must not shift a prediction. Those from agreement on exist only where a given mask is judged.
USED = (
    "mean_variance",
    "mean_entropy",
    "soft_dice",
    "pairwise_dice",
    "low_slice_dice",
    "volume_cv",
    "sd_mean_hu",
    "stray_share",
    "metal_distance_mm",
    "agreement",
    "agreement_sd",
    "low_slice_agreement",
    "disagreeing_share",
    "volume_to_network",
    "sure_agreement",
    "hole_share",
    "jump_share",
    SCAN_WARNING,
)


def log_error(dice: np.ndarray | float) -> np.ndarray:
    """The scale on which errors are compared: log(1 - Dice + 0.02)."""
    return np.log(1.0 - np.asarray(dice, dtype=float) + SMALLEST_ERROR)


def dice_of(error: np.ndarray | float) -> np.ndarray:
    """The Dice coefficient of a `log_error`, held to 0..1.

    >>> round(float(dice_of(log_error(0.9))), 6)
    0.9
    """
    return np.clip(1.0 + SMALLEST_ERROR - np.exp(np.asarray(error, dtype=float)), 0.0, 1.0)


@dataclass(frozen=True)
class DiceModel:
    """The fitted rule: weights of the features' risks, offsets by abbreviation, and the knots of the isotonic curve.

    `knots` are pairs (sum of risks and offset, log error), both rising; between them the curve is straight, beyond them it rises
    as the sum does, which by itself already estimates the log error.
    """

    features: tuple[str, ...]
    weights: tuple[float, ...]
    offsets: Mapping[str, float]
    pooled_offset: float
    knots: tuple[tuple[float, float], ...]

    def predicted_errors(self, abbreviations: Sequence[str], scores: Sequence[Scores], warned: Sequence[bool]) -> np.ndarray:
        """Log errors ``[n]`` of segments; not a number where a score is missing. `warned` says whose scan has a warning."""
        return self.errors_of_risks(abbreviations, risks(scores, warned, self.features))

    def errors_of_risks(self, abbreviations: Sequence[str], table: np.ndarray) -> np.ndarray:
        """Log errors ``[n]`` of segments whose risks ``[n, features]`` are known (`evidence_features.risks`)."""
        index = table @ np.array(self.weights)
        index += np.array([self.offsets.get(name, self.pooled_offset) for name in abbreviations], dtype=float)
        at, error = np.array(self.knots).T
        beyond = index - np.clip(index, at[0], at[-1])
        return np.where(np.isfinite(index), np.interp(index, at, error) + beyond, math.nan)

    def contributions(self, scores: Scores, usual: Mapping[str, float]) -> dict[str, float]:
        """By how much each score raises the log error above that of the `usual` scores (score name -> value)."""
        typical: dict[str, Any] = {name: usual.get(name) for name in self.features if name != SCAN_WARNING}
        here, there = risks([scores, Scores(**typical)], [False, False], self.features)
        steps = np.array(self.weights) * (here - there)
        return {name: float(step) for name, step in zip(self.features, steps, strict=True) if np.isfinite(step)}

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**asdict(self), "knots": [list(knot) for knot in self.knots]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> DiceModel:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: entries are missing or not numbers.
        """
        names, weights = tuple(str(name) for name in data["features"]), tuple(float(value) for value in data["weights"])
        knots = tuple((float(at), float(error)) for at, error in data["knots"])
        if len(names) != len(weights) or not knots or not set(names) <= set(USED) or min(weights, default=0.0) < 0:
            raise ValueError("weights that do not fit the features")
        offsets = {str(key): float(value) for key, value in data["offsets"].items()}
        return DiceModel(names, weights, offsets, float(data["pooled_offset"]), knots)
