"""Resampling a label map from its own grid to the voxels of a CT by nearest neighbour."""

from __future__ import annotations

import numpy as np

from .label_grid import LEAST_SHARE_OF_NEXT_PLANE, SMALLEST_CUT_MM2, PlacedLabels, match_voxels, place_labels
from .orientation import axis_order, resample_labels
from .volume import Geometry

# A grid with as many voxels as the CT, of the same size within this share, is the CT's grid in another position.
_SAME_SPACING = 1e-3


def place_or_resample(labels: np.ndarray, source: Geometry, target: Geometry) -> tuple[PlacedLabels, bool]:
    """Bring a label map uint8 ``[z, y, x]`` onto the grid of a CT; also returns whether it was resampled.

    If its voxels coincide with the CT's, `label_grid.place_labels` places it without loss. A grid with as many voxels of the same
    size as the CT's, but in another position, is not resampled: its file has lost its origin, or it belongs to another scan.

    Raises:
        InputError: it is such a grid.
    """
    if match_voxels(source, target) is not None or _is_shifted(source, target):
        return place_labels(labels, source, target), False
    cut = _cut_at_edge(labels, source, target)
    outside = _outside(labels, source, target)
    return PlacedLabels(resample_labels(labels, source, target), outside, cut), True


def _is_shifted(source: Geometry, target: Geometry) -> bool:
    steps = np.linalg.inv(target.matrix) @ source.matrix
    ordered = axis_order(tuple(map(tuple, steps))).geometry(source)  # type: ignore[arg-type]
    off = np.abs(np.asarray(ordered.spacing) / np.asarray(target.spacing) - 1).max()
    turned = np.abs(np.asarray(ordered.direction) - np.asarray(target.direction)).max()
    shift = np.abs(target.to_index(ordered.origin)).max()
    return bool(ordered.size == target.size and off <= _SAME_SPACING and turned <= _SAME_SPACING and shift >= 1)


def _outside(labels: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    """Voxels of each label beyond the CT, int64 ``[256]``, counted in voxels of the CT, at least 1 for a label that loses any."""
    counts = np.zeros(256, np.int64)
    for k, plane in enumerate(labels):
        rows, columns = np.nonzero(plane)
        if rows.size:
            inside = _is_inside(np.column_stack([columns, rows, np.full(rows.size, k)]), source, target)
            counts += np.bincount(plane[rows, columns][~inside], minlength=256)
    scaled = counts * (source.voxel_volume_mm3 / target.voxel_volume_mm3)
    return np.where(counts > 0, np.maximum(np.rint(scaled), 1), 0).astype(np.int64)


def _is_inside(index_xyz: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    """Which voxels of `source` (indices ``(x, y, z)``, ``[n, 3]``) have their centre in a voxel of `target`, bool ``[n]``."""
    at = target.to_index(source.to_physical(index_xyz))
    return np.all((at >= -0.5) & (at < np.asarray(target.size) - 0.5), axis=1)


def _cut_at_edge(labels: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    """Which labels the edge of the label map cuts, bool ``[256]``, as in `label_grid`; faces beyond the CT do not count."""
    cut = np.zeros(256, bool)
    x, y, z = source.spacing
    for axis, area in enumerate((x * y, x * z, y * z)):
        planes = np.moveaxis(labels, axis, 0)
        for number, step in ((0, 1), (len(planes) - 1, -1)):
            where = np.argwhere(planes[number])
            if not len(where):
                continue
            index_zyx = np.insert(where, axis, number, axis=1)
            inside = where[_is_inside(index_zyx[:, ::-1], source, target)]
            edge = np.bincount(planes[number][tuple(inside.T)], minlength=256)
            other = planes[number + step] if len(planes) > 1 else planes[number][:0]
            inwards = np.bincount(np.ascontiguousarray(other).ravel(), minlength=256)
            cut |= (edge * area >= SMALLEST_CUT_MM2) & (edge >= LEAST_SHARE_OF_NEXT_PLANE * inwards)
    cut[0] = False
    return cut
