"""Who changed what and when. Strokes that follow each other on one segment are one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from ..case_result import HistoryEvent, ReviewState, SegmentReport

# The strokes of one correction share an entry; after a pause this long a new entry begins.
SAME_CORRECTION = timedelta(minutes=10)


def utc_now() -> datetime:
    """The time, aware of its zone."""
    return datetime.now(timezone.utc)


class HistoryLog:
    """The events in order, with a clock and the reviewer's name."""

    def __init__(self, author: str, events: Iterable[HistoryEvent] = (), clock: Callable[[], datetime] = utc_now) -> None:
        self._author = author
        self._events = list(events)
        self._clock = clock

    @property
    def events(self) -> tuple[HistoryEvent, ...]:
        """All events, oldest first."""
        return tuple(self._events)

    def add(self, what: str, key: str | None, details: Mapping[str, Any]) -> None:
        """Append an event of now."""
        self._events.append(HistoryEvent(self._now(), self._author, what, key, dict(details)))

    def add_change(self, before: SegmentReport, after: SegmentReport, what: str, by: list[str], source: str = "") -> None:
        """An edit of a segment's voxels, "edited" or "reverted"; `by` are the keys of the segments that were drawn, or taken from
        `source`.
        """
        key = after.segment.key
        details = change_between(before, after) | ({} if key in by else {"by": by}) | ({"taken_from": source} if source else {})
        if what == "reverted" or after.state is ReviewState.AUTOMATIC:
            self.add("reverted", key, details)
        else:
            self.add_edit(key, details)

    def add_edit(self, key: str, details: Mapping[str, Any]) -> None:
        """Append an edit of a segment, or let the last event of that segment go on if it is a recent edit by the same person.

        A continued edit keeps its time and the volume before it; "until" is the time of its last stroke, "strokes" their number.
        """
        number = next((n for n in reversed(range(len(self._events))) if self._events[n].key == key), None)
        last = None if number is None else self._events[number]
        if number is None or last is None or not self._continues(last):
            self.add("edited", key, {**details, "strokes": 1})
            return
        strokes = {"strokes": last.details.get("strokes", 1) + 1, "until": self._now()}
        before = {"volume_before_cc": last.details.get("volume_before_cc")}
        self._events[number] = replace(last, details={**last.details, **details, **before, **strokes})

    def _continues(self, last: HistoryEvent) -> bool:
        if last.what != "edited" or last.who != self._author:
            return False
        until = datetime.fromisoformat(last.details.get("until", last.when))
        return self._clock() - until <= SAME_CORRECTION

    def _now(self) -> str:
        return self._clock().isoformat(timespec="seconds")


def change_between(before: SegmentReport, after: SegmentReport) -> dict[str, Any]:
    """What an edit did to a segment, for the history."""
    volumes = {"volume_before_cc": _volume(before), "volume_after_cc": _volume(after)}
    return {**volumes, "dice_to_automatic": _rounded(after.dice_to_automatic)}


def _volume(report: SegmentReport) -> float | None:
    return _rounded(report.measurements.volume_cc if report.measurements else None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
