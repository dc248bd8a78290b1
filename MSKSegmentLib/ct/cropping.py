"""Finding the body: a box and a mask without the table, from a coarse copy of the scan."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .boxes import Box, IndexTriple
from .modality import CT_MODALITY
from .volume import CTVolume, Geometry, Vector

BODY_THRESHOLD_HU = -300
BODY_SHARE_MR = 0.15
COARSE_SPACING_MM = 4.0
# Radius of the opening: it removes the surface of tables, blankets and cables, but no limb.
OPENING_MM = 7.0
# A second leg has at least a tenth of the first one's volume; a hand rest or a cable has less.
KEPT_SHARE = 0.1
SMALLEST_BODY_MM3 = 100_000.0

Stride = tuple[int, int, int]


@dataclass(frozen=True)
class CoarseBody:
    """The body on every n-th voxel: `mask` bool ``[z, y, x]``, filled; `stride` ``(x, y, z)`` in voxels of the CT.

    `first` ``(x, y, z)`` is the index of the CT's voxel that the first element of the mask stands for; it is negative in a
    cropped CT whose first voxel lies between two elements.
    """

    mask: np.ndarray
    stride: Stride
    spacing: Vector
    first: IndexTriple = (0, 0, 0)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one coarse voxel in cubic millimetres."""
        return self.spacing[0] * self.spacing[1] * self.spacing[2]

    def cropped(self, box: Box) -> CoarseBody:
        """The same body in the CT cropped to `box`; elements beside the box are kept, so that each of its voxels has one."""
        begin = [(start - first) // n for start, first, n in zip(box.start_xyz, self.first, self.stride, strict=True)]
        end = [-((first - stop) // n) for stop, first, n in zip(box.stop_xyz, self.first, self.stride, strict=True)]
        x, y, z = (slice(a, b) for a, b in zip(begin, end, strict=True))
        first_x, first_y, first_z = (
            first + a * n - start for first, a, n, start in zip(self.first, begin, self.stride, box.start_xyz, strict=True)
        )
        return replace(self, mask=self.mask[z, y, x], first=(first_x, first_y, first_z))


def coarse_stride(geometry: Geometry, spacing_mm: float = COARSE_SPACING_MM) -> Stride:
    """Strides ``(x, y, z)`` that subsample a grid to about `spacing_mm`; 1 along axes that are as coarse already."""
    x, y, z = (max(1, round(spacing_mm / spacing)) for spacing in geometry.spacing)
    return x, y, z


def subsampled(array: np.ndarray, stride: Stride) -> np.ndarray:
    """A view ``[z, y, x]`` of every n-th voxel."""
    return array[:: stride[2], :: stride[1], :: stride[0]]


def body_threshold(volume: CTVolume) -> float:
    """The value above which a voxel belongs to the body: -300 HU in CT; in MR 15 % of the way from the 1st to the 99th percentile.

    Around limbs, MR has noise of a few per cent of fat's signal; muscle has at least a quarter of it.
    """
    if volume.modality == CT_MODALITY:
        return BODY_THRESHOLD_HU
    low, high = np.percentile(subsampled(volume.intensities, coarse_stride(volume.geometry)), (1, 99))
    return float(low + BODY_SHARE_MR * (high - low))


def coarse_body(volume: CTVolume, smallest_mm3: float = SMALLEST_BODY_MM3) -> CoarseBody | None:
    """The body (or both legs) without table and blankets on a coarse grid, or None when there is none.

    Voxels above `body_threshold` of the subsampled scan are opened within each slice, the largest component (of `smallest_mm3` or
    more) and every other of at least a tenth of its size are kept, and holes such as bowel gas are filled. The first axis of the
    array (index z) must run across the slices.
    """
    from scipy import ndimage

    stride = coarse_stride(volume.geometry)
    sx, sy, sz = (s * n for s, n in zip(volume.geometry.spacing, stride, strict=True))
    disk = _disk(max(1, math.floor(OPENING_MM / sx)), max(1, math.floor(OPENING_MM / sy)))
    tissue = subsampled(volume.intensities, stride) > body_threshold(volume)
    opened = ndimage.binary_dilation(ndimage.binary_erosion(tissue, disk, border_value=1), disk)
    components, _ = ndimage.label(opened)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    if sizes.max() * sx * sy * sz < smallest_mm3:
        return None
    kept = (sizes >= KEPT_SHARE * sizes.max())[components]
    return CoarseBody(ndimage.binary_fill_holes(kept, _disk(1, 1)), stride, (sx, sy, sz))


def _disk(radius_x: int, radius_y: int) -> np.ndarray:
    """A structuring element ``[1, y, x]``: an ellipse within the slice."""
    y, x = np.ogrid[-radius_y : radius_y + 1, -radius_x : radius_x + 1]
    return ((x / radius_x) ** 2 + (y / radius_y) ** 2 <= 1)[None]


def body_box(volume: CTVolume, margin_mm: float = 10.0) -> Box | None:
    """The smallest box around the body (both legs where they are apart), widened by `margin_mm`; None without a body.

    The box is cut at the volume's faces. Table and blankets do not count.
    """
    body = coarse_body(volume)
    return None if body is None else box_around(body, volume.geometry, margin_mm)


def box_around(body: CoarseBody, geometry: Geometry, margin_mm: float = 10.0) -> Box:
    """The smallest box of a CT's grid around the body found in it, widened by `margin_mm` and cut at the CT's faces."""
    start, stop = [0, 0, 0], [0, 0, 0]
    for axis in range(3):
        occupied = np.flatnonzero(body.mask.any(axis=tuple(a for a in range(3) if a != 2 - axis)))
        # One coarse voxel more on either side: the surface lies somewhere between two samples.
        margin = math.ceil(margin_mm / geometry.spacing[axis]) + body.stride[axis] - 1
        start[axis] = max(0, int(occupied[0]) * body.stride[axis] - margin)
        stop[axis] = min(geometry.size[axis], int(occupied[-1]) * body.stride[axis] + margin + 1)
    return Box.between(start, stop)


def body_mask(volume: CTVolume, body: CoarseBody | None = None) -> np.ndarray | None:
    """The body inside its skin, bool ``[z, y, x]`` on the CT's grid, without the table; None without a body.

    `body` is the result of `coarse_body`, if it was found earlier.

    The skin is the -300 HU surface of the full grid near the coarse body; what the coarse body encloses counts as body
    whatever its HU, so that bowel gas does not make holes.
    """
    from scipy import ndimage

    body = body or coarse_body(volume)
    if body is None:
        return None
    inner = ndimage.binary_erosion(body.mask, _disk(1, 1), border_value=1)
    outer = ndimage.binary_dilation(body.mask, _disk(1, 1))
    rows, columns = (
        np.minimum(np.rint(np.arange(n) / s).astype(int), coarse_size - 1)
        for n, s, coarse_size in zip(volume.hu.shape[1:], body.stride[1::-1], body.mask.shape[1:], strict=True)
    )
    mask = np.empty(volume.hu.shape, dtype=bool)
    threshold = body_threshold(volume)
    for k, section in enumerate(volume.hu):
        coarse_k = min(round(k / body.stride[2]), body.mask.shape[0] - 1)
        near = outer[coarse_k][np.ix_(rows, columns)]
        mask[k] = near & ((section > threshold) | inner[coarse_k][np.ix_(rows, columns)])
    return mask
