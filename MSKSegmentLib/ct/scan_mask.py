"""A first stage's mask: dilating it, checking it against the body, and applying it to a scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .cropping import CoarseBody, subsampled
from .volume import CTVolume, Geometry

# A mask of structures lies within the body, except for errors at the skin and of the coarse grid.
LEAST_INSIDE = 0.8
# The body inside its skin is as large as the coarse body, within these shares.
LEAST_OF_BODY, MOST_OF_BODY = 0.75, 1.25
# Areas of a body 4 mm apart differ by less than this share of the larger; a table in the mask or a missing leg makes it more.
MOST_JUMP = 0.35
_JUMP_MM = 4.0
# Ends of a scan, which are not checked: there a rotated volume shows only a part of the body.
_ENDS_MM = 20.0
SMALLEST_MASK_MM3 = 5_000.0


def widened(mask: np.ndarray, geometry: Geometry, margin_mm: float) -> np.ndarray:
    """Dilate a mask bool ``[z, y, x]`` on `geometry` by `margin_mm`, rounded down to whole voxels along each axis."""
    if margin_mm <= 0:
        return mask
    import SimpleITK as sitk

    radius = [int(margin_mm // spacing) for spacing in geometry.spacing]
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryDilate(image, radius, sitk.sitkBall)).astype(bool)


def mask_problem(mask: np.ndarray, body: CoarseBody, geometry: Geometry, is_body: bool) -> str | None:
    """Why a mask bool ``[z, y, x]`` on `geometry` cannot be right, as the end of a sentence; None if it passes all checks.

    `body` is the body on the same grid. A mask that `is_body` must also be as large as the body and change little from slice
    to slice.
    """
    if np.count_nonzero(mask) * geometry.voxel_volume_mm3 < SMALLEST_MASK_MM3:
        return "it found nothing"
    levels = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(levels) != levels[-1] - levels[0] + 1:
        return "its mask has gaps between slices"
    coarse = subsampled(mask, body.stride)
    if np.count_nonzero(coarse & body.mask) < LEAST_INSIDE * np.count_nonzero(coarse):
        return "its mask lies outside the body"
    if not is_body:
        return None
    if not LEAST_OF_BODY <= np.count_nonzero(coarse) / np.count_nonzero(body.mask) <= MOST_OF_BODY:
        return "its mask is not as large as the body"
    every = max(1, round(_JUMP_MM / geometry.spacing[2]))
    ends = int(_ENDS_MM // geometry.spacing[2])
    areas = np.count_nonzero(mask[levels[0] + ends : levels[-1] + 1 - ends : every], axis=(1, 2))
    if areas.size > 1 and (np.abs(np.diff(areas)) / np.maximum(areas[1:], areas[:-1])).max() > MOST_JUMP:
        return "its mask jumps between neighbouring slices"
    return None


def seen_through(volume: CTVolume, mask: np.ndarray, fill: float) -> CTVolume:
    """A copy of a scan with `fill` outside a mask bool ``[z, y, x]`` of its voxels."""
    values = np.where(mask, volume.intensities, np.asarray(fill, volume.intensities.dtype))
    return replace(volume, hu=np.ascontiguousarray(values))


def labels_cut_by(labels: np.ndarray, mask: np.ndarray, tissue: np.ndarray, share: float) -> list[int]:
    """Labels of which more than `share` of the voxels lie at tissue in the same slice that a mask hides.

    All are ``[z, y, x]`` on one grid: `labels` uint8, `mask` and `tissue` (neither air nor table) bool.
    """
    touching, whole = np.zeros(256, int), np.bincount(labels.ravel(), minlength=256)
    for plane, kept, shown in zip(labels, mask, tissue, strict=True):
        hidden = shown & ~kept
        if not hidden.any():
            continue
        beside = hidden.copy()
        beside[1:] |= hidden[:-1]
        beside[:-1] |= hidden[1:]
        beside[:, 1:] |= hidden[:, :-1]
        beside[:, :-1] |= hidden[:, 1:]
        touching += np.bincount(plane[beside], minlength=256)
    return [int(label) for label in np.flatnonzero(touching > share * whole) if label]
