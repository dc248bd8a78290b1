"""Which numbers of two results may be held against each other, and why the others may not."""

from __future__ import annotations

from ..case_result import Light, ReviewState, SegmentReport
from .intervals import is_by_hand


def why_not_alone(report: SegmentReport) -> str | None:
    """Why a number of this result says nothing of a change, in a few words; None where it may be used.

    A red or a grey light forbids it, and so does the edge of the scan. Corrected structures are used once they are accepted: their
    light is grey because the network's evidence no longer speaks of them, and the reviewer stands behind them instead.
    """
    found = report.measurements
    if found is None:
        return "not found"
    if found.truncated_by:
        return "cut by the scan"
    if report.state is ReviewState.EDITED:
        return "corrected, but not accepted"
    if is_by_hand(report):
        return None
    if report.light is Light.RED:
        return "failed (red light)"
    if report.light is Light.GREY:
        return "not rated (grey light)"
    return None


def why_not_together(before: SegmentReport, after: SegmentReport) -> str | None:
    """Why two numbers that may be used each do not go together; None where they do.

    A reader's outline and the network's differ in habit, so that the change of hands looks like a change of the muscle: where one
    of both is a reader's, a reader must have accepted the other one too.
    """
    if is_by_hand(before) == is_by_hand(after):
        return None
    others = after if is_by_hand(before) else before
    return None if others.state is ReviewState.ACCEPTED else "by hand at one date only: review and accept it at the other one too"
