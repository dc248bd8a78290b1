"""A CT made ready for comparison: one grid for real and virtual, the body, and the tissues by the same rules for both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...ct import CTVolume, body_mask, read_ct, read_thin_ct, to_working_grid
from ...errors import InputError
from ..resampling import resampled

Spacing = tuple[float, float, float]

GAS_HU, FAT_HU, SOFT_HU, BONE_HU, REAL_METAL_HU = -300.0, (-190.0, -30.0), (-29.0, 150.0), 150.0, 2500.0
# Finer than this, texture would be that of the interpolation and not of the scan.
SAME_SPACING = 1.1
_HISTOGRAM_STEP_HU = 2.0
# A peak's half width at half its height, in standard deviations of a normal distribution: sqrt(2 ln 2).
_HALF_WIDTH_IN_SD = 1.1774


@dataclass(frozen=True)
class Peak:
    """A peak of a histogram: its position in HU, and the standard deviation that each half width at half height corresponds to."""

    hu: float
    below: float
    above: float


@dataclass(frozen=True)
class Scan:
    """A CT for comparison: `hu` float32 and `body` bool ``[z, y, x]``; `spacing` ``(z, y, x)`` in mm.

    x grows to the left, y to posterior, z to superior. `body` leaves out slices with metal, whose streaks say
    nothing about tissue.
    """

    name: str
    hu: np.ndarray
    body: np.ndarray
    spacing: Spacing

    @property
    def pixel(self) -> float:
        """Side of a pixel in mm, the mean of both directions."""
        return (self.spacing[1] + self.spacing[2]) / 2

    def sigma(self, millimetres: float) -> tuple[float, float, float]:
        """The standard deviation of an in-plane smoothing, given in mm, in voxels ``(z, y, x)``."""
        return 0.0, millimetres / self.spacing[1], millimetres / self.spacing[2]

    @cached_property
    def smooth(self) -> np.ndarray:
        """The CT smoothed in plane by 3.5 mm, float32 ``[z, y, x]``: it shows the tissue around a voxel despite noise."""
        return ndimage.gaussian_filter(self.hu, self.sigma(3.5))

    @cached_property
    def depth_mm(self) -> np.ndarray:
        """Distance in plane to the skin, mm, float32 ``[z, y, x]``."""
        depth = [ndimage.distance_transform_edt(np.pad(plane, 1), sampling=self.spacing[1:]) for plane in self.body]
        return np.stack(depth)[:, 1:-1, 1:-1].astype(np.float32)

    @cached_property
    def behind(self) -> np.ndarray:
        """The half of each slice's body behind its middle, where soft tissue is muscle, bool ``[z, y, x]``."""
        rows = np.arange(self.hu.shape[1])
        weight = self.body.sum(axis=2)
        middle = (weight * rows).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
        return self.body & (rows[None, :, None] > middle[:, None, None])

    @cached_property
    def fat(self) -> Peak:
        """The fat peak of the body's histogram."""
        return find_peak(self._within(FAT_HU, self.body))

    @cached_property
    def muscle(self) -> Peak:
        """The soft-tissue peak of the histogram behind the body's middle."""
        return find_peak(self._within(SOFT_HU, self.behind))

    def _within(self, limits: tuple[float, float], where: np.ndarray) -> np.ndarray:
        values = self.hu[where]
        return values[(values >= limits[0]) & (values <= limits[1])]

    def fat_core(self) -> np.ndarray:
        """Fat away from other tissue, bool ``[z, y, x]``."""
        return self._core(self.fat.hu, self.body & (self.depth_mm > 4))

    def muscle_core(self) -> np.ndarray:
        """Muscle away from other tissue, bool ``[z, y, x]``."""
        return self._core(self.muscle.hu, self.behind & (self.depth_mm > 6))

    def _core(self, centre: float, where: np.ndarray) -> np.ndarray:
        """Where the smoothed CT lies within 45 HU of `centre`, less a rim of about 2 mm."""
        near = where & (np.abs(self.smooth - centre) < 45)
        return ndimage.binary_erosion(near, np.ones((1, 3, 3), bool), iterations=max(1, round(2 / self.pixel)))

    def levels(self, first: int, end: int) -> Scan:
        """The slices from `first` up to but not including `end`."""
        return Scan(self.name, self.hu[first:end], self.body[first:end], self.spacing)


def find_peak(values: np.ndarray) -> Peak:
    """The highest peak of the values' histogram (bins of 2 HU, smoothed by 4 HU); NaN with too few values."""
    if values.size < 200:
        return Peak(np.nan, np.nan, np.nan)
    edges = np.arange(values.min(), values.max() + 2 * _HISTOGRAM_STEP_HU, _HISTOGRAM_STEP_HU)
    counts = ndimage.gaussian_filter1d(np.histogram(values, edges)[0].astype(float), 2.0)
    centres = (edges[:-1] + edges[1:]) / 2
    top = int(np.argmax(counts))
    left = _half_width(counts[top::-1]) * _HISTOGRAM_STEP_HU
    right = _half_width(counts[top:]) * _HISTOGRAM_STEP_HU
    return Peak(float(centres[top]), left / _HALF_WIDTH_IN_SD, right / _HALF_WIDTH_IN_SD)


def _half_width(counts: np.ndarray) -> float:
    """Number of bins from the first, highest one to where the counts fall to half of it; NaN if they do not."""
    below = np.flatnonzero(counts < counts[0] / 2)
    if not below.size:
        return np.nan
    at = int(below[0])
    return float(at - 1 + (counts[at - 1] - counts[0] / 2) / (counts[at - 1] - counts[at]))


def read_scan(path: Path) -> CTVolume:
    """A CT on its working grid; unlike for segmentation, an image file with a few slices suffices.

    Raises:
        InputError: the path cannot be read as a CT.
    """
    thin = read_thin_ct(path)
    return to_working_grid(read_ct(path) if thin is None or thin.geometry.size[2] < 2 else thin).volume


def prepare(name: str, volume: CTVolume, spacing: Spacing) -> Scan:
    """The scan of a CT on its working grid, brought to `spacing` ``(z, y, x)`` mm where its own is finer.

    A grid that is coarser than `spacing` is kept: interpolation would add no detail.

    Raises:
        InputError: there is no body in the CT.
    """
    x, y, z = volume.geometry.spacing
    hu = volume.hu.astype(np.float32)
    factor = [max(1.0, wanted / own) for wanted, own in zip(spacing, (z, y, x), strict=True)]
    factor = [f if f > SAME_SPACING else 1.0 for f in factor]
    body = body_mask(volume)
    if body is None:
        raise InputError(f"No body was found in {name}; give a CT of the hips or thighs in Hounsfield units.")
    if max(factor) > 1:
        hu, body = _coarser(hu, factor), _coarser(body.astype(np.float32), factor) > 0.5
    metal = (hu > REAL_METAL_HU).sum(axis=(1, 2)) > 5
    body = body & ~metal[:, None, None]
    return Scan(name, hu, body, (z * factor[0], y * factor[1], x * factor[2]))


def _coarser(array: np.ndarray, factor: list[float]) -> np.ndarray:
    """An array with voxels `factor` times larger, each the mean over about its own extent, as in a scanner."""
    # Smooth by the standard deviation of a box of the factor's width, then sample at its centre.
    sigma = [np.sqrt(max(f**2 - 1, 0) / 12) for f in factor]
    smooth = ndimage.gaussian_filter(array, sigma)
    count = [max(1, int(n / f)) for n, f in zip(array.shape, factor, strict=True)]
    at = [(np.arange(n) + 0.5) * f - 0.5 for n, f in zip(count, factor, strict=True)]
    return resampled(smooth, at, order=1)
