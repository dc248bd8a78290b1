"""What the training loop draws its slices from: the contract of every source, and what one batch holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH

UNLABELLED = -1

# Classes of the hip: small and hard, so that their slices are drawn more often than their share of the body's length.
HIP_CLASSES = (1, 3, 5, 6, 7, 8, 9, 10, 11)
HIP_SHARE = 0.45


def favoured_classes(table: StructureTable) -> tuple[int, ...]:
    """The classes whose slices are drawn more often (`HIP_SHARE`); none but in the table of hip and thigh."""
    return HIP_CLASSES if table == HIP_AND_THIGH else ()


def classes_of_labels(table: StructureTable) -> np.ndarray:
    """uint8 ``[256]``: the network's class of each label value with sides."""
    classes = np.zeros(256, np.uint8)
    for segment in table.segments:
        classes[segment.label] = segment.structure.index
    return classes


@dataclass(frozen=True)
class Batch:
    """N training slices, or N patches of neighbouring slices for a network of three dimensions.

    `images` is float32 ``[N, channels, (d,) h, w]``, normalised as the bundle's `Preprocessing` says and augmented. `classes` is
    int64 ``[N, (d,) h, w]``: 0..n, `UNLABELLED` where nobody drew anything. `known` is bool ``[N, 1 + n]``: False where a
    structure was not drawn in that slice's case, so that its pixels stand as background in `classes`. `positions` is float32
    ``[N]``: where the slices, or the patches' middles, lie along the scanned limb, 0 its lower and 1 its upper end.
    """

    images: Tensor
    classes: Tensor
    known: Tensor
    positions: Tensor


def batch_of(hu: Tensor, classes: Tensor, known: Tensor, positions: Sequence[float]) -> Batch:
    """A batch of normalised planes float32 ``[N, planes, h, w]``: channels of one slice, or with classes ``[N, planes, h, w]`` the
    slices of a patch."""
    images = hu.unsqueeze(1) if classes.dim() == hu.dim() else hu
    return Batch(images, classes, known, torch.tensor(positions, dtype=torch.float32))


class SliceSource(Protocol):
    """Something that gives training slices without end."""

    def batch(self, size: int) -> Batch:
        """`size` random slices."""

    def refresh(self) -> int:
        """Look for new patients; returns how many are known."""
