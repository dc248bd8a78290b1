"""From a CT to the network's input: window, scale, in-plane spacing, neighbouring slices.

Training and prediction share this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct.cropping import body_threshold
from ..ct.volume import CTVolume

# A model interval this close to the CT's own is taken as equal: interpolating would cost and blur for nothing.
_SAME_SPACING = 1.25


def normalise(hu: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Clip float HU to the bundle's window and map it linearly to its value range; any shape."""
    low, high = preprocessing.hu_window
    bottom, top = preprocessing.value_range
    return (hu.clamp(low, high) - low) * ((top - bottom) / (high - low)) + bottom


def as_hu(values: Tensor, preprocessing: Preprocessing) -> Tensor:
    """What `normalise` made, in HU again; clipped to the bundle's window, any shape."""
    low, high = preprocessing.hu_window
    bottom, top = preprocessing.value_range
    return (values - bottom) * ((high - low) / (top - bottom)) + low


@dataclass(frozen=True)
class SlicePlan:
    """Where the network is run in a CT whose array axes are superior, posterior, left.

    `levels` are positions along z in (fractional) CT slices, ascending; `grid` is the network's ``(height, width)`` before padding
    to `padded`; `interval` is the distance of neighbouring channels in CT slices, `reach` the half width of the
    triangular slice profile in CT slices (1: linear interpolation between slices).
    """

    levels: np.ndarray
    grid: tuple[int, int]
    padded: tuple[int, int]
    interval: float
    reach: float


def plan_slices(volume: CTVolume, preprocessing: Preprocessing, network: NetworkSpec, every: int = 1) -> SlicePlan:
    """Choose levels and in-plane grid for a CT.

    Where the CT's slices are finer than the bundle's interval the network is run once per interval and probabilities are
    interpolated between; where they are coarser it is run on every slice, with neighbours interpolated at the interval.
    With `every` = n above 1 it is run on each n-th slice of the CT, with the same neighbours. A network of three dimensions
    is run on slices at the bundle's interval, whatever the CT's, since its neighbours are what it sees.
    """
    x, y, z = volume.geometry.spacing
    depth, height, width = volume.hu.shape
    wanted = preprocessing.slice_interval_mm or z
    if network.dimensions == 3 and not 1 / _SAME_SPACING <= wanted / z <= _SAME_SPACING:
        levels = np.linspace(0, depth - 1, max(2, int(np.ceil((depth - 1) * z / wanted)) + 1))
    elif network.dimensions == 3:
        levels = np.arange(depth, dtype=float)
    elif every > 1 or wanted <= z * _SAME_SPACING:
        levels = np.arange(0, depth, every, dtype=float)
    else:
        levels = np.linspace(0, depth - 1, max(2, int(np.ceil((depth - 1) * z / wanted)) + 1))
    in_plane = preprocessing.in_plane_spacing_mm
    grid = (height, width)
    if in_plane:
        grid = (max(1, round(height * y / in_plane)), max(1, round(width * x / in_plane)))
    stride = network.stride
    # Reflect padding inside the network needs at least two pixels at its coarsest level.
    padded = (max(2, -(-grid[0] // stride)) * stride, max(2, -(-grid[1] // stride)) * stride)
    interval = wanted / z
    return SlicePlan(levels, grid, padded, interval, max(1.0, interval))


def limb_positions(levels: np.ndarray, limb: tuple[float, float]) -> list[float]:
    """Where slices lie along a limb, 0 at its first (lower) and 1 at its last slice: levels ``[n]`` and both ends in slices.

    >>> limb_positions(np.array([10.0, 15.0, 30.0]), (10, 20))
    [0.0, 0.5, 1.0]
    """
    first, last = limb
    shares = (np.asarray(levels, float) - first) / max(last - first, 1e-6)
    return [float(share) for share in shares.clip(0, 1)]


class SliceReader:
    """Cuts network inputs from a CT; keeps nothing but views."""

    def __init__(self, volume: CTVolume, plan: SlicePlan, preprocessing: Preprocessing, channels: int) -> None:
        self._hu = volume.intensities
        self._outside = volume.outside
        # Slices without a voxel above this show only air, foam or cloth, or the noise around a body.
        self._body_above = body_threshold(volume)
        self._plan = plan
        self._preprocessing = preprocessing
        self._offsets = [(k - channels // 2) * plan.interval for k in range(channels)]

    def is_empty(self, level: float) -> bool:
        """Whether no CT slice that the network would label at this level shows a body."""
        near = self._hu[int(np.floor(level)) : int(np.ceil(level)) + 1]
        return bool((near < self._body_above).all())

    def read(self, level: float) -> Tensor:
        """Network input float32 ``[1, channels, H, W]`` around a level, on the CPU."""
        plan = self._plan
        planes = torch.stack([torch.from_numpy(self._plane(level + offset)) for offset in self._offsets])
        if planes.shape[-2:] != plan.grid:
            # Anti-aliasing averages over the area of a coarser pixel, as a scanner's coarser reconstruction does.
            planes = functional.interpolate(planes.unsqueeze(0), plan.grid, mode="bilinear", align_corners=False, antialias=True)[0]
        below, right = plan.padded[0] - plan.grid[0], plan.padded[1] - plan.grid[1]
        planes = functional.pad(planes, (0, right, 0, below), value=self._outside)
        return normalise(planes, self._preprocessing).unsqueeze(0)

    def hu_of(self, image: Tensor) -> np.ndarray:
        """HU of the slice itself in what `read` gave: float32 ``[H, W]`` on the plan's grid, clipped to the bundle's window."""
        height, width = self._plan.grid
        middle = image[0, len(self._offsets) // 2, :height, :width]
        return as_hu(middle, self._preprocessing).numpy()

    def _plane(self, level: float) -> np.ndarray:
        """One plane float32 ``[y, x]``; slices finer than the interval are averaged under a triangular profile."""
        last = self._hu.shape[0] - 1
        level = float(np.clip(level, 0, last))
        reach = self._plan.reach
        first = max(0, int(np.ceil(level - reach + 1e-6)))
        until = min(last, int(np.floor(level + reach - 1e-6)))
        weights = 1 - np.abs(np.arange(first, until + 1) - level) / reach
        weights = (weights / weights.sum()).astype(np.float32)
        # One slice after the other: a matrix product this thin only makes the threads of BLAS wait for each other.
        plane = np.multiply(self._hu[first], weights[0], dtype=np.float32)
        for k, weight in enumerate(weights[1:], first + 1):
            plane += np.multiply(self._hu[k], weight, dtype=np.float32)
        return plane
