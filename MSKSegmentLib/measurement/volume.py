"""Volume of a segment, plain and normalised by the patient's height."""

from __future__ import annotations

from ..anatomy import Segment
from ..ct.volume import Geometry
from ..errors import InputError

MM3_PER_CC = 1000.0
# A volume is divided by the square of the height: a height in the wrong unit must be refused.
HEIGHT_RANGE_M = (0.5, 2.6)


def volume_cc(voxels: int, geometry: Geometry) -> float:
    """Volume in cc of a number of voxels.

    >>> volume_cc(1000, Geometry(size=(64, 64, 20), spacing=(1.0, 1.0, 5.0)))
    5.0
    """
    return voxels * geometry.voxel_volume_mm3 / MM3_PER_CC


def volume_cc_per_m2(cc: float, height_m: float | None) -> float | None:
    """Volume divided by the square of the height (Soufi et al. 2025, Table 7); None when the height is unknown.

    >>> volume_cc_per_m2(800.0, height_m=2.0)
    200.0
    """
    return None if height_m is None else cc / height_m**2


def height_of(segment: Segment | None, height_m: float | None) -> float | None:
    """The height that a segment's volume is normalised with: none where its group is not (see `anatomy.Group`)."""
    return None if segment is not None and not segment.structure.group.height_normalised else height_m


def checked_height(height_m: float | None) -> float | None:
    """The height as given, None when it is unknown.

    Raises:
        InputError: nobody is that small or tall.
    """
    if height_m is not None and not HEIGHT_RANGE_M[0] <= height_m <= HEIGHT_RANGE_M[1]:
        low, high = (round(100 * limit) for limit in HEIGHT_RANGE_M)
        raise InputError(f"A height of {100 * height_m:g} cm is impossible; give it in centimetres, {low} to {high}.")
    return height_m
