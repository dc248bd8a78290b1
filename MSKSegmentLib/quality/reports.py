"""Measurements, scores and lights put together: the 43 reports of a case."""

from __future__ import annotations

from collections.abc import Mapping

from ..anatomy import STRUCTURES, Side, segments
from ..case_result import Light, Measurements, Scores, SegmentReport
from ..measurement import asymmetry_percent
from .calibration import Calibration
from .traffic_light import Rating, rate


def make_reports(
    measurements: Mapping[int, Measurements],
    uncertainties: Mapping[int, float] | None,
    calibration: Calibration | None,
    passes: int,
    cautions: Mapping[int, str] | None = None,
    scores: Mapping[int, Scores] | None = None,
) -> tuple[SegmentReport, ...]:
    """One report per segment in table order, absent segments included.

    `measurements` and `uncertainties` map labels with sides to values; `uncertainties` is None where no network was run, and
    every light is then grey. `cautions` maps labels to reasons that rule out a green light.
    """
    differences = asymmetries(measurements)
    reports = []
    for segment in segments():
        found = measurements.get(segment.label)
        uncertainty = None if uncertainties is None or found is None else uncertainties.get(segment.label)
        if found is not None and uncertainties is None:
            rating = Rating(Light.GREY, ("measured from a given segmentation, whose uncertainty is not known",))
        else:
            cut = found.truncated_by if found else ()
            caution = (cautions or {}).get(segment.label)
            rating = rate(segment.structure.abbreviation, uncertainty, cut, calibration, passes, caution)
        reports.append(
            SegmentReport(
                segment=segment,
                light=rating.light,
                reasons=rating.reasons,
                measurements=found,
                uncertainty=uncertainty,
                asymmetry_percent=differences.get(segment.structure.index),
                predicted_dice=rating.predicted_dice,
                scores=(scores or {}).get(segment.label),
            )
        )
    return tuple(reports)


def asymmetries(measurements: Mapping[int, Measurements]) -> dict[int, float]:
    """Structure index -> asymmetry in percent, where both sides are there and whole; `measurements` by label with sides."""
    by_key = {segment.key: measurements.get(segment.label) for segment in segments()}
    result = {}
    for structure in STRUCTURES:
        right = by_key.get(f"{structure.abbreviation}_{Side.RIGHT.value}")
        left = by_key.get(f"{structure.abbreviation}_{Side.LEFT.value}")
        if right and left and not right.truncated_by and not left.truncated_by:
            value = asymmetry_percent(right.volume_cc, left.volume_cc)
            if value is not None:
                result[structure.index] = value
    return result
