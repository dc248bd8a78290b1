"""Dropout passes that look at a slice in a mirror."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .backends import Backend


class MirrorBackend:
    """A back end that is given each slice mirrored from right to left; its passes are mirrored back."""

    def __init__(self, inner: Backend) -> None:
        self.name = inner.name
        self.largest_batch = inner.largest_batch
        self._inner = inner

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Callable[[int], Tensor]:
        """Begin a slice."""
        draw = self._inner.start(image.flip(-1), seed, position)
        return lambda count: draw(count).flip(-1)
