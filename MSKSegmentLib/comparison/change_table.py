"""The changes of one quantity as rows of a table for people: what panel and page show of two results of one patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..anatomy import Segment
from ..anatomy.table import RGB
from ..language.catalogue import spoken_words, tr
from ..wording.names import segment_name
from .change_words import PATIENT_NOT_KNOWN, SAME_PATIENT, VERDICTS, told_exclusion, verdict_summary
from .changes import Change, ChangeVerdict
from .doubts import OTHER_PATIENT, same_patient
from .follow_up import ExaminationPair
from .intervals import Bounded, FollowedQuantity

_MINUS = "\u2212"


@dataclass(frozen=True)
class ChangeRow:
    """One structure's change of one quantity, in the front end's language.

    `change`, `percent` and `interval` are empty where nothing is compared. `key`, `name` and `color` (0-255 RGB) are the segment's.
    `verdict_text` holds the reason where the verdict is not comparable.
    """

    key: str
    name: str
    color: RGB
    before: str
    after: str
    change: str
    percent: str
    interval: str
    verdict: ChangeVerdict
    verdict_text: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells, in the order of `change_words.CHANGE_TABLE`."""
        change = f"{self.change} ({self.percent})" if self.percent else self.change
        return (self.name, self.before, self.after, change, self.interval, self.verdict_text)

    @property
    def narrow_texts(self) -> tuple[str, ...]:
        """The cells, in the order of `change_words.NARROW_CHANGE_TABLE`."""
        change = f"{self.change} ({self.interval})" if self.interval else self.change
        return (self.name, self.before, self.after, change, self.verdict_text)


def change_rows_of(pair: ExaminationPair, quantity: FollowedQuantity) -> tuple[ChangeRow, ...]:
    """The rows of one quantity: real changes first, then those within the error, then what is not compared, in table order."""
    rows, order = [_row(change) for change in pair.changes if change.quantity is quantity], tuple(VERDICTS)
    return tuple(sorted(rows, key=lambda row: order.index(row.verdict)))


def quantities_of(pair: ExaminationPair) -> tuple[FollowedQuantity, ...]:
    """The quantities that either result has a number of; scans without Hounsfield units have volumes alone."""
    found = {change.quantity for change in pair.changes if change.before is not None or change.after is not None}
    return tuple(quantity for quantity in FollowedQuantity if quantity in found)


def change_summary(rows: Iterable[ChangeRow]) -> str:
    """How many of them are real, within the error, and not compared."""
    return verdict_summary(Counter(row.verdict for row in rows))


def change_cautions(pair: ExaminationPair) -> tuple[str, ...]:
    """What to know before the table is read: whether it is the same patient, then the warnings on what differs."""
    told = tuple(finding.said(tr, _named) for finding in pair.findings)
    if any(finding.code == OTHER_PATIENT for finding in pair.findings):
        return told
    return (tr(SAME_PATIENT if same_patient(pair.before, pair.after) else PATIENT_NOT_KNOWN), *told)


def _named(segments: tuple[Segment, ...]) -> str:
    return tr(", ").join(segment_name(spoken_words(), segment) for segment in segments)


def _row(change: Change) -> ChangeRow:
    segment, numbers = change.segment, tuple(text.replace("-", _MINUS) for text in change.numbers)
    percent = "" if change.percent is None else f"{change.percent:+.0f} %"
    word = tr(VERDICTS[change.verdict])
    reason = told_exclusion(change.reason, spoken_words()) if change.reason else ""
    return ChangeRow(
        segment.key,
        segment_name(spoken_words(), segment),
        segment.color,
        _number(change.before),
        _number(change.after),
        numbers[0] if numbers else "",
        percent.replace("-", _MINUS) if percent not in ("-0 %", "+0 %") else "0 %",
        tr("{low} to {high}").format(low=numbers[1], high=numbers[2]) if numbers else "",
        change.verdict,
        tr("{name}: {text}").format(name=word, text=reason) if reason else word,
    )


def _number(value: Bounded | None) -> str:
    if value is None:
        return "\u2013"
    text = f"{value.value:.1f}"
    return (text if float(text) else "0.0").replace("-", _MINUS)
