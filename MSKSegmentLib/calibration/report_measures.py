"""The numbers of the report on failure detection: every score alone, the paper's rule and the calibrated one, side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
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


def risk_of(segment: Judged, judge: str, threshold: float | None = None) -> float:
    """The risk that a judge gives a segment; not a number where it gives none.

    With the Dice `threshold` of the segment's structure, rules that predict Dice tell how far below it they predict it to lie, so
    that structures with different thresholds can be ranked together. A score alone is the risk of `evidence_features`.
    """
    if judge == CALIBRATED_RULE:
        if segment.estimate is None:
            return float("nan")
        predicted = float(log_error(segment.estimate.dice))
        return predicted if threshold is None else predicted - float(log_error(threshold))
    if judge == PAPER_RULE:
        if segment.paper_dice is None:
            return float("nan")
        return -segment.paper_dice if threshold is None else threshold - segment.paper_dice
    return BY_NAME[judge].of(segment.observation.evidence)


def present_judges(judged: Sequence[Judged]) -> list[str]:
    """Both rules, and the scores that at least one segment has."""
    had = {name for segment in judged for name in SCORE_NAMES if getattr(segment.observation.evidence, name) is not None}
    return [judge for judge in JUDGES if judge in (CALIBRATED_RULE, PAPER_RULE) or judge in had]


def by_structure(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The segments of each structure that occurs: those of hip and thigh in table order, then others as they come."""
    found: dict[str, list[Judged]] = {structure.abbreviation: [] for structure in HIP_AND_THIGH.structures}
    for segment in judged:
        found.setdefault(segment.observation.abbreviation, []).append(segment)
    return {name: segments for name, segments in found.items() if segments}


def _ranking(judged: Sequence[Judged], thresholds: Thresholds, resamples: int) -> list[Measure]:
    measures = []
    rated = [segment for segment in judged if segment.observation.abbreviation in thresholds]
    for judge in present_judges(judged):
        for place, target in enumerate(TARGETS):

            def measured(
                name: str, chosen: Sequence[Judged], draws: int, apart: bool = False, judge: str = judge, place: int = place
            ) -> Measure:
                risks = np.array(
                    [risk_of(segment, judge, thresholds[segment.observation.abbreviation][place]) for segment in chosen]
                )
                bad = np.array([bool(segment.failed if place else segment.inaccurate) for segment in chosen], bool)
                patients = [segment.observation.patient for segment in chosen]
                strata = [segment.observation.abbreviation for segment in chosen] if apart else None
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
        risks = {name: np.array([risk_of(segment, judge) for segment in chosen]) for name, chosen in parts.items()}
        losses = {name: np.array([1 - segment.observation.dice for segment in chosen]) for name, chosen in parts.items()}
        for measure, function in (("pearson", _pearson), ("spearman", _spearman), ("aurc", aurc)):
            found = [_measure(measure, judge, name, function, risks[name], losses[name]) for name in parts]
            measures += [*found, _mean(measure, judge, found[:-1])]
    every = np.array([1 - segment.observation.dice for segment in judged])
    measures.append(Measure("aurc", "oracle", POOLED, len(every), None, aurc(every, every)))
    measures.append(Measure("aurc", "no rule", POOLED, len(every), None, aurc(np.zeros(len(every)), every)))
    for judge in (CALIBRATED_RULE, PAPER_RULE):
        pairs = [(_predicted(segment, judge), segment.observation.dice) for segment in judged]
        errors = np.array([predicted - dice for predicted, dice in pairs if predicted is not None])
        for measure, values in (("dice_bias", errors), ("dice_mae", np.abs(errors))):
            measures.append(Measure(measure, judge, POOLED, len(errors), None, float(values.mean()) if len(errors) else None))
    return measures


def _lights(judged: Sequence[Judged]) -> list[Measure]:
    """Shares of wrong lights: `n` lights of that kind, `events` of them wrong."""
    measures = []
    for rule in (CALIBRATED_RULE, PAPER_RULE):
        for name, chosen in {**by_structure(judged), POOLED: list(judged)}.items():
            rated = [segment for segment in chosen if segment.inaccurate is not None]
            lit = {light: [segment for segment in rated if segment.light_by(rule) is light] for light in Light}
            good = [segment for segment in rated if not segment.inaccurate and segment.light_by(rule) is not Light.GREY]
            for measure, among, events in (
                ("wrong_greens", lit[Light.GREEN], [segment for segment in lit[Light.GREEN] if segment.inaccurate]),
                (
                    "greens_below_0.80",
                    lit[Light.GREEN],
                    [segment for segment in lit[Light.GREEN] if segment.observation.dice < 0.8],
                ),
                ("needless_reds", lit[Light.RED], [segment for segment in lit[Light.RED] if not segment.inaccurate]),
                ("needless_flags", good, [segment for segment in good if segment.light_by(rule) is not Light.GREEN]),
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
            ("dice", [(_interval(segment), segment.observation.dice) for segment in chosen]),
            ("volume", [(_volume_interval(segment), segment.observation.volume_ratio) for segment in chosen]),
            (
                "mean_hu",
                [(segment.estimate and segment.estimate.hu_shifts, segment.observation.hu_difference) for segment in chosen],
            ),
        ):
            complete_pairs = [(interval, truth) for interval, truth in pairs if interval and truth is not None]
            held = sum(interval[0] <= truth <= interval[1] for interval, truth in complete_pairs)
            width = float(np.median([high - low for (low, high), _ in complete_pairs])) if complete_pairs else None
            share = held / len(complete_pairs) if complete_pairs else None
            measures.append(Measure(f"coverage_{quantity}", CALIBRATED_RULE, name, len(complete_pairs), held, share))
            measures.append(Measure(f"width_{quantity}", CALIBRATED_RULE, name, len(complete_pairs), None, width))
    return measures


def _interval(segment: Judged) -> tuple[float, float] | None:
    return segment.estimate.dice_interval if segment.estimate else None


def _volume_interval(segment: Judged) -> tuple[float, float] | None:
    """None for cut segments, which get no interval."""
    return segment.estimate.volume_factors if segment.estimate and not segment.observation.truncated else None


def _predicted(segment: Judged, judge: str) -> float | None:
    if judge == PAPER_RULE:
        return segment.paper_dice
    return segment.estimate.dice if segment.estimate else None


def _measure(
    measure: str,
    judge: str,
    name: str,
    function: Callable[[np.ndarray, np.ndarray], float | None],
    risks: np.ndarray,
    losses: np.ndarray,
) -> Measure:
    is_finite = np.isfinite(risks)
    value = function(risks[is_finite], losses[is_finite]) if is_finite.any() else None
    return Measure(measure, judge, name, int(is_finite.sum()), None, value)


def _mean(measure: str, judge: str, parts: Sequence[Measure]) -> Measure:
    present_parts = [part for part in parts if part.value is not None]
    values = [part.value for part in present_parts if part.value is not None]
    events = sum(part.events or 0 for part in present_parts) if any(part.events is not None for part in present_parts) else None
    return Measure(measure, judge, MEAN, sum(part.n for part in present_parts), events, float(np.mean(values)) if values else None)


def _pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    from scipy.stats import pearsonr

    return float(pearsonr(first, second).statistic) if _varies(first) and _varies(second) else None


def _spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic) if _varies(first) and _varies(second) else None


def _varies(values: np.ndarray) -> bool:
    return values.size >= FEWEST_FOR_CORRELATION and bool(np.ptp(values) > 1e-12)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value
