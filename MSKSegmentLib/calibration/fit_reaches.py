"""The reaches of split-conformal intervals, from the residuals of patients (see `quality.conformal`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..quality.conformal import COVERAGE, Reach, Reaches


def fit_reaches(residuals: np.ndarray, abbreviations: Sequence[str] | np.ndarray, patients: Sequence[str] | np.ndarray) -> Reaches:
    """Reaches from residuals ``[n]`` (truth minus prediction); those that are not numbers are left out."""
    names, people = np.array(abbreviations), np.array(patients)
    is_finite = np.isfinite(residuals)
    own = {}
    for name in sorted(set(names[is_finite].tolist())):
        found = _reach(residuals[is_finite & (names == name)], people[is_finite & (names == name)])
        if found is not None:
            own[name] = found
    return Reaches(own, _reach(residuals[is_finite], people[is_finite]))


def patient_quantile(values: np.ndarray, patients: np.ndarray, level: float) -> float | None:
    """The conformal upper quantile of `values` ``[n]`` at `level`; None where the patients are too few for one."""
    people, owner, counts = np.unique(patients, return_inverse=True, return_counts=True)
    if not people.size:
        return None
    weight = 1.0 / ((people.size + 1) * counts[owner])
    order = np.argsort(values, kind="stable")
    reached = np.flatnonzero(np.cumsum(weight[order]) >= level - 1e-9)
    return float(values[order[reached[0]]]) if reached.size else None


def _reach(residuals: np.ndarray, patients: np.ndarray) -> Reach | None:
    tail = (1 + COVERAGE) / 2
    high, low = patient_quantile(residuals, patients, tail), patient_quantile(-residuals, patients, tail)
    if high is None or low is None:
        return None
    return Reach(-low, high, len(set(patients.tolist())))
