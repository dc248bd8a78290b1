"""Connected components of the structures, and the removal of those that cannot belong to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from ..anatomy import Structure, StructureTable
from ..ct.boxes import labelled
from ..ct.volume import Geometry

# 26 neighbours: in thick slices a thin oblique muscle is connected by voxel edges only.
CONNECTIVITY: Literal[26] = 26

# A component this large, or with this share of the structure's largest one, is a side or a head of its own.
MAIN_SHARE = 0.1
MAIN_VOLUME_MM3 = 10_000.0
# A smaller component is a detached piece when it is not tiny and lies close to a main one.
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
            slice(whole.start + part.start, whole.start + part.stop) for whole, part in zip(self.slices, inside, strict=True)
        )
        ids = (self.ids[inside] == index + 1).astype(np.uint8)
        box: Slices = (slice(0, ids.shape[0]), slice(0, ids.shape[1]), slice(0, ids.shape[2]))
        only = slice(index, index + 1)
        return Parts(self.structure, (z, y, x), ids, self.voxels[only], (box,), self.centroids[only])


def structure_boxes(classes: np.ndarray, table: StructureTable) -> dict[int, Slices]:
    """Structure index -> box around all its voxels, for the structures that occur in uint8 ``[z, y, x]``."""
    from scipy.ndimage import find_objects

    wanted = {structure.index for structure in table.structures}
    return {index: found for index, found in enumerate(find_objects(classes), start=1) if found and index in wanted}


def parts_of(classes: np.ndarray, table: StructureTable) -> Iterator[Parts]:
    """The components of each structure in the classes, uint8 ``[z, y, x]``, one structure at a time to spare memory."""
    boxes = structure_boxes(classes, table)
    present = (structure for structure in table.structures if structure.index in boxes)
    return (parts_of_structure(classes, structure, boxes[structure.index]) for structure in present)


def parts_of_structure(classes: np.ndarray, structure: Structure, box: Slices) -> Parts:
    """The components of one structure whose voxels all lie in `box`."""
    import cc3d
    from scipy.ndimage import find_objects

    # As numbers: of truth values cc3d 4.1 fails on volumes one voxel thin along two axes.
    mask = np.ascontiguousarray(classes[box] == structure.index).view(np.uint8)
    ids, number = cc3d.connected_components(mask, connectivity=CONNECTIVITY, return_N=True)
    ids = ids.astype(np.min_scalar_type(number), copy=False)
    # Only voxels of the structure are looked at: most of its box, which holds both sides, has none.
    where = labelled(ids)
    here, rows = ids.ravel()[where], where // ids.shape[2]
    indices = rows // ids.shape[1], rows % ids.shape[1], where - rows * ids.shape[2]
    voxels = np.bincount(here, minlength=number + 1)[1:]
    sums = np.stack([np.bincount(here, index, number + 1)[1:] for index in indices], axis=1)
    start = np.array([part.start for part in box])
    return Parts(structure, box, ids, voxels, tuple(find_objects(ids)), sums / voxels[:, None] + start)


@dataclass(frozen=True)
class Stray:
    """A removed component: the structure's index, its voxels and its centroid in voxels ``(z, y, x)``."""

    structure: int
    voxels: int
    centroid: np.ndarray

    def moved(self, own: Geometry, geometry: Geometry) -> Stray:
        """The same with its place on another grid than its `own`."""
        return replace(self, centroid=geometry.to_index(own.to_physical(self.centroid[::-1]))[::-1])


def clean_components(classes: np.ndarray, geometry: Geometry, table: StructureTable) -> tuple[np.ndarray, tuple[Stray, ...]]:
    """Drop components that lie apart from their structure: a copy, uint8 ``[z, y, x]``, and what was dropped.

    Per structure, components are connected by 26 neighbours. Main ones are the largest, and, for paired structures, any other of
    at least 10 cc or 10 % of the largest: the other side, or a side or head of its own. Of the rest those of at least 1 % of the
    largest whose nearest voxel is within 10 mm of a main one stay as detached pieces; all others become background. The largest
    component always stays.

    Args:
        classes: uint8 ``[z, y, x]``, the network's classes.
        geometry: its grid, any axis order.
        table: the structures that the classes stand for.
    """
    import cc3d

    # All structures at once: their stray voxels lie all over the volume, so that boxes would save nothing.
    ids = cc3d.connected_components(np.ascontiguousarray(classes), connectivity=CONNECTIVITY)
    found = _Components.of(ids, classes)
    kept = np.ones(found.voxels.size, dtype=bool)
    for structure in table.structures:
        members = np.flatnonzero(found.structures == structure.index)
        if members.size:
            kept[members] = _kept(found, members, structure, geometry)
    result = classes.copy()
    if not kept.all():
        for plane_ids, plane in zip(ids, result, strict=True):
            where = labelled(plane)
            np.put(plane, where[~kept[plane_ids.ravel()[where]]], 0)
    strays = tuple(
        Stray(int(found.structures[index]), int(found.voxels[index]), found.centroids[index]) for index in np.flatnonzero(~kept)
    )
    return result, strays


@dataclass(frozen=True)
class _Components:
    """Components of all structures: `ids` ``[z, y, x]``, 0 being none; by id: voxels, index of the structure, centroid in voxels
    ``(z, y, x)``."""

    ids: np.ndarray
    voxels: np.ndarray
    structures: np.ndarray
    centroids: np.ndarray

    @staticmethod
    def of(ids: np.ndarray, classes: np.ndarray) -> _Components:
        """Those of classes uint8 ``[z, y, x]``. Only voxels with a class are looked at: most of a scan has none."""
        number = int(ids.max()) + 1
        voxels, sums, structures = np.zeros(number, np.int64), np.zeros((number, 3)), np.zeros(number, np.uint8)
        rows, columns = (axis.ravel() for axis in np.indices(ids.shape[1:]))
        for z, (plane_ids, plane) in enumerate(zip(ids, classes, strict=True)):
            where = labelled(plane)
            here = plane_ids.ravel()[where]
            count = np.bincount(here, minlength=number)
            voxels += count
            sums[:, 0] += z * count
            sums[:, 1] += np.bincount(here, rows[where], number)
            sums[:, 2] += np.bincount(here, columns[where], number)
            structures[here] = plane.ravel()[where]
        return _Components(ids, voxels, structures, sums / np.maximum(voxels, 1)[:, None])

    @cached_property
    def boxes(self) -> list[Slices]:
        """The box around each component, from id 1 on."""
        from scipy.ndimage import find_objects

        return find_objects(self.ids)


def _kept(found: _Components, members: np.ndarray, structure: Structure, geometry: Geometry) -> np.ndarray:
    """Which components of one structure, given by their ids, stay: bool ``[members]``."""
    voxels = found.voxels[members]
    largest = voxels.max()
    main = np.zeros(voxels.size, dtype=bool)
    main[voxels.argmax()] = True
    if structure.paired:
        main |= voxels >= MAIN_SHARE * largest
        main |= voxels * geometry.voxel_volume_mm3 >= MAIN_VOLUME_MM3
    kept = main.copy()
    main_ids = np.zeros(found.voxels.size, dtype=bool)
    main_ids[members[main]] = True
    for index in np.flatnonzero(~main & (voxels >= PIECE_SHARE * largest)):
        member = int(members[index])
        kept[index] = is_near(found.ids, found.boxes[member - 1], member, main_ids, geometry)
    return kept


def is_near(
    components: np.ndarray, box: Slices, component: int, main: np.ndarray, geometry: Geometry, reach_mm: float = PIECE_DISTANCE_MM
) -> bool:
    """Whether the nearest voxel of a component, which lies in `box` of an array of ids ``[z, y, x]``, is in reach of a main one.

    `main` is bool ``[ids]``.
    """
    from scipy.ndimage import distance_transform_edt

    spacing = geometry.spacing[::-1]
    margins = (int(reach_mm / step) + 1 for step in spacing)
    around = tuple(slice(max(0, part.start - margin), part.stop + margin) for part, margin in zip(box, margins, strict=True))
    ids = components[around]
    is_main = main[ids]
    if not is_main.any():
        return False
    distance = distance_transform_edt(~is_main, sampling=spacing)
    return bool(distance[ids == component].min() <= reach_mm)
