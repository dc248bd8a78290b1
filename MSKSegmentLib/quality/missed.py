"""Structures of which nothing was found although the bones say that the scan shows them.

A muscle that a network misses altogether has no score, and so no light of the usual kind. Its place and volume among the bones
are known from the calibration cases: where that place lies well inside the scan, the network erred, or the muscle is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..case_result import Light, SegmentReport
from ..ct.volume import Geometry
from .plausibility import SegmentPlacement, expected_placement

# The expected middle of a structure must lie so far inside the scan: along the body so that a good part of it would be seen.
INSIDE_MM = (10.0, 10.0, 40.0)
# Of less than this a network may find nothing without having failed, as of a muscle that has wasted.
SMALLEST_CC = 5.0


def expected_volumes(
    placed: Mapping[int, SegmentPlacement], reference: Mapping[str, Any], table: StructureTable, geometry: Geometry
) -> dict[int, float]:
    """Label with side -> volume in cc that the calibration cases suggest, of structures that were not found but should be seen.

    `placed` are the segments that were found in the scan on `geometry`, `reference` is that of `plausibility.make_reference`.
    """
    result = {}
    for segment in table.segments:
        if segment.label in placed:
            continue
        expected = expected_placement(segment, placed, reference, table)
        if expected is not None and expected.volume_cc >= SMALLEST_CC and _is_inside(expected.centroid_mm, geometry):
            result[segment.label] = expected.volume_cc
    return result


def with_missed(reports: Iterable[SegmentReport], expected: Mapping[int, float]) -> tuple[SegmentReport, ...]:
    """The reports with a red light for each segment that was not found and is `expected`, by label with side, in cc."""
    return tuple(
        replace(report, light=Light.RED, reasons=(_reason(expected[report.segment.label]),))
        if report.measurements is None and report.segment.label in expected
        else report
        for report in reports
    )


def _reason(volume_cc: float) -> str:
    return f"nothing of it was found, but the bones beside it suggest about {volume_cc:.0f} cc: probably missed, or not there"


def _is_inside(point_mm: tuple[float, float, float], geometry: Geometry) -> bool:
    """Whether a point in LPS mm lies inside a grid with axes along the body, by the margins `INSIDE_MM`."""
    index = np.linalg.solve(geometry.matrix, np.subtract(point_mm, geometry.origin))
    margin = np.divide(INSIDE_MM, geometry.spacing)
    return bool((index >= margin).all() and (index <= np.subtract(geometry.size, 1) - margin).all())
