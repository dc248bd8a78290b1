"""Agreement of one segmentation with the truth, segment by segment: overlap, surface distances, volume, radiodensity.

Dice, average symmetric surface distance (ASD), absolute volume error (AVE) and absolute intensity error (AIE) are the measures
of Soufi et al. 2025; Hausdorff distance and relative volume error (RVE) those of Henson et al. 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from ..anatomy import Segment
from ..case_result import Scores, SegmentReport
from ..ct.boxes import Box, label_boxes, union_box
from ..ct.volume import Geometry
from ..measurement.volume import volume_cc
from ..quality.plausibility import placements
from .cases import label_known
from .scope import Scope
from .surface_distances import surface_distances

# A sliver of a structure at the edge of the field of view does not measure the network.
FEWEST_TRUE_VOXELS = 50


class Outcome(str, Enum):
    """What became of a segment: found (`COMPARED`), `MISSED`, `FALSE` (predicted where there is none), or too small to judge."""

    COMPARED = "compared"
    MISSED = "missed"
    FALSE = "false"
    SLIVER = "sliver"


@dataclass(frozen=True)
class SegmentComparison:
    """One segment of one case; None where a number does not exist.

    `asd_mm` is the mean over the voxels of both surfaces of the distance to the other surface, `hd95_mm` the larger of the two 95th
    percentiles, `hd_mm` the largest of all. `rve_percent` is 100 (predicted - true) / true of the volumes, `ave_percent` its
    absolute value, `aie_hu` the absolute difference of the mean HU inside prediction and truth. `sensitivity` is the share of the
    true voxels that were found, `specificity` that of all other known voxels of the scan that were left alone: the more air and
    other tissue a scan shows, the nearer to 1. `dice_undisputed` is Dice without borders that atlases draw differently,
    where it was asked for. The others are said of the whole predicted segment, also where only some slices
    count: `uncertainty`, `light` and `paper_light`, whether the scan cuts it, and `scores`. Centroids ``(x, y, z)`` are LPS mm.
    """

    segment: Segment
    outcome: Outcome
    voxels_true: int
    volume_true_cc: float
    volume_predicted_cc: float
    dice: float
    asd_mm: float | None = None
    hd95_mm: float | None = None
    hd_mm: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    rve_percent: float | None = None
    ave_percent: float | None = None
    mean_hu_true: float | None = None
    mean_hu_predicted: float | None = None
    aie_hu: float | None = None
    uncertainty: float | None = None
    light: str | None = None
    paper_light: str | None = None
    truncated: bool | None = None
    scores: Scores | None = None
    centroid_true_mm: tuple[float, float, float] | None = None
    centroid_predicted_mm: tuple[float, float, float] | None = None
    dice_undisputed: float | None = None


@dataclass(frozen=True)
class _Counts:
    """Voxels and sums of HU per label value ``[256]`` in the truth, the prediction and both; where it is `known` at all."""

    true: np.ndarray
    predicted: np.ndarray
    both: np.ndarray
    hu_true: np.ndarray
    hu_predicted: np.ndarray
    known: np.ndarray


def evaluate_labels(
    truth: np.ndarray, predicted: np.ndarray, geometry: Geometry, hu: np.ndarray, scope: Scope
) -> list[SegmentComparison]:
    """Compare a segmentation with the truth: a row per segment that occurs in either, in table order.

    A voxel of another structure or side counts as wrong; slices, structures and voxels outside `scope` do not count at all.
    A missed segment has Dice 0, RVE -100 % and no distances; a false one only its volume and HU.

    Args:
        truth: uint8 ``[z, y, x]`` with sides, 0 background.
        predicted: likewise.
        geometry: the grid of all arrays; its spacing makes the distances millimetres.
        hu: int16 ``[z, y, x]`` in HU.
        scope: where the truth is known (`Scope.everything`: everywhere), and of which structures.

    Raises:
        ValueError: arrays that are not of the grid's shape, or label maps that are not uint8.
    """
    rows = overlap_rows(truth, predicted, geometry, hu, scope)
    truth, predicted = within(truth, scope), within(predicted, scope)
    boxes = label_boxes(truth), label_boxes(predicted)
    around = {label: union_box(both[label] for both in boxes) for label in boxes[0].keys() & boxes[1].keys()}
    return [
        _with_distances(row, truth, predicted, geometry, scope.slices_of(row.segment.label), around.get(row.segment.label))
        for row in rows
    ]


def overlap_rows(
    truth: np.ndarray, predicted: np.ndarray, geometry: Geometry, hu: np.ndarray, scope: Scope
) -> list[SegmentComparison]:
    """`evaluate_labels` without the surface distances, which take nearly all of its time."""
    if truth.dtype != np.uint8 or predicted.dtype != np.uint8:
        raise ValueError("label maps must be uint8")
    if any(array.shape != geometry.shape for array in (truth, predicted, hu)):
        raise ValueError(f"truth, prediction and CT must have the grid's shape {geometry.shape}")
    counts = _count(truth, predicted, hu, scope)
    rows = (_row(segment, counts, geometry) for segment in scope.table.segments)
    return [row for row in rows if row is not None]


def false_muscle_cc(truth: np.ndarray, predicted: np.ndarray, geometry: Geometry, scope: Scope) -> float:
    """Volume in cc of the voxels called any structure where the truth, uint8 ``[z, y, x]`` like the prediction, has none."""
    voxels = sum(
        np.count_nonzero(predicted_plane[true_plane == 0]) for true_plane, predicted_plane, _ in _planes(truth, predicted, scope)
    )
    return volume_cc(int(voxels), geometry)


def with_reports(rows: list[SegmentComparison], reports: Mapping[str, SegmentReport]) -> list[SegmentComparison]:
    """The rows with what the run said of them; `reports` by the segment's key, rows without a report stay as they are."""
    return [_with_report(row, reports[row.segment.key]) if row.segment.key in reports else row for row in rows]


def whole_reports(reports: Mapping[str, SegmentReport], predicted: np.ndarray, scope: Scope) -> Mapping[str, SegmentReport]:
    """The reports without those of segments that the prediction, uint8 ``[z, y, x]``, also has where their truth is not known.

    Scores are those of the whole segment: beside an agreement in a few corrected slices they would mislead. Where slices are
    known or unknown for all segments alike, nothing is left out.
    """
    known = scope.known
    if known is None:
        return reports
    return {key: one for key, one in reports.items() if not (predicted[~known[:, one.segment.label]] == one.segment.label).any()}


def _with_report(row: SegmentComparison, report: SegmentReport) -> SegmentComparison:
    return replace(
        row,
        uncertainty=report.uncertainty,
        light=report.light.value,
        paper_light=report.paper_light.value if report.paper_light else None,
        truncated=bool(report.measurements.truncated_by) if report.measurements else None,
        scores=report.scores,
    )


def without_densities(rows: list[SegmentComparison]) -> list[SegmentComparison]:
    """The rows without means of the scan's values, which of MR have no unit and say nothing of tissue."""
    return [replace(row, mean_hu_true=None, mean_hu_predicted=None, aie_hu=None) for row in rows]


def with_centroids(
    rows: list[SegmentComparison], truth: np.ndarray, predicted: np.ndarray, geometry: Geometry
) -> list[SegmentComparison]:
    """The rows with the centroids in both label maps, uint8 ``[z, y, x]`` with sides on `geometry`."""
    true, found = (
        {label: placement.centroid_mm for label, placement in placements(labels, geometry).items()} for labels in (truth, predicted)
    )
    return [
        replace(row, centroid_true_mm=true.get(row.segment.label), centroid_predicted_mm=found.get(row.segment.label))
        for row in rows
    ]


def within(labels: np.ndarray, scope: Scope) -> np.ndarray:
    """A copy of a label map uint8 ``[z, y, x]`` that is 0 wherever the truth is not known."""
    kept = np.zeros_like(labels)
    for k, (plane, _, _) in zip(np.flatnonzero(scope.slices), _planes(labels, labels, scope), strict=True):
        kept[k] = plane
    return kept


def _planes(truth: np.ndarray, predicted: np.ndarray, scope: Scope) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Both maps ``[y, x]`` and the number of each slice that counts, 0 where nothing is known."""
    labelled = label_known(scope.structures, scope.table)
    for k in np.flatnonzero(scope.slices):
        here = labelled if scope.known is None else labelled & scope.known[k]
        table = np.where(here, np.arange(256), 0).astype(np.uint8)
        true_plane, predicted_plane = table[truth[k]], table[predicted[k]]
        if scope.outside is not None:
            true_plane[scope.outside[k]] = predicted_plane[scope.outside[k]] = 0
        yield true_plane, predicted_plane, int(k)


def _count(truth: np.ndarray, predicted: np.ndarray, hu: np.ndarray, scope: Scope) -> _Counts:
    # Slice by slice: a count over a whole volume would first copy it as 64-bit numbers.
    true, found, both, hu_true, hu_found, known = np.zeros((6, 256))
    for true_plane, predicted_plane, k in _planes(truth, predicted, scope):
        where = np.flatnonzero(true_plane | predicted_plane)
        a, b, values = true_plane.ravel()[where], predicted_plane.ravel()[where], hu[k].ravel()[where]
        true += np.bincount(a, minlength=256)
        found += np.bincount(b, minlength=256)
        both += np.bincount(a[a == b], minlength=256)
        hu_true += np.bincount(a, weights=values, minlength=256)
        hu_found += np.bincount(b, weights=values, minlength=256)
        known += scope.voxels_known(k, true_plane.size)
    return _Counts(true, found, both, hu_true, hu_found, known)


def _row(segment: Segment, counts: _Counts, geometry: Geometry) -> SegmentComparison | None:
    label = segment.label
    true, found = int(counts.true[label]), int(counts.predicted[label])
    if not true and not found:
        return None
    row = SegmentComparison(
        segment=segment,
        outcome=_outcome(true, found),
        voxels_true=true,
        volume_true_cc=volume_cc(true, geometry),
        volume_predicted_cc=volume_cc(found, geometry),
        dice=2 * float(counts.both[label]) / (true + found),
        mean_hu_true=float(counts.hu_true[label]) / true if true else None,
        mean_hu_predicted=float(counts.hu_predicted[label]) / found if found else None,
    )
    if row.mean_hu_true is not None and row.mean_hu_predicted is not None:
        row = replace(row, aie_hu=abs(row.mean_hu_predicted - row.mean_hu_true))
    if true:
        error = 100 * (found - true) / true
        row = replace(row, rve_percent=error, ave_percent=abs(error), sensitivity=float(counts.both[label]) / true)
    elsewhere = int(counts.known[label]) - true
    if elsewhere:
        row = replace(row, specificity=1 - (found - float(counts.both[label])) / elsewhere)
    return row


def _outcome(true: int, found: int) -> Outcome:
    if not true:
        return Outcome.FALSE
    if true < FEWEST_TRUE_VOXELS:
        return Outcome.SLIVER
    return Outcome.COMPARED if found else Outcome.MISSED


def _with_distances(
    row: SegmentComparison,
    truth: np.ndarray,
    predicted: np.ndarray,
    geometry: Geometry,
    slices: np.ndarray,
    around: Box | None,
) -> SegmentComparison:
    """`around` is the box around both segments, None where one of them is empty."""
    if around is None:
        return row
    # A margin of one voxel shows that a segment ends inside the scan.
    box = around.grown((1, 1, 1), geometry.size).slices
    label = row.segment.label
    spacing = geometry.spacing[::-1]
    distances = surface_distances(truth[box] == label, predicted[box] == label, spacing, slices[box[0]])
    if distances is None:
        return row
    return replace(row, asd_mm=distances.average, hd95_mm=distances.percentile_95, hd_mm=distances.largest)
