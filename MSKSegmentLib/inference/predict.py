"""The network over a whole CT: class map and voxel-wise uncertainty, slice after slice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct.cropping import CoarseBody
from ..ct.volume import CTVolume
from ..findings import Finding, warning
from .crop import body_windows
from .evidence import PassVotes, SliceEvidence, likeliest
from .lookahead import OneBehind, one_ahead
from .running_sums import SampledSlice
from .sampler import Sampler, Sampling
from .slices import SlicePlan, SliceReader, limb_positions, plan_slices

_LOG = logging.getLogger(__name__)
SliceProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prediction:
    """`classes` uint8 ``[z, y, x]`` (0..22, no sides) and `uncertainty` float32 ``[z, y, x]`` on the CT's grid.

    `backends` are those that sampled slices, in order; `findings` say which were given up and why. `evidence` holds what the passes
    said, for every slice in which they found a structure; `drawn` how many passes each sampled slice got.
    """

    classes: np.ndarray
    uncertainty: np.ndarray
    backends: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: tuple[SliceEvidence, ...] = ()
    drawn: tuple[int, ...] = ()


def predict(
    volume: CTVolume,
    network: nn.Module,
    spec: NetworkSpec,
    preprocessing: Preprocessing,
    sampling: Sampling,
    progress: SliceProgress = lambda done, total: None,
    checkpoint: Callable[[], None] = lambda: None,
    body: CoarseBody | None = None,
) -> Prediction:
    """Run dropout passes on the slices of a CT whose axes are superior, posterior, left; the result holds these slices alone.

    `progress` is called with (slices done, slices in all) after every slice; `checkpoint` between passes, so that it can
    raise `Cancelled`. The network sees each slice around `body` alone; without one it sees whole slices. Memory beyond the result
    is a few slices: never passes x classes x volume.

    Raises:
        DeviceError: the device has too little memory for one slice.
    """
    passes, every = sampling.passes, sampling.every
    plan = plan_slices(volume, preprocessing, spec, every)
    reader = SliceReader(volume, plan, preprocessing, spec.in_channels)
    sampler = Sampler(network, sampling.device, passes, sampling.seed, sampling.backends, sampling.auto)
    windows = body_windows(volume.geometry, body, plan, spec.stride, passes)
    slices = _Slices(volume.hu[::every].shape, plan)
    evidence: list[SliceEvidence] = []
    places = limb_positions(plan.levels, sampling.limb or (0, len(volume.hu) - 1))

    def read(index: int) -> Tensor | None:
        level = plan.levels[index]
        return None if windows[index] is None or reader.is_empty(level) else reader.read(level)

    with OneBehind() as behind:
        for index, image in enumerate(one_ahead(read, range(len(plan.levels)))):
            checkpoint()
            position, window, sampled = plan.levels[index] / every, windows[index], None
            if image is not None and window is not None:
                hu, strips = reader.hu_of(image)[window.inside], window.strips(plan.grid[1])
                votes = partial(PassVotes, hu, spec.classes, position, strips, sampling.keep_maps)
                sampled = window.pasted(sampler.sample(image[window.inside], index, checkpoint, votes, places[index]))
                if sampled.evidence is not None and sampled.evidence.structures.size:
                    evidence.append(window.whole_maps(sampled.evidence, plan.grid))
            behind.call(slices.add, position, sampled)
            progress(index + 1, len(plan.levels))
    _LOG.info("%d of %d slices of the network held something, sampled %d times in all", *_counts(sampler, plan))
    maps = slices.classes, slices.uncertainty
    given_up = tuple(warning("back_end", sentence) for sentence in sampler.warnings)
    return Prediction(*maps, tuple(sampler.used), given_up, tuple(evidence), tuple(sampler.drawn))


def _counts(sampler: Sampler, plan: SlicePlan) -> tuple[int, int, int]:
    return len(sampler.drawn), len(plan.levels), sum(sampler.drawn)


class _Slices:
    """The result, filled slice by slice as levels come in."""

    def __init__(self, shape: tuple[int, ...], plan: SlicePlan) -> None:
        self.classes = np.zeros(shape, np.uint8)
        self.uncertainty = np.zeros(shape, np.float32)
        self._plan = plan
        self._before: tuple[float, SampledSlice | None] | None = None
        self._written = -1

    @torch.inference_mode()
    def add(self, position: float, sampled: SampledSlice | None) -> None:
        """Write the slices up to this position; None where nothing was sampled."""
        for k in range(self._written + 1, int(np.floor(position + 1e-6)) + 1):
            at = _between(self._before, (position, sampled), k)
            if at is not None:
                self.classes[k], self.uncertainty[k] = _to_ct_slice(at, self._plan, self.classes.shape[1:])
            self._written = k
        self._before = (position, sampled)


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
    # The back end, and with it the device, may have changed between the two.
    begin = [planes.to(second.probability.device) for planes in (first.probability, first.uncertainty)]
    return SampledSlice(torch.lerp(begin[0], second.probability, share), torch.lerp(begin[1], second.uncertainty, share))


def _to_ct_slice(at: SampledSlice, plan: SlicePlan, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Class and uncertainty on the CT's pixels: probabilities, not labels, are interpolated, so that edges stay smooth."""
    height, width = plan.grid
    probability, uncertainty = at.probability[:, :height, :width], at.uncertainty[:height, :width]
    # The likeliest of n classes has at least 1/n, before and after interpolation: most classes need not be looked at.
    candidates = (probability.amax(dim=(1, 2)) > 0.99 / probability.shape[0]).nonzero().flatten()
    probability = probability[candidates]
    if plan.grid != tuple(shape):
        uncertainty = _resize(uncertainty[None], shape)[0]
        probability = _resize(probability, shape)
    # In numpy on a CPU: for steps this small, waiting for torch's threads takes longer than computing.
    winner = probability.argmax(dim=0).cpu().numpy() if probability.is_cuda else likeliest(probability.numpy())
    return candidates.to(torch.uint8).cpu().numpy()[winner], uncertainty.cpu().numpy()


def _resize(planes: Tensor, shape: tuple[int, ...]) -> Tensor:
    return functional.interpolate(planes[None], tuple(shape), mode="bilinear", align_corners=False)[0]
