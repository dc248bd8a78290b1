"""A made-up but plausible table of calibration cases: scores that know more or less of a hidden error."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.case_result import Scores
from MSKSegmentLib.evaluation.folder import scores_json
from MSKSegmentLib.evaluation.metrics import Outcome, SegmentComparison
from MSKSegmentLib.evaluation.tables import CaseScores

# Usual errors (1 - Dice) of structures; the others have 0.06.
USUAL = {"FEMUR": 0.03, "PELVIS": 0.05, "GMAX": 0.025, "OE": 0.13, "OI": 0.15, "PE": 0.13, "TFL": 0.12}


def observations(
    patients: int = 60, seed: int = 0, scores: bool = True, hard: float = 0.4, only=None, table=HIP_AND_THIGH
) -> list[Observation]:
    """Segments of patients of whom the share `hard` are under stress; without `scores` the uncertainty alone."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(patients):
        strength = random.uniform(0.2, 1.0) if random.uniform() < hard else 0.0
        patient = np.exp(random.normal(2.4 * strength, 0.15))
        for segment in table.segments:
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


def without_hounsfield(items: list[Observation]) -> list[Observation]:
    """What is observed of scans without Hounsfield units: no difference of means, no spread of means or of shares of fat."""
    return [replace(item, hu_difference=None, scores=replace(item.scores, sd_mean_hu=None, sd_fat_fraction=None)) for item in items]


def comparison_of(item, table=HIP_AND_THIGH, **changes) -> SegmentComparison:
    """The row of an evaluation that gives this observation."""
    segment = next(s for s in table.segments if (s.structure.abbreviation, s.side.value) == (item.abbreviation, item.side))
    row = SegmentComparison(segment, Outcome.COMPARED, 1000, 100 * item.volume_ratio, 100.0, item.dice)
    if item.hu_difference is not None:
        row = replace(row, mean_hu_true=50 + item.hu_difference, mean_hu_predicted=50.0)
    return replace(row, uncertainty=item.uncertainty, scores=item.scores, truncated=False, **changes)


def evaluated_patients(items, table=HIP_AND_THIGH):
    """The cases of an evaluation that gives these observations."""
    by_patient = {}
    for item in items:
        by_patient.setdefault(item.patient, []).append(item)
    for name, mine in by_patient.items():
        stress = {"kind": "none", "strength": 0.0} if mine[0].ordinary else {"kind": "noise", "strength": 0.7}
        yield CaseScores(name, tuple(comparison_of(item, table) for item in mine), 1.0, table, {"stress": stress})


def write_evaluation(folder, items, key, table=HIP_AND_THIGH):
    """The folder of such an evaluation; `key` names the bundle, its passes and the seed."""
    (folder / "cases").mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps({"format": "mskseg-evaluation"}))
    for case in evaluated_patients(items, table):
        (folder / "cases" / f"{case.name}.json").write_text(json.dumps({"key": key, **scores_json(case)}))
    return folder
