"""A made-up but plausible table of calibration cases: scores that know more or less of a hidden error."""

from __future__ import annotations

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.case_result import Scores

# Usual errors (1 - Dice) of structures; the others have 0.06.
USUAL = {"FEMUR": 0.03, "PELVIS": 0.05, "GMAX": 0.025, "OE": 0.13, "OI": 0.15, "PE": 0.13, "TFL": 0.12}


def observations(patients: int = 60, seed: int = 0, scores: bool = True, hard: float = 0.4, only=None) -> list[Observation]:
    """Segments of patients of whom the share `hard` are under stress; without `scores` the uncertainty alone."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(patients):
        strength = random.uniform(0.2, 1.0) if random.uniform() < hard else 0.0
        patient = np.exp(random.normal(2.4 * strength, 0.15))
        for segment in HIP_AND_THIGH.segments:
            name = segment.structure.abbreviation
            if only is not None and name not in only:
                continue
            error = USUAL.get(name, 0.06) * patient * np.exp(random.normal(0, 0.2 + 0.5 * strength))
            error = float(error / (1 + error))
            found.append(_observation(f"p{number:03d}", segment, error, strength, random, scores))
    return found


def _observation(patient, segment, error, strength, random, scores):
    def noisy(power, sd):
        return float(error**power * np.exp(random.normal(0, sd)))

    variance = 4e-3 * noisy(1.0, 0.5)
    evidence = Scores(
        mean_variance=variance,
        mean_entropy=1.5 * noisy(0.7, 0.4),
        soft_dice=max(0.0, 1 - 0.9 * noisy(0.9, 0.3)),
        pairwise_dice=max(0.0, 1 - 0.8 * noisy(1.0, 0.25)),
        pairwise_iou=max(0.0, 1 - 1.4 * noisy(1.0, 0.25)),
        low_slice_dice=max(0.0, 1 - 2.5 * noisy(0.9, 0.4)),
        volume_cv=0.2 * noisy(0.9, 0.5),
        sd_mean_hu=10 * noisy(0.8, 0.5),
        sd_fat_fraction=0.05 * noisy(0.8, 0.5),
        stray_components=int(random.poisson(3 * error)),
        stray_share=0.1 * noisy(1.5, 0.7),
    )
    return Observation(
        patient=patient,
        abbreviation=segment.structure.abbreviation,
        side=segment.side.value,
        uncertainty=variance,
        dice=1 - error,
        scores=evidence if scores else None,
        volume_ratio=float(np.exp(random.normal(0, 0.7 * error))),
        hu_difference=float(random.normal(0, 30 * error)),
        ordinary=strength == 0.0,
    )
