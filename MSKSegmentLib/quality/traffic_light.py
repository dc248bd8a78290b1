"""The traffic light of a segment: green only where a calibration says so and nothing speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

from ..case_result import Light
from .calibration import Calibration

# A line fitted to a weak network calls its usual poor result normal. Whatever the calibration cases looked like, a segment
# whose Dice is predicted below these is not shown as good, or as more than failed.
GREEN_NEEDS_DICE = 0.80
YELLOW_NEEDS_DICE = 0.60


@dataclass(frozen=True)
class Rating:
    """A light, the Dice coefficient that the calibration predicts, and the reasons in words."""

    light: Light
    reasons: tuple[str, ...]
    predicted_dice: float | None = None


def rate(
    abbreviation: str,
    uncertainty: float | None,
    truncated_by: tuple[str, ...],
    calibration: Calibration | None,
    passes: int,
    caution: str | None = None,
) -> Rating:
    """Rate a segment; `uncertainty` is None when it was not found or not estimated.

    `truncated_by` names the faces of the field of view that cut it, `passes` the dropout passes that the uncertainty rests on.
    `caution` is a reason from outside the network that rules out a green light (see `guards`).
    """
    if uncertainty is None:
        return Rating(Light.GREY, ("not found in this scan",))
    if calibration is None:
        return Rating(Light.GREY, ("the model bundle has no calibration",))
    fitted = calibration.structures.get(abbreviation)
    if fitted is None:
        why = calibration.missing.get(abbreviation, "it is not in the bundle's calibration")
        return Rating(Light.GREY, (f"not calibrated: {why}",))
    predicted = fitted.predicted_dice(uncertainty)
    if passes < calibration.passes:
        return Rating(
            Light.GREY, (f"{passes} dropout passes are fewer than the {calibration.passes} of the calibration",), predicted
        )
    light, reason = _by_uncertainty(uncertainty, fitted.uncertainty_inaccurate, fitted.uncertainty_failed)
    reasons = [reason]
    if predicted < YELLOW_NEEDS_DICE:
        light = Light.RED
        reasons.append(f"predicted Dice {predicted:.2f} is below {YELLOW_NEEDS_DICE:.2f}")
    elif predicted < GREEN_NEEDS_DICE and light is Light.GREEN:
        light = Light.YELLOW
        reasons.append(f"predicted Dice {predicted:.2f} is below {GREEN_NEEDS_DICE:.2f}")
    if caution:
        light = Light.YELLOW if light is Light.GREEN else light
        reasons.append(caution)
    if truncated_by:
        # Its volume is not the muscle's volume; a red or yellow light would still be worth knowing, a green one misleads.
        return Rating(Light.GREY, (cut_reason(truncated_by), f"the part shown: {light.word}", *reasons), predicted)
    return Rating(light, tuple(reasons), predicted)


def cut_reason(truncated_by: tuple[str, ...]) -> str:
    """That the limits of the scan cut a segment, in words; `truncated_by` names them."""
    return "cut by the field of view (" + ", ".join(truncated_by) + ")"


def _by_uncertainty(uncertainty: float, inaccurate: float, failed: float) -> tuple[Light, str]:
    # Not-a-number compares false with everything, so that green is what has to be proved.
    if uncertainty <= inaccurate:
        return Light.GREEN, f"uncertainty {uncertainty:.2e} is within the calibrated range (up to {inaccurate:.2e})"
    if uncertainty <= failed:
        return Light.YELLOW, f"uncertainty {uncertainty:.2e} is above {inaccurate:.2e}, where segments were inaccurate"
    return Light.RED, f"uncertainty {uncertainty:.2e} is above {failed:.2e}, where segments had failed"
