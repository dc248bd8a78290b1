"""The comparison as files: ``realism.csv``, ``realism.md`` and pictures, in a folder that appears whole or not at all."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np

from ...output.filling import whole_folder
from ...output.places import check_new_folder
from ...packages import require
from .compare import Comparison, Patients, QuantityRow, compare, comparison_grid
from .scan import Spacing, read_scan

TABLE, SUMMARY = "realism.csv", "realism.md"
_COLUMNS = (
    "scan",
    "group",
    "quantity",
    "real",
    "virtual_median",
    "virtual_p5",
    "virtual_p95",
    "patients",
    "real_lies",
    "meaning",
)
_SIGNS = {"inside": "", "below": "**below**", "above": "**above**", "unknown": "unknown"}


def compare_scans(
    scans: list[Path],
    output: Path,
    patients: Patients,
    spacing: Spacing | None,
    checkpoint: Callable[[], None],
    report: Callable[[str], None] = print,
) -> tuple[Comparison, ...]:
    """Compare each real scan with the virtual patients and write the result to `output`.

    `spacing` ``(z, y, x)`` in mm overrides the comparison's grid.

    Raises:
        InputError: a scan cannot be used, too few patients show its levels, or `output` exists or cannot be written.
        DependencyError: a package is missing.
    """
    require("matplotlib", purpose="mskseg realism")
    check_comparison_folder(output)
    found = []
    for path, name in zip(scans, _names(scans), strict=True):
        volume = read_scan(path)
        grid = spacing or comparison_grid(volume, patients)
        found.append(compare(name, volume, patients, grid, checkpoint, report))
    write_report(output, tuple(found))
    return tuple(found)


def check_comparison_folder(folder: Path) -> None:
    """Refuse an output folder that is not empty or cannot be written.

    Raises:
        InputError: it is a file or a folder that is not empty, or cannot be written.
    """
    check_new_folder(folder, (TABLE, SUMMARY))


def write_report(folder: Path, comparisons: tuple[Comparison, ...]) -> None:
    """Write table, summary and pictures; the folder appears whole or not at all.

    Raises:
        InputError: the folder holds other files, or cannot be written.
    """
    from .plots import draw

    check_comparison_folder(folder)
    with whole_folder(folder, "comparison", SUMMARY) as partial:
        _write_table(partial / TABLE, comparisons)
        pictures = {comparison.name: draw(partial, comparison) for comparison in comparisons}
        (partial / SUMMARY).write_text(summary(comparisons, pictures), encoding="utf-8")


def summary(comparisons: tuple[Comparison, ...], pictures: dict[str, list[str]]) -> str:
    """The comparison as Markdown; `pictures` are file names by the scan's name."""
    lines = ["# Real scans beside virtual patients", ""]
    lines += [
        "Each quantity is one number of a scan, taken by the same rule from real and virtual CT. The range is that of the virtual",
        "patients, 5th to 95th percentile. A real scan inside the range could be one of them in that respect.",
    ]
    for comparison in comparisons:
        z, y, x = comparison.spacing
        judged = [row for row in comparison.rows if row.verdict != "unknown"]
        inside = sum(row.verdict == "inside" for row in judged)
        lines += ["", f"## {comparison.name}", ""]
        lines += [
            f"{len(comparison.virtual)} virtual patients on {z:.3g} x {y:.3g} x {x:.3g} mm (z, y, x); levels "
            f"{comparison.levels_mm[0]:.0f} to {comparison.levels_mm[1]:.0f} mm above the scan's lowest slice. "
            f"{inside} of {len(judged)} quantities lie inside.",
        ]
        for group, rows in groupby(comparison.rows, key=lambda row: row.quantity.group):
            lines += ["", f"### {group}", "", "| quantity | real | virtual median | 5-95 % | real lies | meaning |"]
            lines += ["|---|---|---|---|---|---|", *map(_line, rows)]
        lines += ["", *(f"![{file}]({file})" for file in pictures[comparison.name])]
    return "\n".join(lines) + "\n"


def _line(row: QuantityRow) -> str:
    sign = _SIGNS[row.verdict]
    return (
        f"| {row.quantity.name} | {_number(row.real)} | {_number(row.median)} | {_number(row.low)} to {_number(row.high)} "
        f"| {sign} | {row.quantity.meaning} |"
    )


def _write_table(path: Path, comparisons: tuple[Comparison, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for comparison in comparisons:
            for row in comparison.rows:
                numbers = [_number(v) for v in (row.real, row.median, row.low, row.high)]
                quantity = row.quantity
                writer.writerow(
                    [comparison.name, quantity.group, quantity.name, *numbers, row.patients, row.verdict, quantity.meaning]
                )


def _number(value: float) -> str:
    """Four significant digits without an exponent, empty where there is no number."""
    if not np.isfinite(value):
        return ""
    text = np.format_float_positional(float(f"{value:.4g}"), trim="-")
    return "0" if text == "-0" else text


def _names(scans: list[Path]) -> list[str]:
    """A name for each scan that is valid in file names; equal names are numbered."""
    stems = [re.sub(r"[^\w-]+", "_", path.absolute().name.split(".")[0]).strip("_") or "scan" for path in scans]
    return [stem if stems.count(stem) == 1 else f"{stem}_{number}" for number, stem in enumerate(stems, 1)]
