"""The scores of a segment in sentences: the basis of its predicted Dice."""

from __future__ import annotations

from ..case_result import FAT_SPREAD, DiceLimits, Light, Scores, SegmentReport
from ..quality.usual_uncertainty import uncertainty_level

LEAST_TOLD_SHARE = 0.001


def probability_text(probability: float) -> str:
    """A probability in percent, never 0 or 100 %."""
    percent = 100 * probability
    number = "below 1" if percent < 1 else "above 99" if percent > 99 else f"{percent:.0f}"
    return f"{number}\N{NO-BREAK SPACE}%"


def limits_sentence(limits: DiceLimits) -> str:
    """What the predicted Dice coefficient is held against, as a sentence."""
    failed = f"failed below {limits.failed_below:.2f}"
    if limits.good_from is None:
        return f"This structure counts as {failed}; from which predicted Dice on it is good is not known."
    return f"This structure counts as good from a predicted Dice of {limits.good_from:.2f} on, and as {failed}."


def expectation_lines(report: SegmentReport) -> tuple[str, ...]:
    """What the calibration expects of the segment, in sentences, unless a reason says it; nothing without a calibration."""
    lines = []
    if report.predicted_dice is not None and not any("predicted Dice" in reason for reason in report.reasons):
        interval = "" if report.dice_interval is None else " ({:.2f} to {:.2f})".format(*report.dice_interval)
        lines.append(f"Predicted Dice {report.predicted_dice:.2f}{interval}.")
    if report.dice_limits is not None:
        lines.append(limits_sentence(report.dice_limits))
    if report.failure_probability is not None:
        lines.append(f"Probability that it is inaccurate or failed: {probability_text(report.failure_probability)}.")
    ranges = [
        text.format(*interval)
        for text, interval in (
            ("volume {:.1f} to {:.1f} cc", report.volume_interval_cc),
            ("mean density {:.1f} to {:.1f} HU", report.mean_hu_interval),
        )
        if interval is not None
    ]
    if ranges:
        lines.append(f"Likely true values: {', '.join(ranges)}.")
    return tuple(lines)


def evidence_lines(report: SegmentReport) -> tuple[str, ...]:
    """The uncertainty with the paper's rule, and every score that exists, in sentences."""
    first = _uncertainty_sentence(report)
    if first and report.paper_light not in (None, Light.GREY):
        first = f"{first[:-1]}; by this score alone (Soufi et al. 2025) it would be rated {report.paper_light.word}."
    scores = _score_lines(report.scores, report.told_scores.get(FAT_SPREAD)) if report.scores else []
    return (first, *scores) if first else tuple(scores)


def uncertainty_word(report: SegmentReport) -> str:
    """Whether the uncertainty is low, usual or high for the structure; empty where the calibration does not tell."""
    if report.uncertainty is None or report.usual_uncertainty is None:
        return ""
    return uncertainty_level(report.uncertainty, report.usual_uncertainty)


def _uncertainty_sentence(report: SegmentReport) -> str:
    word, usual = uncertainty_word(report), report.usual_uncertainty
    told = f", {word} for this structure (usual: {usual[0]:.2e} to {usual[1]:.2e})." if word and usual else "."
    return _known("Uncertainty {:.2e}" + told, report.uncertainty)


def _score_lines(scores: Scores, fat_spread: float | None) -> list[str]:
    agreement = [
        _known("a Dice of {:.2f}", scores.pairwise_dice),
        _known("{:.2f} in its worst slices", scores.low_slice_dice),
    ]
    spread = [
        _known("volume {:.1f} %", scores.volume_cv, 100),
        _known("mean density {:.1f} HU", scores.sd_mean_hu),
        _known("fat {:.1f} percentage points", fat_spread, 100),
    ]
    plausible = [
        _known("volume {:+.1f}", scores.volume_deviation),
        _known("place {:.1f}", scores.position_deviation),
    ]
    technical = [
        _known("soft Dice {:.3f}", scores.soft_dice),
        _known("intersection over union of the passes {:.3f}", scores.pairwise_iou),
        _known("mean entropy {:.3f}", scores.mean_entropy),
    ]
    lines = [
        _sentence("The network's passes agree with each other to {}.", agreement),
        _sentence("Standard deviation between the passes: {}.", spread),
        _stray_line(scores),
        _sentence("The nearest metal is {} away.", [_known("{:.0f} mm", scores.metal_distance_mm)]),
        _sentence("Distance from ordinary patients in standard deviations: {}.", plausible),
        _sentence("Further scores: {}.", technical),
    ]
    return [line for line in lines if line]


def _stray_line(scores: Scores) -> str:
    if not scores.stray_components:
        return ""
    pieces = "1 loose piece was" if scores.stray_components == 1 else f"{scores.stray_components} loose pieces were"
    share = _known(", {:.1f} % of what the network drew", scores.stray_share, 100)
    if scores.stray_share is not None and scores.stray_share < LEAST_TOLD_SHARE:
        share = f", less than {LEAST_TOLD_SHARE:.1%} of what the network drew".replace("%", " %")
    return f"{pieces} removed{share}."


def _known(form: str, value: float | None, factor: float = 1) -> str:
    return "" if value is None else form.format(factor * value)


def _sentence(form: str, parts: list[str]) -> str:
    joined = ", ".join(part for part in parts if part)
    return form.format(joined) if joined else ""
