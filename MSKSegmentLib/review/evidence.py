"""The scores of a segment in sentences: the basis of its predicted Dice."""

from __future__ import annotations

from ..case_result import FAT_SPREAD, DiceLimits, Light, Scores, SegmentReport
from ..language.catalogue import spoken_words, tr
from ..wording.uncertainty import told_uncertainty

LEAST_TOLD_SHARE = 0.001


def probability_text(probability: float) -> str:
    """A probability in percent, never 0 or 100 %."""
    percent = 100 * probability
    form = tr("below {percent}") if percent < 1 else tr("above {percent}") if percent > 99 else "{percent}"
    return form.format(percent=f"{min(max(percent, 1), 99):.0f}\N{NO-BREAK SPACE}%")


def limits_sentence(limits: DiceLimits) -> str:
    """What the predicted Dice coefficient is held against, as a sentence."""
    failed = f"{limits.failed_below:.2f}"
    if limits.good_from is None:
        form = tr("This structure counts as failed below {failed}; from which predicted Dice on it is good is not known.")
        return form.format(failed=failed)
    form = tr("This structure counts as good from a predicted Dice of {good} on, and as failed below {failed}.")
    return form.format(good=f"{limits.good_from:.2f}", failed=failed)


def expectation_lines(report: SegmentReport) -> tuple[str, ...]:
    """What the calibration expects of the segment, in sentences, unless a reason says it; nothing without a calibration."""
    lines = []
    if report.predicted_dice is not None and not any("predicted Dice" in reason for reason in report.reasons):
        dice = f"{report.predicted_dice:.2f}"
        if report.dice_interval is None:
            lines.append(tr("Predicted Dice {dice}.").format(dice=dice))
        else:
            low, high = (f"{bound:.2f}" for bound in report.dice_interval)
            lines.append(tr("Predicted Dice {dice} ({low} to {high}).").format(dice=dice, low=low, high=high))
    if report.dice_limits is not None:
        lines.append(limits_sentence(report.dice_limits))
    if report.failure_probability is not None:
        chance = probability_text(report.failure_probability)
        lines.append(tr("Probability that it is inaccurate or failed: {chance}.").format(chance=chance))
    ranges = [
        form.format(low=f"{interval[0]:.1f}", high=f"{interval[1]:.1f}")
        for form, interval in (
            (tr("volume {low} to {high} cc"), report.volume_interval_cc),
            (tr("mean density {low} to {high} HU"), report.mean_hu_interval),
        )
        if interval is not None
    ]
    if ranges:
        lines.append(tr("Likely true values: {ranges}.").format(ranges=tr(", ").join(ranges)))
    return tuple(lines)


def evidence_lines(report: SegmentReport) -> tuple[str, ...]:
    """The uncertainty with the paper's rule, and every score that exists, in sentences."""
    first = _uncertainty_sentence(report)
    if first and report.paper_light not in (None, Light.GREY):
        form = tr("{sentence}; by this score alone (Soufi et al. 2025) it would be rated {light}.")
        first = form.format(sentence=first[:-1], light=tr(report.paper_light.word))
    scores = _score_lines(report.scores, report.told_scores.get(FAT_SPREAD)) if report.scores else []
    return (first, *scores) if first else tuple(scores)


def _uncertainty_sentence(report: SegmentReport) -> str:
    uncertainty = told_uncertainty(spoken_words(), report)
    return tr("Uncertainty {value}.").format(value=uncertainty.sentence(spoken_words())) if uncertainty else ""


def _score_lines(scores: Scores, fat_spread: float | None) -> list[str]:
    agreement = [
        _known(tr("a Dice of {value}"), ".2f", scores.pairwise_dice),
        _known(tr("{value} in its worst slices"), ".2f", scores.low_slice_dice),
    ]
    spread = [
        _known(tr("volume {value} %"), ".1f", scores.volume_cv, 100),
        _known(tr("mean density {value} HU"), ".1f", scores.sd_mean_hu),
        _known(tr("fat {value} percentage points"), ".1f", fat_spread, 100),
    ]
    plausible = [
        _known(tr("volume {value}"), "+.1f", scores.volume_deviation),
        _known(tr("place {value}"), ".1f", scores.position_deviation),
    ]
    technical = [
        _known(tr("soft Dice {value}"), ".3f", scores.soft_dice),
        _known(tr("intersection over union of the passes {value}"), ".3f", scores.pairwise_iou),
        _known(tr("mean entropy {value}"), ".3f", scores.mean_entropy),
    ]
    lines = [
        _sentence(tr("The network's passes agree with each other to {values}."), agreement),
        _sentence(tr("Standard deviation between the passes: {values}."), spread),
        _stray_line(scores),
        _sentence(tr("The nearest metal is {values} away."), [_known("{value} mm", ".0f", scores.metal_distance_mm)]),
        _sentence(tr("Distance from ordinary patients in standard deviations: {values}."), plausible),
        _sentence(tr("Further scores: {values}."), technical),
    ]
    return [line for line in lines if line]


def _stray_line(scores: Scores) -> str:
    if not scores.stray_components:
        return ""
    one = scores.stray_components == 1
    number, share = scores.stray_components, scores.stray_share
    if share is None:
        return (tr("1 loose piece was removed.") if one else tr("{number} loose pieces were removed.")).format(number=number)
    percent = f"{100 * share:.1f} %"
    if share < LEAST_TOLD_SHARE:
        percent = tr("less than {percent}").format(percent=f"{100 * LEAST_TOLD_SHARE:.1f} %")
    form = (
        tr("1 loose piece was removed, {share} of what the network drew.")
        if one
        else tr("{number} loose pieces were removed, {share} of what the network drew.")
    )
    return form.format(number=number, share=percent)


def _known(form: str, digits: str, value: float | None, factor: float = 1) -> str:
    return "" if value is None else form.format(value=format(factor * value, digits))


def _sentence(form: str, parts: list[str]) -> str:
    joined = tr(", ").join(part for part in parts if part)
    return form.format(values=joined) if joined else ""
