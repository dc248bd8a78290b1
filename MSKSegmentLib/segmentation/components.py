"""Connected components of the structures, and the removal of those that cannot belong to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..anatomy import STRUCTURES, Structure
from ..ct.volume import Geometry

# 26 neighbours: a thin oblique muscle in thick slices hangs together by voxel edges only.
CONNECTIVITY: Literal[26] = 26

# A component this large, or with this share of the structure's largest one, is a side or a head of its own.
MAIN_SHARE = 0.1
MAIN_VOLUME_MM3 = 10_000.0
# A smaller one is a torn-off piece when it is no speck and lies close to a main one.
PIECE_SHARE = 0.01
PIECE_DISTANCE_MM = 10.0

Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Parts:
    """The connected components of one structure.

    `ids` is an integer array ``[z, y, x]`` over the box `slices` of the volume, 0 outside the structure; component
    i (1..n) has ``voxels[i - 1]`` voxels, its box inside `ids` is ``boxes[i - 1]``, and its centroid, in voxels
    ``(z, y, x)`` of the whole volume, ``centroids[i - 1]``.
    """

    structure: Structure
    slices: Slices
    ids: np.ndarray
    voxels: np.ndarray
    boxes: tuple[Slices, ...]
    centroids: np.ndarray

    def single(self, index: int) -> Parts:
        """Component `index` (from 0) as a structure of its own, on its own voxels."""
        inside = self.boxes[index]
        z, y, x = (
            slice(whole.start + part.start, whole.start + part.stop)
            for whole, part in zip(self.slices, inside, strict=True)
        )
        ids = (self.ids[inside] == index + 1).astype(np.uint8)
        box: Slices = (slice(0, ids.shape[0]), slice(0, ids.shape[1]), slice(0, ids.shape[2]))
        one = slice(index, index + 1)
        return Parts(self.structure, (z, y, x), ids, self.voxels[one], (box,), self.centroids[one])


def structure_boxes(classes: np.ndarray) -> dict[int, Slices]:
    """Structure index -> box around all its voxels, for the structures that occur in uint8 ``[z, y, x]``."""
    shape = classes.shape
    per_z = np.stack([np.bincount(plane.ravel(), minlength=256)[:256] > 0 for plane in classes])
    boxes = {}
    for structure in STRUCTURES:
        z = np.flatnonzero(per_z[:, structure.index])
        if z.size == 0:
            continue
        flat = np.zeros(shape[1:], dtype=bool)
        for k in z:
            flat |= classes[k] == structure.index
        y, x = (np.flatnonzero(flat.any(axis=axis)) for axis in (1, 0))
        z0, y0, x0 = (slice(int(found[0]), int(found[-1]) + 1) for found in (z, y, x))
        boxes[structure.index] = (z0, y0, x0)
    return boxes


def parts_of(classes: np.ndarray) -> Iterator[Parts]:
    """The components of each structure in uint8 ``[z, y, x]`` (0..22), one structure at a time to spare memory."""
    boxes = structure_boxes(classes)
    return (
        parts_of_structure(classes, structure, boxes[structure.index])
        for structure in STRUCTURES
        if structure.index in boxes
    )


def parts_of_structure(classes: np.ndarray, structure: Structure, box: Slices) -> Parts:
    """The components of one structure whose voxels all lie in `box`."""
    import cc3d

    # As numbers: of truth values cc3d 4.1 fails on volumes one voxel thin along two axes.
    mask = np.ascontiguousarray(classes[box] == structure.index).view(np.uint8)
    ids = cc3d.connected_components(mask, connectivity=CONNECTIVITY)
    facts = cc3d.statistics(ids)
    start = np.array([part.start for part in box])
    return Parts(
        structure,
        box,
        ids,
        np.asarray(facts["voxel_counts"][1:], dtype=np.int64),
        tuple(facts["bounding_boxes"][1:]),
        np.asarray(facts["centroids"][1:], dtype=float).reshape(-1, 3) + start,
    )


def remove_stray_components(classes: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Drop components that lie apart from their structure; a copy, uint8 ``[z, y, x]``.

    Per structure, components are connected by 26 neighbours. Main ones are the largest, and, for paired structures,
    any other of at least 10 cc or 10 % of the largest: the other side, or a side or head of its own. Of the rest
    those of at least 1 % of the largest whose nearest voxel is within 10 mm of a main one stay as torn-off pieces;
    all others become background. The largest component always stays.

    Args:
        classes: uint8 ``[z, y, x]`` of 0..22.
        geometry: its grid, any axis order.
    """
    result = classes.copy()
    for parts in parts_of(classes):
        kept = _kept(parts, geometry)
        if not kept.all():
            dropped = np.concatenate([[False], ~kept])
            result[parts.slices][dropped[parts.ids]] = 0
    return result


def _kept(parts: Parts, geometry: Geometry) -> np.ndarray:
    """Which components stay, bool ``[n]``."""
    largest = parts.voxels.max()
    main = np.zeros(parts.voxels.size, dtype=bool)
    main[parts.voxels.argmax()] = True
    if parts.structure.paired:
        main |= parts.voxels >= MAIN_SHARE * largest
        main |= parts.voxels * geometry.voxel_volume_mm3 >= MAIN_VOLUME_MM3
    kept = main.copy()
    for index in np.flatnonzero(~main & (parts.voxels >= PIECE_SHARE * largest)):
        kept[index] = _is_near(parts, int(index), main, geometry)
    return kept


def _is_near(parts: Parts, index: int, main: np.ndarray, geometry: Geometry) -> bool:
    from scipy.ndimage import distance_transform_edt

    spacing = geometry.spacing[::-1]
    around = tuple(
        slice(max(0, part.start - margin), part.stop + margin)
        for part, margin in zip(
            parts.boxes[index], (int(PIECE_DISTANCE_MM / step) + 1 for step in spacing), strict=True
        )
    )
    ids = parts.ids[around]
    is_main = np.concatenate([[False], main])[ids]
    if not is_main.any():
        return False
    distance = distance_transform_edt(~is_main, sampling=spacing)
    return bool(distance[ids == index + 1].min() <= PIECE_DISTANCE_MM)
