"""Which slices of a segment to look at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.orientation import AxisOrder, axis_order
from ..ct.volume import Geometry, Vector
from ..measurement.measure import MM2_PER_CM2
from .masks import SegmentMask

# Neighbouring slices show nearly the same: the next worst slice is a jump, not a step.
SLICES_APART_MM = 10.0
# The last slices of a muscle are always uncertain and always small.
TIP_SHARE = 0.1
# A single loud voxel is noise; an uncertain region of this width is worth the cross-hair.
REGION_MM = 8.0


@dataclass(frozen=True)
class WorstSlice:
    """A slice to look at.

    `index` counts the CT's slices along its axis nearest to superior-inferior, `point_lps` (mm) lies in the slice, inside the
    label, where it is most uncertain. `uncertainty` is the mean inside the label in this slice, None where it is not known.
    """

    index: int
    point_lps: Vector
    uncertainty: float | None
    area_cm2: float


def worst_slices(
    segment: SegmentMask, uncertainty: np.ndarray | None, geometry: Geometry, count: int | None = None
) -> tuple[WorstSlice, ...]:
    """Slices of a segment at least 10 mm apart, the most uncertain first; at most `count`.

    Tips (slices of less than a tenth of the largest cross-section) come after the rest. Without uncertainty, float32
    ``[z, y, x]`` on the whole grid, the slices where the area changes most come first.
    """
    if not segment.mask.any():
        return ()
    order = axis_order(geometry.direction)
    mask = order.apply(segment.mask)
    values = None if uncertainty is None else order.apply(uncertainty[segment.box.slices])
    grid = order.geometry(geometry.cropped(segment.box.start_xyz, segment.box.size_xyz))
    areas = np.array([np.count_nonzero(plane) for plane in mask])
    means = None if values is None else _means(mask, values, areas)
    score = _area_changes(areas) if means is None else means
    chosen = _spread(score, areas, grid.spacing[2], count)
    area_cm2 = grid.spacing[0] * grid.spacing[1] / MM2_PER_CM2
    return tuple(
        WorstSlice(
            index=input_index(k, segment, order),
            point_lps=_point(mask[k], None if values is None else values[k], grid, k),
            uncertainty=None if means is None else float(means[k]),
            area_cm2=float(areas[k] * area_cm2),
        )
        for k in chosen
    )


def _means(mask: np.ndarray, values: np.ndarray, areas: np.ndarray) -> np.ndarray:
    sums = np.array([plane[inside].sum(dtype=float) for inside, plane in zip(mask, values, strict=True)])
    return sums / np.maximum(areas, 1)


def _area_changes(areas: np.ndarray) -> np.ndarray:
    """The larger of the two steps to the neighbouring slices; beyond the first and the last slice there is no step."""
    steps = np.abs(np.diff(areas, prepend=areas[:1], append=areas[-1:]))
    return np.maximum(steps[:-1], steps[1:])


def _spread(score: np.ndarray, areas: np.ndarray, spacing_mm: float, count: int | None) -> list[int]:
    tip = areas < TIP_SHARE * areas.max()
    waiting = [int(k) for k in np.lexsort((-score, tip)) if areas[k]]
    chosen: list[int] = []
    for k in waiting:
        if len(chosen) == count:
            break
        if all(abs(k - other) * spacing_mm >= SLICES_APART_MM for other in chosen):
            chosen.append(k)
    return chosen


def input_index(k: int, segment: SegmentMask, order: AxisOrder) -> int:
    """The number, in the CT as it was read, of plane `k` of a mask in working order: its slices may run the other way."""
    axis = order.axes[2]
    inside = k if order.signs[2] > 0 else segment.box.size_xyz[axis] - 1 - k
    return segment.box.start_xyz[axis] + inside


def _point(inside: np.ndarray, values: np.ndarray | None, grid: Geometry, k: int) -> Vector:
    """LPS position in mm of the middle of the most uncertain region; without uncertainty, of the middle of the label."""
    from scipy import ndimage

    weight = inside.astype(np.float32) if values is None else np.where(inside, values, 0).astype(np.float32)
    size = [max(1, round(REGION_MM / spacing)) for spacing in (grid.spacing[1], grid.spacing[0])]
    if values is None:
        # Deepest inside, so that the point is on the label even where that is bent.
        smooth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=grid.spacing[1::-1])[1:-1, 1:-1]
    else:
        smooth = ndimage.uniform_filter(weight, size, mode="constant")
    y, x = np.unravel_index(int(np.where(inside, smooth, -1).argmax()), inside.shape)
    point = grid.to_physical((x, y, k))
    return float(point[0]), float(point[1]), float(point[2])
