"""The rule from all evidence, with its intervals and limits, fitted to observations (see `quality.quality_model`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..quality.conformal import FEWEST_FOR_INTERVALS
from ..quality.curve import Curve
from ..quality.dice_model import dice_of, log_error
from ..quality.paper_rule import DiceThresholds
from ..quality.quality_model import QualityModel, error_of
from ..quality.wording import counted
from .fit_dice_model import FOLDS, cross_fitted, fit_dice_model
from .fit_limits import fit_limits
from .fit_reaches import fit_reaches
from .isotonic import isotonic_curve
from .missing import Missing
from .observations import Observation, folds, patients_of

LEAST_SCATTER = 0.01


def fit_quality_model(
    observations: Sequence[Observation], thresholds: Mapping[str, DiceThresholds] | None = None
) -> QualityModel | Missing:
    """Fit everything to the observations, or say why nothing can be fitted; `thresholds` as for `fit_limits`."""
    patients = len(patients_of(observations))
    if patients < FEWEST_FOR_INTERVALS:
        return Missing(f"the calibration rests on {counted(patients, 'patient', 'patients')}, {FEWEST_FOR_INTERVALS} are needed")
    model = fit_dice_model(observations)
    if model is None:
        return Missing("the calibration cases hold no evidence to learn from")
    errors = cross_fitted(observations)
    off = log_error(np.array([item.dice for item in observations])) - errors
    is_finite = np.isfinite(off)
    scatter = _floored(isotonic_curve(errors[is_finite], np.abs(off[is_finite]), rising=True))
    residuals = _residuals(observations, errors, scatter)
    names, people = [item.abbreviation for item in observations], [item.patient for item in observations]
    reaches = {key: fit_reaches(values, names, people) for key, values in residuals.items()}
    high = [math.nan if (reach := reaches["dice"].of(name)) is None else reach.high for name in names]
    upper = errors + np.array(high) * scatter.at(errors)
    limits, missing, failure = fit_limits(observations, errors, upper, model.features, thresholds)
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
    unit = error_of(dice_of(errors))
    ratio = np.array([math.nan if item.volume_ratio is None else item.volume_ratio for item in observations])
    shift = np.array([math.nan if item.hu_difference is None else item.hu_difference for item in observations])
    dice = np.array([item.dice for item in observations])
    return {"dice": (log_error(dice) - errors) / scatter.at(errors), "volume": np.log(ratio) / unit, "mean_hu": shift / unit}


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


def _floored(curve: Curve) -> Curve:
    """The curve, raised where it lies below the scatter that a few voxels cause."""
    return Curve(tuple((x, max(y, LEAST_SCATTER)) for x, y in curve.knots))
