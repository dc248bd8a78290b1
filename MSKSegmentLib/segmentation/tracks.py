"""The centroids of a component's slices: by them legs are told apart that no surface divides yet.

Arrays have their axes in order, ``[z, y, x]`` growing to superior, posterior, left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .components import Parts
from .side_field import CoarseGrid

# Legs may cross at the knees but not at the hips: the upper part decides which leg is which.
UPPER_MM = 100.0


def component_tracks(parts: Parts, indices: Iterable[int], slices: int, grid: CoarseGrid) -> Iterator[tuple[int, np.ndarray]]:
    """Each of these components (from 0) with its track, as `track_of` its mask; what a noisy network drew has thousands of them."""
    ids, where = grid.component_samples(parts)
    order = np.argsort(ids, kind="stable")
    ends = np.searchsorted(ids[order], np.arange(1, parts.voxels.size + 2))
    for index in indices:
        yield int(index), _track(where[:, order[ends[index] : ends[index + 1]]], slices, grid)


def track_of(mask: np.ndarray, grid: CoarseGrid) -> np.ndarray:
    """Centroid ``(y, x)`` in mm of each slice of a mask, nan where there is none: ``[z, 2]``."""
    return _track(np.stack(np.nonzero(mask)), mask.shape[0], grid)


def _track(where: np.ndarray, slices: int, grid: CoarseGrid) -> np.ndarray:
    """The same of voxels by their indices ``[3, m]`` in so many slices."""
    z, y, x = where
    count = np.bincount(z, minlength=slices).astype(float)
    count[count == 0] = np.nan
    sums = [np.bincount(z, values, minlength=slices) for values in (y * grid.spacing[1], x * grid.spacing[2])]
    return np.stack(sums, axis=1) / count[:, None]


def track_distance(track: np.ndarray, other: np.ndarray, grid: CoarseGrid) -> float:
    """Median distance of two tracks in the slices they share; else between the ends that face each other."""
    difference = np.linalg.norm(track - other, axis=1)
    shared = np.isfinite(difference)
    if shared.any():
        return float(np.median(difference[shared]))
    here, there = (np.flatnonzero(np.isfinite(positions[:, 0])) for positions in (track, other))
    ends = (here[-1], there[0]) if here[-1] < there[0] else (here[0], there[-1])
    return float(np.linalg.norm(track[ends[0]] - other[ends[1]]))


def upper_x(track: np.ndarray, other: np.ndarray, grid: CoarseGrid) -> bool:
    """Whether the first track lies to the right (at smaller x) of the other in the upper part of what they share."""
    shared = np.flatnonzero(np.isfinite(track[:, 1] - other[:, 1]))
    if shared.size == 0:
        return bool(np.nanmean(track[:, 1]) < np.nanmean(other[:, 1]))
    upper = shared[shared > shared[-1] - UPPER_MM / grid.spacing[0]]
    return bool(np.mean(track[upper, 1] - other[upper, 1]) < 0)
