"""Where green ends and red begins: the paper's Dice thresholds with margins for the error of the prediction.

Everything is compared on the scale of `dice_model.log_error`. The slack of a segment is the log error at which its structure
counts as inaccurate minus the predicted one. Green asks for a slack of at least a margin that is chosen on cross-fitted
predictions, so that of the green segments at most `WRONG_GREENS` were inaccurate, with as many greens as possible; red for a
predicted error above that of a failed segment by a margin chosen likewise for `NEEDLESS_REDS`.

The paper's thresholds follow from how much a structure scatters, so that one that is nearly always right is called inaccurate
at a Dice coefficient that is excellent for any other. A rule of our own stands beside them: from a predicted Dice coefficient
of `ALWAYS_GOOD_FROM` on no structure is inaccurate or failed for its thresholds alone. It does not override what speaks against a
segment otherwise, nor a calibration that found nothing sure enough to be called good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..case_result import DiceLimits
from .dice_model import SMALLEST_ERROR, log_error
from .evidence_features import SCAN_WARNING
from .isotonic import Curve, isotonic_curve
from .observations import Observation, patients_of
from .paper_rule import DiceThresholds, dice_thresholds
from .wording import counted

# A rule learned with a weak network calls its usual poor result normal. Whatever the calibration cases looked like, a segment
# whose Dice is predicted below these is not shown as good, or as more than failed.
GREEN_NEEDS_DICE = 0.80
YELLOW_NEEDS_DICE = 0.60
# From here on a structure's thresholds alone make nothing inaccurate, whatever the calibration cases looked like.
ALWAYS_GOOD_FROM = 0.95
# Aims for the calibration cases. What is promised for others, 1 % and 10 %, needs room: the best margin for some patients is too
# small for the next ones.
WRONG_GREENS = 0.004
NEEDLESS_REDS = 0.04
# Below this a structure's own segments say that the margins of all structures are not enough for it.
SIGNIFICANCE = 0.05
# Where the network is lost in a third of a scan, it also misses muscle that its passes agree about.
FAILING_SHARE = 1 / 3
FEWEST_IN_FAILING_SCAN = 3
FEWEST_FAILURES = 5


@dataclass(frozen=True)
class Limits:
    """What the light of one structure asks for, and what it rests on; sides are pooled.

    `dice_inaccurate` and `dice_failed` are the paper's thresholds, from the ordinary patients. Green needs a predicted Dice
    coefficient of `green_from` (None: nothing is green) whose lower bound reaches `lower_from`; below `red_below` it is red. `own`
    says whether enough of its own segments were inaccurate to check the margins of all structures against, and to widen them
    where they do not hold. `usual` are the median scores of ordinary segments.
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

    @property
    def held_against(self) -> DiceLimits:
        """What the light holds a predicted Dice coefficient against."""
        good_from = None if self.green_from is None else min(self.green_from, ALWAYS_GOOD_FROM)
        return DiceLimits(good_from, min(self.red_below, ALWAYS_GOOD_FROM))

    @property
    def inaccurate_below(self) -> float:
        """The Dice coefficient below which a segment counts as inaccurate; the failure probability is that of less."""
        return min(needed_dice(self)[0], ALWAYS_GOOD_FROM)


def needed_dice(thresholds: DiceThresholds | Limits) -> tuple[float, float]:
    """The Dice coefficients below which a structure is not green, and is red, whatever the margin."""
    if isinstance(thresholds, Limits):
        inaccurate, failed = thresholds.dice_inaccurate, thresholds.dice_failed
    else:
        inaccurate, failed = thresholds.inaccurate, thresholds.failed
    return max(inaccurate, GREEN_NEEDS_DICE), max(failed, YELLOW_NEEDS_DICE)


def green_margin(slack: np.ndarray, wrong: np.ndarray, allowed: np.ndarray) -> float | None:
    """The smallest margin with which wrong greens are rare enough; None where there is none.

    `slack` are those of cross-fitted predictions, `wrong` says which segments were inaccurate, `allowed` which may be green at all;
    all ``[n]``.
    """
    return _margin(slack[allowed], wrong[allowed], WRONG_GREENS)


def red_margin(excess: np.ndarray, needless: np.ndarray) -> float | None:
    """The smallest margin with which needless reds are rare enough; None where there is none.

    `excess` is the predicted log error minus that of a failed segment, `needless` says which segments were accurate; both ``[n]``.
    """
    return _margin(excess, needless, NEEDLESS_REDS)


def _margin(height: np.ndarray, bad: np.ndarray, most: float) -> float | None:
    """The lowest height from 0 on above which at most the share `most` is bad."""
    known = np.isfinite(height)
    order = np.argsort(-height[known], kind="stable")
    ranked = height[known][order]
    share = np.cumsum(bad[known][order]) / np.arange(1, len(ranked) + 1)
    # Only between different heights can a line be drawn.
    ends = np.append(np.diff(ranked) < 0, True) if len(ranked) else np.zeros(0, bool)
    good = np.flatnonzero(ends & (share <= most))
    return max(0.0, float(ranked[good[-1]])) if good.size else None


def usual_scores(observations: Sequence[Observation], names: Sequence[str]) -> dict[str, float]:
    """Median of each score over the ordinary observations that have it."""
    found = {}
    for name in names:
        if name == SCAN_WARNING:
            continue
        values = [getattr(item.evidence, name) for item in observations if item.ordinary]
        known = [float(value) for value in values if value is not None]
        if known:
            found[name] = float(np.median(known))
    return found


def fit_limits(
    observations: Sequence[Observation], errors: np.ndarray, upper: np.ndarray, features: Sequence[str]
) -> tuple[dict[str, Limits], dict[str, str], Curve | None]:
    """Limits by abbreviation, for other structures the reason why there are none, and the curve of the failure probability.

    `errors` are cross-fitted log errors ``[n]`` of the observations, `upper` the upper ends of their intervals. The curve is None,
    and all limits are missing, where too few of the segments were inaccurate.
    """
    names = np.array([item.abbreviation for item in observations])
    dice = np.array([item.dice for item in observations])
    thresholds = {
        name: dice_thresholds([item for item in observations if item.abbreviation == name]) for name in sorted(set(names.tolist()))
    }
    missing = {name: found for name, found in thresholds.items() if isinstance(found, str)}
    known = {name: found for name, found in thresholds.items() if isinstance(found, DiceThresholds)}
    slack, excess, bound = (np.full(len(names), np.nan) for _ in range(3))
    wrong = np.zeros(len(names), bool)
    for name, found in known.items():
        chosen, (green, yellow) = names == name, needed_dice(found)
        slack[chosen], excess[chosen] = log_error(green) - errors[chosen], errors[chosen] - log_error(yellow)
        wrong[chosen] = dice[chosen] < found.inaccurate
        bound[chosen] = upper[chosen] - log_error(_lowest(yellow))
    # What can never be green has no say in how much green asks for.
    guarded = np.array([item.truncated or bool(item.cautions) for item in observations], bool)
    allowed = (bound <= 0) & ~guarded & ~_in_failing_scans(excess, [item.patient for item in observations])
    total = int(wrong.sum())
    if total < FEWEST_FAILURES:
        few = "only " + counted(total, "calibration segment was", "calibration segments were")
        why = f"{few if total else 'no calibration segment was'} inaccurate, {FEWEST_FAILURES} are needed"
        return {}, missing | dict.fromkeys(known, why), None
    all_green, all_red = green_margin(slack, wrong, allowed), red_margin(excess, ~wrong & np.isin(names, list(known)))
    limits = {}
    for name, found in known.items():
        chosen = names == name
        own = int(wrong[chosen].sum()) >= FEWEST_FAILURES
        mine_green, mine_red = all_green, all_red
        if own and _misled(slack[chosen & allowed], wrong[chosen & allowed], all_green, WRONG_GREENS):
            mine_green = _stricter(all_green, green_margin(slack[chosen], wrong[chosen], allowed[chosen]))
        if own and _misled(excess[chosen], ~wrong[chosen], all_red, NEEDLESS_REDS):
            mine_red = _stricter(all_red, red_margin(excess[chosen], ~wrong[chosen]))
        here = [item for item, inside in zip(observations, chosen, strict=True) if inside]
        limits[name] = _limits(here, found, mine_green, mine_red, own, features)
    rated = np.isfinite(slack)
    return limits, missing, isotonic_curve(slack[rated], wrong[rated].astype(float), rising=False, pseudo=0.5)


def is_failing(failed: int, rated: int) -> bool:
    """Whether so many of the rated segments of a scan are predicted to have failed that none of them is to be believed."""
    return failed >= FEWEST_IN_FAILING_SCAN and failed >= FAILING_SHARE * rated


def _in_failing_scans(excess: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Whether a segment's scan fails, bool ``[n]``."""
    names, known = np.array(patients), np.isfinite(excess)
    failing = []
    for name in set(patients):
        mine = excess[known & (names == name)]
        if is_failing(int((mine > 0).sum()), len(mine)):
            failing.append(name)
    return np.isin(names, failing)


def _misled(height: np.ndarray, bad: np.ndarray, margin: float | None, most: float) -> bool:
    """Whether the margin of all structures fails for one of them by more than chance (one-sided binomial test)."""
    from scipy.stats import binomtest

    lit = bad[height >= margin] if margin is not None else bad[:0]
    return bool(lit.size) and binomtest(int(lit.sum()), lit.size, most, "greater").pvalue < SIGNIFICANCE


def _lowest(yellow_needs: float) -> float:
    """What the lower bound of a green segment's Dice has to reach: not failed, though 0.80 will do for any structure."""
    return min(yellow_needs, GREEN_NEEDS_DICE)


def _stricter(pooled: float | None, own: float | None) -> float | None:
    return None if pooled is None or own is None else max(pooled, own)


def _limits(
    observations: Sequence[Observation],
    thresholds: DiceThresholds,
    green: float | None,
    red: float | None,
    own: bool,
    features: Sequence[str],
) -> Limits:
    dice = np.array([item.dice for item in observations])
    green_needs, yellow_needs = needed_dice(thresholds)
    # Without a margin that keeps needless reds rare only the absolute limit is left.
    red_below = YELLOW_NEEDS_DICE if red is None else max(_moved(yellow_needs, red), YELLOW_NEEDS_DICE)
    return Limits(
        patients=len(patients_of(observations)),
        segments=len(observations),
        inaccurate=int((dice < thresholds.inaccurate).sum()),
        failed=int((dice < thresholds.failed).sum()),
        dice_median=thresholds.median,
        dice_mad=thresholds.mad,
        dice_inaccurate=thresholds.inaccurate,
        dice_failed=thresholds.failed,
        green_from=None if green is None else _moved(green_needs, -green),
        lower_from=_lowest(yellow_needs),
        red_below=red_below,
        own=own,
        usual=usual_scores(observations, features),
    )


def _moved(dice: float, step: float) -> float:
    """A Dice coefficient moved by a step of the log error; at most 1."""
    return min(1.0, 1.0 + SMALLEST_ERROR - float(np.exp(log_error(dice) + step)))
