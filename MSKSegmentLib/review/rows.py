"""The rows of the results table: what they say, which need a look, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from ..anatomy.table import RGB, Side
from ..case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light, ReviewState, SegmentReport
from ..language.catalogue import noted as N_
from ..language.catalogue import spoken_words, tr
from ..quality.wording import dice_texts
from ..results.tables import table_row
from ..site_reference.applying import PlacedValue, Placing, told_missing_percentile
from ..wording.names import segment_name, structure_name
from ..wording.reasons import as_sentence, told_words
from .columns import COLUMN_OF, COLUMNS, FURTHER_COLUMNS, NO_VALUE, SITE_COLUMNS
from .evidence import evidence_lines, expectation_lines
from .queue import Candidate, Priority, place_in_queue, priorities
from .reference import published_means

NOT_FOUND, PROBABLY_MISSED = "not found", "probably missed"
MISSED = "the other side was found: this one may have been missed"
# Marks beside those of the lights (by their values): grey, but likely wrong; not found, but perhaps missed; yellow, but more likely
# accurate than not.
SUSPECT_MARK, MISSED_MARK, UNCONFIRMED_MARK = "suspect", "missed", "unconfirmed"
_STATES = {
    ReviewState.AUTOMATIC: N_("automatic"),
    ReviewState.EDITED: N_("edited"),
    ReviewState.ACCEPTED: N_("accepted"),
}
# Marks of what was found with their words, worst first.
MARKS = (
    *((light.value, light.word) for light in (Light.RED, Light.YELLOW)),
    (SUSPECT_MARK, SUSPECT_WORD),
    (UNCONFIRMED_MARK, UNCONFIRMED_WORD),
    *((light.value, light.word) for light in (Light.GREY, Light.GREEN)),
)


@dataclass(frozen=True)
class SegmentRow:
    """One segment in the table.

    `mark` names its icon: the value of its light, or `SUSPECT_MARK` or `MISSED_MARK` where a grey one would look harmless,
    or `UNCONFIRMED_MARK`, which looks like yellow.
    `verdict` is the light in words. `name` and `color` (0-255 RGB) are the segment's; `group` is the key of its group in the table
    of structures. `values` and `texts` hold an entry per column; values of text columns and unknown numbers are None. `reasons`
    say why the light is what it is, in English as results hold them. All else is in the front end's language: `lines` are
    sentences with the reasons and what to expect, `evidence` the scores behind them; `tooltip` holds all of that.
    """

    key: str
    light: Light
    mark: str
    verdict: str
    name: str
    color: RGB
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
    missed: bool
    uncertainty: float | None
    priority: Priority
    reasons: tuple[str, ...]
    lines: tuple[str, ...]
    evidence: tuple[str, ...]
    tooltip: str


def make_rows(
    reports: Iterable[SegmentReport], urgency: Mapping[str, Priority] | None = None, placing: Placing | None = None
) -> tuple[SegmentRow, ...]:
    """The rows of the reports, in their order; `urgency` (see `make_row`) is that of these reports unless it is given."""
    reports = tuple(reports)
    if urgency is None:
        urgency = priorities(map(Candidate.of_report, reports))
    return tuple(make_row(report, urgency[report.segment.key], placing) for report in reports)


def make_row(report: SegmentReport, priority: Priority, placing: Placing | None = None) -> SegmentRow:
    """The row of one report; `priority` is its place in the queue, which rests on what the network drew.

    With a `placing` its numbers are placed among the curves of a site.
    """
    segment, found, absent = report.segment, report.measurements, _absent(report)
    numbers = table_row(report)
    further = [column for column in FURTHER_COLUMNS if found is not None and column.name in found.further]
    columns = (*COLUMNS, *further)
    values = {column.name: numbers[column.name] if column.numeric else None for column in columns}
    placed = tuple(placing.placed(report)) if placing is not None else ()
    truncated = found is not None and bool(found.truncated_by)
    state_text = tr(_STATES[report.state])
    if truncated:
        state_text = tr("{state}, truncated").format(state=state_text)
    texts = {column.name: column.text(values[column.name]) for column in columns if column.numeric}
    texts |= _dice_cells(report)
    if report.dice_interval is not None:
        texts["predicted_dice"] += " ({:.2f}–{:.2f})".format(*report.dice_interval)
    for one in placed:
        column = SITE_COLUMNS[one.quantity]
        columns = (*columns, column)
        values[column.name] = None if one.standing is None else one.standing.percentile
        texts[column.name] = NO_VALUE if one.standing is None else one.standing.text
    texts |= {
        "light": tr(absent or (SUSPECT_WORD if report.suspect else report.light_word)),
        "structure": structure_name(spoken_words(), segment.structure),
        "side": tr(segment.side.value),
        "state": state_text,
    }
    missed = priority.missed and found is None
    reasons = (*report.reasons, MISSED) if missed and absent == NOT_FOUND else report.reasons
    lines, evidence = _lines(report, reasons), evidence_lines(report)
    if placing is not None and placed:
        lines = (*lines, site_sentence(placing, placed))
    verdict = told_words(spoken_words(), absent or report.verdict)
    name = segment_name(spoken_words(), segment)
    return SegmentRow(
        key=segment.key,
        light=report.light,
        mark=_mark(report, missed and absent == NOT_FOUND),
        verdict=verdict,
        name=name,
        color=segment.color,
        structure=segment.structure.name,
        side=segment.side,
        group=segment.structure.group.key,
        values=values,
        texts={column.name: texts[column.name] for column in columns},
        state=report.state,
        state_text=state_text,
        needs_review=needs_review(report, priority),
        found=found is not None,
        truncated=truncated,
        missed=missed,
        uncertainty=report.uncertainty,
        priority=priority,
        reasons=reasons,
        lines=lines,
        evidence=evidence,
        tooltip="\n".join([tr("{name}: {text}").format(name=name, text=verdict), *lines, *evidence]),
    )


def _absent(report: SegmentReport) -> str:
    """What is said in place of the light's word of a segment that is not there; empty of one that is."""
    if report.measurements is not None:
        return ""
    # What was erased by hand has no light of its own any more: red is what the bones suggest, accepted or not.
    return PROBABLY_MISSED if report.light is Light.RED else NOT_FOUND


def _mark(report: SegmentReport, missed: bool) -> str:
    if missed:
        return MISSED_MARK
    return SUSPECT_MARK if report.suspect else UNCONFIRMED_MARK if report.unconfirmed else report.light.value


def _dice_cells(report: SegmentReport) -> dict[str, str]:
    """The predicted Dice coefficient and what it is held against, with so many digits that they can be told apart."""
    dice, limits = report.predicted_dice, report.dice_limits
    if dice is None or limits is None:
        return {}
    value, *held = dice_texts(dice, limits.good_from, limits.failed_below)
    return {"predicted_dice": value, "dice_failed_below": held[-1], **({"dice_good_from": held[0]} if len(held) > 1 else {})}


def needs_review(report: SegmentReport, priority: Priority) -> bool:
    """Whether somebody should look at it: flagged, perhaps missed, or edited, and not accepted yet."""
    open_ = priority.flagged or report.state is ReviewState.EDITED
    return open_ and report.state is not ReviewState.ACCEPTED


def next_flagged(rows: Sequence[SegmentRow], after_key: str | None) -> str | None:
    """The key of the row that needs a look after another one, down the rows and round again; None when there is none left."""
    start = next((number + 1 for number, row in enumerate(rows) if row.key == after_key), 0)
    return next((row.key for row in (*rows[start:], *rows[:start]) if row.needs_review), None)


def worst_first(rows: Iterable[SegmentRow]) -> tuple[SegmentRow, ...]:
    """The review queue: open flagged ones, edited, grey, green, accepted, and absent ones last, each by expected harm.

    Among equals: lowest predicted Dice, then highest uncertainty, then the order given. See `queue` for the rule.
    """
    return tuple(sorted(rows, key=_urgency))


def sorted_by(rows: Iterable[SegmentRow], column_name: str, descending: bool = False) -> tuple[SegmentRow, ...]:
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
    with_value = [(value, row) for row in rows if (value := row.values.get(column_name)) is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=descending)
    return (*(row for _, row in with_value), *(row for row in rows if row.values.get(column_name) is None))


@dataclass(frozen=True)
class RowFilter:
    """Which rows to show; None and "" let all pass. `text` is looked for in names, keys and states, in any case."""

    flagged_only: bool = False
    group: str | None = None
    side: str | None = None
    text: str = ""

    def matches(self, row: SegmentRow) -> bool:
        """Whether the row is shown."""
        words = self.text.casefold().split()
        english = (row.key, row.structure, row.side.value)
        where = " ".join((*english, row.name, row.state_text, row.texts["light"], row.verdict)).casefold()
        return (
            (row.needs_review or not self.flagged_only)
            and self.group in (None, row.group)
            and self.side in (None, row.side.value)
            and all(word in where for word in words)
        )


def _urgency(row: SegmentRow) -> tuple[int, float, float, float]:
    dice, uncertainty = row.values["predicted_dice"], row.uncertainty
    group, harm = place_in_queue(row.light, row.priority, row.found, row.state)
    return group, harm, inf if dice is None else dice, inf if uncertainty is None else -uncertainty


def _lines(report: SegmentReport, reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Why the light, what the calibration expects, what was corrected, and published means as context."""
    words = spoken_words()
    lines = [*(as_sentence(words, reason) for reason in reasons), *expectation_lines(report)]
    if report.dice_to_automatic is not None:
        form = tr("Dice between this and the automatic version: {dice}.")
        lines.append(form.format(dice=f"{report.dice_to_automatic:.2f}"))
    reference = published_means(report.segment.structure)
    found = report.measurements
    # The means are of CT: they say nothing beside a scan without densities.
    if found is not None and found.mean_hu is not None and reference:
        lines.append(reference.sentence)
    return tuple(lines)


def site_sentence(placing: Placing, placed: Sequence[PlacedValue]) -> str:
    """Where the numbers of a segment lie among a site's curves, in a sentence that names the cohort."""
    reasons = dict.fromkeys(one.reason for one in placed if one.standing is None)
    told = [f"{SITE_COLUMNS[one.quantity].title} {one.standing.text}" for one in placed if one.standing is not None]
    told += [tr("no percentile: {reason}").format(reason=told_missing_percentile(reason, spoken_words())) for reason in reasons]
    form = tr("Among {source} (the site's own cohort, no norm): {told}.")
    return form.format(source=placing.reference.source, told=tr("; ").join(told))
