"""Mean and variance over the dropout passes of one slice, from sums alone: no pass is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .evidence import SliceEvidence, likeliest


@dataclass(frozen=True)
class SampledSlice:
    """`probability` float32 ``[classes, (D,) H, W]``: mean over the passes; `uncertainty` float32 ``[(D,) H, W]``.

    `evidence` is there where it was asked for; of a slab `slab_evidence`, that of the slices that count.
    """

    probability: Tensor
    uncertainty: Tensor
    evidence: SliceEvidence | None = None
    slab_evidence: tuple[SliceEvidence, ...] = ()

    def plane(self, depth: int, counted: int) -> SampledSlice:
        """One slice of a sampled slab: the plane at a depth; `counted` is its number among those that count, from 0."""
        evidence = self.slab_evidence[counted] if self.slab_evidence else None
        return SampledSlice(self.probability[:, depth], self.uncertainty[depth], evidence)

    def with_evidence(self, found: SliceEvidence | tuple[SliceEvidence, ...]) -> SampledSlice:
        """The same with the evidence of a slice, or with that of a slab's slices."""
        return replace(self, slab_evidence=found) if isinstance(found, tuple) else replace(self, evidence=found)


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
        """Add passes: float32 ``[N, classes, (D,) H, W]``, softmax already taken."""
        if self._sum is None or self._squares is None:
            self._sum = torch.zeros_like(probability[0])
            self._squares = torch.zeros_like(probability[0, 0])
        if probability.is_cuda:
            self._sum += probability.sum(dim=0)
            self._squares += probability.square().sum(dim=(0, 1))
        else:
            # In numpy, plane after plane: it stays in the processor's cache, and waits for no threads.
            total, squares = self._sum.numpy(), self._squares.numpy()
            for sample in probability.numpy():
                for plane, sum_of_plane in zip(sample, total, strict=True):
                    sum_of_plane += plane
                    squares += plane * plane
        self.passes += probability.shape[0]

    def labels(self) -> np.ndarray:
        """The likeliest class so far, uint8 ``[H, W]``: that of `result`, without its planes.

        Raises:
            ValueError: nothing was added.
        """
        total, _ = self._sums()
        return likeliest(total.cpu().numpy(), self.passes)

    def uncertainty_at(self, where: np.ndarray) -> np.ndarray:
        """The uncertainty so far of voxels, by their indices ``[n]`` in a slice laid out flat: float32 ``[n]``.

        Raises:
            ValueError: nothing was added.
        """
        total, squares = self._sums()
        mean = total.cpu().numpy().reshape(len(total), -1)[:, where] / np.float32(self.passes)
        variance = (squares.cpu().numpy().ravel()[where] / np.float32(self.passes) - (mean * mean).sum(axis=0)) / len(mean)
        return variance.clip(0)

    def result(self) -> SampledSlice:
        """Mean probability and uncertainty of what was added.

        Raises:
            ValueError: nothing was added.
        """
        total, squares = self._sums()
        mean = total / self.passes
        variance = (squares / self.passes - mean.square().sum(dim=0)) / mean.shape[0]
        return SampledSlice(mean, variance.clamp_min(0))

    def _sums(self) -> tuple[Tensor, Tensor]:
        if self._sum is None or self._squares is None:
            raise ValueError("no pass was added")
        return self._sum, self._squares
