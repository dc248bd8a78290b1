"""The copy of the CT that a volume rendering of density is made from: all but the chosen segments is transparent.

A voxel of it has two values, for colour and opacity. So the edge of a muscle can fade out over a whole voxel, without in-between HU
that would paint a rim of another tissue, and without the steps and lines of an edge that is sharper than voxels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ct.boxes import Box
from ..ct.volume import Geometry
from .smooth_mask import ROOM_VOXELS, axes_to_halve, halved, halved_grid, smooth_mask

# Values inside a muscle are held to this range, so that calcium and gas inside it are drawn as its ends.
LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU = -200, 200
# Opacities are integers: this is 1 per millimetre.
FULL_OPACITY = 1000

# Between these depths below the smooth surface of the mask, in thousandths of a voxel, it fades in: less would show the voxels.
EDGE_DEPTHS = -500, 500

# Colours change at -30 and 30 HU only, but the renderer takes the light from the slope of the values for colour, which within fat
# and lean would show noise. So they are held to this range, and rise with the depth below the surface instead, over a few voxels.
HELD_TO_HU = 40
_RELIEF = 150
_RELIEF_BLUR_VOXELS = 1.5
# From here to `HELD_TO_HU` the relief sets in, so that it moves no limit between colours.
_RELIEF_FROM_HU = 30

MOST_VOXELS = 12_000_000


def masked_copy(
    hu: np.ndarray, inside: np.ndarray, box: Box, geometry: Geometry, opacities: Sequence[tuple[float, float]]
) -> tuple[np.ndarray, Geometry]:
    """What lies in the mask as colours and opacities, and its grid.

    Long voxels are halved where the copy stays below `MOST_VOXELS`: values are interpolated within the mask only, and its
    edge is smoothed (`smooth_mask`).

    Args:
        hu: int16 ``[z, y, x]`` of the whole CT.
        inside: bool ``[z, y, x]`` over `box`.
        box: the part of the CT that holds the mask.
        geometry: the CT's grid.
        opacities: HU, rising, and opacity per millimetre there; in between it is linear.

    Returns:
        int16 ``[z, y, x, 2]``, `ROOM_VOXELS` of the CT wider than the box on each side: a value for the colour, which is the HU
        between -30 and 30 and on the same side of these limits elsewhere; the opacity in thousandths per millimetre, 0 outside the
        mask. And its grid.
    """
    room = ROOM_VOXELS
    (x, y, z), (width, depth, height) = box.start_xyz, box.size_xyz
    mask = np.pad(inside, room)
    grid = geometry.cropped((x - room, y - room, z - room), (width + 2 * room, depth + 2 * room, height + 2 * room))
    axes = axes_to_halve(grid, MOST_VOXELS)
    values = np.pad(np.clip(hu[box.slices], LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU), room)
    low, high = EDGE_DEPTHS
    if axes:
        depths = halved(np.rint(1000 * smooth_mask(mask)).astype(np.int16), axes)
        values = halved(_continued(values, mask), axes)
        grid = halved_grid(grid, axes)
    else:
        depths = np.where(mask, np.int16(high), np.int16(low))
    scale = np.arange(LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU + 1)
    known = np.array(opacities, dtype=float)
    of_hu = np.interp(scale, known[:, 0], known[:, 1]).astype(np.float32) * FULL_OPACITY
    shares = np.clip((depths - low) / np.float32(high - low), 0, 1)
    relief = _relief(shares) if axes else shares
    copy = np.empty((*values.shape, 2), np.int16)
    for plane, value, share, rise in zip(copy, values, shares, relief, strict=True):
        held = np.clip(value, -HELD_TO_HU, HELD_TO_HU).astype(np.float32)
        beyond = np.clip((np.abs(held) - _RELIEF_FROM_HU) / (HELD_TO_HU - _RELIEF_FROM_HU), 0, 1)
        plane[..., 0] = np.rint(held + _RELIEF * rise * beyond * np.sign(held))
        plane[..., 1] = np.rint(share * of_hu[value - LOWEST_DRAWN_HU])
    return copy, grid


def _relief(shares: np.ndarray) -> np.ndarray:
    """A share that rises more slowly, from outside the edge to well inside of it."""
    from scipy import ndimage

    return ndimage.gaussian_filter(shares, _RELIEF_BLUR_VOXELS)


def _continued(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values in the mask, and in the two voxels around it the mean of their neighbours in the mask: int16.

    Two, because halving mixes the voxel at the edge with the one beyond.
    """
    for _ in range(2):
        values, mask = _continued_by_one(values, mask)
    return values


def _continued_by_one(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy import ndimage

    weight = ndimage.uniform_filter(mask.astype(np.float32), 3)
    total = ndimage.uniform_filter(np.where(mask, values, 0).astype(np.float32), 3)
    # Sums of tiny rests are no neighbours.
    known = weight > 0.01
    around = np.divide(total, weight, out=np.zeros_like(total), where=known)
    return np.where(mask, values, np.rint(around)).astype(np.int16), mask | known
