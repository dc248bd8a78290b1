"""What is usual for shape and density of a structure, from cases with true labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..anatomy import StructureTable, Tissue
from ..case_result import Measurements
from ..quality.paper_rule import MAD_TO_SD
from ..quality.plausibility import FEWEST_CASES
from .mask_shape import MaskShape

# Surface, length, and mean HU relative to the median muscle; None where that is not known, and for bones, whose density differs
# more between people than between structures.
SegmentForm = tuple[float, float, float | None]
# The least spreads: true masks that look alike must not make an ordinary one implausible. Surface and length are logarithms.
LEAST_SHAPE_SD = 0.06
LEAST_DENSITY_SD_HU = 5.0
# A structure is compared with the muscles around it where there are so many of them.
FEWEST_MUSCLES = 5


def form_of(
    shapes: Mapping[int, MaskShape], measurements: Mapping[int, Measurements], table: StructureTable
) -> dict[int, SegmentForm]:
    """Label -> surface, length, and mean HU relative to the median muscle, for segments that are not cut.

    The density is None for bones, and where too few muscles are there to be compared with.
    """
    muscles = [
        found.mean_hu
        for segment in table.segments
        if segment.structure.group.tissue is Tissue.MUSCLE and (found := measurements.get(segment.label)) is not None
        if found.mean_hu is not None
    ]
    middle = float(np.median(muscles)) if len(muscles) >= FEWEST_MUSCLES else None
    found_forms = {}
    for segment in table.segments:
        shape, found = shapes.get(segment.label), measurements.get(segment.label)
        if shape is not None and found is not None and not found.truncated_by:
            compared = None if segment.structure.group.tissue is not Tissue.MUSCLE else middle
            density = None if compared is None or found.mean_hu is None else found.mean_hu - compared
            found_forms[segment.label] = shape.surface, shape.length, density
    return found_forms


def make_forms(cases: Iterable[Mapping[int, SegmentForm]], table: StructureTable) -> dict[str, Any]:
    """Medians and spreads by abbreviation, sides pooled, JSON-ready; structures of fewer than 10 cases are left out."""
    rows: dict[str, list[tuple[int, SegmentForm]]] = {}
    for number, case in enumerate(cases):
        for segment in table.segments:
            form = case.get(segment.label)
            if form is not None:
                rows.setdefault(segment.structure.abbreviation, []).append((number, form))
    result = {}
    for name, found in rows.items():
        if len({number for number, _ in found}) < FEWEST_CASES:
            continue
        columns = zip(*(form for _, form in found), strict=True)
        pairs = [_middle(column, least) for column, least in zip(columns, _LEAST, strict=True)]
        result[name] = {"n": len(found), "median": [pair[0] for pair in pairs], "spread": [pair[1] for pair in pairs]}
    return result


_LEAST = (LEAST_SHAPE_SD, LEAST_SHAPE_SD, LEAST_DENSITY_SD_HU)


def _middle(values: Iterable[float | None], least: float) -> tuple[float | None, float | None]:
    """Median and robust standard deviation of the values that are known; None where none is."""
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return None, None
    median = float(np.median(known))
    return median, max(float(MAD_TO_SD * np.median(np.abs(known - median))), least)


def form_deviations(
    case: Mapping[int, SegmentForm], usual: Mapping[str, Any], table: StructureTable
) -> dict[int, tuple[float, float | None]]:
    """Label -> robust z of surface and length (the larger, absolute) and of the density (signed), for structures in `usual`."""
    result = {}
    for segment in table.segments:
        form, entry = case.get(segment.label), usual.get(segment.structure.abbreviation)
        if form is None or entry is None:
            continue
        surface, length, density = (
            None if value is None or median is None else (value - median) / spread
            for value, median, spread in zip(form, entry["median"], entry["spread"], strict=True)
        )
        assert surface is not None and length is not None
        result[segment.label] = max(abs(surface), abs(length)), density
    return result
