"""Texture of homogeneous tissue: local spread, noise power spectrum, and how far neighbouring voxels resemble each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .scan import Scan

PATCH_MM = 24.0
WINDOW_MM = 15.0
# A window or patch lies in a tissue if at least this share of it does.
WHOLE_SHARE = 0.95
FEWEST_PATCHES = 8
MOST_PATCHES = 4000


@dataclass(frozen=True)
class Texture:
    """Texture of one tissue; NaN where there is too little of it.

    `local_sd` is the median standard deviation in windows of 15 mm and `spread` the standard deviation of the windows' means (HU);
    `frequencies` (1/mm) and `spectrum` (HU^2 mm^2) the noise power spectrum, averaged over directions; `frequency` its
    centroid (1/mm) weighted by area; `length_mm` where the autocorrelation in plane falls to 1/e; `next_slice` the correlation
    of neighbouring slices; `stripes` the natural logarithm of the variance of row means over that of column means
    (positive: horizontal streaks); `skewness` of the detrended patches.
    """

    local_sd: float
    spread: float
    frequencies: np.ndarray
    spectrum: np.ndarray
    frequency: float
    length_mm: float
    next_slice: float
    stripes: float
    skewness: float


def texture(scan: Scan, core: np.ndarray) -> Texture:
    """Texture of `scan` inside `core`, bool ``[z, y, x]``."""
    sd, mean = window_statistics(scan, core, WINDOW_MM)
    patches, above = _patches(scan, core)
    if len(patches) < FEWEST_PATCHES:
        empty = np.empty(0)
        return Texture(_median(sd), _spread(mean), empty, empty, *[np.nan] * 5)
    frequencies, spectrum = power_spectrum(patches, scan.pixel)
    weight = spectrum * frequencies
    spread = patches.std()
    return Texture(
        _median(sd),
        _spread(mean),
        frequencies,
        spectrum,
        float((weight * frequencies).sum() / weight.sum()),
        correlation_length(patches, scan.pixel),
        _next_slice(patches, above),
        float(np.log(patches.mean(axis=2).var() / patches.mean(axis=1).var())),
        float((patches**3).mean() / spread**3),
    )


def window_statistics(scan: Scan, core: np.ndarray, side_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation and mean (HU) of every in-plane window of `side_mm` that lies in `core`, ``[n]`` each."""
    size = (1, *(max(3, round(side_mm / s)) for s in scan.spacing[1:]))
    inside = ndimage.uniform_filter(core.astype(np.float32), size, mode="constant") > WHOLE_SHARE
    hu = scan.hu.astype(np.float64)
    mean = ndimage.uniform_filter(hu, size)[inside]
    square = ndimage.uniform_filter(hu**2, size)[inside]
    return np.sqrt(np.clip(square - mean**2, 0, None)), mean


def _patches(scan: Scan, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detrended patches ``[n, side, side]`` in `core`, and the same positions one slice above (0 outside the core)."""
    side = max(8, round(PATCH_MM / scan.pixel))
    if min(core.shape[1:]) < side:
        return np.empty((0, side, side)), np.empty((0, side, side))
    # At [z, y, x]: how much of the patch that begins there is core; patches overlap by half.
    covered = ndimage.uniform_filter(core.astype(np.float32), (1, side, side), mode="constant")
    covered = covered[:, side // 2 : side // 2 + core.shape[1] - side + 1, side // 2 : side // 2 + core.shape[2] - side + 1]
    full = covered >= WHOLE_SHARE
    starts = np.argwhere(full[:, :: side // 2, :: side // 2]) * (1, side // 2, side // 2)
    starts = starts[:: -(-len(starts) // MOST_PATCHES) or 1]
    found, above = np.zeros((len(starts), side, side)), np.zeros((len(starts), side, side))
    for number, (k, y, x) in enumerate(starts):
        box = (slice(y, y + side), slice(x, x + side))
        found[number] = _detrended(scan.hu[k][box])
        if k + 1 < len(full) and full[k + 1, y, x]:
            above[number] = _detrended(scan.hu[k + 1][box])
    return found, above


def _detrended(patch: np.ndarray) -> np.ndarray:
    """A patch minus its best-fitting plane: slow trends are anatomy."""
    y, x = (grid.ravel() - (patch.shape[0] - 1) / 2 for grid in np.mgrid[: patch.shape[0], : patch.shape[1]])
    values = patch.ravel().astype(np.float64)
    values = values - values.mean()
    values -= x * (x @ values) / (x @ x) + y * (y @ values) / (y @ y)
    return values.reshape(patch.shape)


def _next_slice(patches: np.ndarray, above: np.ndarray) -> float:
    """Correlation of patches with those one slice above, where these exist; NaN with too few pairs."""
    paired = above.any(axis=(1, 2))
    if paired.sum() < FEWEST_PATCHES:
        return np.nan
    lower, upper = patches[paired], above[paired]
    return float((lower * upper).sum() / np.sqrt((lower**2).sum() * (upper**2).sum()))


def power_spectrum(patches: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise power spectrum of patches ``[n, side, side]``: frequencies (1/mm) and power (HU^2 mm^2), averaged over directions.

    NPS = |FFT|^2 * pixel^2 / side^2 (ICRU report 54); its integral over the plane is the variance. `pixel` in mm.
    """
    side = patches.shape[1]
    power = (np.abs(np.fft.fft2(patches)) ** 2).mean(axis=0) * pixel**2 / side**2
    along = np.fft.fftfreq(side, pixel)
    radius = np.hypot(along[:, None], along[None, :])
    width = 1 / (side * pixel)
    ring = np.rint(radius / width).astype(int)
    wanted = (ring >= 1) & (ring <= side // 2)
    count = np.bincount(ring[wanted])[1:]
    return (
        np.bincount(ring[wanted], radius[wanted])[1:] / count,
        np.bincount(ring[wanted], power[wanted])[1:] / count,
    )


def correlation_length(patches: np.ndarray, pixel: float) -> float:
    """The lag in mm at which the mean autocorrelation along rows and columns of ``[n, side, side]`` falls to 1/e."""
    side = patches.shape[1]
    square = (patches**2).mean()
    curve = [1.0]
    for lag in range(1, side // 2 + 1):
        rows = (patches[:, lag:] * patches[:, :-lag]).mean()
        columns = (patches[:, :, lag:] * patches[:, :, :-lag]).mean()
        curve.append(float((rows + columns) / 2 / square))
        if curve[-1] < np.exp(-1):
            part = (curve[-2] - np.exp(-1)) / (curve[-2] - curve[-1])
            return float((lag - 1 + part) * pixel)
    return float(side / 2 * pixel)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size >= 50 else np.nan


def _spread(values: np.ndarray) -> float:
    return float(values.std()) if values.size >= 50 else np.nan
