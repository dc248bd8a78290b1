"""Whether the sides of a given label map are the patient's: exchanged, under one number, or those of another leg."""

from __future__ import annotations

import numpy as np

from ..anatomy import LEFT_OFFSET, Segment, Side, StructureTable
from ..ct.orientation import axis_order
from ..ct.volume import Geometry

# Sides are determined on every n-th voxel, at about this spacing.
COARSE_MM = 3.0
# A right structure whose middle lies this far to the left of the left one's is on the wrong side, even with crossed legs.
EXCHANGED_MM = 30.0
# Two pieces of one structure of which the smaller has this share of the larger, this far apart, are its two sides.
COMPARABLE_SHARE = 0.5
APART_MM = 100.0
# When the sides found from the anatomy differ on this share of a structure, they are taken to be right.
DISAGREEING_SHARE = 0.25
WHOLLY = 0.75
EXCHANGED = "the right one lies to the patient's left of the left one: the sides are exchanged"


def side_doubts(labels: np.ndarray, geometry: Geometry, table: StructureTable) -> dict[int, tuple[str, ...]]:
    """Label -> reasons why its side cannot be right, for uint8 ``[z, y, x]`` with sides; empty where there are none."""
    coarse, grid = _coarse(labels, geometry)
    present = [s for s in table.segments if s.structure.paired and (coarse == s.label).any()]
    found: dict[int, tuple[str, ...]] = {}
    for segment in present:
        if _lies_on_both_sides(coarse == segment.label, grid):
            found[segment.label] = (_both(segment),)
    found |= {label: reason for label, reason in _exchanged_pairs(coarse, grid, present).items() if label not in found}
    return {**_against_anatomy(coarse, grid, table, present), **found}


def _coarse(labels: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """Every n-th voxel, with axes in order."""
    order = axis_order(geometry.direction)
    ordered, grid = order.apply(labels), order.geometry(geometry)
    x, y, z = (max(1, round(COARSE_MM / step)) for step in grid.spacing)
    coarse = np.ascontiguousarray(ordered[::z, ::y, ::x])
    spacing = (grid.spacing[0] * x, grid.spacing[1] * y, grid.spacing[2] * z)
    return coarse, Geometry((coarse.shape[2], coarse.shape[1], coarse.shape[0]), spacing, grid.origin, grid.direction)


def _lies_on_both_sides(mask: np.ndarray, grid: Geometry) -> bool:
    import cc3d

    ids = cc3d.connected_components(np.ascontiguousarray(mask).view(np.uint8), connectivity=26)
    facts = cc3d.statistics(ids)
    voxels = np.asarray(facts["voxel_counts"][1:], dtype=float)
    if voxels.size < 2:
        return False
    second, first = np.argsort(voxels)[-2:]
    apart = abs(facts["centroids"][1 + first][2] - facts["centroids"][1 + second][2]) * grid.spacing[0]
    return bool(voxels[second] >= COMPARABLE_SHARE * voxels[first] and apart >= APART_MM)


def _exchanged_pairs(coarse: np.ndarray, grid: Geometry, present: list[Segment]) -> dict[int, tuple[str, ...]]:
    middles = {segment.label: float(np.nonzero(coarse == segment.label)[2].mean()) * grid.spacing[0] for segment in present}
    found: dict[int, tuple[str, ...]] = {}
    for segment in present:
        other = segment.label + LEFT_OFFSET
        if segment.side is Side.RIGHT and other in middles and middles[segment.label] - middles[other] > EXCHANGED_MM:
            found[segment.label] = found[other] = (EXCHANGED,)
    return found


def _against_anatomy(
    coarse: np.ndarray, grid: Geometry, table: StructureTable, present: list[Segment]
) -> dict[int, tuple[str, ...]]:
    """Doubts from the sides that the anatomy shows; none where these are in doubt themselves."""
    from ..segmentation import split_sides

    expected = split_sides((coarse % LEFT_OFFSET).astype(np.uint8), grid, table)
    if expected.findings:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    for segment in present:
        given = expected.labels[coarse == segment.label]
        agree, rated = int((given == segment.label).sum()), int((given > 0).sum())
        share = 1 - agree / rated if rated else 0.0
        if share >= WHOLLY:
            found[segment.label] = (f"its place in the body is on the other side: it is not the {segment.side.value} one",)
        elif share >= DISAGREEING_SHARE:
            found[segment.label] = (_both(segment),)
    return found


def _both(segment: Segment) -> str:
    hint = "; labels on the patient's left are its number plus 100" if segment.side is Side.RIGHT else ""
    return f"it lies on both sides of the body under the number of the {segment.side.value} one{hint}"
