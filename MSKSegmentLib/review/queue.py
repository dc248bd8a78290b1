"""Which structures to review first: those where an error is likely and would weigh most.

The rule: the expected harm of a structure is the probability that it is inaccurate or failed times its weight. The weights of
a case add up to 1; half of that is shared out by volume, because a wrong large muscle spoils the sums, the other half equally,
because a small muscle is a result of its own. So none weighs less than half of the average.

Where the calibration gives no probability the light stands for it, or that of the part inside the scan where the scan cuts the
structure: 1 for red, 1/2 for yellow and for grey, 0 for green. A
structure that was not found although it is found and whole on the other side counts as failed, with the volume of that other
side, as long as at least half of such structures are found on its own side: else a leg is missing, not a muscle. So does one
with a red light of which nothing was found (`quality.missed`), with the volume of the other side or else the median of all.

First come the flagged structures, which somebody should look at: red, yellow, perhaps missed, and grey ones (such as those that
the scan cuts) that are more likely wrong than right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from ..anatomy import Segment, Side
from ..case_result import Light, ReviewState, SegmentReport, asks_for_a_look

VOLUME_WEIGHT = 0.5
SIDE_IS_THERE = 0.5
_BY_LIGHT = {Light.RED: 1.0, Light.YELLOW: 0.5, Light.GREY: 0.5, Light.GREEN: 0.0}
_OPPOSITE = {Side.RIGHT: Side.LEFT, Side.LEFT: Side.RIGHT}


@dataclass(frozen=True)
class Candidate:
    """One segment as the queue sees it, before any correction; `volume_cc` is None when it was not found."""

    segment: Segment
    light: Light
    failure_probability: float | None = None
    volume_cc: float | None = None
    truncated: bool = False
    part_light: Light | None = None

    @staticmethod
    def of_report(report: SegmentReport) -> Candidate:
        """The candidate that a report describes."""
        found = report.measurements
        return Candidate(
            report.segment,
            report.light,
            report.failure_probability,
            found.volume_cc if found else None,
            bool(found and found.truncated_by),
            report.part_light,
        )


@dataclass(frozen=True)
class Priority:
    """Why a segment stands where it does in the queue.

    `probability` (0..1) is that of being inaccurate or failed, predicted or assumed; `weight` its share of the case (0..1);
    `missed` whether it was not found where the other side or its light says that it should be; `flagged` whether the light, the
    predicted probability or that asks for a look.
    """

    probability: float
    weight: float
    missed: bool = False
    flagged: bool = False

    @property
    def harm(self) -> float:
        """Expected harm, 0..1."""
        return self.probability * self.weight


def priorities(candidates: Iterable[Candidate]) -> dict[str, Priority]:
    """The priority of each segment of one case by its key; those that are not in the scan have no weight."""
    candidates = tuple(candidates)
    volumes = {candidate.segment.key: candidate.volume_cc for candidate in candidates if candidate.volume_cc is not None}
    missed = _missed(candidates)
    counted = volumes | missed
    total = sum(counted.values())
    result = {}
    for candidate in candidates:
        key = candidate.segment.key
        weight = 0.0
        if key in counted:
            share = counted[key] / total if total else 1 / len(counted)
            weight = VOLUME_WEIGHT * share + (1 - VOLUME_WEIGHT) / len(counted)
        assumed = 1.0 if key in missed else _BY_LIGHT[candidate.part_light or candidate.light]
        predicted = candidate.failure_probability
        flagged = key in missed or asks_for_a_look(candidate.light, predicted, candidate.part_light)
        result[key] = Priority(assumed if predicted is None else predicted, weight, key in missed, flagged)
    return result


def place_in_queue(light: Light, priority: Priority, found: bool, state: ReviewState = ReviewState.AUTOMATIC) -> tuple[int, float]:
    """Sorts segments into the queue: open flagged ones, edited, grey, green, accepted, absent; each by expected harm."""
    return _group(light, priority, found, state), -priority.harm


def _group(light: Light, priority: Priority, found: bool, state: ReviewState) -> int:
    if state is ReviewState.EDITED:
        return 1
    if state is ReviewState.ACCEPTED:
        return 4 if found else 5
    if priority.flagged:
        return 0
    if not found:
        return 5
    return 3 if light is Light.GREEN else 2


def _missed(candidates: tuple[Candidate, ...]) -> dict[str, float]:
    """Key -> volume of the other side (cc) of the segments that should be there and are not."""
    found = {candidate.segment.key for candidate in candidates if candidate.volume_cc is not None}
    result: dict[str, float] = {}
    for side, other in _OPPOSITE.items():
        expected = {
            f"{candidate.segment.structure.abbreviation}_{side.value}": candidate.volume_cc
            for candidate in candidates
            if candidate.segment.side is other and candidate.volume_cc is not None and not candidate.truncated
        }
        if expected and len(expected.keys() & found) >= SIDE_IS_THERE * len(expected):
            result.update((key, volume) for key, volume in expected.items() if key not in found)
    volumes = [candidate.volume_cc for candidate in candidates if candidate.volume_cc is not None]
    for candidate in candidates:
        if candidate.light is Light.RED and candidate.volume_cc is None:
            result.setdefault(candidate.segment.key, median(volumes) if volumes else 0.0)
    return result
