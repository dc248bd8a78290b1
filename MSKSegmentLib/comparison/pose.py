"""How the femora lie in a scan: the axes of their shafts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..anatomy import Landmark, Side
from ..case_result import CaseResult
from ..ct.orientation import axis_order
from ..ct.volume import Geometry

# Of a femur's visible length: below and above lie condyles and trochanters, which are not on the shaft's axis.
_SHAFT = (0.25, 0.75)
_SHORTEST_SHAFT_MM = 60.0


def femur_axes(result: CaseResult) -> Mapping[Side, np.ndarray]:
    """Side -> unit vector of the femoral shaft, LPS, pointing up: through the centroids of its cross-sections.

    Femora of which too little is seen are left out.
    """
    order = axis_order(result.geometry.direction)
    labels, grid = order.apply(result.labels), order.geometry(result.geometry)
    axes = {}
    for report in result.reports:
        if report.segment.structure.landmark is Landmark.FEMUR:
            axis = _axis(np.argwhere(labels == report.segment.label), grid)
            if axis is not None:
                axes[report.segment.side] = axis
    return axes


def angle_degrees(one: np.ndarray, two: np.ndarray) -> float:
    """The angle between two unit vectors in degrees."""
    return math.degrees(math.acos(float(np.clip(one @ two, -1.0, 1.0))))


def _axis(voxels: np.ndarray, grid: Geometry) -> np.ndarray | None:
    if not len(voxels):
        return None
    low, high = voxels[:, 0].min(), voxels[:, 0].max()
    levels = np.arange(math.ceil(low + _SHAFT[0] * (high - low)), math.floor(low + _SHAFT[1] * (high - low)) + 1)
    shaft = voxels[np.isin(voxels[:, 0], levels)]
    counts = np.bincount(shaft[:, 0], minlength=high + 1)
    used = np.flatnonzero(counts)
    if used.size < 2:
        return None
    sums = [np.bincount(shaft[:, 0], weights=shaft[:, axis], minlength=high + 1)[used] / counts[used] for axis in (2, 1)]
    centres = grid.to_physical(np.stack([*sums, used], axis=1))
    if np.linalg.norm(centres[-1] - centres[0]) < _SHORTEST_SHAFT_MM:
        return None
    axis = np.linalg.svd(centres - centres.mean(axis=0))[2][0]
    return np.asarray(axis if axis[2] > 0 else -axis)
