"""A network of slices as TorchScript that takes a whole volume, for programs that know nothing of this software."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mc_dropout import MCDropout


class VolumePasses(nn.Module):
    """Class probabilities ``[1, classes, x, y, z]`` of a volume ``[1, 1, x, y, z]``, as the mean over dropout passes.

    The axes of the volume run to the patient's left, posterior and superior; its values are normalised, its voxels those of the
    network's grid. `one_pass` draws new dropout at every call.
    """

    def __init__(self, one_slice: nn.Module, channels: int, stride: int, air: float, passes: int, mirrored: bool = False) -> None:
        """`one_slice` maps ``[1, channels, y, x]`` to logits, for sides that are multiples of `stride`; `air` is what surrounds.

        With `mirrored` every second pass is one on the volume mirrored from right to left.
        """
        super().__init__()
        self.one_slice = one_slice
        self.channels = channels
        self.stride = stride
        self.air = air
        self.passes = passes
        self.mirrored = mirrored

    def forward(self, volume: Tensor) -> Tensor:
        """The mean over all passes."""
        total = self.one_pass(volume)
        for number in range(1, self.passes):
            if self.mirrored and number % 2 == 1:
                total = total + self.one_pass(volume.flip(2)).flip(2)
            else:
                total = total + self.one_pass(volume)
        return total / self.passes

    @torch.jit.export
    def one_pass(self, volume: Tensor) -> Tensor:
        """One draw of dropout in all slices."""
        planes = volume[0, 0].permute(2, 1, 0)
        depth, height, width = planes.size(0), planes.size(1), planes.size(2)
        # Reflect padding inside the network needs at least two pixels at its coarsest level.
        rows = max(2, (height + self.stride - 1) // self.stride) * self.stride
        columns = max(2, (width + self.stride - 1) // self.stride) * self.stride
        planes = functional.pad(planes, [0, columns - width, 0, rows - height], value=self.air)
        found: list[Tensor] = []
        for k in range(depth):
            around = [planes[min(max(k + c - self.channels // 2, 0), depth - 1)] for c in range(self.channels)]
            logits = self.one_slice(torch.stack(around).unsqueeze(0))
            found.append(torch.softmax(logits, 1)[0, :, :height, :width])
        return torch.stack(found, 1).permute(0, 3, 2, 1).unsqueeze(0)


class _Dropout(nn.Module):
    """Dropout that is always on, with the generator of whoever runs it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.p, training=True)


def scripted(
    network: nn.Module, channels: int, stride: int, air: float, passes: int, mirrored: bool = False
) -> torch.jit.ScriptModule:
    """`VolumePasses` of a network of slices, as TorchScript; the network itself stays as it is."""
    own = copy.deepcopy(network).eval()
    for module in list(own.modules()):
        for name, child in module.named_children():
            if isinstance(child, MCDropout):
                setattr(module, name, _Dropout(child.p))
    example = torch.zeros(1, channels, 2 * stride, 3 * stride)
    with torch.no_grad(), warnings.catch_warnings():
        # Checks of sides, which hold for every slice that `VolumePasses` makes, and dropout, which is to differ.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        one_slice = torch.jit.trace(own, example, check_trace=False)
    # A manifest may hold a whole number, which TorchScript does not take for this one.
    script: torch.jit.ScriptModule = torch.jit.script(VolumePasses(one_slice, channels, stride, float(air), passes, mirrored))
    return script
