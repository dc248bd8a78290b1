"""Monte Carlo dropout on one slice: T passes, of which only running sums are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import DeviceError
from ..network.bayesian_unet import BayesianUNet
from .fused import FusedUNet, quick_dtype

# A prime, so that no two (seed, slice) pairs of ordinary size share a stream of random numbers.
_SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class SampledSlice:
    """`probability` float32 ``[classes, H, W]``: mean over the passes; `uncertainty` float32 ``[H, W]``."""

    probability: Tensor
    uncertainty: Tensor


class RunningSums:
    """Sums from which mean and variance over dropout passes follow without keeping the passes.

    With S1 the sum of p per class and Q the sum of p squared over passes and classes, the mean over the C classes of
    the variance over T passes is (Q / T - sum_c (S1_c / T)^2) / C; the variance divides by T as in Soufi et al. 2025.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._sum: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, probability: Tensor) -> None:
        """Add passes: float32 ``[N, classes, H, W]``, softmax already taken."""
        total, squares = probability.sum(dim=0), probability.square().sum(dim=(0, 1))
        self._sum = total if self._sum is None else self._sum.add_(total)
        self._squares = squares if self._squares is None else self._squares.add_(squares)
        self.passes += probability.shape[0]

    def result(self) -> SampledSlice:
        """Mean probability and uncertainty of what was added.

        Raises:
            ValueError: nothing was added.
        """
        if self._sum is None or self._squares is None:
            raise ValueError("no pass was added")
        mean = self._sum / self.passes
        variance = (self._squares / self.passes - mean.square().sum(dim=0)) / mean.shape[0]
        return SampledSlice(mean, variance.clamp_min(0))


class Sampler:
    """Runs the passes of one slice on one device; holds the network and the batch size that fits."""

    def __init__(self, network: BayesianUNet, device: str, passes: int, seed: int) -> None:
        self._network = FusedUNet(network, quick_dtype(device)).to(device)
        self._device = device
        self._passes = passes
        self._seed = seed
        # Batches are slower than single passes on a CPU and several times faster on a GPU.
        self._batch = 1 if device == "cpu" else passes

    def sample(self, image: Tensor, index: int, between: Callable[[], None] = lambda: None) -> SampledSlice:
        """Sample one slice ``[1, channels, H, W]``; `index` selects its random numbers, `between` is called after each pass.

        Raises:
            DeviceError: not even a single pass fits into the device's memory.
        """
        while True:
            try:
                return self._sample(image, index, between)
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise DeviceError("The GPU has too little memory for one slice; choose the device 'cpu'.") from error
                self._batch = (self._batch + 1) // 2
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _sample(self, image: Tensor, index: int, between: Callable[[], None]) -> SampledSlice:
        generator = torch.Generator(self._device).manual_seed(self._seed * _SEED_STRIDE + index)
        image = image.to(self._device)
        sums = RunningSums()
        while sums.passes < self._passes:
            count = min(self._batch, self._passes - sums.passes)
            sums.add(self._network(image.expand(count, -1, -1, -1), generator).softmax(dim=1))
            between()
        result = sums.result()
        return SampledSlice(result.probability.cpu(), result.uncertainty.cpu())
