"""The regions of a proximal femur, and its cortical and trabecular bone.

**Regions**, by planes (see `cut` for the axes):

- head: from the top to the plane across the neck's axis in which a sphere of the head's radius is as wide as the narrowest neck;
- neck: from there to the plane as far lateral of the narrowest section as the first one is medial of it, within 1.5 times the
  radius of a circle of the narrowest section's area around the neck's axis;
- trochanteric: lateral of the neck, down to the plane across the shaft half a head radius below the tip of the lesser trochanter;
- shaft: the rest, down to the cut.

**Cortical** bone is what has at least the threshold density and lies at most 8 mm below the femur's surface. **Trabecular** bone is
what is left when the femur is eroded by 3 mm and the cortical bone is taken away. Voxels in the outer 3 mm below the
threshold hold a part of cortex, marrow or what is around the bone; they count in the integral values alone.

The idea of measuring cortical and trabecular bone by such volumes of neck and trochanter is that of hip QCT (for example
Bousson et al., Osteoporos Int 2006;17:855-864, and Johannesdottir et al., J Bone Miner Res 2013, doi 10.1002/jbmr.1960).
Planes and numbers here are our own: values must not be held against those of other programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..ct.volume import Geometry
from ..errors import InputError
from ..measurement.femoral_landmarks import BoneInScan
from .cut import FemurFrame, bone_points

CORTICAL_FROM_MG = 350.0
EROSION_MM, CORTICAL_WITHIN_MM = 3.0, 8.0
_NECK_WIDTH, _SHAFT_FROM_RADII = 1.5, 0.5


class FemurRegion(str, Enum):
    """A part of the proximal femur; `TOTAL` is all of it."""

    TOTAL = "total"
    HEAD = "head"
    NECK = "neck"
    TROCHANTERIC = "trochanteric"
    SHAFT = "shaft"


# Values in a map of regions.
REGION_VALUES = {FemurRegion.HEAD: 1, FemurRegion.NECK: 2, FemurRegion.TROCHANTERIC: 3, FemurRegion.SHAFT: 4}


class Compartment(str, Enum):
    """A kind of bone; `INTEGRAL` is everything inside the surface."""

    INTEGRAL = "integral"
    CORTICAL = "cortical"
    TRABECULAR = "trabecular"


COMPARTMENT_VALUES = {Compartment.CORTICAL: 1, Compartment.TRABECULAR: 2}


@dataclass(frozen=True)
class CompartmentRule:
    """What counts as cortical (from `cortical_from_mg` mg/cm3) and how far the femur is eroded for trabecular bone."""

    cortical_from_mg: float = CORTICAL_FROM_MG
    erosion_mm: float = EROSION_MM


USUAL_RULE = CompartmentRule()


def checked_rule(cortical_from_mg: float, erosion_mm: float) -> CompartmentRule:
    """The rule of those numbers.

    Raises:
        InputError: no bone is divided like that.
    """
    if not 150 <= cortical_from_mg <= 1000:
        raise InputError(f"A threshold of {cortical_from_mg:g} mg/cm3 parts no cortex; give 150 to 1000.")
    if not 0 <= erosion_mm <= CORTICAL_WITHIN_MM:
        raise InputError(f"An erosion of {erosion_mm:g} mm leaves no trabecular bone; give 0 to {CORTICAL_WITHIN_MM:g} mm.")
    return CompartmentRule(cortical_from_mg, erosion_mm)


def region_map(femur: BoneInScan, frame: FemurFrame, grid: Geometry) -> np.ndarray:
    """The regions of a femur in its box, uint8 ``[z, y, x]`` with `REGION_VALUES`; 0 outside and below the cut."""
    points = bone_points(femur, np.asarray(grid.spacing))
    height = frame.along_shaft(points)
    along, beside = frame.along_neck(points)
    neck_radius = np.sqrt(100 * frame.narrowest_cm2 / np.pi)
    head_ends = np.sqrt(max(0.0, frame.radius_mm**2 - neck_radius**2))
    # A neck as wide as the head would leave nothing between the planes.
    head_ends = min(head_ends, 0.9 * frame.narrowest_mm)
    neck_ends = 2 * frame.narrowest_mm - head_ends
    values = np.full(len(points), REGION_VALUES[FemurRegion.TROCHANTERIC], np.uint8)
    values[(along < neck_ends) & (beside <= _NECK_WIDTH * neck_radius)] = REGION_VALUES[FemurRegion.NECK]
    values[(along < head_ends) & (height > 0)] = REGION_VALUES[FemurRegion.HEAD]
    values[height < -_SHAFT_FROM_RADII * frame.radius_mm] = REGION_VALUES[FemurRegion.SHAFT]
    values[height < -frame.cut_below_mm] = 0
    regions = np.zeros(femur.mask.shape, np.uint8)
    regions[femur.mask] = values
    return regions


def surface_depth(femur: BoneInScan, frame: FemurFrame, grid: Geometry) -> np.ndarray:
    """How deep in mm each voxel of the proximal femur lies below its surface, float32 ``[z, y, x]`` in the box.

    Where a scan or a label map ends, and at the plane of the cut, the bone has no surface: it is thought to go on.
    """
    from scipy.ndimage import distance_transform_edt

    x, y, z = (
        (np.arange(femur.box.size_xyz[axis]) + femur.box.start_xyz[axis]) * grid.spacing[axis] - frame.trochanter_mm[axis]
        for axis in range(3)
    )
    along = frame.shaft.tolist()
    height = along[0] * x[None, None, :] + along[1] * y[None, :, None] + along[2] * z[:, None, None]
    # What lies below the end is no outside: distances are those to the surface above it.
    ends = min(frame.cut_below_mm, frame.shown_mm - max(grid.spacing))
    solid = np.pad(femur.mask | (height < -ends), ((0, 1), (1, 1), (1, 1)))
    return np.asarray(distance_transform_edt(solid, sampling=grid.spacing[::-1])[:-1, 1:-1, 1:-1], np.float32)


def compartment_map(depth_mm: np.ndarray, density: np.ndarray, regions: np.ndarray, rule: CompartmentRule) -> np.ndarray:
    """Cortical and trabecular bone, uint8 ``[z, y, x]`` with `COMPARTMENT_VALUES`; 0 elsewhere.

    Args:
        depth_mm: from `surface_depth`.
        density: bone mineral density in mg/cm3, of the same shape.
        regions: from `region_map`, of the same shape.
        rule: threshold and erosion.
    """
    inside = regions > 0
    cortical = inside & (density >= rule.cortical_from_mg) & (depth_mm <= CORTICAL_WITHIN_MM)
    trabecular = inside & (depth_mm > rule.erosion_mm) & ~cortical
    found = np.zeros(regions.shape, np.uint8)
    found[cortical] = COMPARTMENT_VALUES[Compartment.CORTICAL]
    found[trabecular] = COMPARTMENT_VALUES[Compartment.TRABECULAR]
    return found
