"""``measurements.csv``: one row per structure and side, units in the column names, also for absent structures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..case_result import CaseResult, SegmentReport

COLUMNS = (
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
    "dice_to_automatic",
    "truncated_by",
    "state",
    "reasons",
)


def table_row(report: SegmentReport) -> dict[str, Any]:
    """The values of a report by column name; None where there is none. Percentages are 0..100."""
    found, segment = report.measurements, report.segment
    low, high = report.dice_interval or (None, None)
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(
        abbreviation=segment.structure.abbreviation,
        side=segment.side.value,
        structure=segment.structure.name,
        light=report.light.value,
        asymmetry_percent=report.asymmetry_percent,
        uncertainty=report.uncertainty,
        predicted_dice=report.predicted_dice,
        dice_low=low,
        dice_high=high,
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
            fat_percent=100 * found.fat_fraction,
            composite_percent=100 * found.composite_fraction,
            lean_percent=100 * found.lean_fraction,
            max_area_cm2=found.max_area_cm2,
            max_area_level_mm=found.max_area_level_mm,
            truncated_by=" ".join(found.truncated_by),
        )
    return row


def write_measurements(path: Path, result: CaseResult) -> None:
    """Write the table as CSV in UTF-8.

    There is no byte-order mark, which many readers take for a part of the first column's name; the text is plain ASCII, so
    spreadsheet programs read it rightly without one.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for report in result.reports:
            writer.writerow({key: _text(key, value) for key, value in table_row(report).items()})


def _text(column: str, value: Any) -> Any:
    if isinstance(value, float):
        # An uncertainty is of the order of 1e-4: decimals would round it away.
        return f"{value:.6g}" if column == "uncertainty" else f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else value
