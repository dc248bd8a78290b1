"""The numbers of the report on failure detection: every score alone, the paper's rule and ours, side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from ..anatomy import STRUCTURES
from ..case_result import SCORE_NAMES, Light
from ..quality.dice_model import log_error
from ..quality.evidence_features import BY_NAME
from .judging import CALIBRATED_RULE, PAPER_RULE, Judged, Thresholds
from .ranking import area, aurc

JUDGES = (CALIBRATED_RULE, PAPER_RULE, *SCORE_NAMES)
TARGETS = ("inaccurate", "failed")
# All structures as they are, only pairs of the same structure, and the mean over the structures.
POOLED, WITHIN, MEAN = "ALL", "ALL_WITHIN", "MEAN"
FEWEST_FOR_CORRELATION = 3


@dataclass(frozen=True)
class Measure:
    """One number of the report; `n` segments, of which `events` were what is meant. `low` and `high` bound 95 %.

    `structure` is an abbreviation, "ALL" (all structures pooled), "ALL_WITHIN" (all, but only segments of the same structure are
    compared) or "MEAN" (mean over the structures). None where a number does not exist.
    """

    measure: str
    judge: str
    structure: str
    n: int
    events: int | None
    value: float | None
    low: float | None = None
    high: float | None = None


def measure_quality(judged: Sequence[Judged], thresholds: Thresholds, resamples: int) -> list[Measure]:
    """All numbers of the report: ranking, prediction, lights, intervals; per structure and overall."""
    return [*_ranking(judged, thresholds, resamples), *_prediction(judged), *_lights(judged), *_coverage(judged)]


def quality_csv(measures: Sequence[Measure]) -> str:
    """One row per number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Measure)], lineterminator="\r\n")
    writer.writeheader()
    for measure in measures:
        writer.writerow({key: _cell(value) for key, value in asdict(measure).items()})
    return text.getvalue()


def risk_of(one: Judged, judge: str, threshold: float | None = None) -> float:
    """The risk that a judge gives a segment; not a number where it gives none.

    With the Dice `threshold` of the segment's structure, rules that predict Dice tell how far below it they predict it to lie, so
    that structures with different thresholds can be ranked together. A score alone is the risk of `evidence_features`.
    """
    if judge == CALIBRATED_RULE:
        if one.estimate is None:
            return float("nan")
        predicted = float(log_error(one.estimate.dice))
        return predicted if threshold is None else predicted - float(log_error(threshold))
    if judge == PAPER_RULE:
        if one.paper_dice is None:
            return float("nan")
        return -one.paper_dice if threshold is None else threshold - one.paper_dice
    return BY_NAME[judge].of(one.observation.evidence)


def present_judges(judged: Sequence[Judged]) -> list[str]:
    """Both rules, and the scores that at least one segment has."""
    had = {name for one in judged for name in SCORE_NAMES if getattr(one.observation.evidence, name) is not None}
    return [judge for judge in JUDGES if judge in (CALIBRATED_RULE, PAPER_RULE) or judge in had]


def by_structure(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The segments of each structure that occurs, in table order."""
    found = {structure.abbreviation: [] for structure in STRUCTURES}  # type: dict[str, list[Judged]]
    for one in judged:
        found[one.observation.abbreviation].append(one)
    return {name: segments for name, segments in found.items() if segments}


def _ranking(judged: Sequence[Judged], thresholds: Thresholds, resamples: int) -> list[Measure]:
    measures = []
    rated = [one for one in judged if one.observation.abbreviation in thresholds]
    for judge in present_judges(judged):
        for place, target in enumerate(TARGETS):

            def measured(
                name: str, chosen: Sequence[Judged], draws: int, apart: bool = False, judge: str = judge, place: int = place
            ) -> Measure:
                risks = np.array([risk_of(one, judge, thresholds[one.observation.abbreviation][place]) for one in chosen])
                bad = np.array([bool(one.failed if place else one.inaccurate) for one in chosen], bool)
                patients = [one.observation.patient for one in chosen]
                strata = [one.observation.abbreviation for one in chosen] if apart else None
                found = area(risks, bad, patients, strata, draws)
                return Measure(f"auroc_{TARGETS[place]}", judge, name, found.n, found.positives, found.value, found.low, found.high)

            drawn = resamples if judge in (CALIBRATED_RULE, PAPER_RULE) else 0
            own = [measured(name, chosen, drawn) for name, chosen in by_structure(rated).items()]
            if rated:
                measures += [*own, measured(POOLED, rated, resamples), measured(WITHIN, rated, resamples, apart=True)]
                measures.append(_mean(f"auroc_{target}", judge, own))
    return measures


def _prediction(judged: Sequence[Judged]) -> list[Measure]:
    """Correlation with the error 1 - Dice, area under the risk-coverage curve, bias and mean absolute error of predicted Dice."""
    measures = []
    for judge in present_judges(judged):
        parts = {**by_structure(judged), POOLED: list(judged)}
        risks = {name: np.array([risk_of(one, judge) for one in chosen]) for name, chosen in parts.items()}
        losses = {name: np.array([1 - one.observation.dice for one in chosen]) for name, chosen in parts.items()}
        for measure, function in (("pearson", _pearson), ("spearman", _spearman), ("aurc", aurc)):
            found = [_measure(measure, judge, name, function, risks[name], losses[name]) for name in parts]
            measures += [*found, _mean(measure, judge, found[:-1])]
    every = np.array([1 - one.observation.dice for one in judged])
    measures.append(Measure("aurc", "oracle", POOLED, len(every), None, aurc(every, every)))
    measures.append(Measure("aurc", "no rule", POOLED, len(every), None, aurc(np.zeros(len(every)), every)))
    for judge in (CALIBRATED_RULE, PAPER_RULE):
        pairs = [(_predicted(one, judge), one.observation.dice) for one in judged]
        errors = np.array([predicted - dice for predicted, dice in pairs if predicted is not None])
        for measure, values in (("dice_bias", errors), ("dice_mae", np.abs(errors))):
            measures.append(Measure(measure, judge, POOLED, len(errors), None, float(values.mean()) if len(errors) else None))
    return measures


def _lights(judged: Sequence[Judged]) -> list[Measure]:
    """Shares of lights that mislead: `n` lights of that kind, `events` of them wrong."""
    measures = []
    for rule in (CALIBRATED_RULE, PAPER_RULE):
        for name, chosen in {**by_structure(judged), POOLED: list(judged)}.items():
            rated = [one for one in chosen if one.inaccurate is not None]
            lit = {light: [one for one in rated if one.light_by(rule) is light] for light in Light}
            good = [one for one in rated if not one.inaccurate and one.light_by(rule) is not Light.GREY]
            for measure, among, events in (
                ("wrong_greens", lit[Light.GREEN], [one for one in lit[Light.GREEN] if one.inaccurate]),
                ("greens_below_0.80", lit[Light.GREEN], [one for one in lit[Light.GREEN] if one.observation.dice < 0.8]),
                ("needless_reds", lit[Light.RED], [one for one in lit[Light.RED] if not one.inaccurate]),
                ("needless_flags", good, [one for one in good if one.light_by(rule) is not Light.GREEN]),
                ("grey", rated, lit[Light.GREY]),
            ):
                share = len(events) / len(among) if among else None
                measures.append(Measure(measure, rule, name, len(among), len(events), share))
    return measures


def _coverage(judged: Sequence[Judged]) -> list[Measure]:
    """The share of intervals that hold the truth, and their median width (Dice; volume as a share of the measured one; HU)."""
    measures = []
    for name, chosen in {**by_structure(judged), POOLED: list(judged)}.items():
        for quantity, pairs in (
            ("dice", [(_interval(one), one.observation.dice) for one in chosen]),
            ("volume", [(_volume_interval(one), one.observation.volume_ratio) for one in chosen]),
            ("mean_hu", [(one.estimate and one.estimate.hu_shifts, one.observation.hu_difference) for one in chosen]),
        ):
            known = [(interval, truth) for interval, truth in pairs if interval and truth is not None]
            held = sum(interval[0] <= truth <= interval[1] for interval, truth in known)
            width = float(np.median([high - low for (low, high), _ in known])) if known else None
            share = held / len(known) if known else None
            measures.append(Measure(f"coverage_{quantity}", CALIBRATED_RULE, name, len(known), held, share))
            measures.append(Measure(f"width_{quantity}", CALIBRATED_RULE, name, len(known), None, width))
    return measures


def _interval(one: Judged) -> tuple[float, float] | None:
    return one.estimate.dice_interval if one.estimate else None


def _volume_interval(one: Judged) -> tuple[float, float] | None:
    """None for cut segments, which get no interval."""
    return one.estimate.volume_factors if one.estimate and not one.observation.truncated else None


def _predicted(one: Judged, judge: str) -> float | None:
    if judge == PAPER_RULE:
        return one.paper_dice
    return one.estimate.dice if one.estimate else None


def _measure(
    measure: str,
    judge: str,
    name: str,
    function: Callable[[np.ndarray, np.ndarray], float | None],
    risks: np.ndarray,
    losses: np.ndarray,
) -> Measure:
    known = np.isfinite(risks)
    value = function(risks[known], losses[known]) if known.any() else None
    return Measure(measure, judge, name, int(known.sum()), None, value)


def _mean(measure: str, judge: str, parts: Sequence[Measure]) -> Measure:
    known = [part for part in parts if part.value is not None]
    values = [part.value for part in known if part.value is not None]
    events = sum(part.events or 0 for part in known) if any(part.events is not None for part in known) else None
    return Measure(measure, judge, MEAN, sum(part.n for part in known), events, float(np.mean(values)) if values else None)


def _pearson(one: np.ndarray, two: np.ndarray) -> float | None:
    from scipy.stats import pearsonr

    return float(pearsonr(one, two).statistic) if _varies(one) and _varies(two) else None


def _spearman(one: np.ndarray, two: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    return float(spearmanr(one, two).statistic) if _varies(one) and _varies(two) else None


def _varies(values: np.ndarray) -> bool:
    return values.size >= FEWEST_FOR_CORRELATION and bool(np.ptp(values) > 1e-12)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value
