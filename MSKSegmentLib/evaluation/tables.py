"""The files of an evaluation: ``evaluation.csv`` (a row per segment), ``summary.csv`` and ``summary.md`` (for a model card)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..anatomy import StructureTable
from ..case_result import SCORE_NAMES, Scores
from ..findings import Finding
from .agreement import MEASURES, Agreement, Spread, Summary, judged, spread
from .metrics import Outcome, SegmentComparison

LIGHTS = ("green", "yellow", "red", "grey")
GOOD_DICE = 0.8
FEWEST_FOR_QUARTILES = 5
_PLACES = ("centroid_true_mm", "centroid_predicted_mm")
_NUMBERS = tuple(field.name for field in fields(SegmentComparison) if field.name not in ("segment", "outcome", "scores", *_PLACES))
# Evaluations of earlier versions lack these.
_LATER = ("hd_mm", "sensitivity", "specificity", "dice_undisputed")
_COLUMNS = ("case", "abbreviation", "side", "outcome", *_NUMBERS, *SCORE_NAMES)


@dataclass(frozen=True)
class CaseScores:
    """The rows of one case, and the cc that were called any structure where the truth has none.

    `facts` is what the case's own ``facts.json`` says of it, empty where there is none; `findings` what the run found
    of the scan. `table` are the structures that were compared.
    """

    name: str
    rows: tuple[SegmentComparison, ...]
    false_muscle_cc: float
    table: StructureTable
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def row_json(row: SegmentComparison) -> dict[str, Any]:
    """A row as a JSON-ready dictionary."""
    numbers = {name: getattr(row, name) for name in (*_NUMBERS, *_PLACES)}
    scores = None if row.scores is None else asdict(row.scores)
    return {"key": row.segment.key, "outcome": row.outcome.value, **numbers, "scores": scores}


def row_from_json(data: Mapping[str, Any], table: StructureTable) -> SegmentComparison:
    """Read what `row_json` wrote of a segment of `table`.

    Raises:
        KeyError: an entry is missing, or the segment unknown.
        TypeError: a score is unknown.
        ValueError: the outcome is unknown.
    """
    segment = table.segment(data["key"])
    scores = None if data["scores"] is None else Scores(**data["scores"])
    values = {name: data[name] for name in _NUMBERS if name in data or name not in _LATER}
    values |= {name: data[name] and tuple(data[name]) for name in _PLACES}
    return SegmentComparison(segment=segment, outcome=Outcome(data["outcome"]), scores=scores, **values)


def evaluation_csv(cases: Sequence[CaseScores]) -> str:
    """One row per case, structure and side that occurs in the truth or the prediction; empty cells where no number exists."""
    lines = [
        {
            "case": case.name,
            "abbreviation": row.segment.structure.abbreviation,
            "side": row.segment.side.value,
            "outcome": row.outcome.value,
            **{name: getattr(row, name) for name in _NUMBERS},
            **(asdict(row.scores) if row.scores else {}),
        }
        for case in cases
        for row in case.rows
    ]
    return _csv(_COLUMNS, lines)


def summary_csv(summaries: Sequence[Summary]) -> str:
    """One row per structure and group."""
    lines = []
    for summary in summaries:
        line: dict[str, Any] = {"structure": summary.name}
        line |= {name: getattr(summary, name) for name in ("cases", "n", "missed", "slivers", "false", "false_cc")}
        for measure in MEASURES:
            line |= {f"{measure}_{part.name}": getattr(summary.spreads[measure], part.name) for part in fields(Spread)}
        line |= _agreement_cells("volume", "cc", summary.volume) | _agreement_cells("mean_hu", "hu", summary.density)
        lines.append(line)
    return _csv(tuple(lines[0]), lines)


def summary_markdown(cases: Sequence[CaseScores], summaries: Sequence[Summary], what: str) -> str:
    """A table for a model card; `what` says in a sentence what was evaluated on what."""
    measures = "Dice | ASD (mm) | HD95 (mm) | HD (mm) | AVE (%) | RVE (%) | AIE (HU)"
    head = f"Structure | n | missed | {measures} | CCC volume | r volume | CCC HU | r HU"
    lines = [
        "# Evaluation",
        "",
        what,
        "",
        f"| {head} |",
        "|---|" + "---:|" * head.count("|"),
        *(f"| {_markdown_row(summary)} |" for summary in summaries),
        "",
        "Mean ± standard deviation, in square brackets median and quartiles of Dice (from 5 on); both sides pooled, so that a "
        "patient may count twice. n: segments in the truth; missed ones have Dice 0 and no distances. CCC: Lin's concordance, "
        "r: Pearson, both with 0 cc for missed segments; of groups the mean over their structures.",
        "",
        _false_sentence(cases, summaries),
        *_undisputed_sentence(summaries[-1]),
        "",
        *_lights_table(cases),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(summary: Summary) -> str:
    dice = summary.spreads["dice"]
    cells = [summary.name, str(summary.n), str(summary.missed)]
    quartiles = f" [{dice.median:.3f}, {dice.q1:.3f}-{dice.q3:.3f}]" if dice.n >= FEWEST_FOR_QUARTILES else ""
    cells.append(_mean_and_sd(dice, 3) + quartiles)
    for measure, digits in (("asd_mm", 2), ("hd95_mm", 1), ("hd_mm", 1), ("ave_percent", 1), ("rve_percent", 1), ("aie_hu", 1)):
        cells.append(_mean_and_sd(summary.spreads[measure], digits))
    for agreement in (summary.volume, summary.density):
        cells += ["-" if value is None else f"{value:.3f}" for value in (agreement.concordance, agreement.pearson)]
    return " | ".join(cells)


def _mean_and_sd(values: Spread, digits: int) -> str:
    if values.mean is None:
        return "-"
    return f"{values.mean:.{digits}f}" + ("" if values.sd is None else f" ± {values.sd:.{digits}f}")


def _false_sentence(cases: Sequence[CaseScores], summaries: Sequence[Summary]) -> str:
    everywhere = spread(case.false_muscle_cc for case in cases)
    total = summaries[-1]
    return (
        f"{total.false} segments ({total.false_cc:.1f} cc in all) were predicted where the truth has none. Voxels called any "
        f"structure where the truth has none: {_mean_and_sd(everywhere, 1)} cc per case, counting the rims of right segments. "
        f"{total.slivers} slivers of a structure at the edge of the image were left out."
    )


def _undisputed_sentence(total: Summary) -> list[str]:
    """Empty where the evaluation was not asked for it."""
    values = total.spreads["dice_undisputed"]
    if values.mean is None:
        return []
    return [
        "",
        f"Without borders that atlases draw differently Dice is {_mean_and_sd(values, 3)} ({values.n} segments, each structure in "
        "summary.csv).",
    ]


def _lights_table(cases: Sequence[CaseScores]) -> list[str]:
    """The performance of the lights; empty where there are none."""
    rows = [row for case in cases for row in judged(case.rows) if row.light]
    if not rows:
        return []
    lines = [f"| Light | n | Dice | Dice from {GOOD_DICE:.1f} (%) |", "|---|---:|---:|---:|"]
    for light in LIGHTS:
        scores = [row.dice for row in rows if row.light == light]
        if scores:
            share = 100 * sum(score >= GOOD_DICE for score in scores) / len(scores)
            lines.append(f"| {light} | {len(scores)} | {_mean_and_sd(spread(scores), 3)} | {share:.0f} |")
    return lines


def _agreement_cells(name: str, unit: str, agreement: Agreement) -> dict[str, float | None]:
    limits = agreement.limits
    bias, low, high = (limits.bias, limits.low, limits.high) if limits else (None, None, None)
    return {
        f"{name}_ccc": agreement.concordance,
        f"{name}_pearson": agreement.pearson,
        f"{name}_bias_{unit}": bias,
        f"{name}_limit_low_{unit}": low,
        f"{name}_limit_high_{unit}": high,
    }


def _csv(columns: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: _cell(value) for key, value in line.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value
