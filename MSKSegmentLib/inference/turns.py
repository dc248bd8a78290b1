"""Dropout passes of several networks, drawn from each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .backends import Backend

# Members draw from streams of their own: with one stream all would drop the same units. The stride is far from all differences
# between the seeds of a run's slices (`sampler`), also in the 32 lower bits, which are all that torch's generator looks at.
_MEMBER_STRIDE = 2_654_435_761


class TurnsBackend:
    """One back end for each member of an ensemble; pass n of a slice is one of member n modulo their number."""

    def __init__(self, members: Sequence[Backend]) -> None:
        """`members` are back ends of one kind."""
        self.name = members[0].name
        self.largest_batch = members[0].largest_batch
        self._members = members

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Callable[[int], Tensor]:
        """Begin a slice."""
        draws = [member.start(image, seed + k * _MEMBER_STRIDE, position) for k, member in enumerate(self._members)]
        drawn = 0

        def draw(count: int) -> Tensor:
            nonlocal drawn
            turns = [(drawn + k) % len(draws) for k in range(count)]
            drawn += count
            if count == 1:
                return draws[turns[0]](1)
            batches = {member: iter(draws[member](turns.count(member))) for member in sorted(set(turns))}
            return torch.stack([next(batches[member]) for member in turns])

        return draw
