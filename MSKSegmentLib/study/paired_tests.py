"""Tests of paired differences as in Soufi et al. 2025: Shapiro-Wilk decides between Student's t and Wilcoxon's test."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..packages import require

# With four pairs Wilcoxon's test cannot fall below 0.125 in either direction.
FEWEST_FOR_TEST = 5
UNTESTED = "-"
SIGNIFICANT = 0.05
CORRECTIONS = ("bonferroni", "holm")
T_TEST, WILCOXON = "paired t", "Wilcoxon signed-rank"


@dataclass(frozen=True)
class PairedTest:
    """What became of `n` pairs (first, second); differences are second - first.

    `low` and `high` bound the 95 % interval of the mean difference (Student's t). `effect` is Cohen's d_z (mean difference over the
    standard deviation of the differences) beside a t-test, the matched-pairs rank-biserial correlation (Kerby 2014) beside
    Wilcoxon's. `p_corrected` takes `comparisons` tests together. `reason` says why there is no test.
    """

    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    shapiro_p: float | None = None
    test: str = ""
    statistic: float | None = None
    p: float | None = None
    effect: float | None = None
    p_corrected: float | None = None
    comparisons: int = 1
    reason: str = ""

    @property
    def significant(self) -> bool | None:
        """Whether the corrected p lies below 0.05; None without a test."""
        return None if self.p_corrected is None else self.p_corrected < SIGNIFICANT

    @property
    def mark(self) -> str:
        """``*``, ``n.s.``, or ``-`` without a test."""
        return UNTESTED if self.significant is None else "*" if self.significant else "n.s."


def paired_test(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Test pairs of values ``[n]``.

    The t-test where Shapiro-Wilk does not reject (p from 0.05) that the differences are normally distributed, else Wilcoxon's
    signed-rank test, without pairs that do not differ.
    """
    from scipy import stats

    differences = second - first
    n = len(differences)
    if n < FEWEST_FOR_TEST:
        mean = float(differences.mean()) if n else None
        return PairedTest(n, mean, reason=f"only {n} pairs, {FEWEST_FOR_TEST} are needed")
    mean = float(differences.mean())
    # What summing in another order changes is no difference.
    negligible = 1e-12 * max(float(np.abs(first).max()), float(np.abs(second).max()))
    if np.abs(differences).max() <= negligible:
        return PairedTest(n, 0.0, reason="no pair differs")
    if np.ptp(differences) <= negligible:
        return PairedTest(n, mean, reason="all pairs differ by the same")
    normal = float(stats.shapiro(differences).pvalue)
    student = stats.ttest_rel(second, first)
    interval = student.confidence_interval(0.95)
    found = PairedTest(n, mean, float(interval.low), float(interval.high), normal)
    if normal >= SIGNIFICANT:
        effect = mean / float(differences.std(ddof=1))
        return replace(found, test=T_TEST, statistic=float(student.statistic), p=float(student.pvalue), effect=effect)
    with warnings.catch_warnings():
        # Of ties and zeros, for which the normal approximation is taken.
        warnings.simplefilter("ignore")
        tested = stats.wilcoxon(second, first)
    return replace(
        found, test=WILCOXON, statistic=float(tested.statistic), p=float(tested.pvalue), effect=_rank_biserial(differences)
    )


def with_corrected_p(tests: Sequence[PairedTest], correction: str = CORRECTIONS[0]) -> list[PairedTest]:
    """The tests with their p corrected for each other (statsmodels); `comparisons` counts those that have one.

    Raises:
        DependencyError: statsmodels is not installed.
    """
    require("statsmodels", purpose="A study", extra="study")
    from statsmodels.stats.multitest import multipletests

    places = [place for place, test in enumerate(tests) if test.p is not None]
    if not places:
        return list(tests)
    every = multipletests([tests[place].p for place in places], method=correction)[1]
    found = list(tests)
    for place, p in zip(places, every, strict=True):
        found[place] = replace(found[place], p_corrected=float(p), comparisons=len(places))
    return found


def _rank_biserial(differences: np.ndarray) -> float:
    """Ranks of positive minus those of negative differences, over all ranks; without pairs that do not differ."""
    from scipy.stats import rankdata

    differing = differences[differences != 0]
    ranks = rankdata(np.abs(differing))
    return float((ranks * np.sign(differing)).sum() / ranks.sum())
