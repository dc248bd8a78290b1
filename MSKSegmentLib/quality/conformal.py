"""Split-conformal intervals whose exchangeable units are patients: the segments of one patient do not count as independent.

A quantile is taken of the residuals of all patients with weight 1 / ((P + 1) n_p) each and the mass 1 / (P + 1) at infinity
(hierarchical conformal prediction: Lee, Barber, Willett 2023; Vovk et al. 2005 for one segment per patient). An interval of 90 %
with 5 % in either tail therefore needs 19 patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

COVERAGE = 0.90
FEWEST_PATIENTS = 19


@dataclass(frozen=True)
class Reach:
    """How far the truth lies below and above a prediction, on the prediction's scale, in `patients` patients."""

    low: float
    high: float
    patients: int


@dataclass(frozen=True)
class Reaches:
    """The reach of one quantity: of structures with enough patients their own, of the others that of all."""

    structures: Mapping[str, Reach]
    pooled: Reach | None

    def of(self, abbreviation: str) -> Reach | None:
        """The reach for a structure; None where there are too few patients."""
        return self.structures.get(abbreviation, self.pooled)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        pooled = None if self.pooled is None else asdict(self.pooled)
        return {"structures": {key: asdict(reach) for key, reach in self.structures.items()}, "pooled": pooled}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Reaches:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: entries are missing.
        """
        pooled = None if data["pooled"] is None else Reach(**data["pooled"])
        return Reaches({str(key): Reach(**value) for key, value in data["structures"].items()}, pooled)


def fit_reaches(
    residuals: np.ndarray, abbreviations: Sequence[str] | np.ndarray, patients: Sequence[str] | np.ndarray
) -> Reaches:
    """Reaches from residuals ``[n]`` (truth minus prediction); those that are not numbers are left out."""
    names, people = np.array(abbreviations), np.array(patients)
    known = np.isfinite(residuals)
    own = {}
    for name in sorted(set(names[known].tolist())):
        found = _reach(residuals[known & (names == name)], people[known & (names == name)])
        if found is not None:
            own[name] = found
    return Reaches(own, _reach(residuals[known], people[known]))


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
