"""What a mask shows by itself, without any network: loose pieces, holes, slices in which it jumps, its surface and length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.volume import Geometry
from ..segmentation.components import CONNECTIVITY, MAIN_SHARE

# A slice that contradicts its neighbours by so much, in Dice coefficients, is worth a sentence.
JUMPS_FROM = 0.5


@dataclass(frozen=True)
class MaskShape:
    """One segment of a mask by itself.

    `stray_components` are the pieces of less than a tenth of the largest one, `stray_share` their share of the voxels, `hole_share`
    that of unlabelled voxels which the segment encloses in a slice. `jump_share` is how much of the segment jumps: the mean over
    its slices of what both neighbours share and the slice lacks (0..1). `jumping` says of its slices, from number `first_slice` on,
    which ones do so by a half. `surface` is log(surface / volume^(2/3)) and `length`
    log(extent along the body / volume^(1/3)).
    """

    stray_components: int
    stray_share: float
    hole_share: float
    jump_share: float
    jumping: np.ndarray
    first_slice: int
    surface: float
    length: float


def mask_shapes(mask: np.ndarray, geometry: Geometry) -> dict[int, MaskShape]:
    """Label -> shape for a mask uint8 ``[z, y, x]`` whose slices follow the body, on `geometry`."""
    from scipy import ndimage

    boxes = ndimage.find_objects(mask)
    return {
        label: _shape(mask[box], label, geometry.spacing[::-1], box[0].start)
        for label, box in enumerate(boxes, start=1)
        if box is not None
    }


def _shape(labels: np.ndarray, label: int, spacing: tuple[float, ...], first_slice: int) -> MaskShape:
    mask = labels == label
    jumped = jumps(mask)
    count = np.count_nonzero(mask)
    pieces = _pieces(mask)
    strays = pieces[pieces < MAIN_SHARE * pieces.max()]
    volume = count * float(np.prod(spacing))
    return MaskShape(
        stray_components=len(strays),
        stray_share=float(strays.sum() / count),
        hole_share=float(_hole_voxels(mask, labels) / count),
        jump_share=float(np.average(jumped, weights=_weights(mask))),
        jumping=jumped >= JUMPS_FROM,
        first_slice=first_slice,
        surface=float(np.log(_surface(mask, spacing) / volume ** (2 / 3))),
        length=float(np.log(len(mask) * spacing[0] / volume ** (1 / 3))),
    )


def _pieces(mask: np.ndarray) -> np.ndarray:
    """Voxels of each component."""
    import cc3d

    ids = cc3d.connected_components(np.ascontiguousarray(mask).view(np.uint8), connectivity=CONNECTIVITY)
    return np.bincount(ids.ravel())[1:]


def _hole_voxels(mask: np.ndarray, labels: np.ndarray) -> int:
    """Unlabelled voxels that the mask encloses within a slice."""
    from scipy import ndimage

    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1] = [[False, True, False], [True, True, True], [False, True, False]]
    free = np.pad(~mask, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    ids, _ = ndimage.label(free, structure=in_plane)
    outside = np.isin(ids, ids[:, 0, 0])
    return int(np.count_nonzero((free & ~outside)[:, 1:-1, 1:-1] & (labels == 0)))


def jumps(mask: np.ndarray) -> np.ndarray:
    """How far each slice of bool ``[z, y, x]`` contradicts its neighbours, ``[z]``: 0 not at all, 1 missing between equal ones.

    A slice between two that agree with each other should agree with both: what it falls short of that, in Dice coefficients. One
    without a voxel between others contradicts them wholly.
    """
    areas = mask.sum(axis=(1, 2))
    found = np.where(areas == 0, 1.0, 0.0)
    if len(mask) < 3:
        return found
    near, far = _overlaps(mask, areas, 1), _overlaps(mask, areas, 2)
    found[1:-1] = np.where(areas[1:-1] == 0, 1.0, np.maximum(0.0, far - (near[:-1] + near[1:]) / 2))
    return found


def _overlaps(mask: np.ndarray, areas: np.ndarray, step: int) -> np.ndarray:
    """Dice coefficients of the slices that are `step` apart."""
    shared = (mask[step:] & mask[:-step]).sum(axis=(1, 2))
    total = areas[step:] + areas[:-step]
    return np.divide(2 * shared, total, out=np.zeros(len(total)), where=total > 0)


def _weights(mask: np.ndarray) -> np.ndarray:
    """The area that each slice should have: its own, or what its neighbours have where that is more."""
    areas = mask.sum(axis=(1, 2)).astype(float)
    present = np.flatnonzero(areas)
    return np.maximum(areas, np.interp(np.arange(len(areas)), present, areas[present]))


def _surface(mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    """The area of all faces between mask and the rest, in mm2."""
    padded = np.pad(mask, 1)
    whole = float(np.prod(spacing))
    return sum(float(np.count_nonzero(np.diff(padded, axis=axis))) * whole / spacing[axis] for axis in range(3))
