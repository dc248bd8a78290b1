"""Reasons against a green light that do not come from the network: what lies around a segment."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..anatomy import segments
from ..ct.checks import METAL_HU
from ..ct.volume import Geometry

# A few bright voxels are a calcification or noise; an implant or a nail is more.
SMALLEST_METAL_MM3 = 300.0
# Streaks reach far within a slice, but the worst of them lie near the metal.
METAL_REACH_MM = 30.0


def near_metal(distances_mm: Mapping[int, float]) -> Mapping[int, str]:
    """Label -> a reason in words, for segments within 30 mm of metal; `distances_mm` as `metal_distances` gives them."""
    reason = f"metal lies within {METAL_REACH_MM:.0f} mm of it"
    return {label: reason for label, distance in distances_mm.items() if distance <= METAL_REACH_MM}


def metal_distances(labels: np.ndarray, hu: np.ndarray, geometry: Geometry) -> Mapping[int, float]:
    """Label -> distance in mm (to about 4 mm) to the nearest metal: at least 0.3 cc above 2500 HU; empty without metal.

    `labels` is uint8 ``[z, y, x]`` with sides, `hu` int16 of the same shape, both on `geometry`.
    """
    from scipy import ndimage

    metal = [np.argwhere(plane > METAL_HU) for plane in hu]
    if sum(map(len, metal)) * geometry.voxel_volume_mm3 < SMALLEST_METAL_MM3:
        return {}
    spacing = np.asarray(geometry.spacing[::-1])
    # A coarse grid is enough for a distance of 30 mm and keeps the transform small.
    stride = np.maximum(1, np.rint(4.0 / spacing)).astype(int)
    free = np.ones([-(-n // s) for n, s in zip(hu.shape, stride, strict=True)], bool)
    for k, found in enumerate(metal):
        free[k // stride[0], found[:, 0] // stride[1], found[:, 1] // stride[2]] = False
    distance = ndimage.distance_transform_edt(free, sampling=spacing * stride)
    coarse = labels[:: stride[0], :: stride[1], :: stride[2]]
    nearest = np.full(256, np.inf)
    np.minimum.at(nearest, coarse.ravel(), distance.ravel())
    return {segment.label: float(nearest[segment.label]) for segment in segments() if np.isfinite(nearest[segment.label])}
