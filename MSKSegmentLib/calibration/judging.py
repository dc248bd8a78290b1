"""Segments with known Dice as calibrations judge them: by all evidence and by the paper's rule, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..case_result import Light
from ..quality.calibration import Calibration
from ..quality.paper_rule import DiceThresholds
from ..quality.quality_model import QualityEstimate
from ..quality.traffic_light import failing_scan, rate, rate_by_paper
from .fit import calibrate
from .fit_paper_rule import dice_thresholds
from .observations import Observation, folds, patients_of

# The number of calibrations for judging the patients left out.
PARTS = 5
NO_CONDITION = ("", "none")
CALIBRATED_RULE, PAPER_RULE = "all evidence", "paper's rule"
LIGHTS = (Light.GREEN, Light.YELLOW, Light.RED, Light.GREY)


@dataclass(frozen=True)
class Judged:
    """One observed segment with what a calibration says of it.

    `inaccurate` and `failed` say whether its Dice coefficient lies below the structure's thresholds; None where there are none.
    `estimate` is that from all evidence, `paper_dice` the one on the paper's line.
    """

    observation: Observation
    inaccurate: bool | None
    failed: bool | None
    light: Light
    estimate: QualityEstimate | None
    paper_light: Light
    paper_dice: float | None

    def light_by(self, rule: str) -> Light:
        """The light by a rule, `CALIBRATED_RULE` or `PAPER_RULE`."""
        return self.light if rule == CALIBRATED_RULE else self.paper_light


Thresholds = Mapping[str, tuple[float, float]]


def thresholds_of(calibration: Calibration, observations: Sequence[Observation]) -> dict[str, tuple[float, float]]:
    """Abbreviation -> Dice below which a segment is inaccurate, and failed.

    They are the calibration's; where it has none, those of the ordinary observations. Structures without either are left out.
    """
    found: dict[str, tuple[float, float]] = {}
    for name in sorted({item.abbreviation for item in observations}):
        if calibration.model is not None and name in calibration.model.limits:
            limits = calibration.model.limits[name]
            found[name] = limits.dice_inaccurate, limits.dice_failed
        elif name in calibration.structures:
            fitted = calibration.structures[name]
            found[name] = fitted.dice_inaccurate, fitted.dice_failed
        else:
            own = dice_thresholds([item for item in observations if item.abbreviation == name])
            if isinstance(own, DiceThresholds):
                found[name] = own.inaccurate, own.failed
    return found


def judge_observations(
    observations: Iterable[Observation], calibration: Calibration, passes: int, thresholds: Thresholds
) -> list[Judged]:
    """Each observation judged by a calibration that has not seen its patient; `passes` are those of its run.

    Guards are at work as in a run: truncation, those that follow from the scores, and warnings on the scan where they were kept.
    """
    items = list(observations)
    by_labelling: dict[tuple[str, str], list[Observation]] = {}
    for item in items:
        by_labelling.setdefault(item.labelling, []).append(item)
    failing = {
        name: failing_scan(
            [(observation.abbreviation, observation.evidence) for observation in mine], calibration, bool(mine[0].scan_cautions)
        )
        for name, mine in by_labelling.items()
    }
    return [_judged(item, calibration, passes, thresholds, failing[item.labelling]) for item in items]


def judge_left_out(observations: Sequence[Observation], passes: int, by_condition: bool = False) -> list[Judged]:
    """Each observation judged by a calibration on other patients; thresholds are those of all.

    `by_condition` leaves out, with each condition (what was done to virtual patients), all of its patients: what is judged
    was then met neither in this patient nor in any other. Ordinary patients are left out in turn.
    """
    whole = calibrate(observations, "", "", passes)
    thresholds = thresholds_of(whole, observations)
    where = condition_parts(observations) if by_condition else patient_parts(observations)
    judged: list[Judged] = []
    for part in np.unique(where):
        others = [item for item, place in zip(observations, where, strict=True) if place != part]
        inside = [item for item, place in zip(observations, where, strict=True) if place == part]
        judged += judge_observations(inside, calibrate(others, "", "", passes), passes, thresholds)
    return judged


def patient_parts(observations: Sequence[Observation]) -> np.ndarray:
    """The part, int ``[n]``, that each observation is left out with: a fifth of the patients."""
    return folds([item.patient for item in observations], min(PARTS, len(patients_of(observations))))


def condition_parts(observations: Sequence[Observation]) -> np.ndarray:
    """The part, int ``[n]``, that each observation is left out with: its condition; ordinary patients are spread over all parts."""
    done_to = {item.patient: item.condition for item in observations}
    conditions = sorted({condition for condition in done_to.values() if condition not in NO_CONDITION})
    part = {patient: conditions.index(name) for patient, name in done_to.items() if name not in NO_CONDITION}
    ordinary = sorted(set(done_to) - set(part))
    part |= {patient: rank % max(1, len(conditions)) for rank, patient in enumerate(ordinary)}
    return np.array([part[item.patient] for item in observations], dtype=int)


def lights_table(judged: Sequence[Judged]) -> list[str]:
    """The performance of the lights by both rules: a Markdown table, line by line; empty without segments."""
    if not judged:
        return []
    lines = [
        "| Rule | Light | Segments | Mean Dice | Inaccurate | Failed | Dice below 0.80 |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for rule in (CALIBRATED_RULE, PAPER_RULE):
        for light in LIGHTS:
            chosen = [segment for segment in judged if segment.light_by(rule) is light]
            if not chosen:
                continue
            dice = [segment.observation.dice for segment in chosen]
            counts = (
                sum(bool(segment.inaccurate) for segment in chosen),
                sum(bool(segment.failed) for segment in chosen),
                sum(value < 0.8 for value in dice),
            )
            cells = [f"{count} ({count / len(chosen):.1%})" for count in counts]
            mean = sum(dice) / len(dice)
            lines.append(f"| {' | '.join([rule, light.word, str(len(chosen)), f'{mean:.3f}', *cells])} |")
    return lines


def _judged(item: Observation, calibration: Calibration, passes: int, thresholds: Thresholds, failing: tuple[str, ...]) -> Judged:
    cut = ("field of view",) if item.truncated else ()
    ours = rate(item.abbreviation, item.evidence, cut, calibration, passes, (*item.cautions, *failing), bool(item.scan_cautions))
    paper = rate_by_paper(item.abbreviation, item.uncertainty, cut, calibration, passes, item.cautions)
    limits = thresholds.get(item.abbreviation)
    return Judged(
        observation=item,
        inaccurate=None if limits is None else item.dice < limits[0],
        failed=None if limits is None else item.dice < limits[1],
        light=ours.light,
        estimate=ours.estimate,
        paper_light=paper.light,
        paper_dice=paper.predicted_dice,
    )
