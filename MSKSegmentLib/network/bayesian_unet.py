"""The Bayesian U-Net of Soufi et al. 2025: a 2D U-Net with element-wise dropout after every block.

The layer order follows the method group's published Keras architecture, so that weights trained there can be imported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mc_dropout import MCDropout
from .spec import NetworkSpec

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
            _Block(before, after, batch_norm, dropout) for before, after in zip([in_channels, *filters[:-1]], filters, strict=True)
        )
        self.up = nn.ModuleList(_Up(2 * count, batch_norm) for count in reversed(filters[:-1]))
        self.decoder = nn.ModuleList(_Block(3 * count, count, batch_norm, dropout) for count in reversed(filters[:-1]))
        self.head = _Convolution(filters[0], classes)
        self.apply(_he_normal)

    @classmethod
    def from_spec(cls, spec: NetworkSpec) -> BayesianUNet:
        """The network of a spec."""
        return cls(spec.levels, spec.base_filters, spec.classes, spec.in_channels, spec.batch_norm, spec.dropout)

    def encode(self, x: Tensor) -> list[Tensor]:
        """The features of every level, from fine to coarse.

        Raises:
            ValueError: height or width does not divide by `stride`.
        """
        if x.shape[-1] % self.stride or x.shape[-2] % self.stride:
            raise ValueError(f"slice sides {tuple(x.shape[-2:])} must be multiples of {self.stride}")
        skips = []
        for level, block in enumerate(self.encoder):
            if level:
                x = functional.max_pool2d(x, 2)
            x = block(x)
            skips.append(x)
        return skips

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of slices."""
        *skips, x = self.encode(x)
        for up, block in zip(self.up, self.decoder, strict=True):
            x = block(torch.cat((up(x), skips.pop()), dim=1))
        return self.head(x)


class _Block(nn.Sequential):
    """Twice (reflect-padded 3x3 convolution, [batch norm], ReLU), then dropout."""

    def __init__(self, before: int, after: int, batch_norm: bool, dropout: float) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers.append(_Convolution(channels, after))
            if batch_norm:
                layers.append(_batch_norm(after))
            layers.append(nn.ReLU(inplace=True))
        layers.append(MCDropout(dropout))
        super().__init__(*layers)
        self.out_channels = after


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
        x = _reflect_padded(x)
        if x.device.type == "cpu" and x.dtype == torch.bfloat16:
            x = self._phases(x)
        else:
            x = self.transposed(x)[..., 2 : 2 + height, 2 : 2 + width]
        return functional.relu(self.norm(x))

    def _phases(self, x: Tensor) -> Tensor:
        """The same transposed convolution, cropped, as one 2x2 convolution; ten times as fast in bfloat16 on a CPU."""
        kernel = phase_kernel(self.transposed.weight.to(x.dtype))
        assert self.transposed.bias is not None
        x = x[..., :-1, :-1].contiguous(memory_format=torch.channels_last)
        return spread_phases(functional.conv2d(x, kernel, self.transposed.bias.to(x.dtype).repeat(4)))


def phase_kernel(weight: Tensor) -> Tensor:
    """The 3x3 kernel ``[in, out, 3, 3]`` of a transposed convolution of stride 2 as a 2x2 kernel ``[4 out, in, 2, 2]``.

    Its outputs are the four pixels of a 2x2 cell, one after the other with all channels, to be spread by `spread_phases`.
    Along an axis, with kernel k, pixel 2i is x[i] k[0] + x[i-1] k[2] and pixel 2i + 1 is x[i] k[1].
    """
    into, out = weight.shape[:2]
    # A zero as fourth tap. Channels come last at once, so that all further copies are of whole runs of them.
    taps = functional.pad(weight.permute(2, 3, 1, 0).contiguous(), (0, 0, 0, 0, 0, 1, 0, 1))
    # Along each axis: (pixel 2i, pixel 2i + 1) x (tap on x[i-1], tap on x[i]).
    order = torch.tensor([2, 0, 3, 1], device=weight.device)
    cells = taps.index_select(0, order).index_select(1, order).view(2, 2, 2, 2, out, into)
    # [y of the pixel, tap y, x of the pixel, tap x, out, in]
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(4 * out, 2, 2, into).permute(0, 3, 1, 2)


def spread_phases(cells: Tensor) -> Tensor:
    """Outputs ``[N, 4 out, h, w]`` of a `phase_kernel` as the image ``[N, out, 2h, 2w]``, channels last."""
    count, channels, height, width = cells.shape
    pixels = cells.permute(0, 2, 3, 1).reshape(count, height, width, 2, 2, channels // 4).permute(0, 1, 3, 2, 4, 5)
    return pixels.reshape(count, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


class _Convolution(nn.Conv2d):
    """A 3x3 convolution of the reflect-padded input; keeps height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(_reflect_padded(input))


def _reflect_padded(x: Tensor) -> Tensor:
    """One pixel more on each side, in the type of `x`: autocast would turn bfloat16 into float32 and back."""
    with torch.autocast(x.device.type, enabled=False):
        return functional.pad(x, (1, 1, 1, 1), mode="reflect")


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPS, momentum=_BATCH_NORM_MOMENTUM)


def _he_normal(module: nn.Module) -> None:
    # A meta tensor has no values to draw, and torch would load its compiler for it: 2 s at the start of every run.
    if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) or module.weight.is_meta:
        return
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    else:
        # For a transposed convolution torch's "fan_out" counts its inputs: its weight is stored [in, out, kh, kw].
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if module.bias is not None:
        nn.init.zeros_(module.bias)
