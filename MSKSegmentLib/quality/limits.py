"""Where green ends and red begins: the paper's Dice thresholds with margins for the error of the prediction.

Everything is compared on the scale of `dice_model.log_error`. The slack of a segment is the log error at which its structure
counts as inaccurate minus the predicted one. Green asks for a slack of at least a margin that is chosen on cross-fitted
predictions, so that of the green segments at most `fit_limits.WRONG_GREENS` were inaccurate, with as many greens as possible;
red for a predicted error above that of a failed segment by a margin chosen likewise for `fit_limits.NEEDLESS_REDS`.

The paper's thresholds follow from the spread of a structure's Dice coefficients: a structure that is nearly always right counts
as inaccurate at a Dice coefficient that would be excellent for any other. We therefore add a rule: from a predicted Dice
coefficient of `ALWAYS_GOOD_FROM` on, the thresholds alone make no structure failed, and from `CEILING_MARGIN` above it on none
inaccurate: green asks for a margin here as well, since a prediction may be a little too high. Other reasons against a segment
remain, and so does a calibration that found no value good enough for green. Masks that others made do not get this rule
(`NEVER_ALWAYS_GOOD`): the network knows their borders less well than its own, and with it 5.4 % of their greens were wrong on
virtual patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..case_result import DiceLimits
from .paper_rule import DiceThresholds

# A calibration of a weak network takes its usual poor results for normal. Therefore a segment with a predicted Dice below these
# values is never green, or never better than red, whatever the calibration cases were.
GREEN_NEEDS_DICE = 0.80
YELLOW_NEEDS_DICE = 0.60
# A Dice coefficient of so much is accurate, whatever the calibration cases looked like; green asks for a prediction above it by the
# margin: the first step with less than 1 % wrong greens under stress that the bundled calibration had not met (8 of 828; with a
# margin of 0.01 there were 10 of 856).
ALWAYS_GOOD_FROM = 0.95
CEILING_MARGIN = 0.02
NEVER_ALWAYS_GOOD = 1.0
# A network that fails in a third of a scan also misses muscle on which its passes agree.
FAILING_SHARE = 1 / 3
FEWEST_IN_FAILING_SCAN = 3


@dataclass(frozen=True)
class LightLimits:
    """What the light of one structure asks for, and what it rests on; sides are pooled.

    `dice_inaccurate` and `dice_failed` are the paper's thresholds, from the ordinary patients. Green needs a predicted Dice
    coefficient of `green_from` (None: nothing is green) whose lower bound reaches `lower_from`; below `red_below` it is red. `own`
    says whether enough of its own segments were inaccurate to check the margins of all structures against, and to widen them
    where they do not hold. `usual` are the median scores of ordinary segments. From a predicted Dice of `always_good_from` on
    the thresholds alone make nothing failed, and from `CEILING_MARGIN` above it on nothing inaccurate.
    """

    patients: int
    segments: int
    inaccurate: int
    failed: int
    dice_median: float
    dice_mad: float
    dice_inaccurate: float
    dice_failed: float
    green_from: float | None
    lower_from: float
    red_below: float
    own: bool
    usual: Mapping[str, float]
    always_good_from: float = ALWAYS_GOOD_FROM

    @property
    def held_against(self) -> DiceLimits:
        """What the light holds a predicted Dice coefficient against."""
        ceiling = min(NEVER_ALWAYS_GOOD, self.always_good_from + CEILING_MARGIN)
        good_from = None if self.green_from is None else min(self.green_from, ceiling)
        return DiceLimits(good_from, min(self.red_below, self.always_good_from))

    @property
    def inaccurate_below(self) -> float:
        """The Dice coefficient below which a segment counts as inaccurate; the failure probability is that of less."""
        return min(needed_dice(self)[0], self.always_good_from)


def needed_dice(thresholds: DiceThresholds | LightLimits) -> tuple[float, float]:
    """The Dice coefficients below which a structure is not green, and is red, whatever the margin."""
    if isinstance(thresholds, LightLimits):
        inaccurate, failed = thresholds.dice_inaccurate, thresholds.dice_failed
    else:
        inaccurate, failed = thresholds.inaccurate, thresholds.failed
    return max(inaccurate, GREEN_NEEDS_DICE), max(failed, YELLOW_NEEDS_DICE)


def is_failing(failed: int, rated: int) -> bool:
    """Whether so many of the rated segments of a scan are predicted to have failed that none of them can be trusted."""
    return failed >= FEWEST_IN_FAILING_SCAN and failed >= FAILING_SHARE * rated
