"""A patient's value of a measure: the mean over sides and scans of each structure, then over the structures of a group.

Two sides of a patient are no two patients: tests count patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..anatomy import StructureTable
from ..evaluation.metrics import SegmentComparison
from ..training.folds import patient_of
from .inputs import Evaluated, judged_segments

ALL_STRUCTURES = "ALL"
# From case name to patient.
PatientOf = Callable[[str], str]


@dataclass(frozen=True)
class StudyMeasure:
    """A number of each segment: `scale` and `digits` are those in which it is shown, `unit` names the scaled one."""

    name: str
    title: str
    of: Callable[[SegmentComparison], float | None]
    digits: int
    unit: str = ""
    scale: float = 1.0

    @property
    def axis(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float | None, sign: str = "") -> str:
        """The value as it is shown."""
        return "-" if value is None else f"{value * self.scale:{sign}.{self.digits}f}"


def entropy_of(row: SegmentComparison) -> float | None:
    """Mean entropy inside the label."""
    return row.scores.mean_entropy if row.scores else None


DICE = StudyMeasure("dice", "Dice coefficient", lambda row: row.dice, 3)
ASD = StudyMeasure("asd_mm", "Average surface distance", lambda row: row.asd_mm, 2, "mm")
AVE = StudyMeasure("ave_percent", "Average volume error", lambda row: row.ave_percent, 2, "%")
AIE = StudyMeasure("aie_hu", "Average intensity error", lambda row: row.aie_hu, 2, "HU")
MEAN_UNCERTAINTY = StudyMeasure("uncertainty", "Uncertainty", lambda row: row.uncertainty, 2, "10⁻⁴", 1e4)
RVE = StudyMeasure("rve_percent", "Relative volume error", lambda row: row.rve_percent, 1, "%")
HD = StudyMeasure("hd_mm", "Hausdorff distance", lambda row: row.hd_mm, 1, "mm")
# Those of Soufi et al. 2025, and those of Henson et al. 2024 for scans without Hounsfield units.
STUDY_MEASURES = (DICE, ASD, MEAN_UNCERTAINTY, AVE, AIE)
MR_MEASURES = (RVE, DICE, HD, ASD, MEAN_UNCERTAINTY)


def measures_of(evaluations: Sequence[Evaluated]) -> tuple[StudyMeasure, ...]:
    """The measures in which evaluations are compared: where no segment has a density, those of MR."""
    rows = (row for evaluation in evaluations for case in evaluation.cases for row in case.rows)
    return STUDY_MEASURES if any(row.mean_hu_true is not None or row.mean_hu_predicted is not None for row in rows) else MR_MEASURES


@dataclass(frozen=True)
class StudyScope:
    """A structure, a group of them, or all; `members` are abbreviations."""

    name: str
    title: str
    members: frozenset[str]


@dataclass(frozen=True)
class PairedValues:
    """Values ``[patients, evaluations]`` of patients who have one in every evaluation.

    `missing` segments were left out because not every evaluation has the number, such as distances of a missed segment.
    """

    patients: tuple[str, ...]
    values: np.ndarray
    missing: int


def study_scopes(table: StructureTable) -> list[StudyScope]:
    """Every structure in table order, then the groups, then all."""
    structures = [StudyScope(one.abbreviation, one.abbreviation, frozenset([one.abbreviation])) for one in table.structures]
    return [*structures, *group_scopes(table)]


def group_scopes(table: StructureTable) -> list[StudyScope]:
    """The groups of the table, then all structures."""
    groups = [
        StudyScope(group.key, group.name, frozenset(one.abbreviation for one in table.structures if one.group == group))
        for group in table.groups
    ]
    return [*groups, StudyScope(ALL_STRUCTURES, "All structures", frozenset(one.abbreviation for one in table.structures))]


def paired_values(
    evaluations: Sequence[Evaluated], scope: StudyScope, measure: StudyMeasure, patient: PatientOf = patient_of
) -> PairedValues:
    """The patients' values in evaluations of the same cases (see `inputs.on_same_cases`)."""
    tables = [judged_segments(evaluation) for evaluation in evaluations]
    chosen = {key: row for key, row in tables[0].items() if row.segment.structure.abbreviation in scope.members}
    found: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    missing = 0
    for (case, segment), row in chosen.items():
        numbers = [measure.of(table[case, segment]) for table in tables]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            missing += 1
        else:
            found[patient(case)][row.segment.structure.abbreviation].append(known)
    names = tuple(sorted(found))
    means = [np.mean([np.mean(rows, axis=0) for rows in found[name].values()], axis=0) for name in names]
    return PairedValues(names, np.array(means, dtype=float).reshape(len(names), len(evaluations)), missing)


def patient_values(
    evaluation: Evaluated, scope: StudyScope, measure: StudyMeasure, patient: PatientOf = patient_of
) -> Mapping[str, float]:
    """The patients' values in one evaluation, by patient."""
    found = paired_values([evaluation], scope, measure, patient)
    return dict(zip(found.patients, found.values[:, 0].tolist(), strict=True))
