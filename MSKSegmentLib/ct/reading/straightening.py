"""Undoing a gantry tilt: slices that are shifted against each other within their planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...findings import Finding, warning
from ..orientation import AIR_HU
from ..volume import Geometry

# A larger angle means wrong positions and not a tilted gantry: gantries stop at 30 degrees.
LARGEST_TILT_DEGREES = 35.0


def straighten(
    slices: np.ndarray, shifts: np.ndarray, geometry: Geometry, outside: int = AIR_HU, nearest: bool = False
) -> tuple[np.ndarray, Geometry]:
    """Move each slice within its plane to its position in the patient, on a grid that is widened as needed.

    Pixels are far smaller than the slice interval, so that interpolation in plane blurs least.

    Args:
        slices: integers ``[z, y, x]``, HU or labels, as they are stored.
        shifts: float ``[z, 2]`` in mm: the offset of each slice's first pixel from that of the first slice, along the first
            and the second column of the direction.
        geometry: the grid without the shifts; its direction's columns are at right angles, its origin is the first
            slice's first pixel.
        outside: the value that fills the rim.
        nearest: take the nearest pixel, as labels need, instead of interpolating linearly.

    Returns:
        The moved slices ``[z, y', x']`` of the same type, and their grid.
    """
    import SimpleITK as sitk

    spacing = np.asarray(geometry.spacing[:2])
    # Rounding errors of the shifts must not widen the grid.
    low = np.floor(shifts.min(axis=0) / spacing + 1e-6).astype(int)
    high = np.ceil(shifts.max(axis=0) / spacing - 1e-6).astype(int)
    width, height = (int(n) for n in np.array(geometry.size[:2]) + high - low)
    origin = low * spacing
    kind = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    moved = np.empty((len(slices), height, width), dtype=slices.dtype)
    for k, section in enumerate(slices):
        image = sitk.GetImageFromArray(section.astype(np.float32))
        image.SetSpacing(spacing.tolist())
        image.SetOrigin(shifts[k].tolist())
        image = sitk.Resample(
            image, [width, height], sitk.Transform(2, sitk.sitkIdentity), kind, origin.tolist(),
            spacing.tolist(), [1.0, 0.0, 0.0, 1.0], float(outside),
        )  # fmt: skip
        moved[k] = np.rint(sitk.GetArrayViewFromImage(image))
    corner = geometry.to_physical([int(low[0]), int(low[1]), 0])
    return moved, replace(
        geometry, size=(width, height, len(slices)), origin=(float(corner[0]), float(corner[1]), float(corner[2]))
    )


def tilt_finding(degrees: float) -> Finding:
    """The warning on a scan that was straightened."""
    return warning("gantry_tilt", f"The gantry was tilted by {degrees:.1f} degrees; the slices were shifted back by interpolation.")
