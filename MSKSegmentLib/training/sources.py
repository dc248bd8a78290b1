"""What the training loop draws its slices from: the contract of every source, and what one batch holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

UNLABELLED = -1

# Classes of the hip: small and hard, so that their slices are drawn more often than their share of the body's length.
HIP_CLASSES = (1, 3, 5, 6, 7, 8, 9, 10, 11)
HIP_SHARE = 0.45


@dataclass(frozen=True)
class Batch:
    """N training slices.

    `images` is float32 ``[N, channels, h, w]``, normalised as the bundle's `Preprocessing` says and augmented. `classes` is
    int64 ``[N, h, w]``: 0..22, `UNLABELLED` where nobody drew anything. `known` is bool ``[N, 23]``: False where a
    structure was not drawn in that slice's case, so that its pixels stand as background in `classes`. `positions` is float32
    ``[N]``: where the slices lie along the scanned limb, 0 its lower and 1 its upper end.
    """

    images: Tensor
    classes: Tensor
    known: Tensor
    positions: Tensor


class SliceSource(Protocol):
    """Something that gives training slices without end."""

    def batch(self, size: int) -> Batch:
        """`size` random slices."""

    def refresh(self) -> int:
        """Look for new patients; returns how many are known."""
