"""A second leg that is only partly in view, told from the one whose femur is there."""

from __future__ import annotations

import numpy as np

from .components import Parts
from .side_field import CoarseGrid
from .tracks import component_tracks, track_of

# Pieces of one muscle lie about as far from its femur; the same muscle of the other leg lies this much farther.
FARTHER_MM = 30.0
SMALLEST_SHARE = 0.02


def own_and_other(parts: Parts, femur: np.ndarray, grid: CoarseGrid) -> tuple[np.ndarray, np.ndarray]:
    """Which components of a structure belong to the femur's leg and which to the other one, bool ``[n]`` each.

    Of the components with at least 2 % of the largest one's voxels the one nearest to the femur is its own; one
    that in the slices it shares with that lies at least 30 mm farther from the femur is the other leg's. Of the
    rest nothing is said.

    Args:
        parts: the components.
        femur: coarse mask ``[z, y, x]`` of the only femur.
        grid: the coarse grid.
    """
    axis = _continued(track_of(femur, grid))
    large = np.flatnonzero(parts.voxels >= SMALLEST_SHARE * parts.voxels.max())
    tracks = component_tracks(parts, large, femur.shape[0], grid)
    distances = {index: np.linalg.norm(track - axis, axis=1) for index, track in tracks}
    nearest = min(distances, key=lambda index: float(np.nanmean(distances[index])))
    own = np.zeros(parts.voxels.size, dtype=bool)
    own[nearest] = True
    other = np.zeros_like(own)
    for index, distance in distances.items():
        farther = distance - distances[nearest]
        shared = farther[np.isfinite(farther)]
        other[index] = shared.size > 0 and float(np.median(shared)) >= FARTHER_MM
    return own, other


def _continued(track: np.ndarray) -> np.ndarray:
    """A track without gaps: between its slices linear, beyond its ends as at the ends."""
    filled_slices = np.flatnonzero(np.isfinite(track[:, 0]))
    every = np.arange(track.shape[0])
    return np.stack([np.interp(every, filled_slices, track[filled_slices, column]) for column in range(2)], axis=1)
