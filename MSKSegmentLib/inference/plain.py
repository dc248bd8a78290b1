"""Dropout passes of a network of any family, as it was trained: for those that `fused` cannot rewrite."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from ..network.families import logits_of
from ..network.mc_dropout import dropout_sampling


class PlainPasses(nn.Module):
    """A copy of a network for Monte Carlo prediction; dropout is always on, logits are float32.

    With `dtype` bfloat16 layers compute in it where torch's autocast finds them fit.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        # A copy, which may move to another device.
        self.network = deepcopy(network).eval()

    @torch.inference_mode()
    def forward(self, x: Tensor, generator: torch.Generator, positions: Tensor | None = None) -> Tensor:
        """One dropout pass over a batch, with masks drawn from `generator`, which lives on the device of `x`."""
        short = self.dtype is not torch.float32
        with torch.autocast(x.device.type, self.dtype, enabled=short), dropout_sampling(self.network, generator):
            return logits_of(self.network, x, positions).float()
