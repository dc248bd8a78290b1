"""The changes between two results of one patient, structure by structure, each with its interval and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ..anatomy import Segment
from ..case_result import CaseResult, SegmentReport
from .intervals import Bounded, FollowedQuantity, bounded_value, change
from .usable import why_not_alone, why_not_together


class ChangeVerdict(str, Enum):
    """What the interval of a change says."""

    REAL = "a real change"
    WITHIN_ERROR = "within the error"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Change:
    """One quantity of one segment at two dates.

    `before` and `after` are the numbers with their intervals; None where there is none. `difference` is None where nothing may be
    said, and `reason` then says why. Shares of fat are in percent, their change in percentage points.
    """

    segment: Segment
    quantity: FollowedQuantity
    before: Bounded | None
    after: Bounded | None
    difference: Bounded | None = None
    reason: str = ""

    @property
    def verdict(self) -> ChangeVerdict:
        """Real where the interval of the difference leaves 0 out."""
        if self.difference is None:
            return ChangeVerdict.NOT_COMPARABLE
        return ChangeVerdict.REAL if self.difference.low > 0 or self.difference.high < 0 else ChangeVerdict.WITHIN_ERROR

    @property
    def percent(self) -> float | None:
        """The change in percent of the first value, of volumes alone."""
        if self.quantity is not FollowedQuantity.VOLUME or self.difference is None or self.before is None or self.before.value <= 0:
            return None
        return 100 * self.difference.value / self.before.value

    @property
    def numbers(self) -> tuple[str, ...]:
        """The change and both ends of its interval with their signs: "-38", "-47", "-29"; empty where there is none."""
        if self.difference is None:
            return ()
        numbers = (self.difference.value, self.difference.low, self.difference.high)
        form = "{:+.0f}" if max(map(abs, numbers)) >= 10 else "{:+.1f}"
        # Nobody wants to read "-0".
        return tuple(text if float(text) else "0" for text in map(form.format, numbers))

    @property
    def text(self) -> str:
        """The change with its interval: "-38 (-47 to -29)"; nothing where there is none."""
        return "{} ({} to {})".format(*self.numbers) if self.numbers else ""

    @property
    def sentence(self) -> str:
        """The change in words: "-38 cc (-47 to -29): a real change"."""
        if self.difference is None:
            return f"{self.verdict.value}: {self.reason}"
        value, interval = self.text.split(" ", 1)
        return f"{value} {self.quantity.unit} {interval}: {self.verdict.value}"


def changes(before: CaseResult, after: CaseResult, blocked: Mapping[FollowedQuantity, str] | None = None) -> tuple[Change, ...]:
    """The changes of all segments that either result holds, in table order, by quantity.

    `blocked` says of quantities why nothing may be said of their change, whatever the segment.
    """
    found, later = [], {report.segment.key: report for report in after.reports}
    for one in before.reports:
        two = later.get(one.segment.key)
        if two is None or (one.measurements is None and two.measurements is None):
            continue
        for quantity in FollowedQuantity:
            if quantity is FollowedQuantity.FAT and not one.segment.structure.has_composition:
                continue
            found.append(_change(one, two, quantity, (blocked or {}).get(quantity)))
    return tuple(found)


def _change(one: SegmentReport, two: SegmentReport, quantity: FollowedQuantity, blocked: str | None) -> Change:
    values = bounded_value(one, quantity), bounded_value(two, quantity)
    reason = _why_not(one, two) or blocked
    if reason is None and (values[0] is None or values[1] is None):
        reason = "its error is not known: the result has no interval for it"
    if reason or values[0] is None or values[1] is None:
        return Change(one.segment, quantity, *values, reason=reason or "")
    return Change(one.segment, quantity, *values, difference=change(values[0], values[1]))


def _why_not(one: SegmentReport, two: SegmentReport) -> str | None:
    alone = why_not_alone(one), why_not_alone(two)
    if alone[0] and alone[0] == alone[1]:
        return f"{alone[0]} at both dates"
    for reason, when in zip(alone, ("before", "after"), strict=True):
        if reason:
            return f"{reason} {when}"
    return why_not_together(one, two)
