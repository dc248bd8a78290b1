"""The Bayesian U-Net rewritten for prediction: fewer, larger steps with the same result.

Batch normalisation and the factor of dropout are folded into the convolution before them, ReLU and dropout work in place, and
each transposed convolution is one 2x2 convolution whose kernel is prepared once.
"""

from __future__ import annotations

import platform
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..network.bayesian_unet import BayesianUNet, phase_kernel, spread_phases
from ..network.mc_dropout import MCDropout, keep_mask


def quick_dtype(device: str) -> torch.dtype:
    """The type that a device computes in fastest: bfloat16 or float32.

    In bfloat16 labels differ in some hundredths of a percent of the body's voxels from float32 with the same dropout, where two
    seeds differ in one percent. Processors that emulate bfloat16 are slower with it, and so are those of Intel that have it without
    tiles (AMX): a product in it takes two of their steps, so that it is no faster than float32, and conversions come on top.
    """
    if device != "cpu":
        # From Ampere on; older cards emulate it.
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    # Names that torch does not promise to keep: without them the result is the same, only slower.
    bf16, tiles = (getattr(torch.cpu, f"_is_{feature}_supported", lambda: False)() for feature in ("avx512_bf16", "amx_tile"))
    return torch.bfloat16 if tiles or (bf16 and not _made_by_intel()) else torch.float32


def _made_by_intel() -> bool:
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Windows names the vendor here.
        return "GenuineIntel" in platform.processor()


class FusedUNet(nn.Module):
    """A `BayesianUNet` for Monte Carlo prediction: ``[N, in_channels, H, W]`` in, logits ``[N, classes, H, W]`` out.

    Dropout is always on. Weights and activations have `dtype`; the logits are float32.
    """

    def __init__(self, network: BayesianUNet, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.encoder = nn.ModuleList(_FusedBlock(block, dtype) for block in network.encoder)
        self.up = nn.ModuleList(_FusedUp(up, dtype) for up in network.up)
        self.decoder = nn.ModuleList(_FusedBlock(block, dtype) for block in network.decoder)
        self.head = _FusedConvolution(network.head, None, dtype)
        self.eval()

    @torch.inference_mode()
    def forward(self, x: Tensor, generator: torch.Generator, positions: Tensor | None = None) -> Tensor:
        """One dropout pass with masks drawn from `generator`, which lives on the device of `x`; it has no use for positions."""
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        skips = []
        for level, block in enumerate(self.encoder):
            if level:
                x = functional.max_pool2d(x, 2)
            x = block(x, generator)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            x = block(torch.cat((up(x), skips.pop()), dim=1), generator)
        return self.head(x).float()


class _FusedBlock(nn.Module):
    def __init__(self, block: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        layers = list(block.children())
        convolutions = [(layer, layers[i + 1]) for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
        dropout = layers[-1]
        assert isinstance(dropout, MCDropout)
        self.p = dropout.p
        # What dropout keeps it scales, and scaling by a positive factor may as well come before the ReLU.
        factors = [1.0] * (len(convolutions) - 1) + [1 / (1 - self.p)]
        self.convolutions = nn.ModuleList(
            _FusedConvolution(layer, after, dtype, factor) for (layer, after), factor in zip(convolutions, factors, strict=True)
        )

    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        for convolution in self.convolutions:
            x = convolution(x).relu_()
        if self.p:
            # The factor has the activation's own type and layout, so that dropping is a single plain product.
            x.mul_(keep_mask(x, self.p, generator).to(x.dtype))
        return x


class _FusedConvolution(nn.Module):
    def __init__(self, convolution: nn.Conv2d, norm: nn.Module | None, dtype: torch.dtype, factor: float = 1.0) -> None:
        super().__init__()
        assert convolution.bias is not None
        weight, bias = _folded(convolution.weight, convolution.bias, norm, 0)
        self.weight = _constant(weight * factor, dtype)
        self.bias = _constant(bias * factor, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), self.weight, self.bias)


class _FusedUp(nn.Module):
    def __init__(self, up: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        transposed, norm = up.transposed, up.norm
        assert isinstance(transposed, nn.ConvTranspose2d) and transposed.bias is not None and isinstance(norm, nn.Module)
        weight, bias = _folded(transposed.weight, transposed.bias, norm, 1)
        self.kernel = _constant(phase_kernel(weight), dtype)
        self.bias = _constant(bias.repeat(4), dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (1, 0, 1, 0), mode="reflect")
        return spread_phases(functional.conv2d(x, self.kernel, self.bias).relu_())


def _folded(weight: Tensor, bias: Tensor, norm: nn.Module | None, out_axis: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does the work of itself and the batch normalisation after it."""
    if not isinstance(norm, nn.BatchNorm2d):
        return weight, bias
    assert norm.running_var is not None and norm.running_mean is not None
    # In float64: the running variance of a filter that is rarely active is tiny.
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shape = [1, 1, 1, 1]
    shape[out_axis] = -1
    shifted = (bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
    return (weight.double() * scale.view(shape)).to(weight.dtype), shifted.to(bias.dtype)


def _constant(tensor: Tensor, dtype: torch.dtype) -> nn.Parameter:
    tensor = tensor.detach().to(dtype)
    if tensor.dim() == 4:
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(tensor, requires_grad=False)
