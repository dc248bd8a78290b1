"""Which slices a report shows: a coronal and an axial one of the whole, and of each segment the one to look at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.boxes import Box, union_box
from ..review.masks import SegmentMask
from ..review.worst_slices import WorstSlice, worst_slices
from .case import ReportCase
from .pictures import OVERLAY_OPACITY, Outline, Plane, draw_slice

# Fewer pixels of a label in a slice do not count as seen.
SEEN_PIXELS = 20
MARGIN_MM = 12.0
SMALLEST_MM = 80.0
OVERVIEW_PX, SEGMENT_PX = 760, 400
# Of the segment that a picture is about: bright in print, and the colour of no tissue.
OUTLINE = (255, 221, 0)
_AROUND_MM = 15.0


@dataclass(frozen=True)
class SlicePicture:
    """A JPEG of a slice; `level_mm` is its place along its normal in LPS, `uncertainty` its mean inside the segment if known."""

    jpeg: bytes
    level_mm: float
    uncertainty: float | None = None


def overview(case: ReportCase, axis: int) -> SlicePicture | None:
    """The slice that shows most segments, axial (axis 0) or coronal (axis 1); None where there is no segment at all."""
    around = union_box(case.boxes.values())
    if around is None:
        return None
    around = around.grown_by_mm(_AROUND_MM, case.grid)
    number = _fullest(case.labels[around.slices], axis) + around.start_xyz[2 - axis]
    z, y, x = around.slices
    one = slice(number, number + 1)
    window = (one, y, x) if axis == 0 else (z, one, x)
    labels = _picture_of(case.labels, window, axis)
    plane = _plane(case, window, axis)
    outlines = [
        Outline(labels == segment.label, segment.color, OVERLAY_OPACITY)
        for segment in (report.segment for report in case.result.reports)
        if (labels == segment.label).any()
    ]
    index = [0.0, 0.0, 0.0]
    index[2 - axis] = float(number)
    return SlicePicture(draw_slice(plane, outlines, OVERVIEW_PX), float(case.grid.to_physical(index)[2 - axis]))


def segment_slice(case: ReportCase, key: str) -> SlicePicture | None:
    """The axial slice in which a segment is most uncertain, close up with its outline; None when it has no voxel.

    Without uncertainty it is the one where its area changes most, see `review.worst_slices`.
    """
    segment = case.reports[key].segment
    box = case.boxes.get(segment.label)
    if box is None:
        return None
    worst = worst_slices(SegmentMask.of_labels(case.labels, segment.label, box), case.uncertainty, case.grid, 1)[0]
    k = _number_of(case, worst)
    y, x = _close_up(case, box)
    labels = case.labels[k, y, x]
    others = Outline((labels != segment.label) & (labels > 0), (255, 255, 255), 0.10, 0.0)
    plane = _plane(case, (slice(k, k + 1), y, x), 0)
    picture = draw_slice(plane, [others, Outline(labels == segment.label, OUTLINE, 0.0, 1.3)], SEGMENT_PX)
    return SlicePicture(picture, worst.point_lps[2], worst.uncertainty)


def _fullest(labels: np.ndarray, axis: int) -> int:
    """The number of the plane with most labels in it, of these the one with most voxels that have one."""
    planes = np.moveaxis(labels, axis, 0)
    counts = np.stack([np.bincount(plane.ravel(), minlength=256)[1:] for plane in planes])
    seen, voxels = (counts >= SEEN_PIXELS).sum(axis=1), counts.sum(axis=1)
    return int(np.lexsort((voxels, seen))[-1])


def _plane(case: ReportCase, window: tuple[slice, slice, slice], axis: int) -> Plane:
    """The ground of a picture: the CT, or the uncertainty where there is no CT, or nothing."""
    x, y, z = case.grid.spacing
    pixel = (y, x) if axis == 0 else (z, x)
    if case.hu is not None:
        return Plane(_picture_of(case.hu, window, axis), case.grey_window, pixel)
    if case.uncertainty is not None:
        grey = _picture_of(case.uncertainty, window, axis)
        return Plane(grey, (0, max(float(grey.max()), 1e-6)), pixel)
    return Plane(np.zeros(_picture_of(case.labels, window, axis).shape), (0, 1), pixel)


def _picture_of(array: np.ndarray, window: tuple[slice, slice, slice], axis: int) -> np.ndarray:
    """One plane as rows and columns; of a coronal one the superior row comes first."""
    plane = array[window].squeeze(axis)
    return plane if axis == 0 else plane[::-1]


def _number_of(case: ReportCase, worst: WorstSlice) -> int:
    return int(round(float(case.grid.to_index(worst.point_lps)[2])))


def _close_up(case: ReportCase, box: Box) -> tuple[slice, slice]:
    """A square window of rows and columns around a segment, as far as the image goes."""
    sizes = [count * spacing for count, spacing in zip(box.size_xyz[:2], case.grid.spacing[:2], strict=True)]
    side = max(SMALLEST_MM, *(size + 2 * MARGIN_MM for size in sizes))
    window = []
    for axis in (1, 0):
        spacing, count = case.grid.spacing[axis], case.grid.size[axis]
        pixels = min(count, int(round(side / spacing)))
        first = (box.start_xyz[axis] + box.stop_xyz[axis] - pixels) // 2
        first = min(max(first, 0), count - pixels)
        window.append(slice(first, first + pixels))
    return window[0], window[1]
