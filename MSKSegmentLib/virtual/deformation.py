"""Shape of a virtual patient: an atlas scaled, mirrored, posed and smoothly deformed onto a CT grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .atlas import Atlas, mirrored_table

FEMUR_RIGHT, FEMUR_LEFT, PELVIS_RIGHT, PELVIS_LEFT, PSOAS_RIGHT, PSOAS_LEFT = 2, 102, 1, 101, 12, 112


@dataclass(frozen=True)
class Shape:
    """Random geometry of one patient; lengths in mm, angles in degrees.

    `scale` is ``(z, y, x)``; `abduction` opens each leg (right, left) below the hip; `bumps` are pairs of control spacing and
    amplitude (one standard deviation) of the smooth deformations; `above` is how far the scan reaches over the atlas.
    """

    scale: tuple[float, float, float]
    tilt: tuple[float, float, float]
    abduction: tuple[float, float]
    bumps: tuple[tuple[float, float], ...]
    mirrored: bool
    above: float


def random_shape(rng: np.random.Generator) -> Shape:
    """Draw a shape: sizes of small women to tall men, slight tilts, legs opened or closed by a few degrees."""
    overall = rng.uniform(0.86, 1.12)
    z, y, x = (overall * rng.normal(1.0, 0.04) for _ in range(3))
    return Shape(
        scale=(z, y, x),
        tilt=(rng.normal(0, 4), rng.normal(0, 3), rng.normal(0, 3)),
        abduction=(rng.normal(1.0, 3.0), rng.normal(1.0, 3.0)),
        bumps=((90.0, rng.uniform(2, 6)), (35.0, rng.uniform(0.5, 1.8))),
        mirrored=bool(rng.random() < 0.5),
        above=float(rng.choice([0.0, rng.uniform(10, 170)])),
    )


def deform(
    atlas: Atlas, shape: Shape, rng: np.random.Generator, spacing: tuple[float, float, float], margin: float
) -> np.ndarray:
    """Labels uint8 ``[z, y, x]`` of the patient on a grid of `spacing` ``(z, y, x)`` mm, with `margin` mm around in plane.

    Above the atlas' top only the psoas goes on, narrowing towards the spine, as it does in the body.
    """
    from scipy import ndimage

    source = np.asarray(atlas.labels.shape) * np.asarray(atlas.spacing)
    extent = source * np.asarray(shape.scale)
    size = np.array([extent[0] + shape.above, extent[1] + 2 * margin, extent[2] + 2 * margin])
    count = np.ceil(size / np.asarray(spacing)).astype(int)
    hip_z, middle = _landmarks(atlas)
    fields = [_smooth_field(rng, tuple(count), spacing, shape.bumps) for _ in range(3)]
    turn = _rotation(shape.tilt)
    opening = np.tan(np.radians(shape.abduction))
    labels = np.zeros(tuple(count), np.uint8)
    ys = np.arange(count[1]) * spacing[1] - size[1] / 2
    xs = np.arange(count[2]) * spacing[2] - size[2] / 2
    for k in range(count[0]):
        z = k * spacing[0] - extent[0] / 2
        grid = np.stack(np.broadcast_arrays(z, ys[:, None], xs[None, :])).reshape(3, -1)
        grid = turn @ grid / np.asarray(shape.scale)[:, None]
        grid += np.stack([field[k].ravel() for field in fields])
        position = grid + source[:, None] / 2
        below = np.clip(hip_z - position[0], 0, None)
        # Positive x is the patient's left: opening moves each leg away from the middle, so the source is looked up inwards.
        left = position[2] > middle
        moved = position[2] + below * np.where(left, -opening[1], opening[0])
        # A leg is never looked up across the middle: there would be a copy of the other one.
        position[2] = np.where((moved > middle) == left, moved, -1e4)
        above = np.clip(position[0] - (source[0] - atlas.spacing[0]), 0, None)
        position[2] = middle + (position[2] - middle) * (1 + 0.004 * above)
        position[0] = np.minimum(position[0], source[0] - atlas.spacing[0])
        index = position / np.asarray(atlas.spacing)[:, None] - 0.5
        plane = ndimage.map_coordinates(atlas.labels, index, order=0, mode="constant", cval=0, prefilter=False)
        labels[k] = plane.reshape(count[1], count[2])
    if shape.mirrored:
        labels = mirrored_table()[labels[:, :, ::-1]]
    return labels


def _landmarks(atlas: Atlas) -> tuple[float, float]:
    """Height of the hip joints' centre (mm above the array's start) and the body's middle along x (mm)."""
    z, _, x = atlas.spacing
    femur = np.isin(atlas.labels, (FEMUR_RIGHT, FEMUR_LEFT)).any(axis=(1, 2))
    hip = (np.flatnonzero(femur).max() + 1) * z - 30.0
    right = np.flatnonzero((atlas.labels == PELVIS_RIGHT).any(axis=(0, 1)))
    left = np.flatnonzero((atlas.labels == PELVIS_LEFT).any(axis=(0, 1)))
    return float(hip), float((right.min() + left.max() + 1) / 2 * x)


def _rotation(tilt_degrees: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", tilt_degrees, degrees=True).as_matrix()


def _smooth_field(
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
