"""Several networks of one kind that share the dropout passes of a run."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class Ensemble(nn.Module):
    """Networks that were trained apart, on different bodies or from different beginnings.

    Passes are drawn from them in turn (`inference.turns`), so that the spread over the passes holds what the members disagree on;
    it has no output of its own, since no pass is one of all members.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Of no use.

        Raises:
            TypeError: always.
        """
        raise TypeError("an ensemble has no output of its own; run its members")


def members_of(network: nn.Module) -> list[nn.Module]:
    """The networks of an ensemble, or the network itself."""
    return list(network.members) if isinstance(network, Ensemble) else [network]
