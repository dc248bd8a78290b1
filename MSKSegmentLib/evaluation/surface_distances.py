"""Distances between the surfaces of two masks, in millimetres.

A surface is made of the voxels of a mask that have a face in common with a voxel outside it. Where the labelled slices or
the field of view end, a structure is merely cut: there it has no surface, and a single labelled slice is compared
by its outlines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distances:
    """`average`: mean over the voxels of both surfaces of the distance to the other surface (average symmetric surface distance).

    `percentile_95`: the larger of both directions' 95th percentiles (95 % Hausdorff distance), `largest` of both directions'
    largest distances (Hausdorff distance): one stray voxel decides it. All in mm.
    """

    average: float
    percentile_95: float
    largest: float


def surface_distances(
    first: np.ndarray, second: np.ndarray, spacing_mm: tuple[float, float, float], slices: np.ndarray | None = None
) -> Distances | None:
    """Distances between the surfaces of two masks; None where one of them has no surface.

    Args:
        first: bool ``[z, y, x]``; at a face of the array a mask is taken to go on, so leave a margin where it ends.
        second: likewise.
        spacing_mm: voxel size ``(z, y, x)``.
        slices: bool ``[z]``, True where the slice counts; None means all. A mask is taken to go on beyond these too.
    """
    from monai.metrics import get_surface_distance

    slices = np.ones(first.shape[0], bool) if slices is None else slices
    first_surface, second_surface = _surfaces(first, second, slices)
    if not first_surface.any() or not second_surface.any():
        return None
    there = np.asarray(get_surface_distance(first_surface, second_surface, spacing=spacing_mm), dtype=float)
    back = np.asarray(get_surface_distance(second_surface, first_surface, spacing=spacing_mm), dtype=float)
    average = (there.sum() + back.sum()) / (there.size + back.size)
    percentile_95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return Distances(float(average), float(percentile_95), float(max(there.max(), back.max())))


def _surfaces(first: np.ndarray, second: np.ndarray, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface voxels of both masks, run by run of the slices that count."""
    from monai.metrics import get_mask_edges

    surfaces = np.zeros_like(first), np.zeros_like(second)
    for run in _runs(slices):
        # Repeating the outermost voxels takes the cut faces out of the surface; the repeated layer itself is dropped again.
        edges = get_mask_edges(*(np.pad(mask[run], 1, mode="edge") for mask in (first, second)), crop=False)
        surfaces[0][run], surfaces[1][run] = (np.asarray(edge)[1:-1, 1:-1, 1:-1] for edge in edges)
    return surfaces


def _runs(flags: np.ndarray) -> list[slice]:
    """Stretches of True in bool ``[n]``."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [slice(int(start), int(stop)) for start, stop in zip(changes[::2], changes[1::2], strict=True)]
