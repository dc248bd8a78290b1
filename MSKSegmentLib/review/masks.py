"""The voxels of one segment in the smallest useful box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.boxes import EMPTY_BOX, Box


@dataclass(frozen=True)
class SegmentMask:
    """The voxels of a segment: `mask` is bool ``[z, y, x]`` over `box` of the CT's grid; nothing lies outside the box."""

    box: Box
    mask: np.ndarray

    def __post_init__(self) -> None:
        """Hold shape and type to the contract."""
        if self.mask.dtype != bool:
            raise ValueError(f"mask must be bool, not {self.mask.dtype}")
        if self.mask.shape != self.box.shape:
            raise ValueError(f"mask of shape {self.mask.shape} for a box of shape {self.box.shape}")

    @staticmethod
    def empty() -> SegmentMask:
        """A segment without a voxel."""
        return SegmentMask(EMPTY_BOX, np.zeros((0, 0, 0), dtype=bool))

    @staticmethod
    def of_labels(labels: np.ndarray, label: int, box: Box | None) -> SegmentMask:
        """The voxels of a label in uint8 ``[z, y, x]``, all of which lie in `box`; empty when `box` is None."""
        if box is None:
            return SegmentMask.empty()
        return SegmentMask(box, labels[box.slices] == label)


def or_none(mask: SegmentMask) -> SegmentMask | None:
    """The mask, or None when it has no voxel."""
    return mask if mask.mask.any() else None
