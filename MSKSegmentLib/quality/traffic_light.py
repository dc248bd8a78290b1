"""The traffic light of a segment: green only where a calibration says so and nothing speaks against it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..case_result import FAT_SPREAD, UNCONFIRMED_WORD, DiceLimits, Light, Scores, is_unconfirmed
from ..measurement.extent import EDGE_OF_LABELS
from .calibration import Calibration
from .evidence_features import BY_NAME, SCAN_WARNING
from .limits import GREEN_NEEDS_DICE, YELLOW_NEEDS_DICE, LightLimits, is_failing, needed_dice
from .paper_rule import StructureCalibration
from .quality_model import QualityEstimate, QualityModel
from .wording import counted, dice_texts, uncertainty_texts

# Which rule gives the light: that from all evidence, or the single score of Soufi et al. 2025. A score is named as a reason where
# it alone raises the expected error by a quarter.
TOLD_STEP = math.log(1.25)
MOST_TOLD = 2
# The network may judge a mask that it did not draw where its passes agree with each other about as much as they usually do.
UNSURE_BELOW_USUAL = 0.05


@dataclass(frozen=True)
class Rating:
    """A light, the reasons in words, the Dice coefficient that the calibration predicts, and what else it estimates.

    `limits` are what the light holds the predicted Dice coefficient against. `part_light` is the light of the part inside the scan
    where the scan cuts the segment.
    """

    light: Light
    reasons: tuple[str, ...]
    predicted_dice: float | None = None
    estimate: QualityEstimate | None = None
    limits: DiceLimits | None = None
    part_light: Light | None = None


def rate(
    abbreviation: str,
    scores: Scores | None,
    truncated_by: tuple[str, ...],
    calibration: Calibration | None,
    passes: int,
    cautions: Sequence[str] = (),
    warned: bool = False,
    composition: bool = True,
) -> Rating:
    """Rate a segment by all its evidence; `scores` is None when it was not found or not estimated.

    `truncated_by` names the faces of the field of view that cut it, `passes` the dropout passes that the scores rest on.
    `cautions` are reasons from outside the network that rule out a green light (see `guards`), `warned` says whether the scan as a
    whole has a warning, `composition` whether shares of fat mean anything in it. A calibration of an older version, without the
    rule from all evidence, falls back to the paper's rule and says so. With fewer passes than those of the calibration, nothing
    is predicted.
    """
    if scores is None:
        return Rating(Light.GREY, ("not found in this scan",))
    if calibration is not None and calibration.model is None and calibration.no_model is None:
        rating = rate_by_paper(abbreviation, scores.mean_variance, truncated_by, calibration, passes, cautions)
        if rating.limits is None:
            return rating
        why = "judged by its uncertainty alone, because the model's calibration is an old one"
        return replace(rating, reasons=(*rating.reasons, why))
    if calibration is None:
        return Rating(Light.GREY, (_NO_CALIBRATION,))
    if calibration.model is None:
        return Rating(Light.GREY, (f"uncalibrated: {calibration.no_model}",))
    if passes < calibration.passes:
        return Rating(Light.GREY, (_too_few_passes(passes, calibration),))
    estimate = calibration.model.estimate(abbreviation, scores, warned)
    if estimate is None:
        return Rating(Light.GREY, ("uncalibrated: this run lacks evidence that the calibration needs",))
    limits = calibration.model.limits.get(abbreviation)
    if limits is None or estimate.dice_interval is None:
        why = calibration.model.missing.get(abbreviation, "too few calibration patients show it")
        return Rating(Light.GREY, (f"uncalibrated: {why}",), estimate.dice, estimate)
    light, reason = _by_prediction(estimate.dice, estimate.dice_interval, limits)
    reasons = [reason]
    if light is not Light.GREEN:
        reasons += _evidence(calibration.model, scores, limits, composition)
    if _is_unsure_judge(scores, limits):
        light = Light.YELLOW
        reasons.append("the network itself is unsure here, so neither agreement nor disagreement with it says much")
    if not limits.own:
        reasons.append(f"judged by the limits of all structures, because {_few_inaccurate(limits.inaccurate)}")
    rating = Rating(light, tuple(reasons), estimate.dice, estimate, limits.held_against)
    return _guarded(rating, truncated_by, cautions, scores.agreement)


def failing_scan(segments: Iterable[tuple[str, Scores]], calibration: Calibration | None, warned: bool = False) -> tuple[str, ...]:
    """A reason against green for all of a scan's `segments` (abbreviation, scores) where a third is predicted to have failed.

    A network that fails in a scan also misses muscle on which its passes agree.
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
        return Rating(Light.GREY, (_NO_CALIBRATION,))
    if passes < calibration.passes:
        return Rating(Light.GREY, (_too_few_passes(passes, calibration),))
    fitted = calibration.structures.get(abbreviation)
    if fitted is None:
        why = calibration.missing.get(abbreviation, "the model's calibration lacks it")
        return Rating(Light.GREY, (f"uncalibrated: {why}",))
    predicted = fitted.predicted_dice(uncertainty)
    light, reason = _by_uncertainty(uncertainty, fitted.uncertainty_inaccurate, fitted.uncertainty_failed)
    reasons = [reason]
    if predicted < YELLOW_NEEDS_DICE:
        light = Light.RED
        value, limit = dice_texts(predicted, YELLOW_NEEDS_DICE)
        reasons.append(f"predicted Dice {value} is below {limit}, where every structure counts as failed")
    elif predicted < GREEN_NEEDS_DICE and light is Light.GREEN:
        light = Light.YELLOW
        value, limit = dice_texts(predicted, GREEN_NEEDS_DICE)
        reasons.append(f"predicted Dice {value} is below {limit}, where no structure counts as good")
    return _guarded(Rating(light, tuple(reasons), predicted, limits=_paper_limits(fitted)), truncated_by, cautions)


def cut_reason(truncated_by: tuple[str, ...]) -> str:
    """That the limits of the scan or of a given label map cut a segment, in words; `truncated_by` names them.

    >>> cut_reason(("superior", "field of view"))
    'cut by the field of view (superior, field of view)'
    """
    scan = [name for name in truncated_by if name != EDGE_OF_LABELS]
    causes = ["the field of view (" + ", ".join(scan) + ")"] if scan else []
    if EDGE_OF_LABELS in truncated_by:
        causes.append(f"the {EDGE_OF_LABELS}, which ends inside the CT")
    return "cut by " + " and by ".join(causes)


def _guarded(rating: Rating, truncated_by: tuple[str, ...], cautions: Sequence[str], agreement: float | None = None) -> Rating:
    """The rating with what speaks against green from outside the network; `agreement` is that of a mask which is judged."""
    light, reasons = rating.light, (*rating.reasons, *dict.fromkeys(cautions))
    if cautions and light is Light.GREEN:
        light = Light.YELLOW
    if not truncated_by:
        return replace(rating, light=light, reasons=reasons)
    # The volume of a cut segment is not that of the muscle, so green would mislead; red and yellow are still worth knowing.
    probability = rating.estimate.failure_probability if rating.estimate else None
    word = UNCONFIRMED_WORD if is_unconfirmed(light, probability, agreement) else light.word
    reasons = (cut_reason(truncated_by), f"its part inside the scan is rated {word}", *reasons)
    return replace(rating, light=Light.GREY, reasons=reasons, part_light=light)


def _by_prediction(dice: float, interval: tuple[float, float], limits: LightLimits) -> tuple[Light, str]:
    good_from, failed_below = limits.held_against.good_from, limits.held_against.failed_below
    if dice < failed_below:
        value, limit = dice_texts(dice, failed_below)
        return Light.RED, f"{_predicted(value, interval)} is below {limit}, where this structure counts as failed"
    if good_from is None:
        unknown = "the calibration found no value from which on this structure is good"
        return Light.YELLOW, f"{_predicted(f'{dice:.2f}', interval)} does not count as failed, but {unknown}"
    value, limit = dice_texts(dice, good_from)
    shown = _predicted(value, interval)
    # Comparisons with not-a-number are false, so a missing value never gives green.
    if dice >= good_from and interval[0] >= limits.lower_from:
        if limits.green_from is None or dice >= limits.green_from:
            return Light.GREEN, f"{shown} reaches {limit}, from which on this structure counts as good"
        value, limit, own = dice_texts(dice, good_from, limits.green_from)
        reached = f"{_predicted(value, interval)} reaches {limit}, from which on every structure counts as good"
        return Light.GREEN, f"{reached}, although its calibration alone would ask for {own}"
    if dice >= good_from:
        low, least = dice_texts(interval[0], limits.lower_from)
        return Light.YELLOW, f"{shown} would be good, but the lower end of its range, {low}, is below {least}"
    return Light.YELLOW, f"{shown} is below {limit}, from which on this structure counts as good"


def _is_unsure_judge(scores: Scores, limits: LightLimits) -> bool:
    """Whether a mask that the network did not draw is judged by passes that disagree with each other more than usual."""
    usual, own = limits.usual.get("pairwise_dice"), scores.pairwise_dice
    return scores.agreement is not None and usual is not None and own is not None and own < usual - UNSURE_BELOW_USUAL


def _predicted(value: str, interval: tuple[float, float]) -> str:
    return "predicted Dice {} ({:.2f} to {:.2f})".format(value, *interval)


def _few_inaccurate(number: int) -> str:
    if number == 0:
        return "none of its calibration segments was inaccurate"
    return f"only {counted(number, 'of its calibration segments was', 'of its calibration segments were')} inaccurate"


def _paper_limits(fitted: StructureCalibration) -> DiceLimits:
    """The Dice coefficients on the fitted line at which the light by uncertainty changes, with the limits that hold for all."""
    return DiceLimits(max(fitted.dice_inaccurate, GREEN_NEEDS_DICE), max(fitted.dice_failed, YELLOW_NEEDS_DICE))


def _evidence(model: QualityModel, scores: Scores, limits: LightLimits, composition: bool) -> list[str]:
    """The scores that make the prediction worse than usual, worst first; for bones without those about fat."""
    unsaid = {SCAN_WARNING} if composition else {SCAN_WARNING, FAT_SPREAD}
    steps = model.dice.contributions(scores, limits.usual)
    sentences: dict[str, str] = {}
    for name, step in sorted(steps.items(), key=lambda item: -item[1]):
        if name in unsaid:
            continue
        value, usual, feature = getattr(scores, name), limits.usual.get(name), BY_NAME[name]
        if step >= TOLD_STEP and value is not None and len(sentences) < MOST_TOLD:
            sentences.setdefault(feature.words, feature.told(value, usual))
    return list(sentences.values())


def _by_uncertainty(uncertainty: float, inaccurate: float, failed: float) -> tuple[Light, str]:
    if not math.isfinite(uncertainty):
        return Light.RED, "its uncertainty is not a number"
    value, limit = uncertainty_texts(uncertainty, inaccurate if uncertainty <= failed else failed)
    if uncertainty <= inaccurate:
        return Light.GREEN, f"uncertainty {value} is within the calibrated range (up to {limit})"
    if uncertainty <= failed:
        return Light.YELLOW, f"uncertainty {value} is above {limit}, where segments were inaccurate"
    return Light.RED, f"uncertainty {value} is above {limit}, where segments had failed"


_NO_CALIBRATION = "uncalibrated: the model has no calibration"


def _too_few_passes(passes: int, calibration: Calibration) -> str:
    ran = counted(passes, "dropout pass", "dropout passes")
    return f"the network ran {ran}, fewer than the {calibration.passes} that its calibration rests on, so nothing is predicted"
