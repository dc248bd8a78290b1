"""The rows of the results table: what they say, which need a look, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from ..anatomy import Side
from ..case_result import Light, ReviewState, SegmentReport
from ..export.tables import table_row
from .columns import COLUMN_OF, COLUMNS
from .reference import references

NOT_FOUND = "not found"


@dataclass(frozen=True)
class Row:
    """One segment in the table.

    `values` and `texts` hold an entry per column; values of text columns and unknown numbers are None. `group` is "bone", "hip"
    or "thigh".
    """

    key: str
    light: Light
    structure: str
    side: Side
    group: str
    values: Mapping[str, float | None]
    texts: Mapping[str, str]
    state: ReviewState
    state_text: str
    needs_review: bool
    found: bool
    truncated: bool
    tooltip: str


def make_rows(reports: Iterable[SegmentReport]) -> tuple[Row, ...]:
    """The rows of the reports, in their order."""
    return tuple(make_row(report) for report in reports)


def make_row(report: SegmentReport) -> Row:
    """The row of one report."""
    segment, found = report.segment, report.measurements
    numbers = table_row(report)
    values = {column.name: numbers[column.name] if column.numeric else None for column in COLUMNS}
    truncated = found is not None and bool(found.truncated_by)
    state_text = report.state.value + (", truncated" if truncated else "")
    texts = {column.name: column.text(values[column.name]) for column in COLUMNS if column.numeric}
    texts |= {
        "light": NOT_FOUND if found is None else report.light.word,
        "structure": segment.structure.name,
        "side": segment.side.value,
        "state": state_text,
    }
    return Row(
        key=segment.key,
        light=report.light,
        structure=segment.structure.name,
        side=segment.side,
        group=segment.structure.group,
        values=values,
        texts={column.name: texts[column.name] for column in COLUMNS},
        state=report.state,
        state_text=state_text,
        needs_review=needs_review(report),
        found=found is not None,
        truncated=truncated,
        tooltip=_tooltip(report),
    )


def needs_review(report: SegmentReport) -> bool:
    """Whether somebody should look at it: flagged by its light or edited, and not accepted yet."""
    flagged = report.light in (Light.RED, Light.YELLOW) or report.state is ReviewState.EDITED
    return flagged and report.state is not ReviewState.ACCEPTED


def worst_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """What needs a look first: open red, open yellow, edited, grey, green, accepted, and absent ones last.

    Among equals: lowest predicted Dice, then highest uncertainty, then the order given.
    """
    return tuple(sorted(rows, key=_urgency))


def sorted_by(rows: Iterable[Row], column_name: str, descending: bool = False) -> tuple[Row, ...]:
    """The rows by a column: numbers by value, with unknown ones last either way, text by letter; lights worst first.

    Equal rows stay in the order given.

    Raises:
        KeyError: there is no such column.
    """
    rows = tuple(rows)
    column = COLUMN_OF[column_name]
    if column_name == "light":
        return tuple(sorted(rows, key=_urgency, reverse=descending))
    if not column.numeric:
        return tuple(sorted(rows, key=lambda row: row.texts[column_name].casefold(), reverse=descending))
    known = [(value, row) for row in rows if (value := row.values[column_name]) is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return (*(row for _, row in known), *(row for row in rows if row.values[column_name] is None))


@dataclass(frozen=True)
class RowFilter:
    """Which rows to show; None and "" let all pass. `text` is looked for in names, keys and states, in any case."""

    flagged_only: bool = False
    group: str | None = None
    side: str | None = None
    text: str = ""

    def matches(self, row: Row) -> bool:
        """Whether the row is shown."""
        words = self.text.casefold().split()
        where = " ".join((row.key, row.structure, row.side.value, row.state_text, row.texts["light"])).casefold()
        return (
            (row.needs_review or not self.flagged_only)
            and self.group in (None, row.group)
            and self.side in (None, row.side.value)
            and all(word in where for word in words)
        )


def _urgency(row: Row) -> tuple[int, float, float]:
    dice, uncertainty = row.values["predicted_dice"], row.values["uncertainty"]
    return _rank(row), inf if dice is None else dice, inf if uncertainty is None else -uncertainty


def _rank(row: Row) -> int:
    if row.state is ReviewState.EDITED:
        return 2
    if not row.found:
        return 6
    if row.state is ReviewState.ACCEPTED:
        return 5
    return {Light.RED: 0, Light.YELLOW: 1, Light.GREY: 3, Light.GREEN: 4}[row.light]


def _tooltip(report: SegmentReport) -> str:
    """Lines of plain text: what it is, why the light, what was predicted and corrected, and published means as context."""
    segment = report.segment
    lines = [f"{segment.name}: {report.light.word}", *(_sentence(reason) for reason in report.reasons)]
    if report.predicted_dice is not None:
        lines.append(f"Predicted Dice {report.predicted_dice:.2f}{_interval(report)}.")
    if report.dice_to_automatic is not None:
        lines.append(f"Dice between this and the automatic version {report.dice_to_automatic:.2f}.")
    if report.measurements is not None and (reference := references().get(segment.structure.abbreviation)):
        lines.append(reference.sentence)
    return "\n".join(lines)


def _interval(report: SegmentReport) -> str:
    return "" if report.dice_interval is None else " ({:.2f} to {:.2f})".format(*report.dice_interval)


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
