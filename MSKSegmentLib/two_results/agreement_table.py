"""How far two results of one CT agree, structure by structure, in which slices they differ most, and where in the body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment
from ..case_result import CaseResult, Light, SegmentReport
from ..ct.orientation import axis_order
from ..ct.volume import Geometry, Vector
from ..evaluation.metrics import Scope, evaluate_labels, overlap_rows
from ..measurement.measure import MM2_PER_CM2
from ..review.worst_slices import SLICES_APART_MM
from .pair import ResultPair

# So many slices of a structure are named.
MOST_SLICES = 3


@dataclass(frozen=True)
class DifferingSlice:
    """A slice in which a structure differs: `index` counts the slices of the first result from 0, along its axis nearest to
    superior-inferior; `area_cm2` is the area that one result has and the other has not."""

    index: int
    area_cm2: float


@dataclass(frozen=True)
class StructureAgreement:
    """One structure and side that either result has; None where a number does not exist, and for the light of one in parts.

    `volume_difference_percent` is 200 (second - first) / (second + first), `asd_mm` and `hd95_mm` are as in
    `evaluation.metrics.SegmentComparison`. `slices` are those where they differ most, at least 10 mm apart.
    """

    segment: Segment
    volume_first_cc: float
    volume_second_cc: float
    volume_difference_percent: float
    dice: float
    asd_mm: float | None
    hd95_mm: float | None
    slices: tuple[DifferingSlice, ...]
    lights: tuple[Light | None, Light | None]


def agreement_of(pair: ResultPair, distances: bool = True) -> tuple[StructureAgreement, ...]:
    """The structures that either result has and both tables know, the least agreeing first.

    Without `distances` between their surfaces, which take nearly all of the time and need MONAI, those are None.
    """
    one, labels = pair.first.result, pair.labels
    scope = Scope.everything(pair.table, len(labels))
    lights = [{report.segment.key: report.light for report in case.result.reports} for case in (pair.first, pair.second)]
    rows = []
    compare = evaluate_labels if distances else overlap_rows
    for row in compare(labels, pair.other_labels, one.geometry, pair.volume.hu, scope):
        volumes, key = (row.volume_true_cc, row.volume_predicted_cc), row.segment.key
        rows.append(
            StructureAgreement(
                segment=row.segment,
                volume_first_cc=volumes[0],
                volume_second_cc=volumes[1],
                volume_difference_percent=200 * (volumes[1] - volumes[0]) / (volumes[0] + volumes[1]),
                dice=row.dice,
                asd_mm=row.asd_mm,
                hd95_mm=row.hd95_mm,
                slices=_differing(labels == row.segment.label, pair.other_labels == row.segment.label, one.geometry),
                lights=(lights[0].get(key), lights[1].get(key)),
            )
        )
    return tuple(sorted(rows, key=lambda row: row.dice))


def disagreement_of(pair: ResultPair) -> np.ndarray:
    """Where the results differ, uint8 ``[z, y, x]`` on the first one's grid; 0 where both say the same.

    A voxel has the first result's label, or the second one's where the first has none.
    """
    differs = pair.labels != pair.other_labels
    return np.where(differs, np.where(pair.labels > 0, pair.labels, pair.other_labels), 0).astype(np.uint8)


def places_of_disagreement(pair: ResultPair) -> CaseResult:
    """The map of `disagreement_of` as a result whose segments are the places, of which nothing else is known."""
    one = pair.first.result
    reports = tuple(SegmentReport(segment, Light.GREY, ()) for segment in pair.table.segments)
    return CaseResult(disagreement_of(pair), one.geometry, reports, facts=one.facts, table=pair.table)


def point_of_difference(pair: ResultPair, key: str, index: int) -> Vector:
    """The middle (LPS, mm) of what only one result has of a segment in the slice of that `DifferingSlice.index`."""
    one = pair.first.result
    label, along = pair.table.segment(key).label, 2 - axis_order(one.geometry.direction).axes[2]
    planes = (np.take(labels, index, axis=along) == label for labels in (pair.labels, pair.other_labels))
    differs = np.argwhere(np.logical_xor(*planes))
    middle = differs.mean(axis=0) if len(differs) else np.array([(size - 1) / 2 for size in np.delete(one.labels.shape, along)])
    x, y, z = np.insert(middle, along, index)[::-1].tolist()
    point = one.geometry.to_physical((x, y, z))
    return float(point[0]), float(point[1]), float(point[2])


def _differing(first: np.ndarray, second: np.ndarray, geometry: Geometry) -> tuple[DifferingSlice, ...]:
    """The slices in which two masks ``[z, y, x]`` differ most."""
    axis = axis_order(geometry.direction).axes[2]
    along = 2 - axis
    counts = np.count_nonzero(first ^ second, axis=tuple(a for a in range(3) if a != along))
    step = geometry.spacing[axis]
    pixel_cm2 = geometry.voxel_volume_mm3 / step / MM2_PER_CM2
    return tuple(DifferingSlice(k, float(counts[k] * pixel_cm2)) for k in _apart(counts, step))


def _apart(counts: np.ndarray, step_mm: float) -> Iterator[int]:
    chosen: list[int] = []
    for k in map(int, np.argsort(-counts, kind="stable")):
        if len(chosen) == MOST_SLICES or not counts[k]:
            return
        if all(abs(k - other) * step_mm >= SLICES_APART_MM for other in chosen):
            chosen.append(k)
            yield k
