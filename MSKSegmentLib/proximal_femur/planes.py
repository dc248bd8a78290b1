"""Slices through a proximal femur along its own axes, for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.boxes import Box
from .measures import FemurMeasures, ProximalFemora

STEP_MM = 0.5
_AIR_HU = -1000.0


@dataclass(frozen=True)
class PlaneView:
    """CT, regions and compartments on a plane, ``[row, column]`` in steps of 0.5 mm; rows go down.

    `extent` is left, right, bottom, top in mm from the plane's `middle`, as matplotlib takes it; `across` and `up` are the plane's
    directions ``(x, y, z)``.
    """

    hu: np.ndarray
    regions: np.ndarray
    compartments: np.ndarray
    middle: np.ndarray
    across: np.ndarray
    up: np.ndarray
    extent: tuple[float, float, float, float]

    def at(self, point_mm: np.ndarray) -> tuple[float, float]:
        """Where a point ``(x, y, z)`` in mm falls on the plane."""
        offset = point_mm - self.middle
        return float(offset @ self.across), float(offset @ self.up)


def coronal_view(hu: np.ndarray, femora: ProximalFemora, femur: FemurMeasures) -> PlaneView:
    """The plane through the axes of shaft and neck, as near as both allow, from the front; `hu` is the scan's ordered array."""
    frame = femur.frame
    across = frame.neck - (frame.neck @ frame.shaft) * frame.shaft
    # Seen from the front, the patient's left is on the right.
    across = across / np.linalg.norm(across) * (1 if across[0] >= 0 else -1)
    narrowest = frame.head_mm + frame.narrowest_mm * frame.neck
    r = frame.radius_mm
    low, high = -frame.cut_below_mm - 12, float(frame.along_shaft(frame.head_mm)) + r + 10
    middle = frame.trochanter_mm + (low + high) / 2 * frame.shaft
    # Through the neck: the shaft's axis lies some millimetres behind it.
    normal = np.cross(across, frame.shaft)
    middle = middle + ((narrowest - middle) @ normal) * normal
    reach = 0.5 * (np.ptp([float((p - middle) @ across) for p in (frame.head_mm, frame.trochanter_mm)]) + 4.6 * r)
    centre = 0.5 * sum(float((p - middle) @ across) for p in (frame.head_mm, frame.trochanter_mm))
    return _view(hu, femora, femur, middle + centre * across, across, frame.shaft, (reach, (high - low) / 2))


def neck_view(hu: np.ndarray, femora: ProximalFemora, femur: FemurMeasures) -> PlaneView:
    """The narrowest cross-section of the neck, at right angles to its axis."""
    frame = femur.frame
    up = frame.shaft - (frame.shaft @ frame.neck) * frame.neck
    up /= np.linalg.norm(up)
    half = 1.5 * frame.radius_mm
    middle = frame.head_mm + frame.narrowest_mm * frame.neck
    return _view(hu, femora, femur, middle, np.cross(frame.neck, up), up, (half, half))


def _view(
    hu: np.ndarray,
    femora: ProximalFemora,
    femur: FemurMeasures,
    middle: np.ndarray,
    across: np.ndarray,
    up: np.ndarray,
    half_mm: tuple[float, float],
) -> PlaneView:
    from scipy.ndimage import map_coordinates

    columns, rows = (np.arange(-half, half + STEP_MM, STEP_MM) for half in half_mm)
    points = middle + columns[None, :, None] * across + rows[::-1, None, None] * up
    index = (points / np.asarray(femora.grid.spacing))[..., ::-1]
    low = np.clip(np.floor(index.reshape(-1, 3).min(axis=0)).astype(int) - 1, 0, np.array(hu.shape) - 1)
    high = np.clip(np.ceil(index.reshape(-1, 3).max(axis=0)).astype(int) + 2, 1, hu.shape)
    around = Box.between(low[::-1], high[::-1])
    part = np.ascontiguousarray(hu[around.slices]).astype(np.float32)
    image = map_coordinates(part, np.moveaxis(index - low, -1, 0), order=1, cval=_AIR_HU)
    first = np.asarray(femur.box.start_xyz[::-1])
    regions, compartments = (
        map_coordinates(values, np.moveaxis(index - first, -1, 0), order=0, cval=0)
        for values in (femur.regions, femur.compartments)
    )
    half = STEP_MM / 2
    extent = (float(columns[0] - half), float(columns[-1] + half), float(rows[0] - half), float(rows[-1] + half))
    return PlaneView(image, regions, compartments, middle, across, up, extent)
