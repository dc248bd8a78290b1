"""What a list says of cases: patient, group, affected side, height. The list of a cohort and its ``cases.csv`` will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cohort.case_list import HEIGHT_COLUMN, affected_side, height_in_cm, read_case_list
from ..cohort.source import CASE
from ..errors import InputError, shown
from ..training.folds import patient_of
from .inputs import listed
from .values import PatientOf


@dataclass(frozen=True)
class CaseFacts:
    """Facts of a case; texts are empty and the height is None where the list does not say them."""

    patient: str
    group: str = ""
    affected: str = ""
    height_m: float | None = None


def read_case_facts(path: Path) -> dict[str, CaseFacts]:
    """Facts by case; a case without a patient is the patient that its name says (see `training.folds.patient_of`).

    Raises:
        InputError: the list cannot be read, names a case twice, or a value in it is wrong.
    """
    found: dict[str, CaseFacts] = {}
    for line, row in read_case_list(path, CASE):
        where = f"in line {line} of {shown(path)}"
        name = row[CASE]
        if name in found:
            raise InputError(f"The case {name!r} {where} is listed twice; keep one line.")
        height = height_in_cm(row.get(HEIGHT_COLUMN, ""), where)
        patient = row.get("patient", "") or patient_of(name)
        found[name] = CaseFacts(patient, row.get("group", ""), affected_side(row, where), None if height is None else height / 100)
    return found


def check_all_listed(facts: Mapping[str, CaseFacts], cases: Iterable[str], path: Path) -> None:
    """Refuse cases of which the list says nothing.

    Raises:
        InputError: there is one; the sentence names some.
    """
    lacking = [name for name in cases if name not in facts]
    if lacking:
        raise InputError(f"The list {shown(path)} lacks the cases {listed(lacking)}; add a line for each.")


def patients_of_list(path: Path | None) -> PatientOf:
    """From case to patient: by the list where it names the case, else by the case's name."""
    facts = {} if path is None else read_case_facts(path)
    return lambda case: facts[case].patient if case in facts else patient_of(case)
