"""Failure detection by uncertainty in one evaluation: thresholds, areas under ROC curves, the regression line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..calibration.fit_paper_rule import dice_thresholds, fit_structure
from ..calibration.missing import Missing
from ..calibration.observations import Observation, patients_of
from ..calibration.observing import case_observations
from ..calibration.ranking import Area, area
from ..evaluation.metrics import Outcome
from ..quality.paper_rule import DiceThresholds, StructureCalibration
from ..training.folds import patient_of
from .inputs import Evaluated
from .published import published
from .values import ALL_STRUCTURES, PatientOf


@dataclass(frozen=True)
class Detection:
    """Failure detection by uncertainty for one structure, or for patients' means over all (`ALL_STRUCTURES`).

    `scores` and `uncertainties` are ``[n]``; `limits` the Dice thresholds, `line` the regression of Dice on uncertainty, both None
    where `reason` says why. `areas` are those for inaccurate and for failed. `missed` segments were not found, so that they have no
    uncertainty.
    """

    structure: str
    patients: int
    scores: np.ndarray
    uncertainties: np.ndarray
    limits: DiceThresholds | None
    line: StructureCalibration | None
    areas: tuple[Area, Area] | None
    missed: int
    reason: str = ""


def detections(evaluation: Evaluated, seed: int = 0, patient: PatientOf = patient_of) -> list[Detection]:
    """Failure detection for every structure that occurs in table order, then for the patients' means."""
    every = [replace(item, patient=patient(item.patient)) for case in evaluation.cases for item in case_observations(case)]
    missed = [row for case in evaluation.cases for row in case.rows if row.outcome is Outcome.MISSED]
    found = []
    for structure in evaluation.table.structures:
        name = structure.abbreviation
        items = [item for item in every if item.abbreviation == name]
        if items:
            found.append(_detection(name, items, sum(row.segment.structure == structure for row in missed), seed))
    return [*found, _detection(ALL_STRUCTURES, patient_means(every), len(missed), seed)]


def patient_means(observations: Sequence[Observation]) -> list[Observation]:
    """An observation per patient: the mean Dice and uncertainty over its structures, each the mean of its sides."""
    found: dict[tuple[str, bool], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for item in observations:
        if item.uncertainty is not None:
            found[item.patient, item.ordinary][item.abbreviation].append((item.dice, item.uncertainty))
    means = {key: np.mean([np.mean(pairs, axis=0) for pairs in parts.values()], axis=0) for key, parts in found.items()}
    return [
        Observation(patient, ALL_STRUCTURES, "", float(uncertainty), float(dice), ordinary=ordinary)
        for (patient, ordinary), (dice, uncertainty) in means.items()
    ]


def _detection(name: str, items: Sequence[Observation], missed: int, seed: int) -> Detection:
    known = [item for item in items if item.uncertainty is not None]
    scores = np.array([item.dice for item in known])
    uncertainties = np.array([item.uncertainty for item in known], dtype=float)
    people = [item.patient for item in known]
    limits, line = dice_thresholds(known), fit_structure(known)
    if isinstance(limits, Missing):
        return Detection(name, len(patients_of(known)), scores, uncertainties, None, None, None, missed, limits.reason)
    areas = tuple(area(uncertainties, scores < threshold, people, seed=seed) for threshold in (limits.inaccurate, limits.failed))
    reason = line.reason if isinstance(line, Missing) else ""
    fitted = None if isinstance(line, Missing) else line
    return Detection(name, len(set(people)), scores, uncertainties, limits, fitted, (areas[0], areas[1]), missed, reason)


def published_area(name: str, structure: str, model: str, target: str) -> float | None:
    """The published AUROC that is comparable with a structure's in the evaluation `name`."""
    if structure == "GMED" and published("table_6", "values", name) is not None:
        value = published("table_6", "values", name, model, target)
    else:
        value = published("table_3", "values", structure, model, target)
    return None if value is None else float(value)
