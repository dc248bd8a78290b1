"""A result among the reference curves of a site."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import Segment
from ..case_result import CaseResult
from ..comparison.usable import why_not_alone
from ..output.files import whole_file
from ..results.tables import table_row
from .cohort_table import COHORT_QUANTITIES
from .curves import SiteReference, Standing

PLACED_COLUMNS = (
    "abbreviation",
    "side",
    "structure",
    "quantity",
    "value",
    "percentile",
    "z",
    "beyond",
    "n",
    "n_near_age",
    "light",
    "reason",
)


@dataclass(frozen=True)
class PlacedValue:
    """A number of a result; `standing` is None where `reason` says why nothing is shown."""

    segment: Segment
    quantity: str
    value: float
    light: str
    standing: Standing | None
    reason: str = ""


def placed_values(result: CaseResult, reference: SiteReference, age: float, sex: str) -> Iterator[PlacedValue]:
    """The numbers of a result of which the reference has a curve; `age` in years, `sex` F or M.

    Red, grey and cut structures are not placed: a percentile would lend them a weight that they lack.
    """
    for report in result.reports:
        if report.measurements is None:
            continue
        row, segment = table_row(report), report.segment
        for quantity in COHORT_QUANTITIES:
            curve = reference.curve(quantity, segment.structure.abbreviation, segment.side.value, sex)
            value = row[quantity]
            if curve is None or value is None:
                continue
            reason = why_not_alone(report) or ""
            standing = None if reason else curve.standing(value, age)
            if not reason and standing is None:
                reason = f"too few persons of about this age (ages {curve.ages[0]:.0f} to {curve.ages[-1]:.0f}, n {curve.n})"
            yield PlacedValue(segment, quantity, value, report.light.value, standing, reason)


def write_placed_values(path: Path, values: list[PlacedValue]) -> None:
    """Write them as CSV.

    Raises:
        InputError: the file cannot be written there.
    """
    with whole_file(path, ".csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, PLACED_COLUMNS)
        writer.writeheader()
        for one in values:
            at = one.standing
            numbers = {} if at is None else {
                "percentile": f"{at.percentile:.1f}", "z": f"{at.z:.2f}", "beyond": at.beyond, "n": at.n, "n_near_age": at.near,
            }  # fmt: skip
            structure = one.segment.structure
            names = {"abbreviation": structure.abbreviation, "side": one.segment.side.value, "structure": structure.name}
            said = {"quantity": one.quantity, "value": f"{one.value:.4f}", "light": one.light, "reason": one.reason}
            writer.writerow({**names, **said, **numbers})
