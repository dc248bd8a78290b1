"""The copy of the CT that a volume rendering of density is made from: all but the chosen segments is transparent."""

from __future__ import annotations

import numpy as np

from ..ct.boxes import Box
from ..ct.volume import Geometry

# Values inside a muscle are held to this range, so that calcium and gas inside it are drawn as its ends.
LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU = -200, 200
# Between a muscle voxel and the surroundings the renderer interpolates: the steeper the way to the transparent value,
# the thinner the rim of in-between values. Upwards it leads past lean at once; downwards it would paint a rim of fat.
UNDRAWN_HU = 30000

# The mask is counted in thousandths. Between these shares of it (after smoothing) it fades out. The surface is seen near
# the upper one: a little inside, because voxels at the very edge hold some of the fat around the muscle.
WHOLE = 1000
EDGE_SHARES = 400, 600
# What is thinner than three voxels has no core; blurred to less than this it would vanish.
THIN_SHARE = 800

# Voxels longer than this are halved, so that a surface shows the muscle rather than the voxels.
FINE_MM = 0.8
MOST_VOXELS = 12_000_000


def masked_copy(hu: np.ndarray, inside: np.ndarray, box: Box, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """What lies in the mask, held to `LOWEST_DRAWN_HU` to `HIGHEST_DRAWN_HU`, and `UNDRAWN_HU` around it, and its grid.

    Long voxels are halved where the copy stays below `MOST_VOXELS`: values are interpolated within the mask only, and its
    edge is smoothed by less than half a voxel.

    Args:
        hu: int16 ``[z, y, x]`` of the whole CT.
        inside: bool ``[z, y, x]`` over `box`.
        box: the part of the CT that holds the mask.
        geometry: the CT's grid.

    Returns:
        int16 ``[z, y, x]``, at least one voxel wider than the box on each side, and its grid.
    """
    mask = np.pad(inside, 1)
    values = np.pad(np.clip(hu[box.slices], LOWEST_DRAWN_HU, HIGHEST_DRAWN_HU), 1)
    x, y, z = box.start_xyz
    grid = geometry.cropped((x - 1, y - 1, z - 1), mask.shape[::-1])
    axes = _axes_to_halve(grid)
    if not axes:
        return np.where(mask, values, np.int16(UNDRAWN_HU)), grid
    values, share = _continued(values, mask), _smoothed(mask, axes)
    for axis in axes:
        values, share = _halved(values, axis), _halved(share, axis)
    grid = _halved_grid(grid, axes)
    # A soft edge: the renderer finds the surface between voxels and its normals follow the mask, not the voxels.
    low, high = EDGE_SHARES
    copy = np.empty(values.shape, np.int16)
    for plane, value, inner in zip(copy, values, share, strict=True):
        outside = np.clip((high - inner) / np.float32(high - low), 0, 1)
        plane[...] = np.rint(value + (UNDRAWN_HU - value) * outside)
    return copy, grid


def _axes_to_halve(grid: Geometry) -> list[int]:
    """Array axes (0 is z), the longest voxels first, as long as the copy stays small enough."""
    voxels, axes = int(np.prod(grid.size)), []
    for axis in sorted(range(3), key=lambda axis: -grid.spacing[2 - axis]):
        if grid.spacing[2 - axis] > FINE_MM and voxels * 2 <= MOST_VOXELS:
            voxels *= 2
            axes.append(axis)
    return axes


def _continued(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values in the mask, and in the voxels around it the mean of their neighbours in the mask: int16."""
    from scipy import ndimage

    weight = ndimage.uniform_filter(mask.astype(np.float32), 3)
    total = ndimage.uniform_filter(np.where(mask, values, 0).astype(np.float32), 3)
    # Sums of tiny rests are no neighbours.
    around = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.01)
    return np.where(mask, values, np.rint(around)).astype(np.int16)


def _smoothed(mask: np.ndarray, axes: list[int]) -> np.ndarray:
    """The mask in thousandths (int16), blurred along these axes but where it is thin."""
    from scipy import ndimage

    size = [3 if axis in axes else 1 for axis in range(3)]
    blurred = ndimage.uniform_filter(mask * np.int16(WHOLE), size)
    thin = ndimage.maximum_filter(blurred, size) < WHOLE
    return np.maximum(blurred, (mask & thin) * np.int16(THIN_SHARE))


def _halved(array: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many voxels (int16) along an axis, linearly interpolated; the ends are held."""
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


def _halved_grid(grid: Geometry, axes: list[int]) -> Geometry:
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
