"""Where green ends and red begins, fitted to cross-fitted predictions (see `quality.limits`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..quality.curve import Curve
from ..quality.dice_model import SMALLEST_ERROR, log_error
from ..quality.evidence_features import SCAN_WARNING
from ..quality.limits import (
    ALWAYS_GOOD_FROM,
    GREEN_NEEDS_DICE,
    NEVER_ALWAYS_GOOD,
    YELLOW_NEEDS_DICE,
    LightLimits,
    is_failing,
    needed_dice,
)
from ..quality.paper_rule import DiceThresholds
from ..quality.wording import counted
from .fit_paper_rule import dice_thresholds
from .isotonic import isotonic_curve
from .missing import Missing
from .observations import Observation, patients_of

# Targets on the calibration cases. The rates stated for other patients, 1 % and 10 %, are higher: a margin that is best for some
# patients is too small for others.
WRONG_GREENS = 0.004
NEEDLESS_REDS = 0.04
# With a p value below this, a structure's own segments show that the common margins are too small for it.
SIGNIFICANCE = 0.05
FEWEST_FAILURES = 5


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
    is_finite = np.isfinite(height)
    order = np.argsort(-height[is_finite], kind="stable")
    ranked = height[is_finite][order]
    share = np.cumsum(bad[is_finite][order]) / np.arange(1, len(ranked) + 1)
    # A threshold can only lie between two different heights.
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
        present_values = [float(value) for value in values if value is not None]
        if present_values:
            found[name] = float(np.median(present_values))
    return found


def fit_limits(
    observations: Sequence[Observation],
    errors: np.ndarray,
    upper: np.ndarray,
    features: Sequence[str],
    given: Mapping[str, DiceThresholds] | None = None,
) -> tuple[dict[str, LightLimits], dict[str, str], Curve | None]:
    """Limits by abbreviation, for other structures the reason why there are none, and the curve of the failure probability.

    `errors` are cross-fitted log errors ``[n]`` of the observations, `upper` the upper ends of their intervals. The curve is None,
    and all limits are missing, where too few of the segments were inaccurate. `given` are Dice thresholds by abbreviation, and the
    observations masks that others made, of which no prediction is high enough to be good whatever the thresholds; None: the
    thresholds are those of the ordinary observations.
    """
    names = np.array([item.abbreviation for item in observations])
    dice = np.array([item.dice for item in observations])
    thresholds = {name: _thresholds(name, observations, given) for name in sorted(set(names.tolist()))}
    missing = {name: found.reason for name, found in thresholds.items() if isinstance(found, Missing)}
    fitted_thresholds = {name: found for name, found in thresholds.items() if isinstance(found, DiceThresholds)}
    slack, excess, bound = (np.full(len(names), np.nan) for _ in range(3))
    wrong = np.zeros(len(names), bool)
    for name, found in fitted_thresholds.items():
        chosen, (green, yellow) = names == name, needed_dice(found)
        slack[chosen], excess[chosen] = log_error(green) - errors[chosen], errors[chosen] - log_error(yellow)
        wrong[chosen] = dice[chosen] < found.inaccurate
        bound[chosen] = upper[chosen] - log_error(_lowest(yellow))
    # A segment that can never be green does not influence the margin for green.
    guarded = np.array([item.truncated or bool(item.cautions) for item in observations], bool)
    allowed = (bound <= 0) & ~guarded & ~_in_failing_scans(excess, [item.labelling for item in observations])
    total = int(wrong.sum())
    if total < FEWEST_FAILURES:
        few = "only " + counted(total, "calibration segment was", "calibration segments were")
        why = f"{few if total else 'no calibration segment was'} inaccurate, {FEWEST_FAILURES} are needed"
        return {}, missing | dict.fromkeys(fitted_thresholds, why), None
    all_green, all_red = green_margin(slack, wrong, allowed), red_margin(excess, ~wrong & np.isin(names, list(fitted_thresholds)))
    limits, always = {}, ALWAYS_GOOD_FROM if given is None else NEVER_ALWAYS_GOOD
    for name, found in fitted_thresholds.items():
        chosen = names == name
        own = int(wrong[chosen].sum()) >= FEWEST_FAILURES
        mine_green, mine_red = all_green, all_red
        if own and misled(slack[chosen & allowed], wrong[chosen & allowed], all_green, WRONG_GREENS):
            mine_green = _stricter(all_green, green_margin(slack[chosen], wrong[chosen], allowed[chosen]))
        if own and misled(excess[chosen], ~wrong[chosen], all_red, NEEDLESS_REDS):
            mine_red = _stricter(all_red, red_margin(excess[chosen], ~wrong[chosen]))
        here = [item for item, inside in zip(observations, chosen, strict=True) if inside]
        limits[name] = replace(_limits(here, found, mine_green, mine_red, own, features), always_good_from=always)
    rated = np.isfinite(slack)
    return limits, missing, isotonic_curve(slack[rated], wrong[rated].astype(float), rising=False, pseudo=0.5)


def _thresholds(
    name: str, observations: Sequence[Observation], given: Mapping[str, DiceThresholds] | None
) -> DiceThresholds | Missing:
    if given is not None:
        return given.get(name) or Missing("the network's own calibration lacks it")
    return dice_thresholds([item for item in observations if item.abbreviation == name])


def _in_failing_scans(excess: np.ndarray, labellings: Sequence[tuple[str, str]]) -> np.ndarray:
    """Whether a segment's scan fails, bool ``[n]``; `labellings` say which segments belong together."""
    number = {name: place for place, name in enumerate(dict.fromkeys(labellings))}
    where, is_finite = np.array([number[name] for name in labellings], dtype=int), np.isfinite(excess)
    rated = np.bincount(where, is_finite, len(number))
    failed = np.bincount(where, is_finite & (np.nan_to_num(excess) > 0), len(number))
    failing = np.array([is_failing(int(bad), int(of)) for bad, of in zip(failed, rated, strict=True)], bool)
    return failing[where]


def misled(height: np.ndarray, bad: np.ndarray, margin: float | None, most: float) -> bool:
    """Whether the common margin fails for one structure by more than chance (one-sided binomial test)."""
    from scipy.stats import binomtest

    lit = bad[height >= margin] if margin is not None else bad[:0]
    return bool(lit.size) and binomtest(int(lit.sum()), lit.size, most, "greater").pvalue < SIGNIFICANCE


def _lowest(yellow_needs: float) -> float:
    """The value that the lower bound of a green segment's Dice must reach: the threshold for failed, at most 0.80."""
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
) -> LightLimits:
    dice = np.array([item.dice for item in observations])
    green_needs, yellow_needs = needed_dice(thresholds)
    # Without a margin that keeps needless reds rare only the absolute limit is left.
    red_below = YELLOW_NEEDS_DICE if red is None else max(_moved(yellow_needs, red), YELLOW_NEEDS_DICE)
    return LightLimits(
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
