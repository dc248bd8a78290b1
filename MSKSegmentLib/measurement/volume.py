"""Volume of a segment, plain and normalised by the patient's height."""

from __future__ import annotations

from ..ct.volume import Geometry

MM3_PER_CC = 1000.0


def volume_cc(voxels: int, geometry: Geometry) -> float:
    """Volume in cc of a number of voxels."""
    return voxels * geometry.voxel_volume_mm3 / MM3_PER_CC


def volume_cc_per_m2(cc: float, height_m: float | None) -> float | None:
    """Volume divided by the square of the height (Soufi et al. 2025, Table 7); None when the height is unknown."""
    return None if height_m is None else cc / height_m**2
