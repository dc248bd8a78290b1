"""Statistics over the cases of an evaluation: spread, concordance, limits of agreement, per structure and group."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..anatomy import StructureTable, Tissue
from .metrics import Outcome, SegmentComparison

# The measures of a row that are summarised, in the order of the tables.
MEASURES = ("dice", "asd_mm", "hd95_mm", "hd_mm", "ave_percent", "rve_percent", "aie_hu", "dice_undisputed")
FEWEST_FOR_AGREEMENT = 3
GROUPS = (("BONES", (Tissue.BONE,)), ("MUSCLES", (Tissue.MUSCLE,)), ("ALL", tuple(Tissue)))


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation (divisor n - 1), median and quartiles of `n` numbers; None where n is too small for one."""

    n: int
    mean: float | None
    sd: float | None
    median: float | None
    q1: float | None
    q3: float | None


@dataclass(frozen=True)
class LimitsOfAgreement:
    """Bias (mean of predicted - true) and 95 % limits of agreement, bias -+ 1.96 SD (Bland and Altman 1986)."""

    bias: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """True against predicted values: Lin's concordance, Pearson's r, limits; None with fewer than three pairs or no spread.

    A missed segment counts with 0 cc in concordance and r of volumes. Limits are those of the segments found: a miss is no
    error of measurement, and a few would hide how well the others were measured.
    """

    concordance: float | None
    pearson: float | None
    limits: LimitsOfAgreement | None


@dataclass(frozen=True)
class Summary:
    """One line of the summary: a structure with both sides pooled, or a group.

    `n` counts segments that the truth holds and that are no slivers, `missed` those of them that were not found, `cases` the
    scans they come from; `false` segments were predicted where the truth has none, together `false_cc`. Agreement of a
    group is the mean over its structures, because pooling large with small muscles makes any method look concordant; the
    limits of a group are pooled.
    """

    name: str
    cases: int
    n: int
    missed: int
    slivers: int
    false: int
    false_cc: float
    spreads: Mapping[str, Spread]
    volume: Agreement
    density: Agreement


def spread(values: Iterable[float | None]) -> Spread:
    """The spread of the values that are not None."""
    present_values = np.array([value for value in values if value is not None], dtype=float)
    if not present_values.size:
        return Spread(0, None, None, None, None, None)
    q1, median, q3 = (float(value) for value in np.percentile(present_values, (25, 50, 75)))
    sd = float(present_values.std(ddof=1)) if present_values.size > 1 else None
    return Spread(present_values.size, float(present_values.mean()), sd, median, q1, q3)


def concordance(true: np.ndarray, predicted: np.ndarray) -> float | None:
    """Concordance correlation coefficient of two arrays ``[n]`` (Lin 1989, with variances of divisor n).

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2); None with fewer than three pairs or where all values are the same.
    """
    if true.size < FEWEST_FOR_AGREEMENT:
        return None
    covariance = float(np.mean((true - true.mean()) * (predicted - predicted.mean())))
    total = float(true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)
    return 2 * covariance / total if total > 0 else None


def pearson(true: np.ndarray, predicted: np.ndarray) -> float | None:
    """Pearson's r of two arrays ``[n]``; None with fewer than three pairs or where one of them does not vary."""
    from scipy.stats import pearsonr

    if true.size < FEWEST_FOR_AGREEMENT or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return None
    with warnings.catch_warnings():
        # Values that hardly vary are warned of; the coefficient is still what it is.
        warnings.simplefilter("ignore")
        return float(pearsonr(true, predicted).statistic)


def determination(true: np.ndarray, predicted: np.ndarray) -> float | None:
    """R2 of `predicted` as what `true` is said to be, ``[n]`` each: 1 - sum (true - predicted)^2 / sum (true - mean of true)^2.

    Unlike the square of Pearson's r it falls with a bias, and below 0 where the mean would have been nearer. None with fewer than
    three pairs or where the truth does not vary.

    >>> determination(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    0.5
    """
    if true.size < FEWEST_FOR_AGREEMENT or np.ptp(true) == 0:
        return None
    return 1.0 - float(((true - predicted) ** 2).sum() / ((true - true.mean()) ** 2).sum())


def limits_of_agreement(true: np.ndarray, predicted: np.ndarray) -> LimitsOfAgreement | None:
    """Bias and limits of two arrays ``[n]``; None with fewer than three pairs."""
    if true.size < FEWEST_FOR_AGREEMENT:
        return None
    difference = predicted - true
    bias, reach = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    return LimitsOfAgreement(bias, bias - reach, bias + reach)


def volume_pairs(rows: Iterable[SegmentComparison]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted volumes in cc ``[n]`` of the rows; a missed segment has 0 cc."""
    return _pairs([(row.volume_true_cc, row.volume_predicted_cc) for row in rows])


def density_pairs(rows: Iterable[SegmentComparison]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted mean HU ``[n]`` of the rows that have both; those of MR have neither."""
    pairs = [(row.mean_hu_true, row.mean_hu_predicted) for row in rows]
    return _pairs([pair for pair in pairs if None not in pair])


def judged(rows: Iterable[SegmentComparison]) -> list[SegmentComparison]:
    """The rows that count: the truth holds the segment, and more than a sliver of it."""
    return [row for row in rows if row.outcome in (Outcome.COMPARED, Outcome.MISSED)]


def found(rows: Iterable[SegmentComparison]) -> list[SegmentComparison]:
    """The rows of segments that the truth holds, more than a sliver of them, and that were predicted."""
    return [row for row in rows if row.outcome is Outcome.COMPARED]


def summarise(cases: Mapping[str, Sequence[SegmentComparison]], table: StructureTable) -> list[Summary]:
    """The summary of all cases (name -> rows): the structures of `table` that occur in its order, then bones, muscles and all."""
    lines = []
    for structure in table.structures:
        chosen = _chosen(cases, {structure.abbreviation})
        if any(chosen.values()):
            lines.append(_summary(structure.abbreviation, chosen, *agreements(_all(chosen))))
    structures = list(lines)
    for name, tissues in GROUPS:
        members = {structure.abbreviation for structure in table.structures if structure.group.tissue in tissues}
        chosen = _chosen(cases, members)
        if any(chosen.values()):
            parts = [line for line in structures if line.name in members]
            pooled = agreements(_all(chosen))
            volume = _mean_agreement([part.volume for part in parts], pooled[0].limits)
            density = _mean_agreement([part.density for part in parts], pooled[1].limits)
            lines.append(_summary(name, chosen, volume, density))
    return lines


def _summary(name: str, cases: Mapping[str, Sequence[SegmentComparison]], volume: Agreement, density: Agreement) -> Summary:
    rows = _all(cases)
    counted = judged(rows)
    outcomes = [row.outcome for row in rows]
    return Summary(
        name=name,
        cases=sum(bool(judged(part)) for part in cases.values()),
        n=len(counted),
        missed=outcomes.count(Outcome.MISSED),
        slivers=outcomes.count(Outcome.SLIVER),
        false=outcomes.count(Outcome.FALSE),
        false_cc=sum(row.volume_predicted_cc for row in rows if row.outcome is Outcome.FALSE),
        spreads={measure: spread(getattr(row, measure) for row in counted) for measure in MEASURES},
        volume=volume,
        density=density,
    )


def agreements(rows: Sequence[SegmentComparison]) -> tuple[Agreement, Agreement]:
    """Agreement of volume and of density over rows of one structure."""
    volumes, densities = volume_pairs(judged(rows)), density_pairs(found(rows))
    return (
        Agreement(concordance(*volumes), pearson(*volumes), limits_of_agreement(*volume_pairs(found(rows)))),
        Agreement(concordance(*densities), pearson(*densities), limits_of_agreement(*densities)),
    )


def _mean_agreement(parts: Sequence[Agreement], limits: LimitsOfAgreement | None) -> Agreement:
    return Agreement(_mean(part.concordance for part in parts), _mean(part.pearson for part in parts), limits)


def _mean(values: Iterable[float | None]) -> float | None:
    return spread(values).mean


def _pairs(pairs: list[tuple[float | None, float | None]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=float).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _chosen(cases: Mapping[str, Sequence[SegmentComparison]], abbreviations: set[str]) -> dict[str, list[SegmentComparison]]:
    return {name: [row for row in rows if row.segment.structure.abbreviation in abbreviations] for name, rows in cases.items()}


def _all(cases: Mapping[str, Sequence[SegmentComparison]]) -> list[SegmentComparison]:
    return [row for rows in cases.values() for row in rows]
