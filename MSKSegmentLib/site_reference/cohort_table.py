"""The table of a site's own cohort: a CSV with one row per person, structure and side."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import StructureTable
from ..errors import InputError, shown
from ..output.names import cause

NEEDED = ("age", "sex", "structure", "side", "value")
# What a row without the column `quantity` states; the names are those of the results table.
COHORT_QUANTITIES = ("volume_cc_per_m2", "volume_cc", "mean_hu", "fat_percent")
SEXES: Mapping[str, str] = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M"}
OLDEST = 120


@dataclass(frozen=True)
class CohortRow:
    """One number of one person; `age` in years, `value` in the unit that the quantity's name says."""

    age: float
    sex: str
    structure: str
    side: str
    quantity: str
    value: float


def read_cohort(path: Path, table: StructureTable) -> list[CohortRow]:
    """The rows of a cohort's CSV; `table` holds the structures that it may name.

    Columns: age (years), sex (F or M), structure (abbreviation), side (right, left or midline), value; also quantity (default
    volume_cc_per_m2) and case, by which a person who is listed twice is noticed.

    Raises:
        InputError: the file cannot be read, a column is missing, or a row is wrong; the sentence names the line.
    """
    sides = {one.abbreviation: [side.value for side in one.sides] for one in table.structures}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                told = f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
                raise InputError(f"The table {shown(path)!r} {told}; its first line names the columns: {', '.join(NEEDED)}.")
            listed, rows = set(), []
            for number, line in enumerate(reader, 2):
                row = _row(line, sides, f"Line {number} of {shown(path)!r}")
                key = (line.get("case"), row.structure, row.side, row.quantity)
                if line.get("case") and key in listed:
                    raise InputError(f"Line {number} of {shown(path)!r} gives the same number of a case again; keep one row.")
                listed.add(key)
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = cause(error) if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise InputError(f"The table {shown(path)!r} cannot be read ({why}); give a CSV file.") from error
    if not rows:
        raise InputError(f"The table {shown(path)!r} has no rows; give one row per person, structure and side.")
    return rows


def _row(line: Mapping[str, str | None], sides: Mapping[str, list[str]], where: str) -> CohortRow:
    age, value = (_number(line.get(name), name, where) for name in ("age", "value"))
    sex = SEXES.get((line.get("sex") or "").strip().lower())
    structure, side = ((line.get(name) or "").strip() for name in ("structure", "side"))
    quantity = (line.get("quantity") or COHORT_QUANTITIES[0]).strip()
    if not 0 <= age <= OLDEST:
        raise InputError(f"{where} has an age of {age:g}; give years from 0 to {OLDEST}.")
    if sex is None:
        raise InputError(f"{where} has the sex {line.get('sex')!r}; give F or M.")
    if structure not in sides:
        raise InputError(f"{where} names the structure {structure!r}; give an abbreviation such as {', '.join(list(sides)[:3])}.")
    if side not in sides[structure]:
        raise InputError(f"{where} has the side {side!r}; of {structure} give {' or '.join(sides[structure])}.")
    if quantity not in COHORT_QUANTITIES:
        raise InputError(f"{where} has the quantity {quantity!r}; give one of {', '.join(COHORT_QUANTITIES)}.")
    if quantity.startswith("volume") and value <= 0:
        raise InputError(f"{where} has a volume of {value:g}; leave out what was not found.")
    if quantity == "fat_percent" and not 0 <= value <= 100:
        raise InputError(f"{where} has {value:g} % fat; give 0 to 100.")
    return CohortRow(age, sex, structure, side, quantity, value)


def _number(text: str | None, name: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where} has no number in the column {name} ({text!r}); correct it or remove the line.")
    return value
