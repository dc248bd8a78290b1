"""The rows of the shared results table as the page's state: JSON instead of objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...case_result import ReviewState, SegmentReport
from ...language.catalogue import noted as N_
from ...language.catalogue import spoken_words, tr
from ...review.history import HistoryEvent
from ...review.rows import MARKS, RowFilter, SegmentRow, sorted_by, worst_first
from ...wording.uncertainty import told_uncertainty

_WHAT = {
    "edited": N_("corrected"),
    "accepted": N_("accepted"),
    "reopened": N_("acceptance taken back"),
    "reverted": N_("back to the automatic version"),
    "height": N_("height changed"),
    "rated": N_("judged"),
}


def shown_rows(rows: Iterable[SegmentRow], wanted: RowFilter, column: str, descending: bool) -> list[dict[str, Any]]:
    """The rows that pass the filter in the order of the column; worst first when no column is chosen."""
    ordered = sorted_by(rows, column, descending) if column else worst_first(rows)
    return [_row(row) for row in ordered if wanted.matches(row)]


def refreshed_rows(shown: Iterable[dict[str, Any]], rows: Iterable[SegmentRow]) -> list[dict[str, Any]]:
    """The same rows in the same places with their present content: no row moves during a correction."""
    now = {row.key: row for row in rows}
    return [_row(now[old["key"]]) for old in shown]


def selected_row(row: SegmentRow, report: SegmentReport, paired: bool) -> dict[str, Any]:
    """What the details show of the selected row; `paired` tells whether there is a right and a left of it."""
    return {
        **_row(row),
        "name": row.name,
        "lines": row.lines,
        "evidence": row.evidence,
        "edited": row.state is ReviewState.EDITED or any("by hand" in reason for reason in row.reasons),
        "acceptable": row.state is not ReviewState.ACCEPTED,
        "paired": paired,
        "uncertainty": _gauge(report),
    }


def _gauge(report: SegmentReport) -> dict[str, Any] | None:
    """The uncertainty with its word and its place, in percent, on a gauge whose middle third is what is usual for the structure."""
    uncertainty = told_uncertainty(spoken_words(), report)
    if uncertainty is None:
        return None
    shown = {"value": uncertainty.text, "word": uncertainty.word, "tooltip": uncertainty.explanation(spoken_words())}
    return shown if uncertainty.place is None else {**shown, "at": round(100 * uncertainty.place, 1)}


def light_counts(rows: Iterable[SegmentRow]) -> list[dict[str, str]]:
    """How many open rows there are of each light, worst first, in words."""
    rows = tuple(rows)
    waiting = [row for row in rows if row.found and row.state is ReviewState.AUTOMATIC]
    counts = [(mark, word, sum(row.mark == mark for row in waiting)) for mark, word in MARKS]
    missed = sum(row.missed and row.state is ReviewState.AUTOMATIC for row in rows)
    edited = sum(row.state is ReviewState.EDITED for row in rows)
    accepted = sum(row.state is ReviewState.ACCEPTED for row in rows)
    return [
        {
            "light": light,
            "text": tr("{count} {light}").format(count=count, light=tr(word)),
            "title": tr("{count} of {all}: {light}").format(count=count, all=len(rows), light=tr(word)),
        }
        for light, word, count in [
            *counts[:3],
            ("missed", N_("perhaps missed"), missed),
            ("edited", N_("edited"), edited),
            *counts[3:],
            ("green", N_("accepted"), accepted),
        ]
        if count
    ]


def history_lines(history: Iterable[HistoryEvent], rows: Iterable[SegmentRow]) -> list[dict[str, str]]:
    """The history of the segments in the rows for people, latest first."""
    names = {row.key: row.name for row in rows}
    return [
        {
            "when": event.when[:16].replace("T", " "),
            "who": event.who or "–",
            "segment": names.get(event.key or "", "–"),
            "what": _what(event),
        }
        for event in reversed(tuple(history))
    ]


def _row(row: SegmentRow) -> dict[str, Any]:
    dice, _, interval = row.texts["predicted_dice"].partition(" ")
    return {
        "key": row.key,
        "light": row.mark,
        "verdict": row.verdict,
        "texts": dict(row.texts),
        "dice": dice,
        "interval": interval,
        "tooltip": row.tooltip,
        "found": row.found,
        "missed": row.missed,
        "accepted": row.state is ReviewState.ACCEPTED,
        "color": "rgb({} {} {})".format(*row.color),
    }


def _what(event: HistoryEvent) -> str:
    details = event.details
    parts = [tr(_WHAT.get(event.what, event.what))]
    before, after = details.get("volume_before_cc"), details.get("volume_after_cc")
    if before is not None or after is not None:
        parts.append(tr("{before} to {after} cc").format(before=f"{before or 0:.1f}", after=f"{after or 0:.1f}"))
    if details.get("network"):
        form = tr("by the network of {network}: {lights}")
        parts.append(form.format(network=details["network"], lights=details.get("lights", "")))
    if details.get("taken_from"):
        parts.append(tr("taken from {source}").format(source=details["taken_from"]))
    if details.get("strokes", 1) > 1:
        parts.append(tr("{count} strokes").format(count=details["strokes"]))
    if details.get("dice_to_automatic") is not None:
        parts.append(tr("Dice to the automatic version {dice}").format(dice=f"{details['dice_to_automatic']:.2f}"))
    return tr(", ").join(parts)
