"""A stored review held against voxels and CT before it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..case_result import CaseResult, Measurements, SegmentReport
from ..ct.boxes import Box
from ..ct.region import Region, region_box
from ..ct.volume import Geometry
from ..errors import InputError
from ..results.result_reading import (
    StoredCase,
    reviewed_from_json,
    stored_facts,
    stored_findings,
    stored_structures,
    task_of_result,
)
from .label_maps import ReviewedLabels

# Mean densities are stored unrounded; more than this is another image.
SAME_HU = 0.01


def case_from_json(
    data: Mapping[str, Any],
    labels: np.ndarray,
    uncertainty: np.ndarray | None,
    geometry: Geometry,
    automatic_labels: np.ndarray | None,
) -> StoredCase:
    """The case that `ReviewSession.to_json` described, with its arrays ``[z, y, x]`` on `geometry`.

    Raises:
        InputError: the data cannot be read.
    """
    reports, before, history = reviewed_from_json(data)
    table = stored_structures(data)
    result = CaseResult(
        labels, geometry, reports, uncertainty, stored_findings(data), stored_facts(data), table, task_of_result(data)
    )
    first = labels if automatic_labels is None else automatic_labels
    return StoredCase(result, replace(result, labels=first, reports=before), history)


def region_of(result: CaseResult) -> Box | None:
    """The part of the grid that a run with a region of interest segmented; None for the whole scan."""
    bounds = result.facts.region_lps_mm
    return region_box(Region(bounds), result.geometry) if bounds else None


def lost_labels(automatic: Iterable[SegmentReport], labels: ReviewedLabels) -> set[int]:
    """Labels whose automatic content is not what its report was made from: it was not stored."""
    return {r.segment.label for r in automatic if labels.automatic_voxels(r.segment.label) != _voxels(r)}


def outdated_labels(reports: Iterable[SegmentReport], labels: ReviewedLabels) -> set[int]:
    """Labels that hold more or fewer voxels than their report says, because another program changed them."""
    return {r.segment.label for r in reports if labels.voxels(r.segment.label) != _voxels(r)}


def changed_elsewhere(result: CaseResult) -> bool:
    """Whether a label holds more or fewer voxels than its report says, as `outdated_labels` tells of a review."""
    counts = np.bincount(result.labels.ravel(), minlength=256)
    return any(counts[report.segment.label] != _voxels(report) for report in result.reports)


def check_ct(reports: Iterable[SegmentReport], outdated: set[int], labels: ReviewedLabels) -> None:
    """Measure the smallest segment that was not changed again: its density tells one CT from another.

    Raises:
        InputError: the CT is another one.
    """
    same = [report for report in reports if report.measurements and report.segment.label not in outdated]
    if not same:
        return
    smallest = min(same, key=_voxels)
    again = labels.measured(smallest.segment.label, None)
    mean, before = (_mean(measured) for measured in (again, smallest.measurements))
    if mean is not None and before is not None and abs(mean - before) > SAME_HU:
        raise InputError("The CT is not the one that this result was made from; choose that CT.")


def _mean(measured: Measurements | None) -> float | None:
    """The mean of the scan's values in a segment, in whatever unit they are."""
    if measured is None:
        return None
    return measured.mean_intensity if measured.mean_hu is None else measured.mean_hu


def _voxels(report: SegmentReport) -> int:
    return report.measurements.voxels if report.measurements else 0
