"""Correction of the bias field of MR by N4 (Tustison et al., IEEE Transactions on Medical Imaging 29, 2010), from SimpleITK."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .cropping import CoarseBody, subsampled
from .volume import CTVolume

# Coil sensitivity changes over decimetres: voxels about this far apart suffice. Time grows with their number.
_SPACING_MM = 16.0
# Iterations at each level; the spacing of control points halves from one level to the next.
_ITERATIONS = (25, 20, 15)
_CONTROL_POINTS = 4
_CONVERGED = 1e-3
_LARGEST = np.iinfo(np.int16).max


def log_bias_field(volume: CTVolume, body: CoarseBody) -> np.ndarray:
    """Logarithm of the bias field, float32 ``[z, y, x]`` on every n-th element of the coarse body (see `_every`), mean 0 inside it.

    N4 uses the body alone; outside, the field is limited to its range inside the body. The axes are those of the scan.
    """
    import SimpleITK as sitk

    x, y, z = _every(body)
    every = slice(None, None, z), slice(None, None, y), slice(None, None, x)
    mask = np.ascontiguousarray(body.mask[every])
    image = sitk.GetImageFromArray(subsampled(volume.intensities, body.stride)[every].astype(np.float32))
    image.SetSpacing([n * step for n, step in zip((x, y, z), body.spacing, strict=True)])
    inside = sitk.GetImageFromArray(mask.astype(np.uint8))
    inside.CopyInformation(image)
    filter_ = sitk.N4BiasFieldCorrectionImageFilter()
    # One thread: another order of sums would give another field on another computer.
    filter_.SetNumberOfThreads(1)
    filter_.SetMaximumNumberOfIterations(_ITERATIONS)
    filter_.SetNumberOfControlPoints([_CONTROL_POINTS] * 3)
    filter_.SetConvergenceThreshold(_CONVERGED)
    filter_.Execute(image, inside)
    field = sitk.GetArrayFromImage(filter_.GetLogBiasFieldAsImage(image))
    known = field[mask]
    return (np.clip(field, known.min(), known.max()) - known.mean()).astype(np.float32)


def evened(volume: CTVolume, body: CoarseBody) -> CTVolume:
    """An MR scan divided by its bias field; the mean brightness is kept. `body` is the body found in it."""
    field = log_bias_field(volume, body)
    strides = [n * stride for n, stride in zip(_every(body), body.stride, strict=True)][::-1]
    starts = body.first[::-1]
    places = [(np.arange(n) - start) / stride for n, start, stride in zip(volume.intensities.shape, starts, strides, strict=True)]
    planes, rows = _between(field, places[0], 0), places[1:]
    even = np.empty_like(volume.intensities)
    for k, plane in enumerate(planes):
        whole = _between(_between(plane, rows[0], 0), rows[1], 1)
        even[k] = np.rint(np.clip(volume.intensities[k] * np.exp(-whole), -_LARGEST, _LARGEST))
    return replace(volume, hu=even)


def _every(body: CoarseBody) -> tuple[int, int, int]:
    """Steps ``(x, y, z)`` in elements of the coarse body from one voxel of the field to the next."""
    x, y, z = (max(1, round(_SPACING_MM / step)) for step in body.spacing)
    return x, y, z


def _between(array: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Linear interpolation along an axis; beyond the ends the outermost values are repeated."""
    last = array.shape[axis] - 1
    inside = np.clip(places, 0, last)
    low = np.minimum(inside.astype(int), max(last - 1, 0))
    part = (inside - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(array.ndim)])
    return np.take(array, low, axis) * (1 - part) + np.take(array, np.minimum(low + 1, last), axis) * part
