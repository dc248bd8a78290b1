"""``mskseg study agreement``: volumes and HU by experts and by the software, affected and unaffected sides (table 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cohort.case_list import is_affected
from ..errors import InputError
from ..evaluation.agreement import FEWEST_FOR_AGREEMENT, Agreement, agreements, density_pairs, found, judged, spread, volume_pairs
from ..evaluation.metrics import SegmentComparison
from ..evaluation.plots import new_figure, plot_density_agreement, plot_volume_agreement
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .case_facts import CaseFacts
from .figures import COLOURS, MARKERS, PUBLISHED_COLOUR, legend_of
from .inputs import Evaluated
from .published import published

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AFFECTED_SIDE, UNAFFECTED_SIDE, WHOLE, EVERY = "affected", "unaffected", "whole", "all"
VOLUME, NORMALISED, DENSITY = "volume_cc", "volume_cc_per_m2", "mean_hu"
_UNITS = {VOLUME: "cc", NORMALISED: "cc/m²", DENSITY: "HU"}
MEAN_OF_STRUCTURES = "MEAN"


def side_agreement(evaluation: Evaluated, facts: Mapping[str, CaseFacts]) -> Analysis:
    """Agreement per structure by the status of its side; without affected sides in `facts`, of both sides together.

    Volumes are divided by the squared height where `facts` give every case's.

    Raises:
        InputError: no structure has three segments in any status.
    """
    heights = {case.name: facts[case.name].height_m if case.name in facts else None for case in evaluation.cases}
    normalised = all(heights.values())
    volume = NORMALISED if normalised else VOLUME
    by_status = status_rows(evaluation, facts)
    if max((len(found(rows)) for rows in by_status.values()), default=0) < FEWEST_FOR_AGREEMENT:
        raise InputError(f"An agreement needs at least {FEWEST_FOR_AGREEMENT} segments that were found; evaluate more cases.")
    scaled = status_rows(evaluation, facts, {name: height or 1.0 for name, height in heights.items()} if normalised else None)
    lines = [
        line
        for quantity in (volume, DENSITY)
        for structure in evaluation.table.structures
        for line in _structure_lines(structure.abbreviation, quantity, scaled)
    ]
    lines += _mean_lines(lines)
    shown = [status for status in (AFFECTED_SIDE, UNAFFECTED_SIDE) if status in by_status] or [EVERY]
    figures: dict[str, tuple[Figure, str]] = {
        "agreement.png": (_plot_errors(lines, volume), "Mean absolute error per structure."),
    }
    for status in shown:
        words = "both sides" if status == EVERY else f"{status} sides"
        rows = found(by_status[status])
        figures[f"bland_altman_volume_{status}.png"] = plot_volume_agreement(rows, evaluation.table), f"Volume, {words}."
        figures[f"bland_altman_hu_{status}.png"] = plot_density_agreement(rows, evaluation.table), f"Radiodensity, {words}."
    unknown = sum(not (case.name in facts and facts[case.name].affected) for case in evaluation.cases)
    return Analysis(
        name="agreement",
        title="Agreement of volume and radiodensity",
        tables=(AnalysisTable("agreement", "Structures", _COLUMNS, lines),),
        notes=_notes(normalised),
        facts={"normalised_by_height": normalised, "cases_without_affected_side": unknown},
        figures=figures,
    )


def status_rows(
    evaluation: Evaluated, facts: Mapping[str, CaseFacts], heights: Mapping[str, float] | None = None
) -> dict[str, list[SegmentComparison]]:
    """The rows that count by the status of their side; cases without an affected side stand under "all" alone.

    With `heights` (m) volumes are divided by their squares.
    """
    by_status: dict[str, list[SegmentComparison]] = {AFFECTED_SIDE: [], UNAFFECTED_SIDE: [], WHOLE: [], EVERY: []}
    for case in evaluation.cases:
        affected = facts[case.name].affected if case.name in facts else ""
        square = 1.0 if heights is None else heights[case.name] ** 2
        for row in judged(case.rows):
            scaled = replace(row, volume_true_cc=row.volume_true_cc / square, volume_predicted_cc=row.volume_predicted_cc / square)
            side = row.segment.side.value
            status = is_affected(side, affected)
            by_status[EVERY].append(scaled)
            if side not in ("right", "left"):
                by_status[WHOLE].append(scaled)
            elif status is not None:
                by_status[AFFECTED_SIDE if status else UNAFFECTED_SIDE].append(scaled)
    return {status: rows for status, rows in by_status.items() if rows}


def _structure_lines(name: str, quantity: str, by_status: Mapping[str, Sequence[SegmentComparison]]) -> list[dict[str, Any]]:
    lines = []
    for status, rows in by_status.items():
        own = [row for row in rows if row.segment.structure.abbreviation == name]
        midline = any(row.segment.side.value not in ("right", "left") for row in own)
        if own and not (midline and status == EVERY):
            lines.append(_line(name, quantity, status, own))
    return lines


def _line(name: str, quantity: str, status: str, rows: Sequence[SegmentComparison]) -> dict[str, Any]:
    of_volume, of_density = agreements(rows)
    there = found(rows)
    true, predicted = density_pairs(there) if quantity == DENSITY else volume_pairs(there)
    agreement: Agreement = of_density if quantity == DENSITY else of_volume
    errors = spread(np.abs(predicted - true).tolist())
    limits = agreement.limits
    reference = published("table_7", "values", name, quantity) or {}
    both = reference.get("ccc") if status in (EVERY, WHOLE) else None
    return {
        "structure": name,
        "quantity": quantity,
        "side": status,
        "n": len(there),
        "missed": len(rows) - len(there),
        "true_mean": spread(true.tolist()).mean,
        "predicted_mean": spread(predicted.tolist()).mean,
        "mae": errors.mean,
        "mae_sd": errors.sd,
        "bias": limits.bias if limits else None,
        "limit_low": limits.low if limits else None,
        "limit_high": limits.high if limits else None,
        "ccc": agreement.concordance,
        "pearson": agreement.pearson,
        "published_mae": (reference.get(status) or {}).get("mae"),
        "published_ccc": both,
    }


def _mean_lines(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation of the structures' errors, as the paper's last row."""
    made = []
    for quantity, status in dict.fromkeys((line["quantity"], line["side"]) for line in lines if line["side"] != WHOLE):
        own = [line for line in lines if line["quantity"] == quantity and line["side"] == status and line["n"]]
        errors = spread(line["mae"] for line in own)
        printed = published("table_7", "mean_absolute_errors", quantity, status) or (None, None)
        made.append(
            {
                "structure": MEAN_OF_STRUCTURES,
                "quantity": quantity,
                "side": status,
                "n": sum(line["n"] for line in own),
                "missed": sum(line["missed"] for line in own),
                "mae": errors.mean,
                "mae_sd": errors.sd,
                "ccc": spread(line["ccc"] for line in own).mean,
                "pearson": spread(line["pearson"] for line in own).mean,
                "published_mae": printed[0],
            }
        )
    return made


def _notes(normalised: bool) -> list[str]:
    unknown = "The height of a case is not known: volumes are in cc, and no published volume stands beside them."
    return [
        "Volumes are divided by the squared height." if normalised else unknown,
        "MAE: mean absolute error of the segments found, ± its standard deviation (in the row MEAN over structures); bias and 95 % "
        "limits of agreement are theirs too. CCC: Lin's concordance, r: Pearson's; both count a missed segment with 0 cc.",
        "Two sides of a patient are not two patients: n counts segments. Midline structures stand under 'whole'.",
        "Published (Table 7): errors by side; concordance over both sides.",
    ]


def _plot_errors(lines: Sequence[Mapping[str, Any]], volume: str) -> Figure:
    statuses = [status for status in (AFFECTED_SIDE, UNAFFECTED_SIDE) if any(line["side"] == status for line in lines)] or [EVERY]
    structures = list(dict.fromkeys(line["structure"] for line in lines if line["structure"] != MEAN_OF_STRUCTURES))
    figure, panels = new_figure(11, 5.6, 2)
    for axes, quantity in zip(panels, (volume, DENSITY), strict=True):
        for line in lines:
            status = statuses[0] if line["side"] == WHOLE else line["side"]
            if line["quantity"] != quantity or status not in statuses or line["structure"] not in structures or line["mae"] is None:
                continue
            number = statuses.index(status)
            at = structures.index(line["structure"]) + 0.34 * (number - (len(statuses) - 1) / 2)
            axes.plot([0, line["mae"]], [at, at], color=COLOURS[number], linewidth=1)
            axes.scatter([line["mae"]], [at], s=22, color=COLOURS[number], marker=MARKERS[number], zorder=3)
            if line["published_mae"] is not None:
                axes.scatter(
                    [line["published_mae"]], [at], marker="D", s=18, facecolors="none", edgecolors=PUBLISHED_COLOUR, zorder=4
                )
        axes.set_yticks(range(len(structures)), structures, fontsize=7.5)
        axes.set_ylim(len(structures) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        axes.set_xlabel(f"Mean absolute error ({_UNITS[quantity]})")
    printed = any(line["published_mae"] is not None for line in lines)
    names = ["both sides" if status == EVERY else f"{status} sides" for status in statuses]
    legend_of(figure, names, "published" if printed else "", f"Midline structures stand with the {names[0]}.", MARKERS)
    return figure


def _number(key: str, digits: int, line: Mapping[str, Any]) -> str:
    value = line.get(key)
    return "-" if value is None else f"{value:.{digits}f}"


def _with_sd(line: Mapping[str, Any]) -> str:
    return "-" if line["mae"] is None else f"{line['mae']:.2f} ± {_number('mae_sd', 2, line)}"


def _limits(line: Mapping[str, Any]) -> str:
    low, high = line.get("limit_low"), line.get("limit_high")
    return "-" if low is None or high is None else f"{line['bias']:+.2f} ({low:+.2f} to {high:+.2f})"


_COLUMNS = (
    AnalysisColumn("structure", "Structure", lambda line: line["structure"]),
    AnalysisColumn("quantity", "of", lambda line: _UNITS[line["quantity"]]),
    AnalysisColumn("side", "side", lambda line: line["side"]),
    AnalysisColumn("n", "n", lambda line: str(line["n"])),
    AnalysisColumn("missed", "missed", lambda line: str(line["missed"])),
    AnalysisColumn("true_mean", "true", partial(_number, "true_mean", 2)),
    AnalysisColumn("predicted_mean", "predicted", partial(_number, "predicted_mean", 2)),
    AnalysisColumn("mae", "MAE", _with_sd),
    AnalysisColumn("mae_sd"),
    AnalysisColumn("published_mae", "published", partial(_number, "published_mae", 2)),
    AnalysisColumn("bias", "bias (limits)", _limits),
    AnalysisColumn("limit_low"),
    AnalysisColumn("limit_high"),
    AnalysisColumn("ccc", "CCC", partial(_number, "ccc", 3)),
    AnalysisColumn("published_ccc", "published", partial(_number, "published_ccc", 2)),
    AnalysisColumn("pearson", "r", partial(_number, "pearson", 3)),
)
