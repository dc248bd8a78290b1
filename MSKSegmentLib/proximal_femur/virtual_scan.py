"""Virtual scans of the hips with known density: two femora in a body, a phantom below it, a scanner's line and noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ct.volume import CTVolume, Geometry
from .phantom import CalibrationPhantom
from .virtual_shape import BoneField, VirtualFemur, bone_field, half_height_mm

# A phantom of our own making, for virtual scans and as an example of a description.
EXAMPLE_PHANTOM = CalibrationPhantom(
    "virtual phantom of 5 rods", "hydroxyapatite", 20.0, (0.0, 40.0, 80.0, 120.0, 160.0), (0.0, 75.0, 150.0, 300.0, 600.0)
)
_HALF_PELVIS_RADII = 3.9
_MUSCLE_HU, _FAT_HU, _AIR_HU, _PHANTOM_BODY_HU = 50.0, -95.0, -1000.0, 20.0
_CUP_MM, _CUP_HU = (4.0, 11.0), 320.0
_BODY_HALF_WIDTH_MM, _BODY_HALF_DEPTH_MM, _FAT_MM = 190.0, 110.0, 20.0
_PHANTOM_BELOW_MM, _PHANTOM_HALF_DEPTH_MM = 22.0, 16.0
_TOP_MARGIN_MM = 14.0
# To medial, to lateral, and to either side in front and behind: what a femur and its socket take up, in head radii.
_REACH_RADII = np.array([1.7, 3.3, 2.2])


@dataclass(frozen=True)
class VirtualScanner:
    """A scanner: voxel size ``(x, y, z)`` in mm, its true line ``density = slope * HU + intercept``, noise (SD in HU), blur (SD in
    mm), and how many head radii of the femur it shows below the heads' centres."""

    spacing: tuple[float, float, float] = (0.9, 0.9, 1.5)
    slope: float = 0.82
    intercept: float = -6.0
    noise_hu: float = 15.0
    blur_mm: float = 0.5
    shown_radii: float = 5.0
    phantom: CalibrationPhantom | None = EXAMPLE_PHANTOM


@dataclass(frozen=True)
class VirtualHips:
    """A virtual scan and its truth.

    `labels` is uint8 ``[z, y, x]``, 1 the right femur and 2 the left; `density` float32 ``[z, y, x]`` is the bone mineral
    density in mg/cm3 without blur and noise, 0 outside the femora; `cortex` bool ``[z, y, x]`` is where cortical bone is.
    """

    volume: CTVolume
    labels: np.ndarray
    density: np.ndarray
    cortex: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)


def virtual_hips(right: VirtualFemur, left: VirtualFemur, scanner: VirtualScanner, seed: int) -> VirtualHips:
    """Scan two femora; the same seed gives the same scan."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng((seed, 41))
    grid, x, y, z = _points(right, left, scanner)
    hu = _surroundings(x, y, z, scanner)
    labels = np.zeros(grid.shape, np.uint8)
    density, cortex = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, bool)
    for value, sign, femur in ((1, -1.0, right), (2, 1.0, left)):
        lateral = sign * x - _HALF_PELVIS_RADII * femur.head_radius_mm
        box = _around(lateral, y, femur)
        lateral, posterior = lateral[:, :, box[2]], y[:, box[1]]
        _add_cup(hu[box], lateral, posterior, z, femur)
        bone = bone_field(femur, lateral, posterior, z)
        add_bone(hu[box], density[box], bone, scanner)
        inside = bone.depth_mm > 0
        labels[box][inside] = value
        cortex[box] |= inside & (bone.depth_mm <= bone.cortex_mm)
    hu = gaussian_filter(hu, [scanner.blur_mm / step for step in scanner.spacing[::-1]])
    hu += rng.normal(0, scanner.noise_hu, hu.shape).astype(np.float32)
    stored = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return VirtualHips(CTVolume(stored, grid), labels, density, cortex)


def add_bone(hu: np.ndarray, density: np.ndarray, bone: BoneField, scanner: VirtualScanner) -> None:
    """Put a bone into `hu` and `density`, both float32 ``[z, y, x]``; a voxel on a border gets its share of either side in `hu`."""
    size = float(np.cbrt(np.prod(scanner.spacing)))
    within = np.clip(bone.depth_mm / size + 0.5, 0, 1)
    in_cortex = np.clip((bone.cortex_mm - bone.depth_mm) / size + 0.5, 0, 1)
    mixed = in_cortex * bone.cortical_mg + (1 - in_cortex) * bone.inside_mg
    hu += within * ((mixed - scanner.intercept) / scanner.slope - hu)
    inside = bone.depth_mm > 0
    density[inside] = np.where(bone.depth_mm <= bone.cortex_mm, bone.cortical_mg, bone.inside_mg)[inside]


def _points(
    right: VirtualFemur, left: VirtualFemur, scanner: VirtualScanner
) -> tuple[Geometry, np.ndarray, np.ndarray, np.ndarray]:
    """A grid around both hips, whose middle lies between the heads, and its coordinates in mm."""
    top = max(half_height_mm(one)[0] for one in (right, left)) + _TOP_MARGIN_MM
    low = -scanner.shown_radii * max(one.head_radius_mm for one in (right, left))
    half_width, front = _BODY_HALF_WIDTH_MM + 8, _BODY_HALF_DEPTH_MM + 8
    back = _BODY_HALF_DEPTH_MM + _PHANTOM_BELOW_MM + _PHANTOM_HALF_DEPTH_MM + 8
    bounds = ((-half_width, half_width), (-front, back), (low, top))
    x, y, z = (np.arange(low, high, step).astype(np.float32) for (low, high), step in zip(bounds, scanner.spacing, strict=True))
    origin = (float(x[0]), float(y[0]), float(z[0]))
    grid = Geometry((x.size, y.size, z.size), scanner.spacing, origin)
    return grid, x[None, None, :], y[None, :, None], z[:, None, None]


def _around(lateral: np.ndarray, posterior: np.ndarray, femur: VirtualFemur) -> tuple[slice, slice, slice]:
    """The part ``[z, y, x]`` of the grid in which a femur and its socket lie; all else would take most of the time."""
    reach = _REACH_RADII * femur.head_radius_mm
    columns = np.flatnonzero((lateral[0, 0] >= -reach[0]) & (lateral[0, 0] <= reach[1]))
    rows = np.flatnonzero(np.abs(posterior[0, :, 0]) <= reach[2])
    return slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _surroundings(x: np.ndarray, y: np.ndarray, z: np.ndarray, scanner: VirtualScanner) -> np.ndarray:
    """Body and phantom, float32 ``[z, y, x]`` in HU."""
    plane = np.full((y.size, x.size), _AIR_HU, np.float32)
    flat_x, flat_y = x[0], y[0]
    for shrink, value in ((0.0, _FAT_HU), (_FAT_MM, _MUSCLE_HU)):
        ellipse = (flat_x / (_BODY_HALF_WIDTH_MM - shrink)) ** 2 + (flat_y / (_BODY_HALF_DEPTH_MM - shrink)) ** 2 <= 1
        plane[ellipse] = value
    if scanner.phantom is not None:
        _add_phantom(plane, flat_x, flat_y, scanner.phantom, scanner)
    return np.repeat(plane[None], z.size, axis=0)


def _add_phantom(plane: np.ndarray, x: np.ndarray, y: np.ndarray, phantom: CalibrationPhantom, scanner: VirtualScanner) -> None:
    depth = _BODY_HALF_DEPTH_MM + _PHANTOM_BELOW_MM
    middle = (phantom.positions_mm[0] + phantom.positions_mm[-1]) / 2
    half_width = phantom.positions_mm[-1] - middle + phantom.rod_diameter_mm
    plane[(np.abs(x) <= half_width) & (np.abs(y - depth) <= _PHANTOM_HALF_DEPTH_MM)] = _PHANTOM_BODY_HU
    size = float(np.sqrt(scanner.spacing[0] * scanner.spacing[1]))
    for position, density in zip(phantom.positions_mm, phantom.densities_mg_cm3, strict=True):
        inside = phantom.rod_diameter_mm / 2 - np.hypot(x - (position - middle), y - depth)
        share = np.clip(inside / size + 0.5, 0, 1)
        plane += (share * ((density - scanner.intercept) / scanner.slope - plane)).astype(np.float32)


def _add_cup(hu: np.ndarray, lateral: np.ndarray, posterior: np.ndarray, up: np.ndarray, femur: VirtualFemur) -> None:
    """The acetabulum: a shell above and medial of the head, a joint space away."""
    distance = np.sqrt(lateral**2 + posterior**2 + up**2) - femur.head_radius_mm
    shell = (distance >= _CUP_MM[0]) & (distance <= _CUP_MM[1]) & (up > 0.8 * lateral)
    hu[shell] = _CUP_HU
