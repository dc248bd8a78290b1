"""The U-Net of nnU-Net, in two or three dimensions: MONAI's blocks of `DynUNet`, each followed by dropout that can stay on.

Isensee et al., Nature Methods 18, 2021. It has the layers of `monai.networks.nets.DynUNet` with kernels of 3 and strides of 2
throughout, without deep supervision. Needs monai.
"""

from __future__ import annotations

from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetUpBlock
from torch import Tensor, nn

from .mc_dropout import MCDropout
from .spec import NetworkSpec

# nnU-Net doubles its filters from level to level up to these numbers.
MOST_FILTERS = {2: 512, 3: 320}


class BayesianDynUNet(nn.Module):
    """``[N, in_channels, (D,) H, W]`` in, logits ``[N, classes, (D,) H, W]`` out; sides are multiples of the spec's stride."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        axes, most = spec.dimensions, MOST_FILTERS[spec.dimensions]
        filters = [min(most, spec.base_filters * 2**level) for level in range(spec.levels)]
        norm = ("batch" if spec.batch_norm else "instance", {"affine": True})
        self.encoder = nn.ModuleList(
            _dropped(UnetBasicBlock(axes, before, after, 3, 2 if level else 1, norm), spec.dropout)
            for level, (before, after) in enumerate(zip([spec.in_channels, *filters[:-1]], filters, strict=True))
        )
        steps = list(zip(filters[:0:-1], filters[-2::-1], strict=True))
        self.up = nn.ModuleList(UnetUpBlock(axes, before, after, 3, 2, 2, norm) for before, after in steps)
        self.dropout = MCDropout(spec.dropout)
        self.head = UnetOutBlock(axes, filters[0], spec.classes)
        self.apply(_he_normal)

    @classmethod
    def from_spec(cls, spec: NetworkSpec) -> BayesianDynUNet:
        """The network of a spec."""
        return cls(spec)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of slices or patches."""
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = self.dropout(up(x, skips.pop()))
        return self.head(x)


def _dropped(block: nn.Module, dropout: float) -> nn.Sequential:
    return nn.Sequential(block, MCDropout(dropout))


def _he_normal(module: nn.Module) -> None:
    """As `DynUNet` begins: for the slope of its leaky ReLU."""
    kinds = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    if isinstance(module, kinds) and not module.weight.is_meta:
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
