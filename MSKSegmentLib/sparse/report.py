"""What the rounds of a training from sparse labels came to: Dice on whole volumes per structure and round, as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from .. import RESEARCH_USE_ONLY
from ..evaluation.agreement import Summary, summarise
from ..evaluation.tables import CaseScores
from .pseudo_labels import PseudoRule

_COLUMNS = ("round", "structure", "cases", "segments", "missed", "dice_mean", "dice_sd", "asd_mm_mean", "rve_percent_mean")
_ALL = "ALL"


@dataclass(frozen=True)
class Survey:
    """What the cases hold: `annotated` of `slices` slices, and the abbreviations of structures that nobody drew in any of them."""

    cases: int
    annotated: int
    slices: int
    never_drawn: tuple[str, ...]

    @property
    def share(self) -> float:
        """The annotated share of all slices."""
        return self.annotated / max(1, self.slices)


@dataclass(frozen=True)
class RoundScores:
    """One round: slices with pseudo-labels and their kept share (None in the first round), and the scores of the test cases.

    `held_back` says why the pseudo-labels were not learned; nothing where they were.
    """

    number: int
    pseudo_slices: int | None
    kept_share: float | None
    scores: tuple[CaseScores, ...]
    held_back: str = ""

    @property
    def summaries(self) -> list[Summary]:
        """A summary per structure and group; a missed segment counts with a Dice of 0."""
        return summarise({scores.name: scores.rows for scores in self.scores}, self.scores[0].table) if self.scores else []

    @property
    def mean_dice(self) -> float | None:
        """The mean Dice over all segments of the test cases."""
        return next((one.spreads["dice"].mean for one in self.summaries if one.name == _ALL), None)


def rounds_csv(rounds: Sequence[RoundScores]) -> str:
    """A row per round and structure or group; only the header where nothing was evaluated."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in rounds:
        for row in one.summaries:
            dice = row.spreads["dice"]
            others = (row.spreads[name].mean for name in ("asd_mm", "rve_percent"))
            writer.writerow((one.number, row.name, row.cases, row.n, row.missed, *map(_number, (dice.mean, dice.sd, *others))))
    return text.getvalue()


def best_round(rounds: Sequence[RoundScores]) -> RoundScores:
    """The best round by the test, of equals the first; the last one where nothing was tested."""
    tested = [one for one in rounds if one.mean_dice is not None]
    return max(tested, key=lambda one: one.mean_dice or 0.0) if tested else rounds[-1]


def rounds_markdown(survey: Survey, rounds: Sequence[RoundScores], rule: PseudoRule) -> str:
    """The same for people, with the rule of the pseudo-labels and which round is the better one."""
    lines = [
        "# Training from sparse labels",
        "",
        f"**{RESEARCH_USE_ONLY}** The bundles are not calibrated: results get no lights.",
        "",
        f"{survey.annotated} of {survey.slices} slices of {survey.cases} cases were annotated ({100 * survey.share:.1f} %).",
        *(f"Nobody drew {name} in any slice: the network cannot find it." for name in survey.never_drawn),
        f"A pseudo-label was kept where at least {rule.passes_agree:.0%} of the dropout passes agree and the slices below and",
        f"above have it within {rule.reach_mm:g} mm; in slices where that holds for {rule.least_kept:.0%} of what they show.",
        "",
        "| Round | Learned from | Mean Dice | Segments |",
        "|---|---|---|---|",
        *(_round_line(one) for one in rounds),
        "",
        *(line for one in rounds if one.held_back for line in (f"Round {one.number}: {one.held_back}", "")),
        *_verdict(rounds),
    ]
    if rounds[-1].scores:
        names = [row.name for row in rounds[-1].summaries]
        dice = [{row.name: row.spreads["dice"].mean for row in one.summaries} for one in rounds]
        lines += [
            "## Dice per structure, both sides together",
            "",
            "| Structure | " + " | ".join(f"Round {one.number}" for one in rounds) + " |",
            "|---|" + "---|" * len(rounds),
            *(f"| {name} | " + " | ".join(_number(found.get(name)) or "-" for found in dice) + " |" for name in names),
            "",
        ]
    return "\n".join(lines)


def _round_line(one: RoundScores) -> str:
    learned = "annotated slices"
    if one.held_back:
        learned += " alone"
    elif one.pseudo_slices is not None:
        learned += f", and pseudo-labels in {one.pseudo_slices} slices ({one.kept_share or 0:.0%} of the voxels found)"
    segments = next((row.n for row in one.summaries if row.name == _ALL), 0)
    return f"| {one.number} | {learned} | {_number(one.mean_dice) or 'not evaluated'} | {segments or '-'} |"


def _verdict(rounds: Sequence[RoundScores]) -> list[str]:
    if len(rounds) < 2 or rounds[0].mean_dice is None:
        return []
    best = best_round(rounds)
    if best is rounds[0]:
        return ["On these volumes no later round is better than the first: take the bundle of round 1.", ""]
    gain = (best.mean_dice or 0.0) - rounds[0].mean_dice
    return [f"On these volumes round {best.number} is the best, by {gain:+.3f} against round 1: take its bundle.", ""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
