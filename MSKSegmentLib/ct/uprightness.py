"""Decide in which frame the body lies straight: along the slices' axes, or along the patient's (LPS).

Three signs of a straight body are compared between the two frames: second moments of the body that are near diagonal,
second moments of its surface normals that are near diagonal (unlike the first, they hardly change where the ends of the
field of view cut the body obliquely, but they say little where sections are round), and mirror symmetry about the sagittal plane
(blind to pitch).
"""

from __future__ import annotations

import math

import numpy as np

from .cropping import CoarseBody

# Symmetry differs far less between the frames than the moments do, hence the weight.
SYMMETRY_WEIGHT = 4.0
MIRROR_SHIFTS_MM = (-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
MOST_POINTS = 30_000


def body_is_upright(body: CoarseBody, direction: np.ndarray) -> bool:
    """Whether the body is straight in the patient's frame rather than in that of its grid.

    `direction` is the grid's direction matrix ``[3, 3]``, its axes in order. The sign of the sum of log
    ratios (patient's frame over grid) decides: of the squared off-diagonal elements of both tensors and of the mirrored
    body's misfit.
    """
    points = np.argwhere(body.mask)[:, ::-1] * np.asarray(body.spacing)
    normals = _surface_normals(body)
    to_patient = np.asarray(direction)
    evidence = 0.0
    for tensor in (np.cov(points.T), normals.T @ normals):
        evidence += _log_ratio(_off_diagonal(to_patient @ tensor @ to_patient.T), _off_diagonal(tensor), 1e-6)
    some = points[:: max(1, len(points) // MOST_POINTS)]
    # The patient's x axis, as seen in the grid's frame, is the first row of the direction matrix.
    in_patient, in_grid = (_mirror_misfit(body, some, axis) for axis in (to_patient[0], np.array([1.0, 0.0, 0.0])))
    return evidence + SYMMETRY_WEIGHT * _log_ratio(in_patient, in_grid, 0.01) < 0.0


def _log_ratio(a: float, b: float, floor: float) -> float:
    return math.log((a + floor) / (b + floor))


def _off_diagonal(tensor: np.ndarray) -> float:
    """Sum of squares above the diagonal, relative to the trace."""
    return float((tensor[0, 1] ** 2 + tensor[0, 2] ** 2 + tensor[1, 2] ** 2) / max(np.trace(tensor) ** 2, 1e-12))


def _mirror_misfit(body: CoarseBody, points: np.ndarray, axis: np.ndarray) -> float:
    """The share of the body that its mirror image misses, at the best of a few mirror planes across `axis`.

    `points` are ``[n, 3]`` positions x, y, z in mm on the body's grid. Points whose mirror image lies outside the field of
    view do not count.
    """
    distance = (points - points.mean(axis=0)) @ axis
    size = np.array(body.mask.shape[::-1])
    best = 1.0
    for shift in MIRROR_SHIFTS_MM:
        mirrored = np.rint((points - 2 * (distance - shift)[:, None] * axis) / np.asarray(body.spacing)).astype(int)
        x, y, z = mirrored[((mirrored >= 0) & (mirrored < size)).all(axis=1)].T
        if len(x):
            best = min(best, 1.0 - float(body.mask[z, y, x].mean()))
    return best


def _surface_normals(body: CoarseBody) -> np.ndarray:
    """Normals ``[n, 3]`` (x, y, z in the grid's frame) of the body's surface away from the volume's faces, weighted by area.

    The length of a normal is the square root of its weight, so that ``normals.T @ normals`` is the weighted sum.
    """
    from scipy import ndimage

    x, y, z = body.spacing
    sigma = 1.5 * max(body.spacing)
    smooth = ndimage.gaussian_filter(body.mask.astype(np.float32), [sigma / s for s in (z, y, x)], truncate=3.0)
    gradient = np.stack(np.gradient(smooth, z, y, x)[::-1], axis=-1)
    length = np.linalg.norm(gradient, axis=-1)
    inside = np.zeros(body.mask.shape, dtype=bool)
    # At a face smoothing continues the body as its mirror image, which bends the normals.
    inside[2:-2, 2:-2, 2:-2] = True
    chosen = inside & (length > 0.25 * length.max(initial=0.0)) & (length > 0)
    return gradient[chosen].astype(float) / np.sqrt(length[chosen])[:, None]
