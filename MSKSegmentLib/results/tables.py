"""``measurements.csv``: one row per structure and side, units in the column names, also for absent structures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..case_result import SCORE_NAMES, CaseResult, SegmentReport
from ..tasks import Task
from ..tasks.vocabulary import KNOWN_MEASUREMENTS

# The mean variance has its column already: it is the uncertainty.
SCORE_COLUMNS = tuple(name for name in SCORE_NAMES if name != "mean_variance")

CSV_COLUMNS = (
    "abbreviation",
    "side",
    "structure",
    "light",
    "volume_cc",
    "volume_cc_per_m2",
    "mean_hu",
    "sd_hu",
    "median_hu",
    "fat_percent",
    "composite_percent",
    "lean_percent",
    "max_area_cm2",
    "max_area_level_mm",
    "asymmetry_percent",
    "uncertainty",
    "predicted_dice",
    "dice_low",
    "dice_high",
    "dice_good_from",
    "dice_failed_below",
    "failure_probability",
    "likely_wrong",
    "not_confirmed",
    "volume_low_cc",
    "volume_high_cc",
    "mean_hu_low",
    "mean_hu_high",
    "paper_light",
    "dice_to_automatic",
    "truncated_by",
    "state",
    "reasons",
    *SCORE_COLUMNS,
)

# Of the order of 1e-4 and less: decimals would round them away.
_BY_DIGITS = {"uncertainty", "failure_probability", *SCORE_COLUMNS}


def csv_columns(task: Task) -> tuple[str, ...]:
    """The columns that the tables of a task have: those of what it measures, and what every task has."""
    further = tuple(column.name for name in task.measurements for column in KNOWN_MEASUREMENTS[name].further)
    place = CSV_COLUMNS.index("max_area_cm2")
    return tuple(name for name in (*CSV_COLUMNS[:place], *further, *CSV_COLUMNS[place:]) if task.shows(name))


def table_row(report: SegmentReport) -> dict[str, Any]:
    """The values of a report by column name; None where there is none. Percentages are 0..100, the failure probability 0..1."""
    found, segment = report.measurements, report.segment
    row: dict[str, Any] = dict.fromkeys(CSV_COLUMNS)
    row.update(_bounds(report))
    row.update((name, value) for name, value in report.told_scores.items() if name in SCORE_COLUMNS)
    row.update(
        abbreviation=segment.structure.abbreviation,
        side=segment.side.value,
        structure=segment.structure.name,
        light=report.light.value,
        likely_wrong="yes" if report.suspect else None,
        not_confirmed="yes" if report.unconfirmed else None,
        asymmetry_percent=report.asymmetry_percent,
        uncertainty=report.uncertainty,
        predicted_dice=report.predicted_dice,
        dice_good_from=report.dice_limits.good_from if report.dice_limits else None,
        dice_failed_below=report.dice_limits.failed_below if report.dice_limits else None,
        failure_probability=report.failure_probability,
        paper_light=report.paper_light.value if report.paper_light else None,
        dice_to_automatic=report.dice_to_automatic,
        state=report.state.value,
        reasons="; ".join(report.reasons),
    )
    if found:
        row.update(
            volume_cc=found.volume_cc,
            volume_cc_per_m2=found.volume_cc_per_m2,
            mean_hu=found.mean_hu,
            sd_hu=found.sd_hu,
            median_hu=found.median_hu,
            fat_percent=_percent(found.fat_fraction),
            composite_percent=_percent(found.composite_fraction),
            lean_percent=_percent(found.lean_fraction),
            max_area_cm2=found.max_area_cm2,
            max_area_level_mm=found.max_area_level_mm,
            truncated_by=" ".join(found.truncated_by),
            **found.further,
        )
    return row


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _bounds(report: SegmentReport) -> dict[str, float]:
    """The ends of the intervals that the report has, by column name."""
    intervals = {
        ("dice_low", "dice_high"): report.dice_interval,
        ("volume_low_cc", "volume_high_cc"): report.volume_interval_cc,
        ("mean_hu_low", "mean_hu_high"): report.mean_hu_interval,
    }
    return {
        name: bound
        for names, interval in intervals.items()
        if interval is not None
        for name, bound in zip(names, interval, strict=True)
    }


def write_measurements(path: Path, result: CaseResult) -> None:
    """Write the table as CSV in UTF-8.

    There is no byte-order mark, which many readers take for a part of the first column's name; the text is plain ASCII, so
    spreadsheet programs read it rightly without one.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = csv_columns(result.task)
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for report in result.reports:
            row = table_row(report)
            writer.writerow({key: cell_text(key, row.get(key)) for key in columns})


def cell_text(column: str, value: Any) -> Any:
    """A value of `table_row` as the table writes it."""
    if isinstance(value, float):
        return f"{value:.6g}" if column in _BY_DIGITS else f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else value
