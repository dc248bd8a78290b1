"""Old and new bundle on the same patients, neither of whom the new one learned from, with intervals by patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..evaluation.cases import patient_of
from ..evaluation.metrics import Outcome
from ..evaluation.tables import CaseScores
from ..language.catalogue import stated
from .corrections import KnownKind

_RESAMPLES = 2000
INTERVAL_COVERAGE = 0.95
# Resampling two patients gives back their own two numbers, however wide apart patients are.
_FEWEST_FOR_INTERVAL = 3
# The most that the mean Dice coefficient may fall: on rehearsed patients, and where the old bundle's own drawing was accepted,
# which favours the old one by its nature.
FORGETTING_ALLOWED, DRAWN_ALLOWED = 0.01, 0.02
# One structure at the scan's edge that had been accepted as absent makes the mean of one segment fall from 1 to 0.
FEWEST_DRAWN = 5
# A single structure may not fall by more than this where the interval says that it fell.
STRUCTURE_ALLOWED = 0.05


class JudgedGroup(str, Enum):
    """What is compared: corrected segments, those accepted as the network drew them, and rehearsed patients."""

    CORRECTED = "corrected, held out"
    AS_DRAWN = "accepted as drawn, held out"
    REHEARSED = "rehearsed, held out"


@dataclass(frozen=True)
class DicePair:
    """One segment of one case by both bundles."""

    group: JudgedGroup
    patient: str
    abbreviation: str
    side: str
    before: float
    after: float


@dataclass(frozen=True)
class PairedMean:
    """Mean Dice coefficients over patients (each the mean of its segments), and the mean difference after - before.

    `interval` is a percentile bootstrap interval of 95 % over patients; None with fewer than three of them.
    """

    patients: int
    segments: int
    before: float
    after: float
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True)
class LearningOutcome:
    """What the comparison found; `reasons` are sentences against publishing, none where the new bundle may be published."""

    pairs: tuple[DicePair, ...]
    groups: Mapping[JudgedGroup, PairedMean]
    structures: Mapping[tuple[JudgedGroup, str], PairedMean]
    reasons: tuple[str, ...]


def dice_pairs(
    before: Iterable[CaseScores], after: Iterable[CaseScores], kinds: Mapping[str, Mapping[str, KnownKind]] | None
) -> list[DicePair]:
    """The segments of cases that both bundles segmented.

    A segment that neither truth nor a bundle has counts as agreement (1) of that bundle. `kinds` says of each corrected case, by
    name, how each of its segments became known; None for rehearsed patients.
    """
    found = []
    for old, new in zip(before, after, strict=True):
        rows = [{row.segment.key: row for row in case.rows if row.outcome is not Outcome.SLIVER} for case in (old, new)]
        slivers = {row.segment.key for case in (old, new) for row in case.rows if row.outcome is Outcome.SLIVER}
        for key in sorted((rows[0].keys() | rows[1].keys()) - slivers):
            segment = (rows[0].get(key) or rows[1][key]).segment
            group = JudgedGroup.REHEARSED
            if kinds is not None:
                group = JudgedGroup.AS_DRAWN if kinds[old.name][key] is KnownKind.AS_DRAWN else JudgedGroup.CORRECTED
            dice = [one[key].dice if key in one else 1.0 for one in rows]
            found.append(DicePair(group, patient_of(old.name), segment.structure.abbreviation, segment.side.value, *dice))
    return found


def paired_mean(pairs: Sequence[DicePair], seed: int = 0) -> PairedMean:
    """The mean over patients with its interval (paired bootstrap: whole patients are drawn, both bundles together).

    Raises:
        ValueError: there is no pair.
    """
    patients = sorted({pair.patient for pair in pairs})
    means = np.array(
        [np.mean([(pair.before, pair.after) for pair in pairs if pair.patient == patient], axis=0) for patient in patients]
    )
    interval = None
    if len(patients) >= _FEWEST_FOR_INTERVAL:
        differences = means[:, 1] - means[:, 0]
        chosen = np.random.default_rng(seed).integers(len(patients), size=(_RESAMPLES, len(patients)))
        tails = 100 * (1 - INTERVAL_COVERAGE) / 2
        low, high = np.percentile(differences[chosen].mean(axis=1), (tails, 100 - tails))
        interval = (float(low), float(high))
    return PairedMean(len(patients), len(pairs), float(means[:, 0].mean()), float(means[:, 1].mean()), interval)


def judge_learning(pairs: Sequence[DicePair]) -> LearningOutcome:
    """Compare, and say what speaks against the new bundle."""
    groups = {group: [pair for pair in pairs if pair.group is group] for group in JudgedGroup}
    means = {group: paired_mean(chosen) for group, chosen in groups.items() if chosen}
    structures = {
        (group, name): paired_mean([pair for pair in chosen if pair.abbreviation == name])
        for group, chosen in groups.items()
        for name in dict.fromkeys(pair.abbreviation for pair in chosen)
    }
    return LearningOutcome(tuple(pairs), means, structures, tuple(_reasons(means, structures)))


def _reasons(means: Mapping[JudgedGroup, PairedMean], structures: Mapping[tuple[JudgedGroup, str], PairedMean]) -> list[str]:
    reasons = []
    corrected, drawn, rehearsed = (means.get(group) for group in JudgedGroup)
    if corrected is None:
        reasons.append(stated("no corrected segment of the patients held out could be compared"))
    elif corrected.difference <= 0:
        reasons.append(stated(f"on corrections held out the mean Dice coefficient went {_went(corrected)}, and did not rise"))
    if rehearsed is not None and rehearsed.difference < -FORGETTING_ALLOWED:
        reasons.append(stated(f"on rehearsed patients it fell {_went(rehearsed)}, by more than {FORGETTING_ALLOWED:g}"))
    if drawn is not None and drawn.segments >= FEWEST_DRAWN and drawn.difference < -DRAWN_ALLOWED:
        reasons.append(stated(f"where the old drawing had been accepted it fell {_went(drawn)}, by more than {DRAWN_ALLOWED:g}"))
    for (group, name), mean in structures.items():
        certain = mean.interval is not None and mean.interval[1] < 0
        if certain and mean.difference < -STRUCTURE_ALLOWED:
            reasons.append(stated(f"{name} ({group.value}) fell {_went(mean)}"))
    return reasons


def _went(mean: PairedMean) -> str:
    return f"from {mean.before:.3f} to {mean.after:.3f}"
