"""The automatic and the current label map of a case: what an edit changes, measured in boxes instead of the whole scan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..anatomy import segment_of_label
from ..case_result import Measurements
from ..ct.cropping import Box
from ..ct.volume import CTVolume
from ..measurement import measure_one
from ..results.segmentation_file import label_boxes
from .masks import SegmentMask, holds, relative_to, tight_box, union_box


class ReviewedLabels:
    """Two label maps uint8 ``[z, y, x]`` of one CT. The given arrays are never written to."""

    def __init__(self, automatic: np.ndarray, current: np.ndarray, volume: CTVolume, region: Box | None = None) -> None:
        """`region` is the part of the grid that was segmented; its faces cut structures as those of the scan do."""
        self.automatic = automatic
        self.current = current
        self._owns_current = False
        self._volume = volume
        self._region = region
        self._automatic_boxes = _boxes(automatic)
        self._boxes = dict(self._automatic_boxes) if current is automatic else _boxes(current)

    def mask(self, label: int) -> SegmentMask:
        """The voxels of a label now."""
        return SegmentMask.of_labels(self.current, label, self._boxes.get(label))

    def automatic_mask(self, label: int) -> SegmentMask:
        """The voxels that the network gave the label."""
        return SegmentMask.of_labels(self.automatic, label, self._automatic_boxes.get(label))

    def put(self, masks: Mapping[int, SegmentMask]) -> set[int]:
        """Give labels new content; returns the labels that lost or gained a voxel.

        Voxels that a label loses become background, voxels that it gains are taken from whatever was there. Where masks
        overlap, the later one wins.

        Raises:
            ValueError: a mask reaches beyond the grid.
        """
        whole = Box((0, 0, 0), self._volume.geometry.size)
        for mask in masks.values():
            if mask.mask.size and not holds(whole, mask.box):
                raise ValueError(f"the mask's box {mask.box} reaches beyond the grid of {whole.size_xyz} voxels")
        touched: set[int] = set()
        for label, mask in masks.items():
            touched |= self._put_one(label, mask)
        return touched

    def _put_one(self, label: int, mask: SegmentMask) -> set[int]:
        around = union_box([self._boxes.get(label), mask.box])
        if around is None:
            return set()
        block = self.current[around.slices]
        old = block == label
        new = np.zeros(block.shape, dtype=bool)
        if mask.mask.size:
            new[relative_to(mask.box, around).slices] = mask.mask
        gained, lost = new & ~old, old & ~new
        if not gained.any() and not lost.any():
            return set()
        if not self._owns_current:
            self.current = self.current.copy()
            self._owns_current = True
            block = self.current[around.slices]
        overwritten = np.flatnonzero(np.bincount(block[gained], minlength=256))
        block[lost] = 0
        block[gained] = label
        self._set_box(label, tight_box(new, around))
        return {label, *(int(value) for value in overwritten if segment_of_label(int(value)))}

    def _set_box(self, label: int, box: Box | None) -> None:
        if box is None:
            self._boxes.pop(label, None)
        else:
            self._boxes[label] = box

    def measured(self, label: int, height_m: float | None) -> Measurements | None:
        """The numbers of a label's current content; None when it has none."""
        box = self._boxes.get(label)
        if box is None:
            return None
        volume, region = self._volume, self._region
        if region is not None and holds(region, box):
            geometry = volume.geometry.cropped(region.start_xyz, region.size_xyz)
            labels, hu = self.current[region.slices], volume.hu[region.slices]
            return measure_one(labels, hu, geometry, label, height_m, box=relative_to(box, region))
        return measure_one(self.current, volume.hu, volume.geometry, label, height_m, box=box)

    def voxels(self, label: int) -> int:
        """How many voxels the label has now."""
        return int(np.count_nonzero(self.mask(label).mask))

    def automatic_voxels(self, label: int) -> int:
        """How many voxels the network gave it."""
        return int(np.count_nonzero(self.automatic_mask(label).mask))

    def dice(self, label: int) -> float | None:
        """Dice coefficient between the current and the automatic content; None where both are empty."""
        total = self.voxels(label) + self.automatic_voxels(label)
        if total == 0:
            return None
        now, before = self._boxes.get(label), self._automatic_boxes.get(label)
        both = now.shared_with(before) if now and before else None
        if both is None:
            return 0.0
        shared = (self.current[both.slices] == label) & (self.automatic[both.slices] == label)
        return 2 * int(np.count_nonzero(shared)) / total


def _boxes(labels: np.ndarray) -> dict[int, Box]:
    return {
        label: Box.between((x.start, y.start, z.start), (x.stop, y.stop, z.stop))
        for label, (z, y, x) in label_boxes(labels).items()
    }
