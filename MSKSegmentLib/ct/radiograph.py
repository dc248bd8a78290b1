"""A radiograph computed from a CT by summing along parallel rays: it shows position, metal and the coverage of the scan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from .checks.volume import METAL_HU
from .volume import Geometry

# Density above this counts twice: at the low tube voltages of plain radiographs bone stands out more than in CT.
STANDS_OUT_HU = 150
# A shorter path through metal along a ray is noise or a calcification.
_LEAST_METAL_MM = 2.0


class RayDirection(Enum):
    """The array axis along which rays run."""

    FRONTAL = 1
    LATERAL = 2


@dataclass(frozen=True)
class Radiograph:
    """The result of all rays; z grows to superior, the second axis to left (frontal) or posterior (lateral).

    `water_mm` is float32 ``[z, x or y]``, the millimetres of water with the same attenuation; `metal` is bool of the same shape,
    True where a ray meets metal; `pixel_mm` is height and width of a pixel.
    """

    water_mm: np.ndarray
    metal: np.ndarray
    pixel_mm: tuple[float, float]

    @property
    def limits(self) -> tuple[float, float]:
        """The `water_mm` of black (a thin limb) and of white (the 99.5th percentile of the rays without metal)."""
        tissue = self.water_mm[~self.metal]
        brightest = float(np.percentile(tissue if tissue.size else self.water_mm, 99.5))
        return 0.15 * brightest, max(brightest, 1.0)


def both_radiographs(hu: np.ndarray, geometry: Geometry) -> dict[RayDirection, Radiograph]:
    """Sum the attenuation along parallel rays, anterior to posterior (frontal) and right to left (lateral).

    A voxel counts as (HU + 1000) / 1000 of water, air as 0, and the part above `STANDS_OUT_HU` twice. About a second for a scan of
    512 x 512 x 500.

    Args:
        hu: int16 ``[z, y, x]``, axes in order (see `orientation.axis_order`).
        geometry: its grid.
    """
    slices, rows, columns = hu.shape
    size = {RayDirection.FRONTAL: columns, RayDirection.LATERAL: rows}
    water = {view: np.empty((slices, width), np.float32) for view, width in size.items()}
    metal = {view: np.zeros((slices, width), bool) for view, width in size.items()}
    for k, plane in enumerate(hu):
        along = np.maximum(plane, -1000).astype(np.float32)
        along += np.maximum(along - STANDS_OUT_HU, 0)
        along += 1000
        is_metal = plane > METAL_HU
        for view in RayDirection:
            step = _step(geometry, view)
            water[view][k] = along.sum(axis=view.value - 1) * (step / 1000)
            if is_metal.any():
                metal[view][k] = np.count_nonzero(is_metal, axis=view.value - 1) * step > _LEAST_METAL_MM
    x, y, z = geometry.spacing
    return {view: Radiograph(water[view], metal[view], (z, x if view is RayDirection.FRONTAL else y)) for view in RayDirection}


def _step(geometry: Geometry, view: RayDirection) -> float:
    """The length of a voxel along the rays, in mm."""
    return geometry.spacing[2 - view.value]
