"""A signed distance from the median surface on a coarse grid: negative on the patient's right, positive on the left.

All arrays have their axes in order, ``[z, y, x]`` growing to superior, posterior, left. Distances from two sets of
voxels that are known to be right and left define the surface without a model of it: it bends and turns with the
pose.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..ct.volume import Geometry
from .components import Parts, Slices

COARSE_MM = 3.0


@dataclass(frozen=True)
class CoarseGrid:
    """Every n-th voxel of a volume: strides and spacing in mm along ``z, y, x``."""

    stride: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @staticmethod
    def of(geometry: Geometry) -> CoarseGrid:
        """The coarse grid of a volume whose axes are in order."""
        z, y, x = (max(1, round(COARSE_MM / step)) for step in geometry.spacing[::-1])
        return CoarseGrid((z, y, x), (z * geometry.spacing[2], y * geometry.spacing[1], x * geometry.spacing[0]))

    def sample(self, array: np.ndarray) -> np.ndarray:
        """A view of every n-th voxel of a volume."""
        return array[:: self.stride[0], :: self.stride[1], :: self.stride[2]]

    def component_samples(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Component ids ``[m]`` (1..n) of a structure's coarse voxels and their coarse indices ``[3, m]``.

        A component that slips between the coarse voxels is represented by the one nearest to its centroid.
        """
        offsets = [(-part.start) % step for part, step in zip(parts.slices, self.stride, strict=True)]
        ids = parts.ids[tuple(slice(offset, None, step) for offset, step in zip(offsets, self.stride, strict=True))]
        where = np.stack(np.nonzero(ids))
        found = ids[tuple(where)]
        first = [(part.start + offset) // step for part, offset, step in zip(parts.slices, offsets, self.stride, strict=True)]
        where = where + np.array(first)[:, None]
        missed = np.setdiff1d(np.arange(1, parts.voxels.size + 1), found)
        # Rounded down: always inside the coarse grid.
        centres = (parts.centroids[missed - 1] // np.array(self.stride)).astype(where.dtype).T
        return np.concatenate([found, missed.astype(found.dtype)]), np.concatenate([where, centres], axis=1)

    def enlarged(self, field: np.ndarray, box: Slices) -> np.ndarray:
        """A coarse field at each voxel of a box of the volume, from the nearest coarse voxel."""
        picks = [
            np.minimum((np.arange(part.start, part.stop) + step // 2) // step, size - 1)
            for part, step, size in zip(box, self.stride, field.shape, strict=True)
        ]
        return field[np.ix_(*picks)]


def between(right: np.ndarray, left: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Distance from `right` minus distance from `left` (bool masks, neither empty), in mm: float32 ``[z, y, x]``.

    Near the median surface it changes by up to 2 mm per millimetre.
    """
    with ThreadPoolExecutor(2) as pool:
        to_right, to_left = pool.map(partial(_nearest, spacing=spacing), (right, left))
    field = np.empty(right.shape, np.float32)
    for z, level in enumerate(field):
        level[:] = _distance(to_right, z, spacing)
        level -= _distance(to_left, z, spacing)
    return field


def _nearest(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Indices ``(z, y, x)`` of the nearest voxel of a mask, at each voxel: int32 ``[3, z, y, x]``."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~mask, sampling=spacing, return_distances=False, return_indices=True)


def _distance(nearest: np.ndarray, z: int, spacing: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm from the voxels of plane `z` to their nearest ones, float64 ``[y, x]``.

    The steps of scipy's ``distance_transform_edt``, whose arrays of the whole volume take longer than finding the nearest voxels.
    """
    _, depth, width = nearest.shape[1:]
    here = (z, np.arange(depth)[:, None], np.arange(width))
    squares = [np.square((found[z] - index) * step) for found, index, step in zip(nearest, here, spacing, strict=True)]
    return np.sqrt(squares[0] + squares[1] + squares[2])


def plane(shape: tuple[int, ...], spacing: tuple[float, float, float], midline_mm: float, slope: float = 0.0) -> np.ndarray:
    """The same for a sagittal plane at `midline_mm` from the first voxel along x in the lowest slice; tilted, x rises by `slope`
    with z."""
    x = np.arange(shape[2]) * spacing[2]
    if slope == 0.0:
        return np.broadcast_to((2.0 * (x - midline_mm)).astype(np.float32), shape)
    middle = midline_mm + slope * np.arange(shape[0]) * spacing[0]
    profile = 2.0 * (x - middle[:, None]) / np.hypot(1.0, slope)
    return np.broadcast_to(profile[:, None].astype(np.float32), shape)
