"""The shape of virtual femora: head, neck, trochanters and shaft as one smooth body, given by its signed distance.

Positions are in mm, to lateral, to posterior and up from the head's centre, so that one function serves both sides. The sizes
are those of adults, roughly: they make scans with a known truth, no model of a population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VIRTUAL_SEXES = ("female", "male")
# Mean and standard deviation.
_HEAD_RADIUS_MM = {"female": (21.8, 1.2), "male": (24.8, 1.3)}
_NECK_SHAFT_DEGREES, _ANTEVERSION_DEGREES = (127.0, 4.0), (13.0, 5.0)
_TRABECULAR_MG = {"female": (165.0, 35.0), "male": (185.0, 35.0)}
_CORTICAL_MG, _CORTEX_MM = (1050.0, 60.0), (1.9, 0.3)
# In head radii: where the neck meets the shaft's axis, the lesser trochanter, the lower end.
_NECK_LENGTH, _TROCHANTER_BELOW, _SHAFT_END = 2.15, 2.65, 5.6
_NECK_RADIUS, _SHAFT_RADIUS = 0.68, 0.6
_BLEND_MM = 4.0


@dataclass(frozen=True)
class VirtualFemur:
    """What makes a virtual femur; `cortex_mm` is the thickness in the neck, the shaft's is about 2.6 times that.

    `trabecular_mg` is the density of the neck's trabecular bone in mg/cm3; the head's is higher, the shaft holds marrow.
    """

    sex: str
    head_radius_mm: float
    neck_shaft_degrees: float
    anteversion_degrees: float
    cortex_mm: float
    cortical_mg: float
    trabecular_mg: float


@dataclass(frozen=True)
class BoneField:
    """A femur at points of a grid: depth below its surface in mm (negative outside), thickness of the cortex in mm, and the
    density in mg/cm3 of what the cortex encloses; float32, all of one shape."""

    depth_mm: np.ndarray
    cortex_mm: np.ndarray
    inside_mg: np.ndarray
    cortical_mg: float


def random_femur(rng: np.random.Generator, sex: str) -> VirtualFemur:
    """Draw a femur of one of `VIRTUAL_SEXES`."""

    def drawn(mean_and_sd: tuple[float, float]) -> float:
        mean, sd = mean_and_sd
        return float(mean + sd * np.clip(rng.standard_normal(), -2, 2))

    return VirtualFemur(
        sex,
        drawn(_HEAD_RADIUS_MM[sex]),
        drawn(_NECK_SHAFT_DEGREES),
        drawn(_ANTEVERSION_DEGREES),
        drawn(_CORTEX_MM),
        drawn(_CORTICAL_MG),
        drawn(_TRABECULAR_MG[sex]),
    )


def bone_field(femur: VirtualFemur, lateral: np.ndarray, posterior: np.ndarray, up: np.ndarray) -> BoneField:
    """A femur at points whose coordinates in mm from the head's centre are given, arrays that broadcast to one shape."""
    r = femur.head_radius_mm
    distance = _distance(femur, lateral, posterior, up)
    # From the neck to the shaft the cortex becomes thicker, in the head it is thin.
    down = np.clip((-up / r - 0.9) / 1.9, 0, 1)
    in_head = np.clip(1.35 - np.sqrt(lateral**2 + posterior**2 + up**2) / r, 0, 0.35) / 0.35
    cortex = femur.cortex_mm * (1 + 1.6 * down) * (1 - 0.45 * in_head)
    marrow = np.clip((-up / r - 2.2) / 1.0, 0, 1)
    inside = femur.trabecular_mg * (1 + 0.5 * in_head) * (1 - marrow) - 20.0 * marrow
    shape = distance.shape
    depth, cortex, inside = (np.broadcast_to(one, shape).astype(np.float32) for one in (-distance, cortex, inside))
    return BoneField(depth, cortex, inside, femur.cortical_mg)


def half_height_mm(femur: VirtualFemur) -> tuple[float, float]:
    """How far the femur reaches above and below the head's centre."""
    return femur.head_radius_mm, _SHAFT_END * femur.head_radius_mm


def _distance(femur: VirtualFemur, lateral: np.ndarray, posterior: np.ndarray, up: np.ndarray) -> np.ndarray:
    r = femur.head_radius_mm
    tilt, turn = np.radians(180.0 - femur.neck_shaft_degrees), np.radians(femur.anteversion_degrees)
    # The head lies anterior of the shaft: from the head the neck goes to lateral, posterior and down.
    neck = np.array([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt)])
    corner = _NECK_LENGTH * r * neck
    along = lateral * neck[0] + posterior * neck[1] + up * neck[2]
    square = np.maximum(lateral**2 + posterior**2 + up**2 - along**2, 0)
    # Narrowest half way down.
    share = along / (_NECK_LENGTH * r)
    neck_radius = _NECK_RADIUS * r * (1 + 0.9 * (share - 0.52) ** 2)
    from_neck = np.maximum(np.sqrt(square) - neck_radius, np.abs(along - 0.5 * _NECK_LENGTH * r) - 0.5 * _NECK_LENGTH * r)
    from_head = np.sqrt(lateral**2 + posterior**2 + up**2) - r
    to_axis = np.hypot(lateral - corner[0], posterior - corner[1])
    shaft_radius = _SHAFT_RADIUS * r * (1 + 0.35 * np.clip((up / r + 3.0) / 1.5, 0, 1))
    top = corner[2] + 0.55 * r
    from_shaft = np.maximum(to_axis - shaft_radius, np.maximum(up - top, -_SHAFT_END * r - up))
    greater = (corner[0] + 0.25 * r, corner[1] + 0.15 * r, corner[2] + 0.55 * r)
    lesser = (corner[0] - 0.52 * r, corner[1] + 0.5 * r, -_TROCHANTER_BELOW * r)
    from_greater = _from_ball(lateral, posterior, up, greater, 0.72 * r)
    from_lesser = _from_ball(lateral, posterior, up, lesser, 0.36 * r)
    found = from_shaft
    for other in (from_greater, from_lesser, from_neck, from_head):
        found = _blended(found, other)
    return np.asarray(found)


def _from_ball(
    lateral: np.ndarray, posterior: np.ndarray, up: np.ndarray, centre: tuple[float, float, float], radius: float
) -> np.ndarray:
    return np.asarray(np.sqrt((lateral - centre[0]) ** 2 + (posterior - centre[1]) ** 2 + (up - centre[2]) ** 2) - radius)


def _blended(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smaller distance, rounded off where both are about equal (a polynomial smooth minimum)."""
    near = np.maximum(_BLEND_MM - np.abs(one - other), 0) / _BLEND_MM
    return np.minimum(one, other) - near**2 * _BLEND_MM / 4
