"""Measurements, scores and lights put together: the reports of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ..anatomy import Segment, Side, StructureTable
from ..case_result import DiceLimits, Light, Measurements, Scores, SegmentReport
from ..measurement import asymmetry_percent
from ..settings import CALIBRATED, RULES
from .calibration import Calibration
from .guards import score_cautions
from .quality_model import QualityEstimate
from .traffic_light import Rating, failing_scan, rate, rate_by_paper
from .usual_uncertainty import usual_uncertainty

_MEASURED_ONLY = "measured from a given segmentation, whose uncertainty is not known"


def make_reports(
    table: StructureTable,
    measurements: Mapping[int, Measurements],
    evidence: Mapping[int, Scores] | None,
    calibration: Calibration | None,
    passes: int,
    scan_cautions: Sequence[str] = (),
    lights: str = CALIBRATED,
    own_cautions: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[SegmentReport, ...]:
    """One report per segment of the table in its order, absent segments included.

    `measurements` and `evidence` map labels with sides to values. `evidence` is None where no
    network was run, and every light is then grey. `scan_cautions` are reasons against green for all segments (see `guards`), beside
    those that follow from a segment's scores; `own_cautions` those for single segments, by their keys. `lights` is the rule that
    gives the light, "calibrated" or "paper"; what the paper's rule says is reported with either. One pass has no variance: no
    uncertainty is reported with it.
    """
    if lights not in RULES:
        raise ValueError(f"there is no rule {lights!r} for lights")
    differences = asymmetries(table, measurements)
    scores_by_label = {label: (evidence or {}).get(label) for label in measurements}
    pairs = [(s.structure.abbreviation, scores) for s in table.segments if (scores := scores_by_label.get(s.label)) is not None]
    failing = failing_scan(pairs, calibration, bool(scan_cautions))
    reports = []
    for segment in table.segments:
        found, asymmetry = measurements.get(segment.label), differences.get(segment.structure.index)
        if found is not None and scores_by_label.get(segment.label) is None:
            reason = _MEASURED_ONLY if evidence is None else "the network said nothing of its uncertainty"
            reports.append(SegmentReport(segment, Light.GREY, (reason,), found, asymmetry_percent=asymmetry))
            continue
        scores = scores_by_label.get(segment.label)
        own = own_cautions.get(segment.key, ())
        cautions = () if scores is None else (*scan_cautions, *own, *score_cautions(scores))
        name, uncertainty = segment.structure.abbreviation, scores.mean_variance if scores else None
        composition = segment.structure.has_composition
        ours = rate(name, scores, _cut(found), calibration, passes, (*cautions, *failing), bool(scan_cautions), composition)
        paper = rate_by_paper(name, uncertainty, _cut(found), calibration, passes, cautions)
        shown_scores = scores if passes > 1 or scores is None else replace(scores, mean_variance=None)
        report = _report(segment, found, shown_scores, ours, paper, lights, asymmetry)
        if report.uncertainty is not None:
            report = replace(report, usual_uncertainty=usual_uncertainty(name, calibration, passes))
        reports.append(report)
    return tuple(reports)


def _cut(found: Measurements | None) -> tuple[str, ...]:
    return found.truncated_by if found else ()


def _report(
    segment: Segment,
    found: Measurements | None,
    scores: Scores | None,
    ours: Rating,
    paper: Rating,
    lights: str,
    asymmetry: float | None,
) -> SegmentReport:
    uncertainty = scores.mean_variance if scores else None
    rating = ours if lights == CALIBRATED else paper
    estimate = ours.estimate
    return SegmentReport(
        segment=segment,
        light=rating.light,
        reasons=rating.reasons,
        measurements=found,
        uncertainty=uncertainty,
        asymmetry_percent=asymmetry,
        predicted_dice=estimate.dice if estimate else paper.predicted_dice,
        dice_limits=_limits(ours, paper, lights),
        dice_interval=estimate.dice_interval if estimate else None,
        volume_interval_cc=_volume_interval(found, estimate),
        mean_hu_interval=_hu_interval(found, estimate),
        failure_probability=estimate.failure_probability if estimate else None,
        scores=scores,
        paper_light=None if uncertainty is None else paper.light,
        part_light=rating.part_light,
    )


def _limits(ours: Rating, paper: Rating, lights: str) -> DiceLimits | None:
    """What the reported Dice coefficient is held against; None where the light follows from another one, or from none."""
    if ours.estimate is None:
        return paper.limits
    return ours.limits if lights == CALIBRATED else None


def _volume_interval(found: Measurements | None, estimate: QualityEstimate | None) -> tuple[float, float] | None:
    """None for a segment that the scan cuts: the volume of the rest is not known."""
    if found is None or found.truncated_by or estimate is None or estimate.volume_factors is None:
        return None
    low, high = estimate.volume_factors
    return found.volume_cc * low, found.volume_cc * high


def _hu_interval(found: Measurements | None, estimate: QualityEstimate | None) -> tuple[float, float] | None:
    if found is None or found.mean_hu is None or estimate is None or estimate.hu_shifts is None:
        return None
    low, high = estimate.hu_shifts
    return found.mean_hu + low, found.mean_hu + high


def asymmetries(table: StructureTable, measurements: Mapping[int, Measurements]) -> dict[int, float]:
    """Structure index -> asymmetry in percent, where both sides are there and whole; `measurements` by label with sides."""
    result = {}
    for structure in table.structures:
        right, left = (measurements.get(Segment(structure, side).label) for side in (Side.RIGHT, Side.LEFT))
        if right and left and not right.truncated_by and not left.truncated_by:
            value = asymmetry_percent(right.volume_cc, left.volume_cc)
            if value is not None:
                result[structure.index] = value
    return result
