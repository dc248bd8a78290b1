"""Masks of one patient for the calibration of `rating`: true ones, the network's own, and damaged ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import StructureTable
from ..case_result import Measurements
from .mask_damage import DAMAGE_KINDS, annotator_noise, damage

TRUE, OWN, ANNOTATOR, NEIGHBOUR = "true", "network's own", "annotator", "beside damage"
# What nobody did wrong.
GOOD_KINDS = (TRUE, OWN, ANNOTATOR)
# In a mask with single damages so many of its segments are damaged: less than what makes a scan fail as a whole.
DAMAGED_SHARE = 0.2
SINGLE_MASKS = 5
# One kind of damage to everything, as by a tool with other borders.
EVERYWHERE = ("eroded", "dilated", "shifted", "rough", "deformed")
# A neighbour that a damage changed by less than this counts as untouched.
TOUCHED_BELOW = 0.98


@dataclass(frozen=True)
class MadeMask:
    """A mask uint8 ``[z, y, x]`` with sides; `kinds` says by label what was done to it, labels left out are `rest`."""

    name: str
    labels: np.ndarray
    kinds: Mapping[int, str]
    rest: str

    def kind(self, label: int, dice: float) -> str:
        """What was done to a segment that now has this Dice coefficient with the truth."""
        if label in self.kinds:
            return self.kinds[label]
        return NEIGHBOUR if self.kinds and self.rest == TRUE and dice < TOUCHED_BELOW else self.rest


def made_masks(
    truth: np.ndarray, own: np.ndarray, spacing: tuple[float, float, float], table: StructureTable, seed: int
) -> Iterator[MadeMask]:
    """All masks of a patient, from its true labels and the network's, uint8 ``[z, y, x]`` with sides; `spacing` ``(z, y, x)`` mm.

    The same seed gives the same masks.
    """
    rng = np.random.default_rng((seed, 18))
    noisy = annotator_noise(truth, spacing, rng)
    yield MadeMask("true", truth, {}, TRUE)
    yield MadeMask("own", own, {}, OWN)
    yield MadeMask("annotator", noisy, {}, ANNOTATOR)
    present = [segment.label for segment in table.segments if (truth == segment.label).any()]
    turn = int(rng.integers(len(DAMAGE_KINDS)))
    for number in range(SINGLE_MASKS):
        base, rest = ((truth, TRUE), (noisy, ANNOTATOR), (own, OWN))[number % 3]
        yield _with_single_damages(f"single {number}", base, rest, (spacing, table, present, rng), turn + number)
    kind = str(rng.choice(EVERYWHERE))
    yield _damaged_everywhere(f"all {kind}", truth, kind, (spacing, table, present, rng))


_Means = tuple[tuple[float, float, float], StructureTable, list[int], np.random.Generator]


def _with_single_damages(name: str, base: np.ndarray, rest: str, means: _Means, turn: int) -> MadeMask:
    spacing, table, present, rng = means
    labels, kinds = base, {}
    chosen = rng.permutation(present)[: max(1, round(DAMAGED_SHARE * len(present)))]
    for place, label in enumerate(map(int, chosen)):
        kind = DAMAGE_KINDS[(turn + place * 5) % len(DAMAGE_KINDS)]
        segment = table.segment_of_label(label)
        if not (labels == label).any() or (kind == "wrong side" and not (segment and segment.structure.paired)):
            continue
        labels = damage(labels, label, kind, float(rng.random()), spacing, rng)
        kinds[label] = kind
    return MadeMask(name, labels, kinds, rest)


def _damaged_everywhere(name: str, truth: np.ndarray, kind: str, means: _Means) -> MadeMask:
    spacing, _, present, rng = means
    labels, strength = truth, float(rng.uniform(0.0, 0.5))
    for label in map(int, rng.permutation(present)):
        if (labels == label).any():
            labels = damage(labels, label, kind, strength, spacing, rng)
    return MadeMask(name, labels, dict.fromkeys(present, kind), kind)


def overlap(truth: np.ndarray, mask: np.ndarray) -> dict[int, float]:
    """Label -> Dice coefficient with the truth, for the labels of a mask."""
    shared = np.bincount(truth[truth == mask].ravel(), minlength=256)
    given, true = np.bincount(mask.ravel(), minlength=256), np.bincount(truth.ravel(), minlength=256)
    return {int(label): float(2 * shared[label] / (given[label] + true[label])) for label in np.flatnonzero(given) if label}


def comparison(
    label: int, truth: Mapping[int, Measurements], mask: Mapping[int, Measurements]
) -> tuple[float | None, float | None]:
    """True over given volume, and true minus given mean HU, of a segment; None where one of both lacks it."""
    true, given = truth.get(label), mask.get(label)
    if true is None or given is None:
        return None, None
    shift = None if true.mean_hu is None or given.mean_hu is None else true.mean_hu - given.mean_hu
    return true.volume_cc / given.volume_cc, shift
