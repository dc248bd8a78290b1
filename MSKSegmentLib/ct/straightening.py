"""Undoing a gantry tilt: slices that are shifted against each other within their planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .orientation import AIR_HU
from .volume import Geometry


def straighten(hu: np.ndarray, shifts: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """Move each slice within its plane to where it lies in the patient, on a grid widened by what that takes.

    In plane the pixels are far smaller than the slice interval, so that interpolating there blurs least. Air fills the
    rim.

    Args:
        hu: int16 ``[z, y, x]``, slices as they are stored.
        shifts: float ``[z, 2]`` in mm: how far each slice's first pixel lies off the first slice's, along the first and
            the second column of the direction.
        geometry: the grid without the shifts; its direction's columns are at right angles, its origin is the first
            slice's first pixel.

    Returns:
        The moved slices, int16 ``[z, y', x']``, and their grid.
    """
    import SimpleITK as sitk

    spacing = np.asarray(geometry.spacing[:2])
    low = np.floor(shifts.min(axis=0) / spacing).astype(int)
    high = np.ceil(shifts.max(axis=0) / spacing).astype(int)
    width, height = (int(n) for n in np.array(geometry.size[:2]) + high - low)
    origin = low * spacing
    moved = np.empty((len(hu), height, width), dtype=np.int16)
    for k, section in enumerate(hu):
        image = sitk.GetImageFromArray(section.astype(np.float32))
        image.SetSpacing(spacing.tolist())
        image.SetOrigin(shifts[k].tolist())
        image = sitk.Resample(
            image, [width, height], sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear, origin.tolist(),
            spacing.tolist(), [1.0, 0.0, 0.0, 1.0], float(AIR_HU),
        )  # fmt: skip
        moved[k] = np.rint(sitk.GetArrayViewFromImage(image))
    corner = geometry.to_physical([int(low[0]), int(low[1]), 0])
    return moved, replace(
        geometry, size=(width, height, len(hu)), origin=(float(corner[0]), float(corner[1]), float(corner[2]))
    )
