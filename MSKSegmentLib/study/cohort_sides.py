"""The uncertainties of a cohort without true labels: sides by ``measurements.csv`` of ``mskseg cohort``."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ..errors import InputError, shown
from ..training.folds import patient_of
from .disease_status import SideNumber
from .values import MEAN_UNCERTAINTY

_TABLE = "measurements.csv"
_NEEDED = ("case", "patient", "group", "affected", "abbreviation", "uncertainty")


def is_cohort(folder: Path) -> bool:
    """Whether ``mskseg cohort`` wrote tables there."""
    return (folder / _TABLE).is_file()


def cohort_sides(folder: Path) -> list[SideNumber]:
    """The uncertainty of every segment on a side that is known to be affected or not.

    Raises:
        InputError: the table cannot be read, lacks a column, or says of no case which side is affected.
    """
    path = folder / _TABLE
    where = f"{shown(folder)}/{_TABLE}"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            if lacking:
                raise InputError(f"The table {where} lacks the column {lacking[0]!r}; make it again with 'mskseg cohort'.")
            found = [_side(row, f"{where}, line {reader.line_num}") for row in reader if row["affected"] in ("yes", "no")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The table {where} cannot be read; make it again with 'mskseg cohort'.") from error
    if not found:
        raise InputError(f"The cohort {shown(folder)!r} says of no case which side is affected; add side_affected to its list.")
    return found


def _side(row: dict[str, str], where: str) -> SideNumber:
    try:
        number = float(row["uncertainty"]) if row["uncertainty"] else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise InputError(f"The uncertainty in {where} is no number; make the table again with 'mskseg cohort'.")
    patient = row["patient"] or patient_of(row["case"])
    return SideNumber(patient, row["group"] or "", row["abbreviation"], row["affected"] == "yes", {MEAN_UNCERTAINTY.name: number})
