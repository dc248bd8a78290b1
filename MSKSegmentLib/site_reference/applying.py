"""A result among the reference curves of a site."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import Segment
from ..case_result import CaseResult, SegmentReport
from ..comparison.change_words import told_exclusion
from ..comparison.usable import why_not_alone
from ..errors import InputError
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..language.forms import SentenceForm
from ..output.files import whole_file
from ..results.tables import table_row
from .cohort_table import COHORT_QUANTITIES, OLDEST, SEXES
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

_TOO_FEW_NEAR = N_("too few persons of about this age (ages {first} to {last}, n {n})")


@dataclass(frozen=True)
class PlacedValue:
    """A number of a result; `standing` is None where `reason` says why nothing is shown."""

    segment: Segment
    quantity: str
    value: float
    light: str
    standing: Standing | None
    reason: str = ""


@dataclass(frozen=True)
class Placing:
    """Where the numbers of a patient are placed: the curves of a site, the age in years at the scan, the sex F or M."""

    reference: SiteReference
    age: float
    sex: str

    def __post_init__(self) -> None:
        """Hold age and sex to what a cohort may have.

        Raises:
            InputError: nobody is of that age or sex.
        """
        if not (OLDEST >= self.age >= 0 and self.sex in SEXES.values()):
            raise InputError(
                f"There is no patient of age {self.age:g} and sex {self.sex!r}; give years from 0 to {OLDEST}, and F or M."
            )

    @property
    def quantities(self) -> tuple[str, ...]:
        """The quantities that the reference has curves of for this sex."""
        known = {curve.quantity for curve in self.reference.curves if curve.sex == self.sex}
        return tuple(quantity for quantity in COHORT_QUANTITIES if quantity in known)

    def placed(self, report: SegmentReport) -> Iterator[PlacedValue]:
        """The numbers of a segment of which the reference has a curve.

        Red, grey and cut structures are not placed: a percentile would lend them a weight that they lack.
        """
        if report.measurements is None:
            return
        row, segment = table_row(report), report.segment
        for quantity in COHORT_QUANTITIES:
            curve = self.reference.curve(quantity, segment.structure.abbreviation, segment.side.value, self.sex)
            value = row[quantity]
            if curve is None or value is None:
                continue
            reason = why_not_alone(report) or ""
            standing = None if reason else curve.standing(value, self.age)
            if not reason and standing is None:
                first, last = (f"{age:.0f}" for age in (curve.ages[0], curve.ages[-1]))
                reason = _TOO_FEW_NEAR.format(first=first, last=last, n=curve.n)
            yield PlacedValue(segment, quantity, value, report.light.value, standing, reason)


def told_missing_percentile(reason: str, words: Words) -> str:
    """Why a number has no percentile (see `PlacedValue.reason`), in the language of `words`."""
    values = SentenceForm(_TOO_FEW_NEAR).values(reason)
    return told_exclusion(reason, words) if values is None else words.gettext(_TOO_FEW_NEAR).format(**values)


def placed_values(result: CaseResult, reference: SiteReference, age: float, sex: str) -> Iterator[PlacedValue]:
    """The numbers of a result of which the reference has a curve; see `Placing`."""
    placing = Placing(reference, age, sex)
    for report in result.reports:
        yield from placing.placed(report)


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
