"""How long a run will take and how much memory it needs, from a short run of the same network. Needs torch."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..bundle import ModelBundle
from ..bundle.cascade import opened_first_stage
from ..ct.cropping import CoarseBody
from ..ct.volume import CTVolume, Geometry
from ..memory import peak_bytes
from .auto_samples import usual_passes
from .crop import body_windows
from .devices import Device
from .predict import predict
from .sampler import Sampling
from .slabs import slabs_of
from .slices import SlicePlan, plan_slices

# The timing uses as many dropout passes as fit into this time.
_BUDGET_S = 3.0
_SOFT_TISSUE_HU = 40
# Starting; and reading, checks, sides, measuring and writing: two idle cores take 4 to 5 s for 39 million voxels and 8 to 9 s for
# 131 million (benchmarks/RESULTS.md).
_START_S = 3.3
_OTHER_S_PER_MILLION_VOXELS = 0.035
# Finding, widening and applying the mask of a first stage, and looking where it cuts; without a first network.
_MASK_S_PER_MILLION_VOXELS = 0.1
# What these steps hold in memory: measured by benchmarks/estimate.py on scans of 38 and 105 million voxels.
_BYTES_PER_VOXEL, _BYTES_OF_CT = 13, 2
# What a run loads beyond the timing: libraries for sides, measuring and writing. Without it runs on 11, 39 and 131 million voxels
# held 0.25, 0.19 and 0.05 GB more than was promised.
_BYTES_OF_LIBRARIES = 150 << 20
# What Python, torch and the bundled model hold, where the process cannot be asked.
_USUAL_BYTES = 700 << 20


@dataclass(frozen=True)
class RunEstimate:
    """What a run will take: wall time of the whole run, the process's memory, and the GPU's (None on a CPU).

    `slices` is how often the network, of a cascade the second one, is run, times `passes`.
    """

    seconds: float
    memory_bytes: int
    device_memory_bytes: int | None
    slices: int
    passes: int


def estimate_run(
    bundle: ModelBundle,
    scan: Geometry,
    device: Device,
    passes: int | None = None,
    body: Geometry | None = None,
    shape: CoarseBody | None = None,
) -> RunEstimate:
    """Time the bundle's network on a few slices of such a scan (a few seconds, more for a large network) and scale up.

    Args:
        bundle: whose network is run; it is loaded and verified.
        scan: the grid of the scan, axes left, posterior, superior.
        device: where the network runs.
        passes: dropout passes, None for what is usual with the bundle.
        body: the part of the scan that the network sees, None for all of it.
        shape: the body itself on `body`; None takes it that the body fills all of it.

    Raises:
        BundleError: the weights cannot be read, or the first network of a cascade is not at hand.
        DeviceError: the device has too little memory for one slice.
    """
    body = body or scan
    passes = passes or usual_passes(bundle.manifest)
    with opened_first_stage(bundle.manifest.preprocessing, bundle.task.modality, bundle.folder) as first:
        before = 0.0 if first is None else _network_seconds(first, body, device, first.manifest.passes)
    seconds = before + _network_seconds(bundle, body, device, passes, shape)
    voxels = math.prod(scan.size)
    if bundle.manifest.preprocessing.first_stage is not None:
        seconds += _MASK_S_PER_MILLION_VOXELS * voxels / 1e6
    return RunEstimate(
        seconds=_START_S + seconds + _OTHER_S_PER_MILLION_VOXELS * voxels / 1e6,
        memory_bytes=_peak_memory() + _BYTES_OF_LIBRARIES + _BYTES_PER_VOXEL * voxels,
        device_memory_bytes=torch.cuda.max_memory_reserved() if device.name == "cuda" else None,
        slices=_looks(body, bundle),
        passes=passes,
    )


def _network_seconds(bundle: ModelBundle, body: Geometry, device: Device, passes: int, shape: CoarseBody | None = None) -> float:
    """What a bundle's network alone takes on a scan of `body`, from a few slices of it.

    The back end is prepared once for every shape of its input; all else grows with slices, passes and pixels. Timings of a
    thinner and of a thicker slab, and of one and of more passes, tell these apart.
    """
    manifest, network = bundle.manifest, bundle.load_network()
    plan = plan_slices(_soft_tissue(body, 1), manifest.preprocessing, manifest.network)
    # Three slices of the network: enough for the interpolation between them to take part; of one in 3D, its patch.
    wanted = 3 if manifest.network.dimensions == 2 else manifest.network.patch[0]
    thin, thick = (_slab(body, plan, wanted * times) for times in (1, 2))
    looks, more_looks = (_looks(slab.geometry, bundle) for slab in (thin, thick))

    _timed(network, bundle, thin, device, 1)  # the first call prepares the device
    if device.name == "cuda":
        torch.cuda.reset_peak_memory_stats()
    one_pass = _timed(network, bundle, thin, device, 1)
    tried = max(1, min(passes, max(2, int(_BUDGET_S / one_pass))))
    some = one_pass if tried == 1 else _timed(network, bundle, thin, device, tried)
    # Of a scan that is no thicker all is taken to grow with its slices.
    more = some if more_looks == looks else _timed(network, bundle, thick, device, tried)
    a_look = some / looks if more_looks == looks else max(0.0, more - some) / (more_looks - looks)
    preparing = max(0.0, some - a_look * looks)
    if tried < passes:
        a_look += max(0.0, some - one_pass) / (tried - 1) / looks * (passes - tried)
    shapes, share = _shapes(body, shape, bundle, passes)
    return shapes * preparing + share * _looks(body, bundle) * a_look


def _shapes(body: Geometry, shape: CoarseBody | None, bundle: ModelBundle, passes: int) -> tuple[int, float]:
    """How many shapes of input the network gets on a scan, and the share of all pixels that these are."""
    plan = _plan(body, bundle)
    windows = [window for window in body_windows(body, shape, plan, bundle.manifest.network.stride, passes) if window is not None]
    whole = plan.padded[0] * plan.padded[1] * len(plan.levels)
    shapes = {(window.rows[1] - window.rows[0], window.columns[1] - window.columns[0]) for window in windows}
    return len(shapes), sum(window.area for window in windows) / whole


def memory_of_run(voxels: int) -> int:
    """The bytes that a run takes on a CT of so many voxels: those that the process holds after reading, and those still to come.

    Without the slice in the network, which takes a few hundred megabytes for a large network.
    """
    return _peak_memory() + (_BYTES_PER_VOXEL - _BYTES_OF_CT) * voxels


def in_words(seconds: float) -> str:
    """A duration in words, for example ``about 4 minutes``.

    >>> in_words(12.0), in_words(200.0), in_words(9000.0)
    ('about 20 seconds', 'about 3 minutes', 'about 2.5 hours')
    """
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {10 * math.ceil(seconds / 10)} seconds"
    if seconds < 5400:
        minutes = max(1, round(seconds / 60))
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {seconds / 3600:.1f} hours"


def _soft_tissue(geometry: Geometry, depth: int) -> CTVolume:
    """The first slices of such a scan, full of soft tissue: empty slices would be skipped."""
    part = geometry.cropped((0, 0, 0), (geometry.size[0], geometry.size[1], depth))
    return CTVolume(np.full(part.shape, _SOFT_TISSUE_HU, np.int16), part)


def _slab(body: Geometry, plan: SlicePlan, levels: int) -> CTVolume:
    """Soft tissue on so many levels of the network, or as many as the scan has."""
    return _soft_tissue(body, min(body.size[2], math.ceil((levels - 1) * max(1.0, plan.interval)) + 1))


def _plan(geometry: Geometry, bundle: ModelBundle) -> SlicePlan:
    # A broadcast array takes no memory; only its shape matters here.
    hu = np.broadcast_to(np.int16(_SOFT_TISSUE_HU), geometry.shape)
    return plan_slices(CTVolume(hu, geometry), bundle.manifest.preprocessing, bundle.manifest.network)


def _looks(geometry: Geometry, bundle: ModelBundle) -> int:
    """How often the network is run on a scan, times passes: on slices, or on slabs of them."""
    spec, levels = bundle.manifest.network, len(_plan(geometry, bundle).levels)
    return levels if spec.dimensions == 2 else len(slabs_of(levels, spec.patch[0]))


def _timed(network: nn.Module, bundle: ModelBundle, slab: CTVolume, device: Device, passes: int) -> float:
    began = time.perf_counter()
    predict(slab, network, bundle.manifest.network, bundle.manifest.preprocessing, Sampling(passes, 0, device.name))
    return time.perf_counter() - began


def _peak_memory() -> int:
    """The most memory that this process has held, in bytes: Python, torch, the weights and a slice's activations."""
    # Windows knows the peak; elsewhere what is held right after the timing comes near it.
    return peak_bytes() or _USUAL_BYTES
