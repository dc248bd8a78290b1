"""The voxels of one segment in the smallest useful box, and sums over boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..ct.cropping import Box

EMPTY_BOX = Box((0, 0, 0), (0, 0, 0))


@dataclass(frozen=True)
class SegmentMask:
    """The voxels of a segment: `mask` is bool ``[z, y, x]`` over `box` of the CT's grid; nothing lies outside the box."""

    box: Box
    mask: np.ndarray

    def __post_init__(self) -> None:
        """Hold shape and type to the contract."""
        if self.mask.dtype != bool:
            raise ValueError(f"mask must be bool, not {self.mask.dtype}")
        if self.mask.shape != self.box.size_xyz[::-1]:
            raise ValueError(f"mask of shape {self.mask.shape} for a box of shape {self.box.size_xyz[::-1]}")

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


def tight_box(mask: np.ndarray, within: Box) -> Box | None:
    """The smallest box around the True voxels of a mask ``[z, y, x]`` over the box `within`; None without any."""
    if mask.size == 0:
        return None
    in_plane = np.logical_or.reduce(mask, axis=0)
    found = [np.flatnonzero(seen) for seen in (in_plane.any(axis=0), in_plane.any(axis=1), mask.any(axis=(1, 2)))]
    if found[0].size == 0:
        return None
    ends = np.array([(index[0], index[-1] + 1) for index in found]) + np.reshape(within.start_xyz, (3, 1))
    return Box.between(ends[:, 0], ends[:, 1])


def union_box(boxes: Iterable[Box | None]) -> Box | None:
    """The smallest box around several; None and empty boxes do not count."""
    known = [box for box in boxes if box is not None and all(box.size_xyz)]
    if not known:
        return None
    first = np.min([box.start_xyz for box in known], axis=0)
    return Box.between(first, np.max([box.stop_xyz for box in known], axis=0))


def relative_to(box: Box, outer: Box) -> Box:
    """The same box counted from the first voxel of another one that holds it."""
    x, y, z = (a - b for a, b in zip(box.start_xyz, outer.start_xyz, strict=True))
    return Box((x, y, z), box.size_xyz)


def holds(outer: Box, box: Box) -> bool:
    """Whether a box lies inside another."""
    return outer.shared_with(box) == box


def or_none(mask: SegmentMask) -> SegmentMask | None:
    """The mask, or None when it has no voxel."""
    return mask if mask.mask.any() else None
