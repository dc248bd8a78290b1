"""A region of interest: bounds in the patient, and the voxels of a scan that lie inside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .bounds import Bounds
from .boxes import Box
from .volume import Geometry

# Voxel centres this close to a bound (in voxels) count as inside: bounds often come from voxel positions, rounded.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Region:
    """Bounds in mm along the patient's axes (LPS): ``(x0, x1, y0, y1, z0, z1)``, each pair in either order."""

    bounds_lps: Bounds

    @property
    def low(self) -> np.ndarray:
        """The corner of smallest coordinates, mm, ``[3]``."""
        return np.reshape(self.bounds_lps, (3, 2)).min(axis=1)

    @property
    def high(self) -> np.ndarray:
        """The corner of largest coordinates, mm, ``[3]``."""
        return np.reshape(self.bounds_lps, (3, 2)).max(axis=1)


def region_box(region: Region, geometry: Geometry) -> Box:
    """The smallest box of a grid's voxels that holds all voxels whose centres lie in the region.

    On an oblique grid it also holds voxels outside the region, whose faces a box of voxels cannot follow.

    Raises:
        InputError: the bounds are not numbers, or no voxel lies between them.
    """
    low, high = region.low, region.high
    if not np.isfinite([low, high]).all():
        raise InputError("The region of interest needs six numbers in millimetres: x0 x1 y0 y1 z0 z1.")
    limits = _index_limits(low, high, geometry)
    if limits is None:
        raise InputError("The region of interest lies outside the scan; move it onto the scan, or run without a region.")
    first = [math.ceil(limit - _TOLERANCE) for limit in limits[0]]
    stop = [math.floor(limit + _TOLERANCE) + 1 for limit in limits[1]]
    if any(b <= a for a, b in zip(first, stop, strict=True)):
        raise InputError("The region of interest is thinner than a voxel; enlarge it, or run without a region.")
    return Box.between(first, stop)


def covering_box(part: Geometry, geometry: Geometry) -> Box:
    """The smallest box of `geometry` that holds all of another grid's voxel centres, cut at the faces of `geometry`."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in part.size])).reshape(3, -1).T
    index = geometry.to_index(part.to_physical(corners))
    last_index = np.asarray(geometry.size) - 1
    first = np.clip(np.floor(index.min(axis=0) + _TOLERANCE), 0, last_index)
    last = np.clip(np.ceil(index.max(axis=0) - _TOLERANCE), 0, last_index)
    return Box.between(first, last + 1)


def _index_limits(low: np.ndarray, high: np.ndarray, geometry: Geometry) -> tuple[list[float], list[float]] | None:
    """Smallest and largest index along each axis among the points of the scan inside the bounds; None without such points.

    Scan and region are boxes of different tilt: six small linear programmes give the limits of their intersection.
    """
    from scipy.optimize import linprog

    matrix, origin = geometry.matrix, np.asarray(geometry.origin)
    slack = _TOLERANCE * min(geometry.spacing)
    inside = np.vstack([matrix, -matrix])
    at_most = np.concatenate([high - origin, origin - low]) + slack
    in_scan = [(0, size - 1) for size in geometry.size]
    ends: tuple[list[float], list[float]] = ([], [])
    for axis in range(3):
        for end, sign in zip(ends, (1.0, -1.0), strict=True):
            found = linprog(sign * np.eye(3)[axis], A_ub=inside, b_ub=at_most, bounds=in_scan, method="highs")
            if not found.success:
                return None
            end.append(float(found.x[axis]))
    return ends
