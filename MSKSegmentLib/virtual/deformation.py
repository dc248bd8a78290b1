"""Shape of a virtual patient: an atlas scaled, posed, mirrored and smoothly deformed onto a CT grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .atlas import Atlas, mirrored_details, mirrored_table
from .pose import LegPose, Skeleton, skeleton, unpose

# The pose is smooth: it is computed on every second voxel in plane and every second slice.
POSE_STEP = 2


@dataclass(frozen=True)
class Shape:
    """Geometry of one patient; lengths in mm, angles in degrees.

    `scale` is ``(z, y, x)``; `bumps` are pairs of control spacing and amplitude (standard deviation) of the smooth deformations;
    `buttocks` is the share by which the back bulges beyond the flattened back of a person lying down; `above` is how far
    the scan reaches over the atlas; `gantry` shears the slices as a tilted gantry does.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)
    legs: tuple[LegPose, LegPose] = field(default_factory=lambda: (LegPose(), LegPose()))
    bumps: tuple[tuple[float, float], ...] = ()
    mirrored: bool = False
    above: float = 0.0
    buttocks: float = 0.0
    gantry: float = 0.0


def random_shape(rng: np.random.Generator, standing: bool) -> Shape:
    """Draw a shape: sizes of small women to tall men, posed as people lie (or stand) in a scanner; few hips are diseased."""
    overall = rng.uniform(0.86, 1.12)
    z, y, x = (overall * rng.normal(1.0, 0.045) for _ in range(3))
    flexion, rotation, bulk = rng.normal(1, 4), rng.normal(3, 8), rng.normal(0.03, 0.1)
    return Shape(
        scale=(z, y, x),
        tilt=(rng.normal(0, 4), rng.normal(0, 3), rng.normal(0, 3)),
        legs=(_random_leg(rng, flexion, rotation, bulk), _random_leg(rng, flexion, rotation, bulk)),
        bumps=((90.0, rng.uniform(2, 6.5)), (35.0, rng.uniform(0.5, 2.0)), (13.0, rng.uniform(0.2, 0.7))),
        mirrored=bool(rng.random() < 0.5),
        above=float(rng.choice([0.0, rng.uniform(10, 170)])),
        buttocks=float(rng.uniform(0.08, 0.25) if standing else rng.uniform(-0.03, 0.1)),
        gantry=float(rng.normal(0, 4) if rng.random() < 0.15 else 0.0),
    )


def _random_leg(rng: np.random.Generator, flexion: float, rotation: float, bulk: float) -> LegPose:
    sick = rng.random() < 0.22
    return LegPose(
        flexion=float(np.clip(flexion + rng.normal(0, 2.5) + (rng.uniform(0, 8) if sick else 0), -9, 18)),
        abduction=float(np.clip(rng.normal(0, 3.2), -7, 9)),
        rotation=float(np.clip(rotation + rng.normal(0, 6), -24, 28)),
        knee=float(np.clip(abs(rng.normal(0, 5)), 0, 14)),
        # Subluxation goes up and outwards, a little forwards.
        shift=(rng.uniform(0, 9), -rng.uniform(0, 3), rng.uniform(0, 8)) if sick and rng.random() < 0.5 else (0.0, 0.0, 0.0),
        bulk=float(np.clip(bulk + rng.normal(0, 0.05), -0.22, 0.35)),
        flattening=float(rng.uniform(0.05, 0.4)) if sick and rng.random() < 0.7 else 0.0,
    )


def deform(atlas: Atlas, shape: Shape, rng: np.random.Generator, spacing: tuple[float, float, float], margin: float) -> np.ndarray:
    """Labels uint8 ``[z, y, x]`` of the patient on a grid of `spacing` ``(z, y, x)`` mm, with an in-plane margin of `margin` mm.

    Above the atlas' top nothing is labelled; `spine.extend_psoas` continues the psoas from there.
    """
    return deform_maps(atlas, shape, rng, spacing, margin)[0]


def deform_maps(
    atlas: Atlas, shape: Shape, rng: np.random.Generator, spacing: tuple[float, float, float], margin: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """`deform`, and the atlas' details deformed in the same way (None where it has none)."""
    from scipy import ndimage

    source = np.asarray(atlas.labels.shape) * np.asarray(atlas.spacing)
    extent = source * np.asarray(shape.scale)
    front, back = _swing(shape, extent[0])
    size = np.array([extent[0] + shape.above, extent[1] + 2 * margin + front + back, extent[2] + 2 * margin])
    count = np.ceil(size / np.asarray(spacing)).astype(int)
    body = skeleton(atlas)
    axes = [np.arange(n) * float(s) for n, s in zip(count, spacing, strict=True)]
    axes[0] -= extent[0] / 2
    axes[1] -= extent[1] / 2 + margin + front
    axes[2] -= extent[2] / 2 + margin
    coarse = [_every_second(axis) for axis in axes]
    moved = _source_of(coarse, shape, body, source)
    bumps = [smooth_field(rng, tuple(count), spacing, shape.bumps) for _ in range(3)]
    maps = (atlas.labels,) if atlas.details is None else (atlas.labels, atlas.details)
    found = [np.zeros(tuple(count), np.uint8) for _ in maps]
    lower = np.arange(count[0]) / POSE_STEP
    for k in range(count[0]):
        first = min(int(lower[k]), moved.shape[1] - 2)
        part = lower[k] - first
        plane = (1 - part) * moved[:, first] + part * moved[:, first + 1]
        position = np.stack([_finer(plane[axis], count[1:]) + bumps[axis][k] for axis in range(3)])
        # Coarse points without a source have a large negative position; interpolation spreads it to their neighbours.
        index = position / np.asarray(atlas.spacing)[:, None, None] - 0.5
        for values, result in zip(maps, found, strict=True):
            result[k] = ndimage.map_coordinates(values, index, order=0, mode="constant", cval=0, prefilter=False)
    if shape.mirrored:
        found = [table[one[:, :, ::-1]] for table, one in zip((mirrored_table(), mirrored_details()), found, strict=False)]
    return found[0], found[1] if len(found) > 1 else None


def _swing(shape: Shape, height: float) -> tuple[float, float]:
    """How far flexed legs reach beyond the body to the front and to the back, in mm."""
    angles = [leg.flexion for leg in shape.legs]
    thigh = 0.7 * height
    return thigh * np.sin(np.radians(max(0.0, *angles))), thigh * np.sin(np.radians(max(0.0, *(-a for a in angles))))


def _every_second(axis: np.ndarray) -> np.ndarray:
    step = axis[1] - axis[0]
    return axis[0] + step * POSE_STEP * np.arange(len(axis) // POSE_STEP + 2)


def _finer(plane: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Linear interpolation of a plane on every second pixel to all of them."""
    for axis, count in enumerate(size):
        first = np.arange(count) // POSE_STEP
        part = ((np.arange(count) % POSE_STEP) / POSE_STEP).astype(plane.dtype)
        part = part[:, None] if axis == 0 else part[None, :]
        plane = np.take(plane, first, axis) * (1 - part) + np.take(plane, first + 1, axis) * part
    return plane


def _source_of(axes: list[np.ndarray], shape: Shape, body: Skeleton, source: np.ndarray) -> np.ndarray:
    """Atlas position in mm ``[3, z, y, x]`` float32 of each point of the coarse grid; -1e4 where there is no tissue."""
    z, y, x = axes
    turn = _rotation(shape.tilt)
    planes = []
    for level in z:
        grid = np.stack(np.broadcast_arrays(level + np.tan(np.radians(shape.gantry)) * y[:, None], y[:, None], x[None, :]))
        flat = turn @ grid.reshape(3, -1) / np.asarray(shape.scale)[:, None]
        if shape.buttocks:
            # Behind the hip joints only: the back half of the trunk is stretched, the front stays.
            flat[1] -= np.clip(flat[1] - 15, 0, None) * shape.buttocks / (1 + shape.buttocks)
        flat += source[:, None] / 2
        found = unpose(flat, body, shape.legs)
        planes.append(np.nan_to_num(found, nan=-1e4).reshape(3, len(y), len(x)).astype(np.float32))
    return np.stack(planes, axis=1)


def _rotation(tilt_degrees: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", tilt_degrees, degrees=True).as_matrix()


def smooth_field(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    bumps: tuple[tuple[float, float], ...],
) -> np.ndarray:
    """Smooth random displacement in mm, float32 of `shape`, with the standard deviation of each of `bumps`.

    Cubic B-splines on a coarse grid of random coefficients; with a standard deviation well below a quarter of the control
    spacing the deformation does not fold.
    """
    total = np.zeros(shape, np.float32)
    for control, amplitude in bumps:
        bases = [_spline_basis(n, s / control) for n, s in zip(shape, spacing, strict=True)]
        knots = rng.normal(0, 1, [basis.shape[1] for basis in bases]).astype(np.float32)
        # The spline is separable: one matrix product per axis instead of an evaluation per voxel.
        for axis, basis in enumerate(bases):
            knots = np.moveaxis(np.tensordot(basis, knots, axes=(1, axis)), 0, axis)
        total += knots * (amplitude / _SPLINE_SD**3)
    return total


# Standard deviation, averaged over a cell, of a cubic B-spline with coefficients of unit variance, per axis.
_SPLINE_SD = 0.692


def _spline_basis(count: int, step: float) -> np.ndarray:
    """``[count, knots]`` values of the uniform cubic B-splines at ``count`` points `step` cells apart."""
    from scipy.interpolate import BSpline

    positions = np.arange(count) * step
    cells = int(np.ceil(positions[-1])) + 1
    knots = np.arange(-3, cells + 4, dtype=float)
    return BSpline.design_matrix(positions, knots, 3).toarray().astype(np.float32)
