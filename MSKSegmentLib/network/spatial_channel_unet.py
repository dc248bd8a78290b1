"""The Spatial-Channel U-Net: the slice's position along the limb speaks for and against each class.

Henson et al. 2024, PLOS ONE 19(4): e0299099, figure 3: the position, one of 100, activates one node of a linear layer that is
fully connected to the output classes. The text adds the layer to the output, the code that they published multiplies the output by
it (github.com/whhenson8/image-segmentation-deep-learning). The U-Net is the Bayesian one, so that dropout follows every block.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from .bayesian_unet import BayesianUNet
from .spec import NetworkSpec

POSITIONS = 100


class SpatialChannelUNet(nn.Module):
    """``[N, in_channels, H, W]`` and positions ``[N]`` from 0 to 1 in, logits ``[N, classes, H, W]`` out."""

    needs_position = True
    # What the layer says of every class before it has learned anything: the U-Net is alone then.
    _neutral: ClassVar[float] = 0.0

    def __init__(self, unet: BayesianUNet) -> None:
        super().__init__()
        self.unet = unet
        self.location = nn.Linear(POSITIONS, unet.head.out_channels)
        if not self.location.weight.is_meta:
            nn.init.zeros_(self.location.weight)
            nn.init.constant_(self.location.bias, self._neutral)

    @classmethod
    def from_spec(cls, spec: NetworkSpec) -> SpatialChannelUNet:
        """The network of a spec."""
        return cls(BayesianUNet.from_spec(spec))

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Logits of a batch of slices at their positions: 0 the lower end of the scanned limb, 1 the upper."""
        logits = self.unet(x)
        node = (position * POSITIONS).long().clamp(0, POSITIONS - 1)
        prior = self.location(functional.one_hot(node, POSITIONS).to(self.location.weight.dtype))
        return self._joined(logits, prior[:, :, None, None].to(logits.dtype))

    def _joined(self, logits: Tensor, prior: Tensor) -> Tensor:
        return logits + prior


class MultipliedSpatialChannelUNet(SpatialChannelUNet):
    """The same with logits multiplied by what the position says, as in the authors' code."""

    _neutral = 1.0

    def _joined(self, logits: Tensor, prior: Tensor) -> Tensor:
        return logits * prior
