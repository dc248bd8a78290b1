"""From the network's slices back to those of the CT: probabilities are interpolated, then the likeliest class is taken."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .evidence import likeliest
from .running_sums import SampledSlice
from .slices import SlicePlan


class CTSlices:
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
                self.classes[k], self.uncertainty[k] = to_ct_slice(at, self._plan, self.classes.shape[1:])
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


def to_ct_slice(at: SampledSlice, plan: SlicePlan, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
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
