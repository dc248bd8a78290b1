"""The rule that predicts Dice, fitted to observations (see `quality.dice_model`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..quality.dice_model import USED, DiceModel, log_error
from ..quality.evidence_features import risks
from .isotonic import isotonic_curve
from .observations import Observation, folds

# Share of the observations that must have a score for it to be used.
LEAST_PRESENT = 0.99
RIDGE = 0.02
# With so many patients a structure's own offset weighs as much as the mean offset.
SHRINKAGE_PATIENTS = 10.0
FOLDS = 10


def fit_dice_model(observations: Sequence[Observation], used: Sequence[str] = USED) -> DiceModel | None:
    """The rule for these observations; None where they have no usable score."""
    return _fitted(observations, _risk_table(observations, used), used)


def _risk_table(observations: Sequence[Observation], used: Sequence[str]) -> np.ndarray:
    return risks([item.evidence for item in observations], [bool(item.scan_cautions) for item in observations], used)


def _fitted(observations: Sequence[Observation], table: np.ndarray, used: Sequence[str]) -> DiceModel | None:
    """The rule for observations whose risks ``[n, used]`` are known."""
    names = [name for name, column in zip(used, table.T, strict=True) if _usable(column)]
    table = table[:, [list(used).index(name) for name in names]]
    whole = np.isfinite(table).all(axis=1)
    if not names or whole.sum() < 2:
        return None
    kept = [item for item, fits in zip(observations, whole, strict=True) if fits]
    table, errors = table[whole], log_error(np.array([item.dice for item in kept]))
    groups = _groups(kept)
    weights = _weights(table, errors, list(groups.values()))
    rest = errors - table @ weights
    offsets, pooled = _offsets(kept, rest, groups)
    index = errors - rest + np.array([offsets[item.abbreviation] for item in kept])
    return DiceModel(tuple(names), tuple(map(float, weights)), offsets, pooled, isotonic_curve(index, errors, rising=True).knots)


def cross_fitted(observations: Sequence[Observation], used: Sequence[str] = USED, number: int = FOLDS) -> np.ndarray:
    """Log errors ``[n]`` that a rule learned on other patients predicts; not a number where it cannot.

    The patients are split into `number` parts; each part is predicted by a rule that was fitted to the others.
    """
    parts, table = folds([item.patient for item in observations], number), _risk_table(observations, used)
    predicted = np.full(len(observations), math.nan)
    for part in set(parts.tolist()):
        others = [item for item, where in zip(observations, parts, strict=True) if where != part]
        model = _fitted(others, table[parts != part], used)
        if model is not None:
            names = [item.abbreviation for item, where in zip(observations, parts, strict=True) if where == part]
            columns = [list(used).index(name) for name in model.features]
            predicted[parts == part] = model.errors_of_risks(names, table[np.ix_(parts == part, columns)])
    return predicted


def _usable(column: np.ndarray) -> bool:
    is_finite = np.isfinite(column)
    return bool(column.size and is_finite.mean() >= LEAST_PRESENT and np.ptp(column[is_finite]) > 0)


def _groups(observations: Sequence[Observation]) -> dict[str, np.ndarray]:
    """Abbreviation -> the numbers of its observations."""
    places: dict[str, list[int]] = {}
    for number, item in enumerate(observations):
        places.setdefault(item.abbreviation, []).append(number)
    return {name: np.array(numbers) for name, numbers in places.items()}


def _weights(table: np.ndarray, errors: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Non-negative weights ``[features]`` that explain differences within structures."""
    from scipy.optimize import nnls

    inner, target = table.copy(), errors.copy()
    for places in groups:
        inner[places] -= inner[places].mean(axis=0)
        target[places] -= target[places].mean()
    scale = inner.std(axis=0)
    inner /= np.where(scale > 0, scale, 1.0)
    count = inner.shape[1]
    ridge = math.sqrt(RIDGE * len(inner)) * np.eye(count)
    found, _ = nnls(np.vstack([inner, ridge]), np.concatenate([target, np.zeros(count)]))
    return np.where(scale > 0, found / np.where(scale > 0, scale, 1.0), 0.0)


def _offsets(
    observations: Sequence[Observation], rest: np.ndarray, groups: Mapping[str, np.ndarray]
) -> tuple[dict[str, float], float]:
    pooled = float(np.mean([rest[places].mean() for places in groups.values()]))
    offsets = {}
    for name, places in groups.items():
        patients = len({observations[i].patient for i in places})
        share = patients / (patients + SHRINKAGE_PATIENTS)
        offsets[name] = float(share * rest[places].mean() + (1 - share) * pooled)
    return offsets, pooled
