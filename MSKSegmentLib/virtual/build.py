"""How a virtual patient's body is completed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Build:
    """How a body is completed; lengths in mm. `fat` is the subcutaneous thickness, `belly` how far the abdomen bulges."""

    fat: float
    belly: float
    wall: float
    bowel_share: float
    gas_share: float
    bladder: float
    vessel_radius: float
    hands: bool
    table: bool


def random_build(rng: np.random.Generator) -> Build:
    """Draw a build from lean to obese."""
    fat = float(np.clip(rng.lognormal(np.log(16), 0.6), 4, 60))
    return Build(
        fat=fat,
        belly=float(rng.uniform(15, 55) + 1.2 * fat),
        wall=float(rng.uniform(7, 18)),
        bowel_share=float(rng.uniform(0.3, 0.75)),
        gas_share=float(rng.uniform(0.05, 0.4)),
        bladder=float(rng.uniform(15, 48)),
        vessel_radius=float(rng.uniform(3.5, 6.5)),
        hands=bool(rng.random() < 0.45),
        table=bool(rng.random() < 0.8),
    )
