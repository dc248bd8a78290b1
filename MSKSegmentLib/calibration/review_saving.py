"""The time that the review queue saves: reviewers who follow it against reviewers who look at every structure, on labelled cases.

A simulated reviewer recognises every error that is looked at. Looking takes the same time for each structure, correcting takes
more for a failed one than for an inaccurate one; the minutes are assumptions (`ReviewMinutes`), the counts are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from ..anatomy import Segment
from ..case_result import Light
from ..evaluation.metrics import Outcome, SegmentComparison
from ..review.queue import Candidate, Priority, place_in_queue, priorities

# Points of a curve over the share of all structures looked at, from none to all.
SHARES = np.linspace(0, 1, 101)
# The first part of the queue, for a reviewer with little time.
FIRST_PART = 0.25
QUEUE, BY_UNCERTAINTY, BEST = "Review queue", "Uncertainty alone", "Errors known"


@dataclass(frozen=True)
class ReviewMinutes:
    """Minutes to look at one structure, and to correct an inaccurate and a failed one."""

    look: float = 0.5
    inaccurate: float = 3.0
    failed: float = 10.0


@dataclass(frozen=True)
class RatedRow:
    """One segment of an evaluated case with what the front ends would say of it; `failure_probability` as in a report."""

    row: SegmentComparison
    light: Light
    failure_probability: float | None = None


@dataclass(frozen=True)
class ReviewSaving:
    """Counts and minutes of a simulated review.

    `looks` counts the structures of all cases that a reviewer of everything looks at, `flagged` those that the queue asks to be
    looked at. `wrong` of them are inaccurate or failed, `failed` failed; the `found` counts are those among the flagged ones.
    Minutes are means per case, `correcting` those for all wrong structures, `correcting_found` for those found. `curves` are by
    order of one list of all cases' structures: the share of wrong ones, and of their weight (see `review.queue`), found after
    each of `SHARES` of that list.
    """

    cases: int
    looks: int
    flagged: int
    wrong: int
    failed: int
    wrong_found: int
    failed_found: int
    looking_all: float
    looking_flagged: float
    correcting: float
    correcting_found: float
    curves: Mapping[str, np.ndarray]
    weight_curves: Mapping[str, np.ndarray]

    @property
    def saved(self) -> float:
        """Minutes of looking saved per case. Errors left uncorrected are no saving."""
        return self.looking_all - self.looking_flagged


@dataclass(frozen=True)
class _Look:
    """One structure that a reviewer of everything looks at."""

    priority: Priority
    flagged: bool
    queue_place: tuple[int, float]
    uncertainty: float
    wrong: bool
    failed: bool


def simulate_review(
    cases: Sequence[Sequence[RatedRow]],
    thresholds: Mapping[str, tuple[float, float]],
    minutes: ReviewMinutes | None = None,
) -> ReviewSaving:
    """Review all cases (their rows) by the queue, and compare.

    `thresholds` are the Dice coefficients by abbreviation below which a structure is inaccurate and failed; of structures without
    any, and of slivers, it is not known whether they are wrong: they are looked at, but count as right.
    """
    minutes = minutes or ReviewMinutes()
    every = [look for case in cases for look in _looks(case, thresholds)]
    flagged = [look for look in every if look.flagged]
    per_case = 1 / max(len(cases), 1)

    def correcting(chosen: list[_Look]) -> float:
        return per_case * sum(minutes.failed if look.failed else minutes.inaccurate for look in chosen if look.wrong)

    return ReviewSaving(
        cases=len(cases),
        looks=len(every),
        flagged=len(flagged),
        wrong=sum(look.wrong for look in every),
        failed=sum(look.failed for look in every),
        wrong_found=sum(look.wrong for look in flagged),
        failed_found=sum(look.failed for look in flagged),
        looking_all=per_case * minutes.look * len(every),
        looking_flagged=per_case * minutes.look * len(flagged),
        correcting=correcting(every),
        correcting_found=correcting(flagged),
        curves={name: _curve(every, order, lambda _: 1.0) for name, order in _ORDERS.items()},
        weight_curves={name: _curve(every, order, lambda look: look.priority.weight) for name, order in _ORDERS.items()},
    )


def saving_sentences(saving: ReviewSaving, minutes: ReviewMinutes | None = None) -> list[str]:
    """The saving in words, for a report."""
    minutes = minutes or ReviewMinutes()
    if not saving.looks:
        return ["There was nothing to review."]
    left = saving.wrong - saving.wrong_found
    sentences = [
        f"Of {saving.looks} structures in {saving.cases} cases, {saving.flagged} ({_percent(saving.flagged, saving.looks)}) are "
        f"flagged. Among them are {saving.wrong_found} of the {saving.wrong} inaccurate or failed ones "
        f"({_percent(saving.wrong_found, saving.wrong)}) and {saving.failed_found} of the {saving.failed} failed ones "
        f"({_percent(saving.failed_found, saving.failed)}); {left} stay uncorrected.",
        f"At {minutes.look:g} min a look, looking takes {saving.looking_flagged:.1f} instead of {saving.looking_all:.1f} min per "
        f"case: {saving.saved:.1f} min ({_percent(saving.saved, saving.looking_all)}) saved. Correcting takes "
        f"{saving.correcting_found:.1f} min per case ({saving.correcting:.1f} min for all errors; {minutes.inaccurate:g} min for "
        f"an inaccurate, {minutes.failed:g} min for a failed structure). The minutes are assumptions.",
    ]
    return [*sentences, _order_sentence(saving)] if saving.wrong else sentences


def _order_sentence(saving: ReviewSaving) -> str:
    """The effect of the order alone, without the flags."""
    first = int(np.flatnonzero(np.isclose(SHARES, FIRST_PART))[0])
    found = {name: f"{curve[first]:.0%}" for name, curve in saving.curves.items()}
    return (
        f"The first {FIRST_PART:.0%} of the queue hold {found[QUEUE]} of the inaccurate or failed structures "
        f"({saving.weight_curves[QUEUE][first]:.0%} by weight); by uncertainty alone {found[BY_UNCERTAINTY]}, with the errors "
        f"known {found[BEST]}."
    )


def _looks(case: Sequence[RatedRow], thresholds: Mapping[str, tuple[float, float]]) -> list[_Look]:
    """The structures of a case to look at: found, missed, and those that the queue takes for missed."""
    given = {rated.row.segment.key: rated for rated in case}
    structures = {rated.row.segment.structure.abbreviation: rated.row.segment.structure for rated in case}
    candidates = []
    for segment in (Segment(structure, side) for structure in structures.values() for side in structure.sides):
        rated = given.get(segment.key)
        if rated is None:
            candidates.append(Candidate(segment, Light.GREY))
        else:
            found = rated.row.volume_predicted_cc if rated.row.volume_predicted_cc > 0 else None
            cut = bool(rated.row.truncated)
            candidates.append(Candidate(segment, rated.light, rated.failure_probability, found, cut))
    known = priorities(candidates)
    looks = []
    for candidate in candidates:
        key = candidate.segment.key
        priority, rated = known[key], given.get(key)
        if rated is not None or priority.missed:
            looks.append(_look(candidate, priority, rated.row if rated else None, thresholds))
    return looks


def _look(
    candidate: Candidate, priority: Priority, row: SegmentComparison | None, thresholds: Mapping[str, tuple[float, float]]
) -> _Look:
    limits = thresholds.get(candidate.segment.structure.abbreviation)
    judged = row is not None and limits is not None and row.outcome is not Outcome.SLIVER
    dice = row.dice if row is not None and judged else inf
    inaccurate, failed = limits or (-inf, -inf)
    uncertain = row.uncertainty if row is not None else None
    return _Look(
        priority=priority,
        flagged=priority.flagged,
        queue_place=place_in_queue(candidate.light, priority, candidate.volume_cc is not None),
        uncertainty=-inf if uncertain is None else uncertain,
        wrong=dice < inaccurate,
        failed=dice < failed,
    )


def _curve(looks: Sequence[_Look], order: Callable[[_Look], tuple[float, ...]], value: Callable[[_Look], float]) -> np.ndarray:
    """Share of the wrong structures' value that was found after each of `SHARES` of all looks, float ``[101]``."""
    values = np.array([value(look) * look.wrong for look in sorted(looks, key=order)])
    total = values.sum()
    if not total:
        return np.full(SHARES.shape, np.nan)
    after = np.concatenate([[0.0], np.cumsum(values) / total])
    return np.asarray(after[np.floor(SHARES * len(values) + 1e-9).astype(int)], dtype=float)


# By name in the figure. A look without an uncertainty, at what was not found, comes last by uncertainty.
_ORDERS: dict[str, Callable[[_Look], tuple[float, ...]]] = {
    QUEUE: lambda look: (float(look.queue_place[0]), look.queue_place[1]),
    BY_UNCERTAINTY: lambda look: (-look.uncertainty,),
    BEST: lambda look: (float(not look.wrong), -look.priority.weight),
}


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
