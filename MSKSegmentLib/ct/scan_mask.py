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
# A calibration phantom or a table top against the skin: so wide and long, flat within so much, and without fat in a layer that is
# subcutaneous in a body.
FLAT_WIDTH_MM, FLAT_LENGTH_MM, FLAT_WITHIN_MM = 120.0, 30.0, 3.0
_LAYER_MM = (4.0, 12.0)
MOST_FAT_HU = -30.0


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


def has_flat_object(mask: np.ndarray, volume: CTVolume) -> bool:
    """Whether a mask of the body, bool ``[z, y, x]``, includes something flat and dense below it, such as a calibration phantom.

    `volume` is a CT with its axes in order, y growing to posterior. Judged are the columns that reach within 3 mm of the lowest one
    of their slice: in a body they are a narrow part of it, and 4 to 12 mm above its skin lies fat. An object that is curved, tilted
    by more than a degree, narrower than 120 mm, as soft as fat, thin, or not the lowest part of the mask is not seen.
    """
    x, y, z = volume.geometry.spacing
    height = mask.shape[1]
    first, last = (max(1, round(mm / y)) for mm in _LAYER_MM)
    found_mm = 0.0
    for plane, section in zip(mask, volume.hu, strict=True):
        lowest = np.where(plane.any(axis=0), height - 1 - plane[::-1].argmax(axis=0), -1)
        flat = np.flatnonzero(lowest >= lowest.max() - FLAT_WITHIN_MM / y) if lowest.max() > last else np.empty(0, int)
        if flat.size:
            rows = lowest[flat] - np.arange(first, last + 1)[:, None]
            is_dense = section[rows.clip(0), flat].mean(axis=0) > MOST_FAT_HU
            # Columns side by side: two legs that lie flat are two objects.
            runs = np.split(is_dense, np.flatnonzero(np.diff(flat) > 1) + 1)
            if max(int(np.count_nonzero(run)) for run in runs) * x >= FLAT_WIDTH_MM:
                found_mm += z
    return found_mm >= FLAT_LENGTH_MM


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
