"""The build of a virtual patient: fat, belly, and which tissues complete the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Build:
    """How a body is completed; lengths in mm.

    `fat` is the subcutaneous thickness, `belly` how far the abdomen bulges; shares are 0..1; `calcification` is the share
    of the arteries' levels that carry a plaque. With `abdomen` spine and organs above the iliac crest are modelled, with
    `retroperitoneal_fat` a layer between bowel and muscle, with `to_thorax` lungs and all ribs (see the modules of these names),
    with `objects` what a body is laid on (see `positioning`).
    """

    fat: float
    belly: float
    wall: float
    bowel_share: float
    gas_share: float
    bladder: float
    vessel_radius: float
    calcification: float
    male: bool
    arms: bool
    table: bool
    clothes: bool
    tendons: bool
    standing: bool
    abdomen: bool = False
    retroperitoneal_fat: bool = False
    to_thorax: bool = False
    objects: bool = False


def random_build(rng: np.random.Generator, standing: bool) -> Build:
    """Draw a build from lean to obese."""
    fat = float(np.clip(rng.lognormal(np.log(20), 0.6), 5, 80))
    return Build(
        fat=fat,
        belly=float(rng.uniform(15, 55) + 1.1 * min(fat, 60)),
        wall=float(rng.uniform(7, 18)),
        bowel_share=float(rng.uniform(0.3, 0.75)),
        gas_share=float(rng.uniform(0.02, 0.28)),
        bladder=float(rng.uniform(15, 48)),
        vessel_radius=float(rng.uniform(3.5, 6.5)),
        calcification=float(rng.beta(0.5, 3)),
        male=bool(rng.random() < 0.5),
        arms=bool(rng.random() < 0.45),
        table=bool(not standing and rng.random() < 0.85),
        clothes=bool(rng.random() < 0.4),
        tendons=bool(rng.random() < 0.8),
        standing=standing,
    )
