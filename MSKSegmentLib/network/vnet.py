"""The V-Net: three dimensions, residual stages, PReLU; made of MONAI's stages, with dropout that can stay on. Needs monai.

Milletari, Navab and Ahmadi 2016, arXiv:1606.04797. With 5 levels and 16 filters it has the layers of `monai.networks.nets.VNet`;
dropout lies where that has it: before the two coarsest stages on the way down and up, and on every skip connection.
"""

from __future__ import annotations

from monai.networks.nets.vnet import DownTransition, InputTransition, OutputTransition, UpTransition
from torch import Tensor, nn

from .mc_dropout import with_mc_dropout
from .spec import NetworkSpec

_PRELU = "prelu"
# Convolutions per stage from fine to coarse; further stages have as many as the last.
_DOWN, _UP = (1, 2, 3, 2), (1, 1, 2, 2)
# Levels whose stages lie behind dropout.
_COARSE = 2


class BayesianVNet(nn.Module):
    """``[N, 1, D, H, W]`` in, logits ``[N, classes, D, H, W]`` out; sides are multiples of the spec's stride."""

    def __init__(self, levels: int, base_filters: int, classes: int, dropout: float) -> None:
        super().__init__()
        filters = [base_filters * 2**level for level in range(levels)]
        coarse = [level >= levels - 1 - _COARSE for level in range(levels - 1)]
        self.first = InputTransition(3, 1, base_filters, _PRELU)
        # Element-wise dropout (the last argument but one), as in the other families.
        self.down = nn.ModuleList(
            DownTransition(3, filters[level], _of(_DOWN, level), _PRELU, dropout if coarse[level] else None, 1)
            for level in range(levels - 1)
        )
        self.up = nn.ModuleList()
        channels = filters[-1]
        for level in reversed(range(levels - 1)):
            after = 2 * filters[level]
            dropped = (dropout if coarse[level] else None, dropout)
            self.up.append(UpTransition(3, channels, after, _of(_UP, level), _PRELU, dropped, 1))
            channels = after
        self.last = OutputTransition(3, channels, classes, _PRELU)
        with_mc_dropout(self)

    @classmethod
    def from_spec(cls, spec: NetworkSpec) -> BayesianVNet:
        """The network of a spec."""
        return cls(spec.levels, spec.base_filters, spec.classes, spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of patches."""
        x = self.first(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up in self.up:
            x = up(x, skips.pop())
        return self.last(x)


def _of(counts: tuple[int, ...], level: int) -> int:
    return counts[min(level, len(counts) - 1)]
