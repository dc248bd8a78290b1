"""The single-score rule of Soufi et al. 2025: the uncertainty at which a segment counts as inaccurate or failed.

A structure's Dice coefficient is inaccurate below median - 2 * 1.4826 * MAD and failed below median - 3 * 1.4826 * MAD; the line
fitted to Dice over uncertainty turns both into uncertainty thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

INACCURATE_K, FAILED_K = -2.0, -3.0
# Makes the median absolute deviation comparable to a standard deviation of normal data.
# As printed in the paper, which the stored calibrations follow; scipy's scale="normal" is 1.482602..., another number.
MAD_TO_SD = 1.4826
RULE = "Soufi et al. 2025: median + 1.4826 k MAD of Dice (k = -2, -3), inverted through a regression line"


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
class DiceThresholds:
    """Median and median absolute deviation of a structure's Dice coefficient over `patients`, and what lies below them."""

    patients: int
    median: float
    mad: float

    @property
    def inaccurate(self) -> float:
        """The Dice coefficient below which a segment needs moderate correction."""
        return self.median + MAD_TO_SD * INACCURATE_K * self.mad

    @property
    def failed(self) -> float:
        """The Dice coefficient below which a segment needs notable correction."""
        return self.median + MAD_TO_SD * FAILED_K * self.mad


def rule_to_json(structures: Mapping[str, StructureCalibration], missing: Mapping[str, str]) -> dict[str, Any]:
    """JSON-ready: the fitted structures by abbreviation and the reasons for the others."""
    return {"rule": RULE, "structures": {key: asdict(value) for key, value in structures.items()}, "missing": dict(missing)}
