"""Sources of training slices: the interface of every source, and the content of a batch."""

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

# Classes of the hip: small and difficult, so that their slices are drawn more often than their share of the body's length.
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
    """N training slices, or N patches of neighbouring slices for a 3D network.

    `images` is float32 ``[N, channels, (d,) h, w]``, normalised as the bundle's `Preprocessing` says and augmented. `classes` is
    int64 ``[N, (d,) h, w]``: 0..n, `UNLABELLED` where nobody drew anything, 1 + n + k where a pixel is open between the classes
    of row k of `evaluation.disputed.open_classes`. `known` is bool ``[N, 1 + n]``: False where a structure was not drawn in that
    slice's case, so that its pixels are background in `classes`. `positions` is float32 ``[N]``: the positions
    of the slices, or of the patches' middles, along the scanned limb, 0 its lower and 1 its upper end.
    """

    images: Tensor
    classes: Tensor
    known: Tensor
    positions: Tensor


def batch_of(hu: Tensor, classes: Tensor, known: Tensor, positions: Sequence[float]) -> Batch:
    """A batch of normalised planes float32 ``[N, planes, h, w]``: the channels of one slice with classes ``[N, h, w]``, or the
    slices of a patch with classes ``[N, planes, h, w]``."""
    images = hu.unsqueeze(1) if classes.dim() == hu.dim() else hu
    return Batch(images, classes, known, torch.tensor(positions, dtype=torch.float32))


class SliceSource(Protocol):
    """An endless source of training slices."""

    def batch(self, size: int) -> Batch:
        """`size` random slices."""

    def refresh(self) -> int:
        """Look for new patients; returns how many are known."""
