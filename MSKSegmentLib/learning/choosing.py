"""Which segments of unreviewed results are worth an annotator's time.

What a correction may teach is the predicted error of a segment times how uncertain the network is of it among segments of its
structure. Of two that are alike the second teaches less: the value is divided by one plus the similarity to everything of that
structure that is known already or was chosen before. What is worth most per minute is taken first (a greedy choice, as for
submodular functions; Nemhauser et al., Mathematical Programming 14, 1978), until the time is used up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np

from ..anatomy import Segment
from ..calibration.review_saving import ReviewMinutes
from ..case_result import Light, ReviewState, SegmentReport
from ..review.queue import Candidate, priorities

# One minus the Dice coefficient that stands for a light where neither calibration nor passes tell.
_ERROR_BY_LIGHT = {Light.RED: 0.4, Light.YELLOW: 0.15, Light.GREY: 0.15, Light.GREEN: 0.03}
_MISSED_ERROR = 1.0


@dataclass(frozen=True)
class WorthSeeing:
    """A segment of a result: the predicted `error` (1 - Dice), the `minutes` it is expected to take, and whether it is `known`.

    `uncertainty` is the mean inside the label, None where there is none; `traits` are volume (log cc), mean HU and fat share, which
    tell whether two segments of a structure are alike.
    """

    folder: Path
    report: SegmentReport
    error: float
    minutes: float
    known: bool

    @property
    def segment(self) -> Segment:
        """The structure and its side."""
        return self.report.segment

    @property
    def uncertainty(self) -> float | None:
        """The mean uncertainty inside the label."""
        return self.report.uncertainty

    @property
    def traits(self) -> tuple[float, float, float]:
        """Log volume, mean HU / 50 and twice the share of fat: about as far apart as patients are."""
        found = self.report.measurements
        if found is None:
            return (0.0, 0.0, 0.0)
        return (log(max(found.volume_cc, 0.1)), (found.mean_hu or 0.0) / 50, 2 * (found.fat_fraction or 0.0))


@dataclass(frozen=True)
class Choice:
    """A chosen segment, the value that it was chosen for, and the minutes used when it is done."""

    what: WorthSeeing
    value: float
    until_minutes: float


def worth_seeing(folder: Path, reports: Sequence[SegmentReport], minutes: ReviewMinutes | None = None) -> list[WorthSeeing]:
    """The segments of one result that are found or seem to be missed; a corrected or accepted one is known."""
    minutes = minutes or ReviewMinutes()
    order = priorities(map(Candidate.of_report, reports))
    found = []
    for report in reports:
        priority = order[report.segment.key]
        known = report.state is not ReviewState.AUTOMATIC
        if report.measurements is None and not priority.missed and not known:
            continue
        error = _error(report, priority.missed)
        limits = report.dice_limits
        failed = priority.missed or report.light is Light.RED or (limits is not None and 1 - error < limits.failed_below)
        correcting = minutes.failed if failed else minutes.inaccurate
        found.append(WorthSeeing(folder, report, error, minutes.look + priority.probability * correcting, known))
    return found


def choose_segments(candidates: Iterable[WorthSeeing], hours: float) -> list[Choice]:
    """What to look at within so many hours, most useful first."""
    everything = list(candidates)
    informative = _informative(everything)
    waiting = [index for index, one in enumerate(everything) if not one.known]
    crowd = np.zeros(len(everything))
    for index, one in enumerate(everything):
        if one.known:
            crowd += _similarity(everything, index)
    chosen: list[Choice] = []
    left = 60 * hours
    while waiting:
        fitting = [index for index in waiting if everything[index].minutes <= left]
        if not fitting:
            break
        values = {index: informative[index] / (1 + crowd[index]) for index in fitting}
        best = max(fitting, key=lambda index: values[index] / everything[index].minutes)
        waiting.remove(best)
        left -= everything[best].minutes
        crowd += _similarity(everything, best)
        chosen.append(Choice(everything[best], float(values[best]), 60 * hours - left))
    return chosen


def _error(report: SegmentReport, missed: bool) -> float:
    if missed:
        return _MISSED_ERROR
    if report.predicted_dice is not None:
        return 1 - report.predicted_dice
    if report.light is Light.GREY and report.scores is not None and report.scores.pairwise_dice is not None:
        return 1 - report.scores.pairwise_dice
    return _ERROR_BY_LIGHT[report.part_light or report.light]


def _informative(everything: Sequence[WorthSeeing]) -> np.ndarray:
    """Predicted error times the rank (above 0, to 1) of the uncertainty among segments of the structure, float ``[n]``."""
    values = np.array([one.error for one in everything])
    names = np.array([one.segment.structure.abbreviation for one in everything])
    for name in set(names.tolist()):
        places = np.flatnonzero(names == name).tolist()
        known = np.array([everything[place].uncertainty is not None for place in places])
        numbers = np.array([everything[place].uncertainty or 0.0 for place in places])
        ranks = [(numbers[known] <= number).mean() if there else 1.0 for number, there in zip(numbers, known, strict=True)]
        values[places] *= np.array(ranks)
    return values


def _similarity(everything: Sequence[WorthSeeing], index: int) -> np.ndarray:
    """How alike each segment is to that one, 0..1, float ``[n]``; 0 for other structures."""
    one = everything[index]
    same = np.array([other.segment.structure == one.segment.structure for other in everything])
    apart = np.array([other.traits for other in everything]) - np.array(one.traits)
    return np.where(same, np.exp(-0.5 * (apart**2).sum(axis=1)), 0.0)
