"""The network over a whole CT: class map and voxel-wise uncertainty, slice after slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct.volume import CTVolume
from ..network.bayesian_unet import BayesianUNet
from .sampler import SampledSlice, Sampler
from .slices import SlicePlan, SliceReader, plan_slices

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prediction:
    """`classes` uint8 ``[z, y, x]`` (0..22, no sides) and `uncertainty` float32 ``[z, y, x]`` on the CT's grid."""

    classes: np.ndarray
    uncertainty: np.ndarray


def predict(
    volume: CTVolume,
    network: BayesianUNet,
    spec: NetworkSpec,
    preprocessing: Preprocessing,
    passes: int,
    seed: int,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Prediction:
    """Run `passes` dropout passes on every slice of a CT whose axes are superior, posterior, left.

    `progress` is called with (slices done, slices in all) after every slice; `checkpoint` between passes, so that it can
    raise `Cancelled`. Memory beyond the result is a few slices: never passes x classes x volume.

    Raises:
        DeviceError: the device has too little memory for one slice.
    """
    plan = plan_slices(volume, preprocessing, spec)
    reader = SliceReader(volume, plan, preprocessing, spec.in_channels)
    sampler = Sampler(network, device, passes, seed)
    classes = np.zeros(volume.hu.shape, np.uint8)
    uncertainty = np.zeros(volume.hu.shape, np.float32)
    before: tuple[float, SampledSlice | None] | None = None
    written = -1
    for index, level in enumerate(plan.levels):
        checkpoint()
        sampled = None if reader.is_empty(level) else sampler.sample(reader.read(level), index, checkpoint)
        for k in range(written + 1, int(np.floor(level + 1e-6)) + 1):
            at = _between(before, (level, sampled), k)
            if at is not None:
                classes[k], uncertainty[k] = _to_ct_slice(at, plan, volume.hu.shape[1:])
            written = k
        before = (level, sampled)
        progress(index + 1, len(plan.levels))
    return Prediction(classes, uncertainty)


def _between(
    before: tuple[float, SampledSlice | None] | None, after: tuple[float, SampledSlice | None], k: int
) -> SampledSlice | None:
    """The sampled slice at CT slice k, linear between two levels; where one of them is empty, the nearer one decides."""
    share = 1.0 if before is None else (k - before[0]) / (after[0] - before[0])
    first, second = (None if before is None else before[1]), after[1]
    if share > 1 - 1e-6:
        return second
    if first is None or second is None:
        return second if share >= 0.5 else first
    return SampledSlice(
        torch.lerp(first.probability, second.probability, share), torch.lerp(first.uncertainty, second.uncertainty, share)
    )


def _to_ct_slice(at: SampledSlice, plan: SlicePlan, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Class and uncertainty on the CT's pixels: probabilities, not labels, are interpolated, so that edges stay smooth."""
    height, width = plan.grid
    probability, uncertainty = at.probability[:, :height, :width], at.uncertainty[:height, :width]
    if plan.grid != tuple(shape):
        uncertainty = _resize(uncertainty[None], shape)[0]
        probability = _resize(probability, shape)
    return probability.argmax(dim=0).to(torch.uint8).numpy(), uncertainty.numpy()


def _resize(planes: Tensor, shape: tuple[int, ...]) -> Tensor:
    return functional.interpolate(planes[None], tuple(shape), mode="bilinear", align_corners=False)[0]
