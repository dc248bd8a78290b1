"""What changed since an earlier result, as a report shows it: a line per segment, and what may not be compared, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ..anatomy import Segment
from ..comparison.change_words import told_exclusion
from ..comparison.changes import Change, ChangeVerdict
from ..comparison.examination import Examination, read_examination
from ..comparison.follow_up import ExaminationPair, compare_examinations
from ..comparison.intervals import FollowedQuantity
from ..language.catalogue import Words
from ..wording.names import segment_name
from .facts import moment

# Names of folders may be those of patients: the report knows both results by what they are to each other.
_BEFORE, _AFTER = "the earlier result", "this result"
_RISES, _FALLS = "▲", "▼"


@dataclass(frozen=True)
class ChangeCell:
    """The change of one quantity with its interval, empty where none is told; `arrow` says which way a real change goes."""

    text: str = ""
    arrow: str = ""


@dataclass(frozen=True)
class ChangeLine:
    """A segment of which something may be compared: its volumes in cc, and its changes by `FollowedQuantity`."""

    name: str
    color: str
    volumes: tuple[str, str]
    cells: tuple[ChangeCell, ...]


@dataclass(frozen=True)
class ChangeSection:
    """The part of a report on what changed; `left_out` has reasons, each with the quantity and the segments that it holds for."""

    dates: tuple[str, str]
    lines: tuple[ChangeLine, ...]
    counts: tuple[int, int]
    warnings: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def read_change_pair(before: Path, after: Path, ct: Path | None = None) -> ExaminationPair:
    """An earlier result held against that of the report; `ct` is the latter's scan.

    Raises:
        InputError: one of both cannot be used, or they are of the same scan.
    """
    earlier, later = read_examination(before), read_examination(after, ct)
    return compare_examinations(replace(earlier, name=_BEFORE), replace(later, name=_AFTER))


def change_section(pair: ExaminationPair, words: Words) -> ChangeSection:
    """What the report says of both."""
    comma = words.gettext(", ")

    def joined(names: Sequence[str]) -> str:
        return (words.gettext("; ") if comma in "".join(names) else comma).join(names)

    def named(segments: tuple[Segment, ...]) -> str:
        return joined([segment_name(words, segment) for segment in segments])

    lines: list[ChangeLine] = []
    reasons: dict[str, list[str]] = {}
    for _, group in groupby(pair.changes, key=lambda change: change.segment):
        rows = list(group)
        if any(row.difference is not None for row in rows):
            lines.append(_line(rows, words))
        for text in dict.fromkeys(_left_out(rows, words)):
            reasons.setdefault(text, []).append(segment_name(words, rows[0].segment))
    return ChangeSection(
        (_date(pair.before, words), _date(pair.after, words)),
        tuple(lines),
        (pair.count(ChangeVerdict.REAL), pair.count(ChangeVerdict.WITHIN_ERROR)),
        tuple(finding.said(words.gettext, named) for finding in pair.findings),
        tuple((text, joined(names)) for text, names in reasons.items()),
    )


def _line(rows: Sequence[Change], words: Words) -> ChangeLine:
    by_quantity = {row.quantity: row for row in rows}
    volume = by_quantity[FollowedQuantity.VOLUME]
    before, after = ("" if number is None else f"{number.value:.0f}" for number in (volume.before, volume.after))
    cells = (by_quantity.get(quantity) for quantity in FollowedQuantity)
    segment = volume.segment
    color = "#{:02x}{:02x}{:02x}".format(*segment.color)
    return ChangeLine(segment_name(words, segment), color, (before, after), tuple(_cell(change, words) for change in cells))


def _cell(change: Change | None, words: Words) -> ChangeCell:
    if change is None or change.difference is None:
        return ChangeCell()
    value, low, high = (text.replace("-", "−") for text in change.numbers)
    text = words.gettext("{value} ({low} to {high})").format(value=value, low=low, high=high)
    arrow = _RISES if change.difference.value > 0 else _FALLS
    return ChangeCell(text, arrow if change.verdict is ChangeVerdict.REAL else "")


def _left_out(rows: Sequence[Change], words: Words) -> list[str]:
    """Why quantities of a segment are not compared; without their names where the reason holds for all of them."""
    missing = [row for row in rows if row.difference is None]
    reasons = {row.reason for row in missing}
    if len(missing) == len(rows) and len(reasons) == 1:
        return [told_exclusion(missing[0].reason, words)]
    names = {
        FollowedQuantity.VOLUME: words.gettext("volume"),
        FollowedQuantity.MEAN_HU: words.gettext("mean HU"),
        FollowedQuantity.FAT: words.gettext("fat"),
    }
    together = words.gettext("{quantity}: {reason}")
    return [together.format(quantity=names[row.quantity], reason=told_exclusion(row.reason, words)) for row in missing]


def _date(one: Examination, words: Words) -> str:
    if one.when is not None:
        return words.gettext("scanned {date}").format(date=one.when.isoformat())
    run = one.result.facts.date
    return words.gettext("segmented {date}").format(date=moment(run)) if run else words.gettext("date not known")
