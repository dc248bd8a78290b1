"""The first page: every structure with its lights, side beside side, what not to trust and why, and what was reviewed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..anatomy import Segment, Side
from ..case_result import Light, ReviewState
from ..language.catalogue import Words
from ..review import SegmentRow
from ..review.columns import COLUMN_OF, FURTHER_COLUMNS, NO_VALUE, Column
from ..review.rows import MISSED_MARK, SUSPECT_MARK
from ..wording.names import side_letter, structure_name
from ..wording.reasons import SHORT, ReasonKind, as_sentence, reason_kind
from .case import ReportCase
from .names import ABSENT_MARK, MARK_NAMES, Mark, mark, mark_of

# A difference of this many percent fills half of the bar.
FULL_BAR_PERCENT = 50.0
# The first page has room for so many lines.
MOST_GROUPS, MOST_SCAN_DOUBTS = 10, 4
# Marks of segments whose numbers must not be used.
NOT_TO_USE = (Light.RED.value, SUSPECT_MARK, MISSED_MARK)

_Group = tuple[tuple[str, ReasonKind], list[SegmentRow]]


@dataclass(frozen=True)
class SideCells:
    """What the table shows of one side; texts are empty where there is nothing.

    `further` are the cells of `further_columns`. `in_brackets`: the numbers are not to be used.
    """

    mark: Mark
    volume: str
    normalised: str
    density: str
    composition: str
    further: tuple[str, ...]
    in_brackets: bool
    state: str


@dataclass(frozen=True)
class TableLine:
    """One structure: `right` holds the midline's, too. `bar` is the difference in percent of half a bar, -100..100, or None."""

    name: str
    color: str
    right: SideCells
    left: SideCells | None
    difference: str
    bar: float | None


@dataclass(frozen=True)
class DoubtGroup:
    """Segments that share a light and the main reason for it, all in words."""

    mark: Mark
    reason: str
    segments: str


@dataclass(frozen=True)
class Count:
    """How many segments have a mark."""

    mark: Mark
    number: int


def counts(case: ReportCase, words: Words) -> list[Count]:
    """How many segments have each mark, worst first; those that none has are left out."""
    marks = [mark_of(row) for row in case.rows]
    return [Count(mark(words, name), marks.count(name)) for name in MARK_NAMES if name in marks]


def table(case: ReportCase, words: Words) -> list[TableLine]:
    """The structures in table order."""
    further = further_columns(case)
    return [_line(case, words, rows, further) for rows in case.pairs]


def further_columns(case: ReportCase) -> list[Column]:
    """The columns of measurements that only some tasks take, as far as something stands in them."""
    return [column for column in FURTHER_COLUMNS if any(row.values.get(column.name) is not None for row in case.rows)]


def doubts(case: ReportCase, words: Words) -> list[DoubtGroup]:
    """What not to trust: one entry for each light and main reason, worst first. Structures absent on both sides come last."""
    groups: dict[tuple[str, ReasonKind], list[SegmentRow]] = {}
    for row in case.rows:
        name = mark_of(row)
        if name != Light.GREEN.value:
            groups.setdefault((name, main_reason(row)), []).append(row)
    ordered = sorted(groups.items(), key=lambda group: (MARK_NAMES.index(group[0][0]), -len(group[1])))
    if len(ordered) > MOST_GROUPS:
        ordered = _fewer(ordered)
    return [
        DoubtGroup(mark(words, name), words.gettext(SHORT[kind]), _listed(case, words, rows)) for (name, kind), rows in ordered
    ]  # fmt: skip


def _fewer(ordered: list[_Group]) -> list[_Group]:
    """The groups with fewest members of each mark as one, without the reason, which stands in the segment's own part."""
    largest = sorted(ordered, key=lambda group: -len(group[1]))[: MOST_GROUPS // 2]
    merged: dict[tuple[str, ReasonKind], list[SegmentRow]] = {}
    for group in ordered:
        key = group[0] if group in largest else (group[0][0], ReasonKind.OTHER)
        merged.setdefault(key, []).extend(group[1])
    return list(merged.items())


def scan_doubts(case: ReportCase, words: Words) -> list[str]:
    """Reasons that concern the scan as a whole, as sentences, at most `MOST_SCAN_DOUBTS`; all stand with the structures."""
    found = dict.fromkeys(reason for row in case.rows for reason in row.reasons if reason_kind(reason) is ReasonKind.SCAN)
    return [as_sentence(words, reason) for reason in found][:MOST_SCAN_DOUBTS]


def main_reason(row: SegmentRow) -> ReasonKind:
    """The kind of the first reason that speaks against a row."""
    kinds = [reason_kind(reason) for reason in row.reasons]
    if row.missed or not row.found:
        return ReasonKind.NOT_ASKED if ReasonKind.NOT_ASKED in kinds and not row.missed else ReasonKind.ABSENT
    against = [kind for kind in kinds if kind not in (ReasonKind.GOOD, ReasonKind.SCAN)]
    if against:
        return against[0]
    return ReasonKind.SCAN if ReasonKind.SCAN in kinds else ReasonKind.OTHER


def hex_color(segment: Segment) -> str:
    """The colour of a segment for a style sheet."""
    return "#{:02x}{:02x}{:02x}".format(*segment.color)


def is_usable(row: SegmentRow) -> bool:
    """Whether the numbers of a row may be used at all: not failed, not likely wrong, not of a part only."""
    return row.found and mark_of(row) not in NOT_TO_USE and not row.truncated


def _line(case: ReportCase, words: Words, rows: tuple[SegmentRow, ...], further: list[Column]) -> TableLine:
    cells = [_cells(words, row, further) for row in rows]
    value = rows[0].values["asymmetry_percent"] if len(rows) > 1 else None
    trusted = all(map(is_usable, rows))
    text = COLUMN_OF["asymmetry_percent"].text(value) if value is not None else ""
    return TableLine(
        name=structure_name(words, case.segment(rows[0]).structure),
        color=hex_color(case.segment(rows[0])),
        right=cells[0],
        left=cells[1] if len(cells) > 1 else None,
        difference=text if trusted or not text else f"({text})",
        bar=None if value is None else 100 * max(-1.0, min(1.0, value / FULL_BAR_PERCENT)),
    )


def _cells(words: Words, row: SegmentRow, further: list[Column]) -> SideCells:
    if not row.found:
        return SideCells(mark(words, mark_of(row)), "", "", "", "", ("",) * len(further), False, "")
    shares = [row.values[f"{name}_percent"] for name in ("fat", "composite", "lean")]
    known = [f"{share:.0f}" for share in shares if share is not None]
    states = {ReviewState.EDITED: words.gettext("e"), ReviewState.ACCEPTED: words.gettext("a")}
    return SideCells(
        mark=mark(words, mark_of(row)),
        volume=_number(row, "volume_cc"),
        normalised=_number(row, "volume_cc_per_m2"),
        density=_number(row, "mean_hu"),
        composition=" / ".join(known),
        further=tuple(column.text(value) if (value := row.values.get(column.name)) is not None else "" for column in further),
        in_brackets=not is_usable(row),
        state=states.get(row.state, ""),
    )


def _number(row: SegmentRow, name: str) -> str:
    text = row.texts[name]
    return "" if text == NO_VALUE else text


def _listed(case: ReportCase, words: Words, rows: Iterable[SegmentRow]) -> str:
    """Structures with the letters of their sides and, where one is predicted, the Dice coefficient: Iliacus R 0.80, L 0.83."""
    found: dict[str, list[str]] = {}
    for row in rows:
        segment = case.segment(row)
        dice = row.values["predicted_dice"]
        number = "" if dice is None or mark_of(row) == ABSENT_MARK else row.texts["predicted_dice"].partition(" (")[0]
        letter = "" if segment.side is Side.MIDLINE else side_letter(words, segment.side)
        found.setdefault(structure_name(words, segment.structure), []).append(" ".join(filter(None, (letter, number))))
    comma, semicolon = words.gettext(", "), words.gettext("; ")
    return semicolon.join(f"{name} {comma.join(filter(None, sides))}".strip() for name, sides in found.items())
