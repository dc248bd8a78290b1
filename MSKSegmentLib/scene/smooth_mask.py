"""Masks made smooth, and grids made finer, for display only."""

from __future__ import annotations

import numpy as np

from ..ct.volume import Geometry

# A mask is widened, blurred with this standard deviation, and narrowed again, all in voxels. A sheet of one voxel keeps its
# thickness by that, where blurring alone would lose it.
_WIDER, _BLUR = 1.6, 0.8
# The edge of a voxel lies so far from its centre.
_HALF_VOXEL = 0.5
# For thin bone: widened by more and narrowed by a little less, a sheet closes over cracks of about two voxels.
_WIDER_BRIDGED, _THICKER_BRIDGED = 3.0, 0.4
# Voxels around a mask that its smooth version needs.
ROOM_VOXELS = 4

# Voxels longer than this are halved, so that a rendering shows the structure rather than the voxels.
FINE_MM = 0.8


def smooth_mask(mask: np.ndarray, bridged: bool = False) -> np.ndarray:
    """How deep each voxel lies below a surface around the mask that lacks the steps of the voxels.

    Args:
        mask: bool ``[z, y, x]``, with at least `ROOM_VOXELS` empty voxels on each side.
        bridged: close cracks of about two voxels in thin sheets; the surface then lies 0.4 voxels farther outside.

    Returns:
        Depth in voxels, float32 ``[z, y, x]``: positive inside, 0 at the surface; far from the surface only the sign tells.
    """
    from scipy import ndimage, special

    wider = _WIDER_BRIDGED if bridged else _WIDER
    edge = _HALF_VOXEL + (_THICKER_BRIDGED if bridged else 0)
    # In voxels, not in millimetres: slices may be ten times as far apart as pixels.
    share = np.clip(0.5 + wider - ndimage.distance_transform_edt(~mask), 0, 1).astype(np.float32)
    share = ndimage.gaussian_filter(share, _BLUR)
    # Across a blurred edge the share follows the normal distribution.
    depth = _BLUR * special.ndtri(np.clip(share, 1e-3, 1 - 1e-4)) - (wider - edge)
    return depth.astype(np.float32)


def axes_to_halve(grid: Geometry, most_voxels: int) -> list[int]:
    """Array axes (0 is z) along which voxels are long, the longest first, as long as the halved grid stays small enough."""
    voxels, axes = int(np.prod(grid.size)), []
    for axis in sorted(range(3), key=lambda axis: -grid.spacing[2 - axis]):
        if grid.spacing[2 - axis] > FINE_MM and voxels * 2 <= most_voxels:
            voxels *= 2
            axes.append(axis)
    return axes


def halved(array: np.ndarray, axes: list[int]) -> np.ndarray:
    """Twice as many voxels (int16) along each of the axes, linearly interpolated; the ends are held."""
    for axis in axes:
        array = _halved(array, axis)
    return array


def halved_grid(grid: Geometry, axes: list[int]) -> Geometry:
    """The grid after `halved`."""
    factor = [2 if 2 - axis in axes else 1 for axis in range(3)]
    spacing = [length / number for length, number in zip(grid.spacing, factor, strict=True)]
    # The first half voxel lies a quarter of a voxel before the middle of the whole one.
    origin = grid.to_physical([0.0 if number == 1 else -0.25 for number in factor])
    x, y, z = (count * number for count, number in zip(grid.size, factor, strict=True))
    return Geometry(
        (x, y, z),
        (spacing[0], spacing[1], spacing[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        grid.direction,
    )


def _halved(array: np.ndarray, axis: int) -> np.ndarray:
    shape = list(array.shape)
    shape[axis] *= 2
    fine = np.empty(shape, np.int16)

    def part(source: np.ndarray, *where: int | None) -> np.ndarray:
        return source[(slice(None),) * axis + (slice(*where),)]

    own, shift = 3 * array + np.int16(2), np.int16(2)
    part(fine, 2, None, 2)[...] = (part(own, 1, None) + part(array, 0, -1)) >> shift
    part(fine, 1, -1, 2)[...] = (part(own, 0, -1) + part(array, 1, None)) >> shift
    part(fine, 0, 1)[...] = part(array, 0, 1)
    part(fine, -1, None)[...] = part(array, -1, None)
    return fine
