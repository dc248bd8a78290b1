"""Volume and place of the segments of an evaluation: the reference that they make, and how far each is from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..anatomy import StructureTable
from ..evaluation.tables import CaseScores
from ..quality.plausibility import SegmentPlacement, deviations, make_reference


def reference_of(cases: Iterable[CaseScores], table: StructureTable) -> dict[str, Any]:
    """The reference that the true labels of some cases make, with structures of `table`; cut segments do not count.

    See `plausibility.make_reference`.
    """
    return make_reference((_true_placements(case) for case in cases), table)


def with_deviations(case: CaseScores, reference: Mapping[str, Any]) -> CaseScores:
    """The case with the deviations of its predicted segments from a reference among their scores."""
    placed = {
        row.segment.label: SegmentPlacement(row.volume_predicted_cc, row.centroid_predicted_mm, row.truncated is False)
        for row in case.rows
        if row.centroid_predicted_mm is not None
    }
    found = deviations(placed, reference, case.table)
    rows = []
    for row in case.rows:
        if row.scores is not None:
            volume, position = found.get(row.segment.label, (None, None))
            row = replace(row, scores=replace(row.scores, volume_deviation=volume, position_deviation=position))
        rows.append(row)
    return replace(case, rows=tuple(rows))


def _true_placements(case: CaseScores) -> dict[int, SegmentPlacement]:
    # Whether the scan cuts a segment is known of the predicted one, which ends at the same faces.
    return {
        row.segment.label: SegmentPlacement(row.volume_true_cc, row.centroid_true_mm, row.truncated is False)
        for row in case.rows
        if row.centroid_true_mm is not None
    }
