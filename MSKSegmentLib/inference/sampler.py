"""Monte Carlo dropout on one slice: T passes, of which only running sums are kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DeviceError
from ..timing import time_logged
from .auto_samples import Settling, as_of
from .backends import OPENVINO_INT8, Backend, Draw, available_backends, make_backend
from .evidence import SliceEvidence, likeliest
from .running_sums import RunningSums, SampledSlice

_LOG = logging.getLogger(__name__)
# A prime, so that no two (seed, slice) pairs of ordinary size share a stream of random numbers.
_SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class Sampling:
    """How slices are sampled: `passes` dropout passes from a `seed`, on a `device`.

    `backends` are tried in order, None for the device's, the fastest first. With `auto` a slice gets fewer passes where it has
    settled; with `every` = n only each n-th slice is looked at. With `keep_maps` the evidence holds the class map of each pass.
    With `int8` convolutions are computed in 8-bit integers where the machine and the network allow it (`openvino_int8`).
    `limb` are the first and the last slice of the scanned limb, counted in slices of the volume, where that is a part of it; None:
    the volume is all that was scanned.
    """

    passes: int
    seed: int
    device: str = "cpu"
    backends: Sequence[str] | None = None
    auto: bool = False
    every: int = 1
    keep_maps: bool = False
    limb: tuple[float, float] | None = None
    int8: bool = False


class Votes(Protocol):
    """Gathers the evidence of a slice (`evidence.PassVotes`) or of a slab, pass after pass."""

    def add(self, winners: np.ndarray) -> None:
        """Count one pass: the likeliest class of each voxel, uint8."""

    def result(self, probability: np.ndarray) -> SliceEvidence | tuple[SliceEvidence, ...]:
        """The evidence, given the mean probability over the passes."""
        ...


class Sampler:
    """Runs the passes of one slice after the other on the fastest back end that works.

    A back end that fails is given up for the next one, with a sentence in `warnings`; slices sampled before stay as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str,
        passes: int,
        seed: int,
        backends: Sequence[str] | None = None,
        auto: bool = False,
        examples: Callable[[], Sequence[Tensor]] | None = None,
    ) -> None:
        """With `auto` a slice gets fewer than `passes` where it has settled (see `auto_samples`).

        Where `examples` are given, the back end that learns from them is tried before all others.
        """
        self.warnings: list[str] = []
        self._network = network
        self._passes = passes
        self._seed = seed
        self._left = list(available_backends(device, network) if backends is None else backends)
        self._backend: Backend | None = None
        self._batch = 1
        self._auto = auto
        self._examples = examples
        if examples is not None:
            self._left.insert(0, OPENVINO_INT8)
        #: How many passes each sampled slice got.
        self.drawn: list[int] = []
        #: The back ends that sampled at least one slice, in order.
        self.used: list[str] = []

    def sample(
        self,
        image: Tensor,
        index: int,
        between: Callable[[], None] = lambda: None,
        votes: Callable[[], Votes] | None = None,
        position: float = 0.0,
    ) -> SampledSlice:
        """Sample one slice ``[1, channels, H, W]`` or slab ``[1, 1, D, H, W]``.

        `index` selects its random numbers, `between` is called after each pass. `position` is the slice's along the limb, for
        networks that need it. `votes` makes what gathers the evidence, anew after a failure. The result lies on the back end's
        device.

        Raises:
            DeviceError: not even a single pass fits into the device's memory, and no other back end is left.
        """
        while True:
            try:
                backend = self._current()
                draw = backend.start(image, self._seed * _SEED_STRIDE + index, position)
                sampled = self._sample(draw, between, votes() if votes else None)
            except (RuntimeError, ImportError, MemoryError) as error:
                self._give_way(error)
                continue
            if backend.name not in self.used:
                self.used.append(backend.name)
            return sampled

    def _current(self) -> Backend:
        if self._backend is None:
            with time_logged(_LOG, f"Preparing the back end {self._left[0]}"):
                self._backend = self._made(self._left[0])
            self._batch = min(self._passes, self._backend.largest_batch)
        return self._backend

    def _made(self, name: str) -> Backend:
        if name != OPENVINO_INT8 or self._examples is None:
            return make_backend(name, self._network)
        return make_backend(name, self._network, self._examples())

    def _give_way(self, error: Exception) -> None:
        """After a failure: half the batch where memory ran out, else the next back end.

        Raises:
            DeviceError: no back end is left and memory ran out.
            Exception: no back end is left; `error` itself.
        """
        too_small = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if too_small and self._backend is not None and self._batch > 1:
            self._batch = (self._batch + 1) // 2
            _LOG.info("The device's memory is exhausted: %d passes at once from here on", self._batch)
        elif len(self._left) > 1:
            failed = self._left.pop(0)
            reason = "has too little memory" if too_small else f"failed ({_first_line(error)})"
            _LOG.info("The back end %s is given up: %s", failed, reason)
            self.warnings.append(f"The back end {failed} {reason}; the rest was computed by {self._left[0]}.")
            self._backend = None
        elif too_small:
            raise DeviceError("There is too little memory for one slice; choose another device or a region.") from error
        else:
            raise error
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _sample(self, draw: Draw, between: Callable[[], None], votes: Votes | None) -> SampledSlice:
        sums = RunningSums()
        settling = Settling() if self._auto else None
        while sums.passes < self._passes:
            drawn = draw(1 if settling else min(self._batch, self._passes - sums.passes))
            sums.add(drawn)
            if votes:
                for winners in _winners(drawn):
                    votes.add(winners)
            between()
            if settling and settling.enough(sums):
                break
        self.drawn.append(sums.passes)
        sampled = as_of(sums.result(), sums.passes, self._passes)
        return sampled.with_evidence(votes.result(sampled.probability.cpu().numpy())) if votes else sampled


def _winners(probability: Tensor) -> Iterable[np.ndarray]:
    """The likeliest class in each of ``[n, classes, H, W]``: uint8 ``[H, W]``, n times."""
    if probability.is_cuda:
        return probability.argmax(dim=1).to(torch.uint8).cpu().numpy()
    return (likeliest(sample) for sample in probability.numpy())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:200]
