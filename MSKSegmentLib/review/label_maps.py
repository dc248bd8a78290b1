"""The automatic and the current label map of a case: what an edit changes, measured in boxes instead of the whole scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..anatomy import StructureTable
from ..case_result import Measurements
from ..ct.boxes import EMPTY_BOX, Box, changed_box, tight_box, union_box
from ..ct.volume import CTVolume
from ..measurement import measure_one
from ..measurement.of_task import of_task
from ..results.segmentation_file import segment_boxes
from ..tasks import Task
from .masks import SegmentMask


@dataclass(frozen=True)
class LabelEdit:
    """What one edit changed: `before` and `after`, uint8 ``[z, y, x]``, are the labels in the smallest box around it.

    `table` are the structures that they stand for, `rows` the keys of the rows whose numbers it changed, in table order.
    """

    box: Box
    before: np.ndarray
    after: np.ndarray
    table: StructureTable
    rows: tuple[str, ...] = ()

    @cached_property
    def changed(self) -> frozenset[int]:
        """The labels of segments that lost or gained a voxel."""
        different = self.before != self.after
        values = np.union1d(self.before[different], self.after[different]).tolist()
        return frozenset(value for value in values if self.table.segment_of_label(value))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the segments that lost or gained a voxel, in table order."""
        return tuple(segment.key for segment in self.table.segments if segment.label in self.changed)


class ReviewedLabels:
    """Two label maps uint8 ``[z, y, x]`` of one CT. The given arrays are never written to."""

    def __init__(self, automatic: np.ndarray, current: np.ndarray, task: Task, volume: CTVolume, region: Box | None = None) -> None:
        """`task` says what the labels stand for and what is measured of them; `region` is the part of the grid that was segmented,
        and its faces cut structures as those of the scan do.
        """
        self.automatic = automatic
        self.current = current
        self._owns_current = False
        self._task, self._table = task, task.table
        self._volume = volume
        self._region = region
        self._automatic_boxes = segment_boxes(automatic, task.table)
        self._boxes = dict(self._automatic_boxes) if current is automatic else segment_boxes(current, task.table)

    def mask(self, label: int) -> SegmentMask:
        """The voxels of a label now."""
        return SegmentMask.of_labels(self.current, label, self._boxes.get(label))

    def automatic_mask(self, label: int) -> SegmentMask:
        """The voxels that the network gave the label."""
        return SegmentMask.of_labels(self.automatic, label, self._automatic_boxes.get(label))

    def change(self, box: Box, labels: np.ndarray) -> LabelEdit | None:
        """Give the voxels of a box other labels, uint8 ``[z, y, x]``; None when they had these labels already.

        Raises:
            ValueError: the labels are not those of the box, or the box reaches beyond the grid.
        """
        if labels.dtype != np.uint8 or labels.shape != box.shape:
            raise ValueError(f"labels {labels.dtype} {labels.shape} for a box of uint8 {box.shape}")
        self._check(box)
        part = changed_box(self.current[box.slices], labels)
        if part is None:
            return None
        where = Box.between(np.add(part.start_xyz, box.start_xyz), np.add(part.stop_xyz, box.start_xyz))
        edit = LabelEdit(where, self.current[where.slices].copy(), labels[part.slices].copy(), self._table)
        if not self._owns_current:
            self.current = self.current.copy()
            self._owns_current = True
        self.current[where.slices] = edit.after
        for label in edit.changed:
            around = union_box([self._boxes.get(label), where])
            assert around is not None, "a difference has voxels"
            self._set_box(label, tight_box(self.current[around.slices] == label, around))
        return edit

    def with_masks(self, masks: Mapping[int, SegmentMask]) -> tuple[Box, np.ndarray]:
        """A box and the labels in it, uint8 ``[z, y, x]``, when labels get new content; the label map stays as it is.

        Voxels that a label loses become background, voxels that it gains are taken from whatever was there. Where masks
        overlap, the later one wins.

        Raises:
            ValueError: a mask reaches beyond the grid.
        """
        for mask in masks.values():
            self._check(mask.box)
        boxes = [box for label, mask in masks.items() for box in (self._boxes.get(label), mask.box)]
        around = union_box(boxes) or EMPTY_BOX
        block = self.current[around.slices].copy()
        for label, mask in masks.items():
            block[block == label] = 0
            if mask.mask.size:
                block[mask.box.relative_to(around).slices][mask.mask] = label
        return around, block

    def _check(self, box: Box) -> None:
        whole = Box.whole(self._volume.geometry.size)
        if all(box.size_xyz) and not whole.holds(box):
            raise ValueError(f"the box {box} reaches beyond the grid of {whole.size_xyz} voxels")

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
        if region is not None and region.holds(box):
            geometry = volume.geometry.cropped(region.start_xyz, region.size_xyz)
            labels, hu = self.current[region.slices], volume.hu[region.slices]
            found = measure_one(labels, hu, geometry, self._table, label, height_m, box=box.relative_to(region))
        else:
            found = measure_one(self.current, volume.hu, volume.geometry, self._table, label, height_m, box=box)
        return found and of_task(found, self._task)

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
