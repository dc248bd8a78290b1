"""Bounds in the patient: boxes in millimetres along the patient's axes, in LPS (ITK, DICOM) or RAS (3D Slicer)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from .boxes import Box
from .volume import Geometry

# ``(x0, x1, y0, y1, z0, z1)`` in mm, each pair rising.
Bounds = tuple[float, float, float, float, float, float]


def corners_of(bounds: Any) -> np.ndarray:
    """The eight corners of bounds, mm ``[8, 3]`` in the same frame."""
    return np.array(list(product(*np.reshape(bounds, (3, 2)).tolist())))


def bounds_of_points(points: Any) -> Bounds:
    """The smallest bounds around points ``[n, 3]`` in mm, in the same frame."""
    (x0, y0, z0), (x1, y1, z1) = np.min(points, axis=0).tolist(), np.max(points, axis=0).tolist()
    return x0, x1, y0, y1, z0, z1


def lps_and_ras(bounds: Any) -> Bounds:
    """The same bounds in the other frame: from LPS to RAS or back, x and y change sign."""
    x0, x1, y0, y1, z0, z1 = (float(value) for value in bounds)
    return -x1, -x0, -y1, -y0, z0, z1


def bounds_of_box(box: Box, geometry: Geometry, margin_mm: float = 0.0) -> Bounds:
    """Bounds in LPS around the voxel centres of a box of a grid, with a margin in mm."""
    first, last = box.start_xyz, [stop - 1 for stop in box.stop_xyz]
    x0, x1, y0, y1, z0, z1 = bounds_of_points(geometry.to_physical(list(product(*zip(first, last, strict=True)))))
    return x0 - margin_mm, x1 + margin_mm, y0 - margin_mm, y1 + margin_mm, z0 - margin_mm, z1 + margin_mm


def touched_box(bounds_lps: Any, geometry: Geometry) -> Box | None:
    """The voxels of a grid that bounds in LPS (mm) touch, with a margin of one voxel; None when they lie outside the grid."""
    corners = geometry.to_index(corners_of(bounds_lps))
    first = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    last = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, np.asarray(geometry.size) - 1)
    return None if (last < first).any() else Box.between(first, last + 1)
