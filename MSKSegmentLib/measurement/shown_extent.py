"""How much of a slice is shown so that a structure is seen with some surroundings."""

from __future__ import annotations

import numpy as np

from ..ct.volume import Vector

# At least this width, and this much beside the structure.
_LEAST_WIDTH_MM = 90.0
_MARGIN_MM = 18.0


def extent_in_plane(inside: np.ndarray, spacing: Vector) -> tuple[tuple[float, float], float]:
    """The middle ``(x, y)`` of a plane's voxels in voxels, and half of the width in mm that shows them with a margin.

    `inside` is bool ``[y, x]`` and `spacing` begins with that of x and y; a plane without a voxel is shown as a whole.
    """
    rows, columns = np.nonzero(inside)
    if rows.size == 0:
        rows, columns = (np.array([0, size - 1]) for size in inside.shape)
    middle = float(columns.min() + columns.max()) / 2, float(rows.min() + rows.max()) / 2
    extent = max(np.ptp(columns) * spacing[0], np.ptp(rows) * spacing[1])
    return middle, max(float(extent) / 2 + _MARGIN_MM, _LEAST_WIDTH_MM / 2)
