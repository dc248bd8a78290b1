"""A network of three dimensions over more than its patch: overlapping tiles, blended. Needs monai."""

from __future__ import annotations

from torch import Tensor, nn

from ..packages import require

# Neighbouring tiles share so much of their length; in what they share, the one whose middle is nearer weighs more.
OVERLAP = 0.5


class TiledNetwork(nn.Module):
    """``[N, 1, D, H, W]`` of any size in, logits ``[N, classes, D, H, W]`` out.

    The logits of overlapping tiles of `patch` ``(D, H, W)`` voxels are averaged under Gaussian weights; each tile draws its own
    dropout. An input smaller than the patch is surrounded by `outside`, the network's value of air.

    Raises:
        DependencyError: MONAI is not installed.
    """

    def __init__(self, network: nn.Module, patch: tuple[int, ...], outside: float) -> None:
        super().__init__()
        require("monai", purpose="A network of three dimensions", extra="networks")
        self.network = network
        self.patch = patch
        self.outside = outside

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of slabs."""
        from monai.inferers import sliding_window_inference

        logits = sliding_window_inference(
            x, self.patch, 1, self.network, overlap=OVERLAP, mode="gaussian", padding_mode="constant", cval=self.outside
        )
        assert isinstance(logits, Tensor), "the network gives one output"
        return logits
