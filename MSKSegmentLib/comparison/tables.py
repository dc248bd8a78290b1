"""The tables of a comparison: CSV files, tidy, with units in the column names, and the lines that are printed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from ..output.files import whole_file
from ..output.filling import whole_folder
from ..output.places import check_no_file, check_place, foreign_files, resolved
from .changes import Change, ChangeVerdict
from .follow_up import FollowUp
from .intervals import FollowedQuantity, bounded_value
from .usable import why_not_alone

CHANGES, VALUES, WARNINGS = "changes.csv", "values.csv", "warnings.csv"
_OWNED = (CHANGES, VALUES, WARNINGS)
CHANGE_COLUMNS = (
    "before", "after", "abbreviation", "side", "structure", "quantity", "value_before", "value_after",
    "change", "change_low", "change_high", "change_percent", "verdict", "reason",
)  # fmt: skip
VALUE_COLUMNS = (
    "case", "date", "abbreviation", "side", "structure", "quantity", "value", "low", "high", "light", "state", "usable", "reason",
)  # fmt: skip
WARNING_COLUMNS = ("before", "after", "code", "sentence")


def change_rows(found: FollowUp) -> Iterator[dict[str, Any]]:
    """A row per change: cc, HU, and percent of a muscle's voxels; changes of fat in percentage points."""
    for comparison in found.comparisons:
        names = {"before": comparison.before.name, "after": comparison.after.name}
        for change in comparison.changes:
            yield {**names, **change_row(change)}


def change_row(change: Change) -> dict[str, Any]:
    """The values of a change by column name; None where there is none."""
    segment, difference = change.segment, change.difference
    return {
        "abbreviation": segment.structure.abbreviation,
        "side": segment.side.value,
        "structure": segment.structure.name,
        "quantity": change.quantity.value,
        "value_before": change.before and change.before.value,
        "value_after": change.after and change.after.value,
        "change": difference and difference.value,
        "change_low": difference and difference.low,
        "change_high": difference and difference.high,
        "change_percent": change.percent,
        "verdict": change.verdict.value,
        "reason": change.reason,
    }


def value_rows(found: FollowUp) -> Iterator[dict[str, Any]]:
    """A row per examination, segment and quantity, with its interval and whether it may be used for a comparison."""
    for one in found.examinations:
        for report in one.result.reports:
            for quantity in FollowedQuantity:
                number = bounded_value(report, quantity)
                if number is None:
                    continue
                reason = why_not_alone(report)
                segment = report.segment
                yield {
                    "case": one.name,
                    "date": one.when and one.when.isoformat(),
                    "abbreviation": segment.structure.abbreviation,
                    "side": segment.side.value,
                    "structure": segment.structure.name,
                    "quantity": quantity.value,
                    "value": number.value,
                    "low": number.low,
                    "high": number.high,
                    "light": report.light.value,
                    "state": report.state.value,
                    "usable": "no" if reason else "yes",
                    "reason": reason,
                }


def warning_rows(found: FollowUp) -> Iterator[dict[str, Any]]:
    """A row per warning on a pair of examinations."""
    for one in found.comparisons:
        for finding in one.findings:
            yield {"before": one.before.name, "after": one.after.name, "code": finding.code, "sentence": finding.sentence}


def is_single_file(output: Path) -> bool:
    """Whether the output is one table and no folder, by its name."""
    return output.suffix.lower() == ".csv"


def check_follow_up_output(output: Path) -> None:
    """Refuse a folder that holds other files than those of an earlier comparison, before any work is done.

    Raises:
        InputError: it cannot be used.
    """
    if is_single_file(output):
        return
    real = resolved(output)
    check_no_file(real)
    if foreign_files(real, _OWNED):
        raise InputError(
            f"The folder {shown(real)!r} holds other files; name a new or empty folder, or a file that ends in .csv, with -o."
        )
    check_place(real, _OWNED)


def write_follow_up(output: Path, found: FollowUp) -> None:
    """Write ``changes.csv``, ``values.csv`` and ``warnings.csv`` into a folder that appears whole.

    A name that ends in ``.csv`` gets one table: the changes of two examinations, the values of more.

    Raises:
        InputError: it cannot be written.
    """
    tables: Mapping[str, tuple[Sequence[str], Iterable[dict[str, Any]]]] = {
        CHANGES: (CHANGE_COLUMNS, change_rows(found)),
        VALUES: (VALUE_COLUMNS, value_rows(found)),
        WARNINGS: (WARNING_COLUMNS, warning_rows(found)),
    }
    if is_single_file(output):
        with whole_file(output, ".csv") as temporary:
            _write(temporary, *tables[CHANGES if len(found.examinations) == 2 else VALUES])
        return
    with whole_folder(output, "comparison", CHANGES, _OWNED) as partial:
        for name, table in tables.items():
            _write(partial / name, *table)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _text(value) for key, value in row.items()})


def _text(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else value


def follow_up_summary(found: FollowUp) -> list[str]:
    """A line per comparison: how many of its changes are real, within the error, and not comparable."""
    return [
        f"{one.after.title} against {one.before.title}: "
        + ", ".join(f"{one.count(verdict)} {verdict.value.removeprefix('a ')}" for verdict in ChangeVerdict)
        for one in found.comparisons
    ]
