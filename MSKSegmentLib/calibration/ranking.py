"""How well a score ranks segments by their error: AUROC with bootstrap intervals over patients, risk-coverage curve, AURC.

scikit-learn's AUROC has neither strata nor many weighted resamples at once, so it would only replace `roc`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
BATCH = 100
LEVEL = 0.95


@dataclass(frozen=True)
class Area:
    """AUROC of a score; None without positives or negatives. `low` and `high` bound 95 % of the resamples of patients."""

    n: int
    positives: int
    value: float | None
    low: float | None = None
    high: float | None = None


def area(
    risk: np.ndarray,
    positive: np.ndarray,
    patients: Sequence[str],
    strata: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Area:
    """AUROC of a risk ``[n]``, which rises with the expected error, for `positive`, bool ``[n]``.

    With `strata` only segments of the same stratum are compared with each other (the sum of their Mann-Whitney statistics over the
    number of pairs), so that a score whose scale depends on the structure is not penalised. The interval is the bootstrap
    percentile interval of `resamples` draws of whole patients (scipy), as segments of one patient fail together.
    """
    from scipy.stats import bootstrap

    is_finite = np.isfinite(risk)
    risk, positive = risk[is_finite], positive[is_finite]
    names = np.array(patients)[is_finite]
    groups = np.zeros(len(risk), int) if strata is None else np.unique(np.array(strata)[is_finite], return_inverse=True)[1]
    parts = [_Ranked.of(risk[groups == group], positive[groups == group]) for group in np.unique(groups)]
    people, owner = np.unique(names, return_inverse=True)
    owners = [owner[groups == group][part.order] for group, part in zip(np.unique(groups), parts, strict=True)]

    def statistic(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        flat = np.atleast_2d(drawn).astype(int)
        counts = np.stack([np.bincount(row, minlength=len(people)) for row in flat]).astype(float)
        wins, pairs = np.zeros(len(flat)), np.zeros(len(flat))
        for part, mine in zip(parts, owners, strict=True):
            won, of = part.wins(counts[:, mine])
            wins, pairs = wins + won, pairs + of
        with np.errstate(invalid="ignore"):
            found = wins / pairs
        return found if np.ndim(drawn) > 1 else found[0]

    n, positives = len(risk), int(positive.sum())
    value = float(statistic(np.arange(len(people)))) if n else float("nan")
    if not np.isfinite(value):
        return Area(n, positives, None)
    if resamples < 1 or len(people) < 2:
        return Area(n, positives, value)
    with warnings.catch_warnings():
        # Draws without positives have no area; they are left out, which scipy warns of.
        warnings.simplefilter("ignore")
        drawn = bootstrap(
            (np.arange(len(people)),),
            statistic,
            n_resamples=resamples,
            batch=BATCH,
            vectorized=True,
            method="percentile",
            random_state=np.random.default_rng(seed),
        ).bootstrap_distribution
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Area(n, positives, value)
    low, high = np.percentile(drawn, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    return Area(n, positives, value, float(low), float(high))


@dataclass(frozen=True)
class _Ranked:
    """Segments in the order of their risk, with the places where a new value begins."""

    order: np.ndarray
    positive: np.ndarray
    starts: np.ndarray

    @staticmethod
    def of(risk: np.ndarray, positive: np.ndarray) -> _Ranked:
        order = np.argsort(risk, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(risk[order]) > 0]))
        return _Ranked(order, positive[order].astype(float), starts)

    def wins(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted Mann-Whitney statistic and number of pairs for weights ``[draws, n]``; ties count half."""
        good = np.add.reduceat(weight * (1 - self.positive), self.starts, axis=1)
        bad = np.add.reduceat(weight * self.positive, self.starts, axis=1)
        below = np.cumsum(good, axis=1) - good
        return (bad * (below + 0.5 * good)).sum(axis=1), bad.sum(axis=1) * good.sum(axis=1)


def roc(risk: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate, highest risk first, from (0, 0) to (1, 1)."""
    order = np.argsort(-risk, kind="stable")
    hit = positive[order]
    ends = np.append(np.diff(risk[order]) < 0, True)
    true, false = np.cumsum(hit)[ends], np.cumsum(~hit)[ends]
    return np.concatenate([[0], false / max(false[-1], 1)]), np.concatenate([[0], true / max(true[-1], 1)])


def risk_coverage(risk: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and mean loss of the segments kept, when those of the highest risk are left to a human first; both ``[n]``.

    Segments of the same risk are kept or left together: each gets the mean loss of its kind.
    """
    _, kind, counts = np.unique(risk, return_inverse=True, return_counts=True)
    mean = np.bincount(kind, weights=loss) / counts
    order = np.argsort(risk, kind="stable")
    kept = np.arange(1, len(risk) + 1)
    return kept / len(risk), np.cumsum(mean[kind][order]) / kept


def aurc(risk: np.ndarray, loss: np.ndarray) -> float | None:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017): mean over all coverages of the mean loss.

    None without segments whose risk is known.
    """
    is_finite = np.isfinite(risk)
    return float(risk_coverage(risk[is_finite], loss[is_finite])[1].mean()) if is_finite.any() else None
