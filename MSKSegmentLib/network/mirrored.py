"""A network that is shown its input in a mirror."""

from __future__ import annotations

from torch import Tensor, nn


class Mirrored(nn.Module):
    """Stands for the passes of `network` on an input that is mirrored along its last axis, mirrored back.

    Structures have no sides in a network's output, so that an image and its mirror image have the same labels, and what a network
    calls them differently is an error in one of them. `inference.mirror` draws the passes; there is no output of its own.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Of no use.

        Raises:
            TypeError: always.
        """
        raise TypeError("a mirrored network has no output of its own; mirror the input and the output of the network in it")
