"""The network over a whole CT: class map and voxel-wise uncertainty, slice after slice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import nn

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct.cropping import CoarseBody
from ..ct.volume import CTVolume
from ..findings import Finding, warning
from ..network.ensemble import Ensemble, members_of
from ..network.mirrored import Mirrored
from .backends import can_round
from .crop import body_windows
from .ct_slices import CTSlices
from .evidence import SliceEvidence
from .lookahead import OneBehind
from .looking import Look, example_slices, sample_slices
from .sampler import Sampler, Sampling
from .slabs import sample_slabs
from .slices import SlicePlan, plan_slices
from .tiles import TiledNetwork

_LOG = logging.getLogger(__name__)
SliceProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prediction:
    """`classes` uint8 and `uncertainty` float32 ``[z, y, x]`` on the CT's grid; classes are indices of structures, without sides.

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
    is a few slices, or of a network of three dimensions a slab as thick as its patch: never passes x classes x volume.

    Raises:
        DeviceError: the device has too little memory for one slice.
        DependencyError: a network of three dimensions needs a package that is not installed.
    """
    every = sampling.every
    plan = plan_slices(volume, preprocessing, spec, every)
    slices = CTSlices(volume.hu[::every].shape, plan)
    evidence: list[SliceEvidence] = []
    if spec.dimensions == 3:
        outside = preprocessing.value_range[0]
        network = _one_of([TiledNetwork(member, spec.patch, outside) for member in members_of(network)])
    if preprocessing.mirrored:
        network = _one_of([*members_of(network), *map(Mirrored, members_of(network))])
    windows = body_windows(volume.geometry, body, plan, spec.stride, sampling.passes)
    look = Look(volume, plan, spec, preprocessing, sampling, windows, len(members_of(network)))
    rounded = sampling.int8 and can_round(sampling.device, network)
    examples = partial(example_slices, look) if rounded else None
    sampler = Sampler(network, sampling.device, sampling.passes, sampling.seed, sampling.backends, sampling.auto, examples)
    sampled_levels = sample_slabs if spec.dimensions == 3 else sample_slices
    with OneBehind() as behind:
        for index, sampled in enumerate(sampled_levels(look, sampler, checkpoint)):
            if sampled is not None and sampled.evidence is not None and sampled.evidence.structures.size:
                evidence.append(sampled.evidence)
            behind.call(slices.add, plan.levels[index] / every, sampled)
            progress(index + 1, len(plan.levels))
    _LOG.info("%d of %d slices of the network held something, sampled %d times in all", *_counts(sampler, plan))
    maps = slices.classes, slices.uncertainty
    given_up = tuple(warning("back_end", sentence) for sentence in sampler.warnings)
    if sampling.int8 and not rounded:
        given_up = (_not_rounded(), *given_up)
    return Prediction(*maps, tuple(sampler.used), given_up, tuple(evidence), tuple(sampler.drawn))


def _not_rounded() -> Finding:
    return warning(
        "back_end",
        "8-bit integers were asked for; they need a Bayesian U-Net, OpenVINO and an x86 processor in place of a graphics card. The "
        "usual precision was used.",
    )


def _one_of(members: Sequence[nn.Module]) -> nn.Module:
    return members[0] if len(members) == 1 else Ensemble(members)


def _counts(sampler: Sampler, plan: SlicePlan) -> tuple[int, int, int]:
    return len(sampler.drawn), len(plan.levels), sum(sampler.drawn)
