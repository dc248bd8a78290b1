"""The traffic light of a segment: green only where a calibration says so and nothing speaks against it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..anatomy import structure_of
from ..case_result import FAT_SPREAD, Light, Scores
from .calibration import Calibration
from .evidence_features import BY_NAME, SCAN_WARNING
from .limits import GREEN_NEEDS_DICE, YELLOW_NEEDS_DICE, Limits, is_failing, needed_dice
from .quality_model import Estimate, QualityModel

# Which rule gives the light: that from all evidence, or the single score of Soufi et al. 2025.
CALIBRATED, PAPER = "calibrated", "paper"
RULES = (CALIBRATED, PAPER)
# Evidence is told where it alone raises the expected error by a quarter.
TOLD_STEP = math.log(1.25)
MOST_TOLD = 2


@dataclass(frozen=True)
class Rating:
    """A light, the reasons in words, the Dice coefficient that the calibration predicts, and what else it estimates."""

    light: Light
    reasons: tuple[str, ...]
    predicted_dice: float | None = None
    estimate: Estimate | None = None


def rate(
    abbreviation: str,
    scores: Scores | None,
    truncated_by: tuple[str, ...],
    calibration: Calibration | None,
    passes: int,
    cautions: Sequence[str] = (),
    warned: bool = False,
) -> Rating:
    """Rate a segment by all its evidence; `scores` is None when it was not found or not estimated.

    `truncated_by` names the faces of the field of view that cut it, `passes` the dropout passes that the scores rest on.
    `cautions` are reasons from outside the network that rule out a green light (see `guards`), `warned` says whether the scan as a
    whole was warned of. A calibration of before there was a rule from all evidence falls back to the paper's, and says so.
    """
    if scores is None:
        return Rating(Light.GREY, ("not found in this scan",))
    if calibration is not None and calibration.model is None and calibration.no_model is None:
        rating = rate_by_paper(abbreviation, scores.mean_variance, truncated_by, calibration, passes, cautions)
        if rating.light is Light.GREY and not truncated_by:
            return rating
        return replace(rating, reasons=(*rating.reasons, "judged by its uncertainty alone: the bundle's calibration is an old one"))
    if calibration is None:
        return Rating(Light.GREY, ("uncalibrated: the model bundle has no calibration",))
    if calibration.model is None:
        return Rating(Light.GREY, (f"uncalibrated: {calibration.no_model}",))
    estimate = calibration.model.estimate(abbreviation, scores, warned)
    if estimate is None:
        return Rating(Light.GREY, ("uncalibrated: this run lacks evidence that the calibration needs",))
    if passes < calibration.passes:
        return Rating(Light.GREY, (_too_few_passes(passes, calibration),), estimate.dice, estimate)
    limits = calibration.model.limits.get(abbreviation)
    if limits is None or estimate.dice_interval is None:
        why = calibration.model.missing.get(abbreviation, "too few calibration patients show it")
        return Rating(Light.GREY, (f"uncalibrated: {why}",), estimate.dice, estimate)
    light, reason = _by_prediction(estimate.dice, estimate.dice_interval, limits)
    reasons = [reason]
    if light is not Light.GREEN:
        reasons += _evidence(abbreviation, calibration.model, scores, limits)
    if not limits.own:
        few = f"only {limits.inaccurate} of its calibration segments were inaccurate"
        reasons.append(f"judged by the limits of all structures, as {few}")
    return _guarded(Rating(light, tuple(reasons), estimate.dice, estimate), truncated_by, cautions)


def failing_scan(
    segments: Iterable[tuple[str, Scores]], calibration: Calibration | None, warned: bool = False
) -> tuple[str, ...]:
    """A reason against green for all segments of a scan, (abbreviation, scores), where a third of them is predicted to have failed.

    A network that is lost in a scan also misses muscle without its passes disagreeing about it.
    """
    if calibration is None or calibration.model is None:
        return ()
    failed = rated = 0
    for abbreviation, scores in segments:
        limits, estimate = calibration.model.limits.get(abbreviation), calibration.model.estimate(abbreviation, scores, warned)
        if limits is not None and estimate is not None:
            rated += 1
            failed += estimate.dice < needed_dice(limits)[1]
    return (f"{failed} of {rated} structures in this scan are predicted to have failed",) if is_failing(failed, rated) else ()


def rate_by_paper(
    abbreviation: str,
    uncertainty: float | None,
    truncated_by: tuple[str, ...],
    calibration: Calibration | None,
    passes: int,
    cautions: Sequence[str] = (),
) -> Rating:
    """Rate a segment by its mean variance alone (Soufi et al. 2025); None means not found or not estimated. Else like `rate`."""
    if uncertainty is None:
        return Rating(Light.GREY, ("not found in this scan",))
    if calibration is None:
        return Rating(Light.GREY, ("uncalibrated: the model bundle has no calibration",))
    fitted = calibration.structures.get(abbreviation)
    if fitted is None:
        why = calibration.missing.get(abbreviation, "it is not in the bundle's calibration")
        return Rating(Light.GREY, (f"uncalibrated: {why}",))
    predicted = fitted.predicted_dice(uncertainty)
    if passes < calibration.passes:
        return Rating(Light.GREY, (_too_few_passes(passes, calibration),), predicted)
    light, reason = _by_uncertainty(uncertainty, fitted.uncertainty_inaccurate, fitted.uncertainty_failed)
    reasons = [reason]
    if predicted < YELLOW_NEEDS_DICE:
        light = Light.RED
        reasons.append(f"predicted Dice {predicted:.2f} is below {YELLOW_NEEDS_DICE:.2f}")
    elif predicted < GREEN_NEEDS_DICE and light is Light.GREEN:
        light = Light.YELLOW
        reasons.append(f"predicted Dice {predicted:.2f} is below {GREEN_NEEDS_DICE:.2f}")
    return _guarded(Rating(light, tuple(reasons), predicted), truncated_by, cautions)


def cut_reason(truncated_by: tuple[str, ...]) -> str:
    """That the limits of the scan cut a segment, in words; `truncated_by` names them."""
    return "cut by the field of view (" + ", ".join(truncated_by) + ")"


def _guarded(rating: Rating, truncated_by: tuple[str, ...], cautions: Sequence[str]) -> Rating:
    """The rating with what speaks against green from outside the network."""
    light, reasons = rating.light, (*rating.reasons, *dict.fromkeys(cautions))
    if cautions and light is Light.GREEN:
        light = Light.YELLOW
    if truncated_by:
        # Its volume is not the muscle's volume; a red or yellow light would still be worth knowing, a green one misleads.
        reasons = (cut_reason(truncated_by), f"the part shown: {light.word}", *reasons)
        light = Light.GREY
    return Rating(light, reasons, rating.predicted_dice, rating.estimate)


def _by_prediction(dice: float, interval: tuple[float, float], limits: Limits) -> tuple[Light, str]:
    low, high = interval
    shown = f"predicted Dice {dice:.2f} ({low:.2f} to {high:.2f})"
    if dice < limits.red_below:
        return Light.RED, f"{shown} is below {limits.red_below:.2f}, where this structure counts as failed"
    if limits.green_from is None:
        return Light.YELLOW, f"{shown}; no calibration segment was sure enough to be called good"
    # Not-a-number compares false with everything, so that green is what has to be proved.
    if dice >= limits.green_from and low >= limits.lower_from:
        return Light.GREEN, f"{shown} reaches the {limits.green_from:.2f} that green asks for"
    if dice >= limits.green_from:
        return Light.YELLOW, f"{shown}: it may be below {limits.lower_from:.2f}, where this structure counts as failed"
    return Light.YELLOW, f"{shown} is below the {limits.green_from:.2f} that green asks for"


def _evidence(abbreviation: str, model: QualityModel, scores: Scores, limits: Limits) -> list[str]:
    """What makes the prediction worse than usual, worst first; of bones nothing that speaks of fat."""
    unsaid = {SCAN_WARNING} if structure_of(abbreviation).has_composition else {SCAN_WARNING, FAT_SPREAD}
    steps = model.dice.contributions(scores, limits.usual)
    told: dict[str, str] = {}
    for name, step in sorted(steps.items(), key=lambda item: -item[1]):
        if name in unsaid:
            continue
        value, usual, feature = getattr(scores, name), limits.usual.get(name), BY_NAME[name]
        if step >= TOLD_STEP and value is not None and len(told) < MOST_TOLD:
            beside = "" if usual is None else f", usually {feature.told(usual)}"
            told.setdefault(feature.words, f"{feature.words} ({feature.told(value)}{beside})")
    return list(told.values())


def _by_uncertainty(uncertainty: float, inaccurate: float, failed: float) -> tuple[Light, str]:
    # Not-a-number compares false with everything, so that green is what has to be proved.
    if uncertainty <= inaccurate:
        return Light.GREEN, f"uncertainty {uncertainty:.2e} is within the calibrated range (up to {inaccurate:.2e})"
    if uncertainty <= failed:
        return Light.YELLOW, f"uncertainty {uncertainty:.2e} is above {inaccurate:.2e}, where segments were inaccurate"
    return Light.RED, f"uncertainty {uncertainty:.2e} is above {failed:.2e}, where segments had failed"


def _too_few_passes(passes: int, calibration: Calibration) -> str:
    return f"{passes} dropout passes are fewer than the {calibration.passes} of the calibration"
