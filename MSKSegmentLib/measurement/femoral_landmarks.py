"""Landmarks of a femur's proximal end: head, axis of the shaft, lesser trochanter. `levels` makes slices of them.

- **Head**: the largest sphere inside the femur, in its upper 150 mm and at least 15 mm medial of its shaft; found only where that
  sphere is as large as heads are (radius 13 to 35 mm), at most 60 mm below the top.
- **Axis of the shaft**: a line through the sections' centroids from 5 to 8 head radii below the head's centre. Of a femur of which
  less is shown, as in scans of the hip alone, through those of the lowest head radius, if at least half of that lies 3 radii below
  the centre or lower.
- **Lesser trochanter**: where the femur reaches farthest to medial and posterior of that axis, as a peak of at least 1.5 mm between
  1.5 and 5 head radii below the centre.

Arrays are on axes in order (``[z, y, x]`` growing to superior, posterior, left), see `ct.orientation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Side
from ..ct.boxes import Box, box_of_labels
from ..ct.volume import Geometry
from .extent import truncated_by

_PROXIMAL_MM, _MEDIAL_OF_SHAFT_MM = 150.0, 15.0
# Less of the femur than this shows no shaft; its lowest part does, or what lies this far below the top.
_SHORTEST_MM, _SHAFT_MM = 80.0, (100.0, 160.0)
_HEAD_RADII_MM, _DEEPEST_HEAD_MM = (13.0, 35.0), 60.0
_TROCHANTER_RADII, _AXIS_RADII, _PEAK_MM = (1.5, 5.0), (5.0, 8.0), 1.5
# Sections that reach so much less far than the tip count as the tip as well.
_FLAT_MM = 0.5
# Of a femur that ends before the middle of `_AXIS_RADII`: what is left for an axis, and how far below the head's centre.
_SHORT_AXIS_RADII, _SHORT_AXIS_FROM_RADII = 1.0, 3.0
# The last sections of a femur that is cut askew show a part of it only.
_WHOLE_SECTION = 0.8
# Spheres are fitted on voxels of about this size.
_COARSE_MM = 2.0


@dataclass(frozen=True)
class BoneInScan:
    """One bone inside its `box`: bool ``[z, y, x]`` on axes in order, and which ends of it the scan cuts."""

    mask: np.ndarray
    box: Box
    cut_by: tuple[str, ...]

    @property
    def slices(self) -> tuple[int, int]:
        """First and last slice."""
        return self.box.start_xyz[2], self.box.stop_xyz[2] - 1


@dataclass(frozen=True)
class FemoralHead:
    """The femoral head's centre in fractional indices ``(x, y, z)`` of the ordered scan, and its radius in mm."""

    centre: np.ndarray
    radius_mm: float


@dataclass(frozen=True)
class ShaftAxis:
    """The axis of a femur's shaft in fractional indices of the ordered scan: ``x`` and ``y`` are lines over the slice number.

    Each line is ``(slope, value in slice 0)``. `is_short` says that it rests on one head radius of the shaft alone.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    is_short: bool

    def at(self, index: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(x, y)`` in the slices `index`."""
        return np.polyval(self.x, index), np.polyval(self.y, index)


def bone_in_scan(ordered: np.ndarray, grid: Geometry, label: int, on_faces: np.ndarray) -> BoneInScan | None:
    """The voxels of a label in `ordered` uint8 ``[z, y, x]``; `on_faces` is its row of `extent.face_voxels`. None without any."""
    box = box_of_labels(ordered, (label,))
    if box is None:
        return None
    mask = ordered[box.slices] == label
    largest = int(np.count_nonzero(mask, axis=(1, 2)).max())
    return BoneInScan(mask, box, truncated_by(on_faces, 0, largest, grid))


def medial_sign(side: Side) -> int:
    """The sign of medial along x, which grows to the patient's left."""
    return 1 if side is Side.RIGHT else -1


def femoral_head(femur: BoneInScan, grid: Geometry, side: Side) -> FemoralHead | None:
    """The head of a femur, or None where it is not shown."""
    from scipy.ndimage import distance_transform_edt

    height = femur.mask.shape[0] * grid.spacing[2]
    if height < _SHORTEST_MM:
        return None
    top = femur.mask.shape[0] - 1
    proximal = femur.mask[max(0, top - round(_PROXIMAL_MM / grid.spacing[2])) :]
    step_z, step_y, step_x = steps = tuple(max(1, round(_COARSE_MM / grid.spacing[axis])) for axis in (2, 1, 0))
    coarse = np.pad(proximal[::step_z, ::step_y, ::step_x], 1)
    spacing = [grid.spacing[2 - axis] * steps[axis] for axis in range(3)]
    depth = distance_transform_edt(coarse, sampling=spacing)[1:-1, 1:-1, 1:-1]
    shaft_x = _shaft_x(femur.mask, grid)
    medial = (np.arange(depth.shape[2]) * step_x - shaft_x) * grid.spacing[0] * medial_sign(side)
    depth[:, :, medial < _MEDIAL_OF_SHAFT_MM] = 0
    radius = float(depth.max())
    if not _HEAD_RADII_MM[0] <= radius <= _HEAD_RADII_MM[1]:
        return None
    # The depths of several voxels near the centre differ by less than a voxel: their middle is steadier than the deepest one.
    k, j, i = (np.mean(axis) for axis in np.nonzero(depth >= radius - 0.25 * min(spacing)))
    first = femur.mask.shape[0] - proximal.shape[0]
    centre = np.array([i * step_x, j * step_y, k * step_z + first], float)
    if (top - centre[2]) * grid.spacing[2] > _DEEPEST_HEAD_MM:
        return None
    return FemoralHead(centre + np.array(femur.box.start_xyz), radius)


def shaft_axis(femur: BoneInScan, head: FemoralHead, grid: Geometry) -> ShaftAxis | None:
    """The axis of the shaft, or None where too little of it is shown."""
    index, radii = _radii_below(femur, head, grid)
    lowest = float(radii.max())
    is_short = lowest < 0.5 * sum(_AXIS_RADII)
    if is_short:
        area = np.count_nonzero(femur.mask, axis=(1, 2))
        whole = area >= _WHOLE_SECTION * np.median(area[radii >= lowest - _SHORT_AXIS_RADII])
        lowest = float(radii[whole].max())
        first = max(_SHORT_AXIS_FROM_RADII, lowest - _SHORT_AXIS_RADII)
        if lowest - first < 0.5 * _SHORT_AXIS_RADII:
            return None
        chosen = np.flatnonzero((radii >= first) & (radii <= lowest))
    else:
        chosen = np.flatnonzero((radii >= _AXIS_RADII[0]) & (radii <= _AXIS_RADII[1]))
    if chosen.size < 3:
        return None
    centroids = np.array([_centroid(femur.mask[k]) for k in chosen])
    x, y = (np.polyfit(index[chosen], centroids[:, column] + femur.box.start_xyz[column], 1) for column in (0, 1))
    return ShaftAxis((float(x[0]), float(x[1])), (float(y[0]), float(y[1])), is_short)


def lesser_trochanter(femur: BoneInScan, head: FemoralHead, axis: ShaftAxis, grid: Geometry, side: Side) -> int | None:
    """The slice of the lesser trochanter's tip, or None where none is shown."""
    from scipy.signal import find_peaks

    index, radii = _radii_below(femur, head, grid)
    x, y = axis.at(index)
    near = np.flatnonzero((radii >= _TROCHANTER_RADII[0]) & (radii <= _TROCHANTER_RADII[1]))
    start_x, start_y, _ = femur.box.start_xyz
    reach = np.array([_reach(femur.mask[k], x[k] - start_x, y[k] - start_y, grid, medial_sign(side)) for k in near])
    peaks, facts = find_peaks(reach, prominence=_PEAK_MM)
    if peaks.size == 0:
        return None
    return int(index[near[_middle_of_peak(reach, int(peaks[np.argmax(facts["prominences"])]))]])


def _middle_of_peak(reach: np.ndarray, peak: int) -> int:
    """The middle of the slices around a peak that reach nearly as far: which of them reaches farthest is a matter of chance."""
    first = last = peak
    while first > 0 and reach[first - 1] >= reach[peak] - _FLAT_MM:
        first -= 1
    while last < len(reach) - 1 and reach[last + 1] >= reach[peak] - _FLAT_MM:
        last += 1
    return (first + last) // 2


def _radii_below(femur: BoneInScan, head: FemoralHead, grid: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Slice numbers of the femur, and how many head radii each lies below the head's centre."""
    index = np.arange(femur.mask.shape[0]) + femur.box.start_xyz[2]
    return index, (head.centre[2] - index) * grid.spacing[2] / head.radius_mm


def _shaft_x(mask: np.ndarray, grid: Geometry) -> float:
    """The middle of the shaft along x, in voxels of the box."""
    depth = (mask.shape[0] - 1 - np.arange(mask.shape[0])) * grid.spacing[2]
    lowest = float(depth.max())
    shaft = mask[(depth >= min(_SHAFT_MM[0], lowest - 0.2 * _SHORTEST_MM)) & (depth <= _SHAFT_MM[1])]
    return float(np.nonzero(shaft)[2].mean())


def _centroid(section: np.ndarray) -> tuple[float, float]:
    """``(x, y)`` in voxels."""
    y, x = np.nonzero(section)
    return (float(x.mean()), float(y.mean())) if x.size else (np.nan, np.nan)


def _reach(section: np.ndarray, x: float, y: float, grid: Geometry, medial: int) -> float:
    """How far in mm a section reaches to medial and posterior, half way between both, from the point ``(x, y)`` in voxels."""
    rows, columns = np.nonzero(section)
    along = (columns - x) * grid.spacing[0] * medial + (rows - y) * grid.spacing[1]
    return float(along.max()) / float(np.sqrt(2)) if along.size else 0.0
