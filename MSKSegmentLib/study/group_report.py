"""Agreement of volumes and overlap by group of cases, such as women and men: Dice, sensitivity, specificity, R2 of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..errors import InputError
from ..evaluation.agreement import Spread, determination, judged, pearson, spread, volume_pairs
from ..evaluation.metrics import SegmentComparison
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .case_facts import CaseFacts
from .inputs import Evaluated

EVERYBODY = "all"
# Mean measures of a segment with the digits that they are shown with.
_MEASURES = {
    "dice": ("Dice", 4),
    "sensitivity": ("sensitivity", 4),
    "specificity": ("specificity", 5),
    "rve_percent": ("RVE (%)", 2),
}
# Of the whole cohort held out (397 subjects, a tenth of them), Dice, sensitivity, specificity, R2 of volumes.
PUBLISHED_FEMUR = (
    "Published for the proximal femur in QCT by a V-Net, on the tenth held out of 397 subjects: Dice 0.9815, sensitivity 0.9852, "
    "specificity 0.9992, R2 of volumes 0.9956 (other scans, other people: no comparison)."
)


def compare_groups(evaluations: Sequence[Evaluated], facts: Mapping[str, CaseFacts]) -> Analysis:
    """A line per evaluation, structure and group; `facts` say the group of each case.

    Raises:
        InputError: no case has a group.
    """
    if not any(one.group for one in facts.values()):
        raise InputError("The list of cases says no group of any case; add a column 'group', such as female and male.")
    return Analysis(
        name="groups",
        title="Agreement by group",
        tables=[group_table(evaluations, facts)],
        notes=group_notes(evaluations),
        facts={"groups": {name: one.group for name, one in facts.items()}},
    )


def group_table(evaluations: Sequence[Evaluated], facts: Mapping[str, CaseFacts]) -> AnalysisTable:
    """The table of `compare_groups`; of cases without a group only the lines of all cases know."""
    lines = []
    for found in evaluations:
        groups = sorted({facts[case.name].group for case in found.cases if case.name in facts and facts[case.name].group})
        for structure in found.table.structures:
            for group in (EVERYBODY, *groups):
                chosen = [
                    (case.name, row)
                    for case in found.cases
                    if group == EVERYBODY or (case.name in facts and facts[case.name].group == group)
                    for row in judged(case.rows)
                    if row.segment.structure == structure
                ]
                if chosen:
                    lines.append(_line(found.name, structure.abbreviation, group, chosen, facts))
    return AnalysisTable("groups", "By group: mean ± SD over segments, both sides pooled", _columns(), lines)


def group_notes(evaluations: Sequence[Evaluated]) -> list[str]:
    """What must be known to read the table."""
    notes = [
        "R2 is 1 - sum (true - predicted)^2 / sum (true - mean)^2 of the volumes in cc, r2 the square of Pearson's r, which a bias "
        "does not lower; missed segments count with 0 cc. Both sides of a patient are in it: patients are fewer than segments.",
        "Specificity counts all voxels of the scan: it is near 1 by itself.",
    ]
    femora = any(structure.abbreviation == "PFEMUR" for found in evaluations for structure in found.table.structures)
    return [*notes, PUBLISHED_FEMUR] if femora else notes


def _line(
    model: str, structure: str, group: str, chosen: Sequence[tuple[str, SegmentComparison]], facts: Mapping[str, CaseFacts]
) -> dict[str, Any]:
    rows = [row for _, row in chosen]
    patients = {facts[name].patient if name in facts else patient_of(name) for name, _ in chosen}
    line: dict[str, Any] = {"model": model, "structure": structure, "group": group, "patients": len(patients), "n": len(rows)}
    for measure in _MEASURES:
        one: Spread = spread(getattr(row, measure) for row in rows)
        line |= {f"{measure}_mean": one.mean, f"{measure}_sd": one.sd}
    volumes = volume_pairs(rows)
    r = pearson(*volumes)
    return {**line, "volume_r_squared": determination(*volumes), "volume_pearson_squared": None if r is None else r * r}


def _columns() -> list[AnalysisColumn]:
    columns = [
        AnalysisColumn("model", "Model", lambda line: line["model"]),
        AnalysisColumn("structure", "Structure", lambda line: line["structure"]),
        AnalysisColumn("group", "Group", lambda line: line["group"]),
        AnalysisColumn("patients", "patients", lambda line: str(line["patients"])),
        AnalysisColumn("n", "n", lambda line: str(line["n"])),
    ]
    for measure, (head, digits) in _MEASURES.items():
        columns.append(AnalysisColumn(f"{measure}_mean", head, partial(_mean_text, measure, digits)))
        columns.append(AnalysisColumn(f"{measure}_sd"))
    for key, head in (("volume_r_squared", "R2 volume"), ("volume_pearson_squared", "r2 volume")):
        columns.append(AnalysisColumn(key, head, partial(_number_text, key)))
    return columns


def _mean_text(measure: str, digits: int, line: Mapping[str, Any]) -> str:
    mean, sd = line[f"{measure}_mean"], line[f"{measure}_sd"]
    return "-" if mean is None else f"{mean:.{digits}f}" + ("" if sd is None else f" ± {sd:.{digits}f}")


def _number_text(key: str, line: Mapping[str, Any]) -> str:
    return "-" if line[key] is None else f"{line[key]:.4f}"
