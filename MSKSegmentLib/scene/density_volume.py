"""The copy of the CT that a volume rendering of density is made from: all but the chosen segments is transparent."""

from __future__ import annotations

import numpy as np

from ..ct.boxes import Box
from ..ct.volume import Geometry
from .smooth_mask import ROOM_VOXELS, axes_to_halve, halved, halved_grid, smooth_mask

# Values inside a muscle are held to this range, so that calcium and gas inside it are drawn as its ends.
LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU = -200, 200
# Between a muscle voxel and the surroundings the renderer interpolates: the steeper the way to the transparent value,
# the thinner the rim of in-between values. Upwards it leads past lean at once; downwards it would paint a rim of fat.
UNDRAWN_HU = 30000

# Between these depths below the smooth surface of the mask, in thousandths of a voxel, it fades out. The surface is seen near the
# upper one: a little inside, because voxels at the very edge hold some of the fat around the muscle.
EDGE_DEPTHS = -250, 50

MOST_VOXELS = 12_000_000


def masked_copy(hu: np.ndarray, inside: np.ndarray, box: Box, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """What lies in the mask, held to `LOWEST_DRAWN_HU` to `HIGHEST_DRAWN_HU`, and `UNDRAWN_HU` around it, and its grid.

    Long voxels are halved where the copy stays below `MOST_VOXELS`: values are interpolated within the mask only, and its
    edge is smoothed (`smooth_mask`).

    Args:
        hu: int16 ``[z, y, x]`` of the whole CT.
        inside: bool ``[z, y, x]`` over `box`.
        box: the part of the CT that holds the mask.
        geometry: the CT's grid.

    Returns:
        int16 ``[z, y, x]``, `ROOM_VOXELS` of the CT wider than the box on each side, and its grid.
    """
    room = ROOM_VOXELS
    (x, y, z), (width, depth, height) = box.start_xyz, box.size_xyz
    mask = np.pad(inside, room)
    grid = geometry.cropped((x - room, y - room, z - room), (width + 2 * room, depth + 2 * room, height + 2 * room))
    axes = axes_to_halve(grid, MOST_VOXELS)
    values = np.pad(np.clip(hu[box.slices], LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU), room)
    if not axes:
        return np.where(mask, values, np.int16(UNDRAWN_HU)), grid
    depths = np.rint(1000 * smooth_mask(mask)).astype(np.int16)
    values, depths = halved(_continued(values, mask), axes), halved(depths, axes)
    grid = halved_grid(grid, axes)
    # A soft edge: the renderer finds the surface between voxels and its normals follow the mask, not the voxels.
    low, high = EDGE_DEPTHS
    copy = np.empty(values.shape, np.int16)
    for plane, value, inner in zip(copy, values, depths, strict=True):
        outside = np.clip((high - inner) / np.float32(high - low), 0, 1)
        plane[...] = np.rint(value + (UNDRAWN_HU - value) * outside)
    return copy, grid


def _continued(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values in the mask, and in the voxels around it the mean of their neighbours in the mask: int16."""
    from scipy import ndimage

    weight = ndimage.uniform_filter(mask.astype(np.float32), 3)
    total = ndimage.uniform_filter(np.where(mask, values, 0).astype(np.float32), 3)
    # Sums of tiny rests are no neighbours.
    around = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.01)
    return np.where(mask, values, np.rint(around)).astype(np.int16)
