"""Pieces beside a muscle, at its own level: a bowel loop or a part of a kidney that the network called by the muscle's name.

`components` keeps large pieces, because before the sides are known they may be the other side, and because a muscle may be found in
two pieces, one above the other. No muscle of hip and thigh lies twice at one level of one side, 5 mm apart: of 34 such pieces (of
1 % of the muscle and more, 4 mm away and more) that bundle 0.6.0 found in 16 virtual patients, most of them under stress, two were
mostly true. The true labels of 46 patients hold ten such pieces of 2 % and more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment, StructureTable, Tissue
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..findings import Finding, warning
from .components import CONNECTIVITY, MAIN_SHARE, MAIN_VOLUME_MM3, Slices, Stray, is_near
from .side_field import CoarseGrid

# So much of a piece lies at levels that the muscle itself reaches, and so far from it.
LEVEL_SHARE = 0.5
BESIDE_MM = 5.0


@dataclass(frozen=True)
class Undoubled:
    """`labels` is uint8 ``[z, y, x]`` with sides, without the pieces, which are `strays`; `findings` tell of the large ones."""

    labels: np.ndarray
    findings: tuple[Finding, ...] = ()
    strays: tuple[Stray, ...] = ()


def without_pieces_beside(labels: np.ndarray, geometry: Geometry, table: StructureTable) -> Undoubled:
    """Remove the pieces of paired muscles that lie at the level of the muscle's largest piece and more than 5 mm from it.

    Args:
        labels: uint8 ``[z, y, x]`` with sides, on any grid; not changed.
        geometry: its grid.
        table: what the labels stand for.
    """
    order = axis_order(geometry.direction)
    ordered, grid_geometry = order.apply(labels), order.geometry(geometry)
    boxes = _suspect(ordered, grid_geometry)
    kept = None
    findings: list[Finding] = []
    strays: list[Stray] = []
    for segment in table.segments:
        if segment.label not in boxes or not segment.structure.paired or segment.structure.group.tissue is Tissue.BONE:
            continue
        box = boxes[segment.label]
        ids, beside = _beside(ordered[box] == segment.label, grid_geometry)
        if not beside.size:
            continue
        kept = labels.copy() if kept is None else kept
        order.apply(kept)[box][np.isin(ids, beside)] = 0
        voxels = np.bincount(ids.ravel())
        strays += [_stray(segment, ids, int(which), box).moved(grid_geometry, geometry) for which in beside]
        large = [int(which) for which in beside if _is_large(voxels, int(which), geometry)]
        if large:
            findings.append(_finding(segment, sum(voxels[which] for which in large) * geometry.voxel_volume_mm3 / 1000))
    return Undoubled(labels if kept is None else kept, tuple(findings), tuple(strays))


def _suspect(ordered: np.ndarray, geometry: Geometry) -> dict[int, Slices]:
    """The boxes of the labels that are in several pieces on a coarse grid, where what is 5 mm apart hardly ever touches."""
    import cc3d
    from scipy.ndimage import find_objects

    coarse = np.ascontiguousarray(CoarseGrid.of(geometry).sample(ordered))
    ids, number = cc3d.connected_components(coarse, connectivity=CONNECTIVITY, return_N=True)
    label_of = np.zeros(number + 1, np.uint8)
    label_of[ids.ravel()] = coarse.ravel()
    several = np.flatnonzero(np.bincount(label_of[1:], minlength=256) > 1)
    if not several.size:
        return {}
    found = find_objects(np.ascontiguousarray(ordered))
    return {int(label): found[label - 1] for label in several}


def _beside(mask: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """The pieces of one label as ids ``[z, y, x]``, and the ids of those that lie beside the largest."""
    import cc3d
    from scipy.ndimage import find_objects

    ids = cc3d.connected_components(np.ascontiguousarray(mask).view(np.uint8), connectivity=CONNECTIVITY)
    voxels = np.bincount(ids.ravel())
    largest = 1 + int(voxels[1:].argmax())
    reached, boxes = (ids == largest).any(axis=(1, 2)), find_objects(ids)
    found = []
    for which in range(1, voxels.size):
        levels = np.count_nonzero(ids == which, axis=(1, 2))
        if which == largest or levels[reached].sum() <= LEVEL_SHARE * voxels[which]:
            continue
        if not is_near(ids, boxes[which - 1], which, np.arange(voxels.size) == largest, geometry, BESIDE_MM):
            found.append(which)
    return ids, np.array(found, int)


def _is_large(voxels: np.ndarray, which: int, geometry: Geometry) -> bool:
    """Whether a piece is one of those that `components` keeps as main ones."""
    return bool(voxels[which] >= MAIN_SHARE * voxels[1:].max() or voxels[which] * geometry.voxel_volume_mm3 >= MAIN_VOLUME_MM3)


def _stray(segment: Segment, ids: np.ndarray, which: int, box: Slices) -> Stray:
    """One removed piece."""
    where = np.stack(np.nonzero(ids == which), axis=1) + [part.start for part in box]
    return Stray(segment.structure.index, len(where), where.mean(axis=0))


def _finding(segment: Segment, volume_cc: float) -> Finding:
    return warning(
        "piece_beside",
        f"A piece of {volume_cc:.0f} cc beside this muscle was labelled as the same muscle and removed: {segment.name}. "
        "Check whether it belongs to the muscle.",
        segment.key,
    )
