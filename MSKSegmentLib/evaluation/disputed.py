"""Borders that atlases of hip and thigh draw differently: who is right there cannot be said.

Where the psoas ends and the iliacus begins below the acetabular roof, where gluteus minimus and medius meet, how much fat and
tendon about the obturator internus belongs to it, and where each muscle ends: on these a network and an annotator may differ
without either being wrong. A voxel there belongs to one of two classes, which a training may leave open
(`training.losses.segmentation_loss`) and an evaluation may leave out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..anatomy import LEFT_OFFSET
from ..anatomy.built_in import HIP_AND_THIGH
from ..ct.boxes import Box, label_boxes, union_box
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from .metrics import Outcome, SegmentComparison, overlap_rows
from .scope import Scope

# Half widths of the open borders and ends, in mm: between the two atlases they differ by about as much.
BETWEEN_GLUTEI_MM = 4.0
AROUND_OBTURATOR_MM = 3.0
AT_ENDS_MM = 10.0
# The iliopsoas is open from so far above the top of the femoral head, about where the acetabular roof is, downwards.
ABOVE_HEAD_MM = 10.0


def _index(key: str) -> int:
    return HIP_AND_THIGH.structure(key).index


_FEMUR, _ILI, _PSOAS, _GMED, _GMIN, _OI = map(_index, ("FEMUR", "ILI", "PSOAS", "GMED", "GMIN", "OI"))
_MUSCLES = tuple(structure.index for structure in HIP_AND_THIGH.structures if not structure.is_bone)
# The pairs of classes that are open, in the order of the numbers that `disputed` gives (counted from 1).
PAIRS: tuple[tuple[int, int], ...] = ((_ILI, _PSOAS), (_GMED, _GMIN), *((0, muscle) for muscle in _MUSCLES))
_ILIOPSOAS, _GLUTEI = 1, 2
_ENDS = {muscle: number for number, muscle in enumerate(_MUSCLES, start=3)}


def open_classes() -> np.ndarray:
    """Which classes of hip and thigh each pair leaves open, bool ``[pairs, classes]``."""
    table = np.zeros((len(PAIRS), HIP_AND_THIGH.classes), bool)
    for row, pair in zip(table, PAIRS, strict=True):
        row[list(pair)] = True
    return table


def disputed(labels: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The number of the pair in `PAIRS` (from 1) that a voxel is open between, 0 where atlases agree; uint8 ``[z, y, x]``.

    `labels` is uint8 ``[z, y, x]`` with sides, from the feet upwards, on a grid of `spacing_mm` ``(z, y, x)``; values of other
    tissues count as background. A muscle's end that the scan cuts is no end.
    """
    found = np.zeros(labels.shape, np.uint8)
    boxes = label_boxes(labels)
    for offset in (0, LEFT_OFFSET):
        for muscle in _MUSCLES:
            box = boxes.get(muscle + offset)
            if box is not None:
                _mark_ends(found, labels, box, muscle + offset, spacing_mm[0])
        _mark_about(found, labels, boxes.get(_OI + offset), offset, spacing_mm)
        _mark_between(found, labels, [boxes.get(key + offset) for key in (_GMED, _GMIN)], offset, spacing_mm)
        _mark_iliopsoas(found, labels, boxes.get(_FEMUR + offset), offset, spacing_mm[0])
    return found


def with_undisputed(
    rows: list[SegmentComparison], truth: np.ndarray, predicted: np.ndarray, geometry: Geometry, hu: np.ndarray, scope: Scope
) -> list[SegmentComparison]:
    """The rows with the Dice coefficient outside of the disputed borders of the truth; arrays as in `metrics.evaluate_labels`.

    Where nothing of a segment is left, it has none.
    """
    order = axis_order(geometry.direction)
    x, y, z = order.geometry(geometry).spacing
    left_out = order.undo(disputed(np.ascontiguousarray(order.apply(truth)), (z, y, x))) > 0
    if scope.outside is not None:
        left_out |= scope.outside
    found = {row.segment.key: row for row in overlap_rows(truth, predicted, geometry, hu, replace(scope, outside=left_out))}
    judged = (found.get(row.segment.key) for row in rows)
    return [
        replace(row, dice_undisputed=None if other is None or other.outcome is Outcome.FALSE else other.dice)
        for row, other in zip(rows, judged, strict=True)
    ]


def _mark_ends(found: np.ndarray, labels: np.ndarray, box: Box, label: int, slice_mm: float) -> None:
    """The last slices of a muscle, and as many beyond with the outline that it has in them."""
    count = max(1, round(AT_ENDS_MM / slice_mm))
    levels, rows, columns = box.slices
    number, depth = _ENDS[label % LEFT_OFFSET], len(labels)
    count = min(count, max(1, (levels.stop - levels.start) // 2))
    for is_cut, inside, beyond in (
        (levels.start == 0, slice(levels.start, levels.start + count), slice(max(0, levels.start - count), levels.start)),
        (levels.stop == depth, slice(levels.stop - count, levels.stop), slice(levels.stop, min(depth, levels.stop + count))),
    ):
        if is_cut:
            continue
        muscle = labels[inside, rows, columns] == label
        found[inside, rows, columns][muscle] = number
        free = _is_background(labels[beyond, rows, columns]) & muscle.any(axis=0)
        found[beyond, rows, columns][free] = number


def _mark_about(
    found: np.ndarray, labels: np.ndarray, box: Box | None, offset: int, spacing_mm: tuple[float, float, float]
) -> None:
    """The obturator internus' border to what is no structure, on both sides of it."""
    if box is None:
        return
    part = _grown(box, labels, AROUND_OBTURATOR_MM, spacing_mm)
    muscle, free = labels[part] == _OI + offset, _is_background(labels[part])
    near = (muscle & _within(free, AROUND_OBTURATOR_MM, spacing_mm)) | (free & _within(muscle, AROUND_OBTURATOR_MM, spacing_mm))
    found[part][near] = _ENDS[_OI]


def _mark_between(
    found: np.ndarray, labels: np.ndarray, boxes: list[Box | None], offset: int, spacing_mm: tuple[float, float, float]
) -> None:
    """Either gluteus where the other one is near."""
    box = union_box([box for box in boxes if box is not None])
    if box is None or None in boxes:
        return
    part = box.slices
    first, second = (labels[part] == key + offset for key in (_GMED, _GMIN))
    near = (first & _within(second, BETWEEN_GLUTEI_MM, spacing_mm)) | (second & _within(first, BETWEEN_GLUTEI_MM, spacing_mm))
    found[part][near] = _GLUTEI


def _mark_iliopsoas(found: np.ndarray, labels: np.ndarray, femur: Box | None, offset: int, slice_mm: float) -> None:
    """Iliacus and psoas from the acetabular roof downwards; not where the femur's head lies above the scan."""
    if femur is None or femur.slices[0].stop == len(labels):
        return
    roof = femur.slices[0].stop + round(ABOVE_HEAD_MM / slice_mm)
    below = labels[:roof]
    # Where the muscle ends stays open to background.
    both = ((below == _ILI + offset) | (below == _PSOAS + offset)) & (found[:roof] == 0)
    found[:roof][both] = _ILIOPSOAS


def _is_background(labels: np.ndarray) -> np.ndarray:
    return np.asarray(~np.isin(labels, [segment.label for segment in HIP_AND_THIGH.segments]))


def _within(mask: np.ndarray, distance_mm: float, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The voxels within a distance of a mask; none where it is empty."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= distance_mm)


def _grown(box: Box, labels: np.ndarray, margin_mm: float, spacing_mm: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    z, y, x = (int(np.ceil(margin_mm / step)) for step in spacing_mm)
    return box.grown((x, y, z), labels.shape[::-1]).slices
