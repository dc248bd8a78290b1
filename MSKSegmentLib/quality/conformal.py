"""Split-conformal intervals whose exchangeable units are patients: the segments of one patient do not count as independent.

A quantile is taken of the residuals of all patients with weight 1 / ((P + 1) n_p) each and the mass 1 / (P + 1) at infinity
(hierarchical conformal prediction: Lee, Barber, Willett 2023; Vovk et al. 2005 for one segment per patient). An interval of 90 %
with 5 % in either tail therefore needs 19 patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COVERAGE = 0.90
FEWEST_FOR_INTERVALS = 19


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
