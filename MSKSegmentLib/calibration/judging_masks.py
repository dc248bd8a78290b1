"""Masks judged by calibrations that met neither their patient nor, if asked for, their kind of damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..quality.calibration import Calibration
from ..quality.paper_rule import DiceThresholds
from .fit import calibrate
from .judging import Judged, judge_observations, patient_parts
from .observations import Observation
from .rating_masks import GOOD_KINDS, NEIGHBOUR

# What is never left out: without good masks there is no calibration, and what lies beside a damage was damaged in that kind.
KEPT_KINDS = (*GOOD_KINDS, NEIGHBOUR)


def network_thresholds(calibration: Calibration) -> dict[str, DiceThresholds] | None:
    """The Dice thresholds of a network's own lights by abbreviation; None where its calibration has none.

    A mask is inaccurate where a segmentation of the network with that Dice coefficient would be.
    """
    if calibration.model is None or not calibration.model.limits:
        return None
    return {
        name: DiceThresholds(limits.patients, limits.dice_median, limits.dice_mad)
        for name, limits in calibration.model.limits.items()
    }


def judge_masks_left_out(
    observations: Sequence[Observation], passes: int, given: Mapping[str, DiceThresholds], unseen_damage: bool = False
) -> list[Judged]:
    """Each observation judged by a calibration on other patients, with the Dice thresholds `given` by abbreviation.

    With `unseen_damage` that calibration has not met the kind of damage either.
    """
    limits = {name: (found.inaccurate, found.failed) for name, found in given.items()}
    where = patient_parts(observations)
    judged: list[Judged] = []
    for part in np.unique(where):
        others = [item for item, place in zip(observations, where, strict=True) if place != part]
        inside = [item for item, place in zip(observations, where, strict=True) if place == part]
        kinds = sorted({item.condition for item in inside} - set(KEPT_KINDS)) if unseen_damage else []
        for kind in (None, *kinds):
            seen = [item for item in others if kind is None or item.condition != kind]
            # All of a mask is judged together, as in a run; of that counts what this calibration has not met.
            found = judge_observations(inside, calibrate(seen, "", "", passes, thresholds=given), passes, limits)
            judged += [one for one in found if _belongs(one.observation.condition, kind, unseen_damage)]
    return judged


def _belongs(condition: str, kind: str | None, unseen_damage: bool) -> bool:
    """Whether what was done to a segment is judged in the turn of a kind of damage; None is the turn of nothing left out."""
    if kind is None:
        return not unseen_damage or condition in KEPT_KINDS
    return condition == kind
