"""Interpolation of an array between its voxels, axis by axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def resampled(array: np.ndarray, grid: Sequence[np.ndarray], order: int) -> np.ndarray:
    """Nearest (order 0) or linear (order 1) interpolation of ``[z, y, x]`` at `grid`, indices per axis ``(z, y, x)``; a copy."""
    for axis, positions in enumerate(grid):
        inside = np.clip(positions, 0, array.shape[axis] - 1)
        if order == 0:
            array = np.take(array, np.rint(inside).astype(int), axis)
            continue
        low = np.minimum(inside.astype(int), max(array.shape[axis] - 2, 0))
        part = (inside - low).astype(np.float32)
        part = part.reshape([-1 if k == axis else 1 for k in range(3)])
        high = np.minimum(low + 1, array.shape[axis] - 1)
        array = np.take(array, low, axis) * (1 - part) + np.take(array, high, axis) * part
    return array
