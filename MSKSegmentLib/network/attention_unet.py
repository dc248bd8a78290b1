"""The Attention U-Net: gates let through of each skip connection what the coarser features attend to.

Oktay et al. 2018, arXiv:1804.03999: additive attention on a grid, for every skip but the finest. The layers around the gates are
those of the Bayesian U-Net, so that dropout follows every block.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .bayesian_unet import BayesianUNet
from .spec import NetworkSpec


class AttentionUNet(nn.Module):
    """``[N, in_channels, H, W]`` in, logits ``[N, classes, H, W]`` out; H and W are multiples of the spec's stride."""

    def __init__(self, unet: BayesianUNet) -> None:
        super().__init__()
        self.unet = unet
        filters = [cast(int, block.out_channels) for block in unet.encoder]
        # One for each skip but the finest, the coarsest first, as the decoder meets them.
        self.gates = nn.ModuleList(_Gate(filters[level], filters[level + 1]) for level in reversed(range(1, len(filters) - 1)))

    @classmethod
    def from_spec(cls, spec: NetworkSpec) -> AttentionUNet:
        """The network of a spec."""
        return cls(BayesianUNet.from_spec(spec))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of slices."""
        *skips, x = self.unet.encode(x)
        for number, (up, block) in enumerate(zip(self.unet.up, self.unet.decoder, strict=True)):
            skip = skips.pop()
            if number < len(self.gates):
                skip = self.gates[number](skip, x)
            x = block(torch.cat((up(x), skip), dim=1))
        return self.unet.head(x)


class _Gate(nn.Module):
    """The features times a map of 0 to 1: sigmoid(psi(ReLU(theta(features) + phi(signal)))), made at the signal's resolution."""

    def __init__(self, channels: int, signal: int) -> None:
        super().__init__()
        between = max(1, channels // 2)
        self.theta = nn.Conv2d(channels, between, 2, stride=2, bias=False)
        self.phi = nn.Conv2d(signal, between, 1)
        self.psi = nn.Conv2d(between, 1, 1)

    def forward(self, features: Tensor, signal: Tensor) -> Tensor:
        attention = torch.sigmoid(self.psi(functional.relu(self.theta(features) + self.phi(signal))))
        return features * functional.interpolate(attention, features.shape[-2:], mode="bilinear", align_corners=False)
