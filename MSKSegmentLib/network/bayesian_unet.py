"""The Bayesian U-Net of Soufi et al. 2025: a 2D U-Net with element-wise dropout after every block.

The layer order follows the method group's published Keras architecture, so that weights trained there can be imported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mc_dropout import MCDropout

# Keras' defaults: imported weights reproduce their network only with the same epsilon.
_BATCH_NORM_EPS = 1e-3
_BATCH_NORM_MOMENTUM = 0.01


class BayesianUNet(nn.Module):
    """U-Net over axial slices: ``[N, in_channels, H, W]`` in, logits ``[N, classes, H, W]`` out.

    Level i (from 0) has ``base_filters * 2**i`` filters. Softmax is left to the caller; class 0 is the background.

    Raises:
        ValueError: H or W does not divide by `stride` (16 with 5 levels, 32 with 6).
    """

    def __init__(
        self,
        levels: int = 6,
        base_filters: int = 32,
        classes: int = 23,
        in_channels: int = 1,
        batch_norm: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if levels < 2:
            raise ValueError("a U-Net needs at least 2 levels")
        filters = [base_filters * 2**level for level in range(levels)]
        self.levels = levels
        self.stride = 2 ** (levels - 1)
        self.encoder = nn.ModuleList(
            _Block(before, after, batch_norm, dropout)
            for before, after in zip([in_channels, *filters[:-1]], filters, strict=True)
        )
        self.up = nn.ModuleList(_Up(2 * count, batch_norm) for count in reversed(filters[:-1]))
        self.decoder = nn.ModuleList(
            _Block(3 * count, count, batch_norm, dropout) for count in reversed(filters[:-1])
        )
        self.head = nn.Conv2d(filters[0], classes, 3, padding=1, padding_mode="reflect")
        self.apply(_he_normal)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of slices."""
        if x.shape[-1] % self.stride or x.shape[-2] % self.stride:
            raise ValueError(f"slice sides {tuple(x.shape[-2:])} must be multiples of {self.stride}")
        skips = []
        for level, block in enumerate(self.encoder):
            if level:
                x = functional.max_pool2d(x, 2)
            x = block(x)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            x = block(torch.cat((up(x), skips.pop()), dim=1))
        return self.head(x)


class _Block(nn.Sequential):
    """Twice (reflect-padded 3x3 convolution, [batch norm], ReLU), then dropout."""

    def __init__(self, before: int, after: int, batch_norm: bool, dropout: float) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers.append(nn.Conv2d(channels, after, 3, padding=1, padding_mode="reflect"))
            if batch_norm:
                layers.append(_batch_norm(after))
            layers.append(nn.ReLU(inplace=True))
        layers.append(MCDropout(dropout))
        super().__init__(*layers)


class _Up(nn.Module):
    """Doubles height and width and keeps the channel count.

    The input is reflect-padded by 1 (output 2n + 5) and cropped by 2 before and 3 after, as the Keras code does; the padding
    keeps the border free of the transposed convolution's zeros.
    """

    def __init__(self, channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.transposed = nn.ConvTranspose2d(channels, channels, 3, stride=2)
        self.norm = _batch_norm(channels) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        height, width = 2 * x.shape[-2], 2 * x.shape[-1]
        x = self.transposed(functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        return functional.relu(self.norm(x[..., 2 : 2 + height, 2 : 2 + width]))


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPS, momentum=_BATCH_NORM_MOMENTUM)


def _he_normal(module: nn.Module) -> None:
    if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        return
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    else:
        # For a transposed convolution torch's "fan_out" counts its inputs: its weight is stored [in, out, kh, kw].
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if module.bias is not None:
        nn.init.zeros_(module.bias)
