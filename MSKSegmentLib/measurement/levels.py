"""Anatomical levels of a scan, found from its bones: the axial slices at which cross-sections of different patients are compared.

The rules, on slices along the axis nearest to superior-inferior; lengths are along that axis:

- **S1**: an eighth of the sacrum's height below its top. S1 is about the upper quarter of the sacrum, so this is its middle.
- **Femoral head centre**: the centre of the largest sphere inside the femur, in its upper 150 mm and at least 15 mm medial of its
  shaft. The head is found only where that sphere is as large as heads are (radius 13 to 35 mm), at most 60 mm below the top.
- **Acetabular roof**: the lowest slice above that centre that shows the same side's hip bone within 5 mm of the centre, seen from
  above, and at most 60 mm higher.
- **Lesser trochanter**: where the femur reaches farthest to medial and posterior of its shaft's axis, as a peak of at least 1.5 mm
  between 1.5 and 5 head radii below the centre. The axis is a line through the sections' centroids from 5 to 8 radii below.
- **One third, middle and two thirds of the femur** (the middle is mid-thigh): of the way from its highest slice to its lowest.

A level is missing where its bone is not in the scan, or the scan cuts the bone at an end that the rule needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment, Side
from ..anatomy.table import Landmark
from ..ct.boxes import Box, box_of_labels
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from .extent import face_voxels, truncated_by

S1, ROOF, HEAD, LESSER_TROCHANTER = "S1", "acetabular roof", "femoral head centre", "lesser trochanter"
UPPER_THIRD, MID_THIGH, LOWER_THIRD = "1/3 of the femur", "mid-thigh", "2/3 of the femur"
# From superior to inferior.
LEVEL_NAMES = (S1, ROOF, HEAD, LESSER_TROCHANTER, UPPER_THIRD, MID_THIGH, LOWER_THIRD)

_S1_SHARE = 1 / 8
_FRACTIONS = {UPPER_THIRD: 1 / 3, MID_THIGH: 1 / 2, LOWER_THIRD: 2 / 3}
_PROXIMAL_MM, _MEDIAL_OF_SHAFT_MM = 150.0, 15.0
# Less of the femur than this shows no shaft; its lowest part does, or what lies this far below the top.
_SHORTEST_MM, _SHAFT_MM = 80.0, (100.0, 160.0)
_HEAD_RADII_MM, _DEEPEST_HEAD_MM = (13.0, 35.0), 60.0
_ROOF_RADIUS_MM, _HIGHEST_ROOF_MM = 5.0, 60.0
_TROCHANTER_RADII, _AXIS_RADII, _PEAK_MM = (1.5, 5.0), (5.0, 8.0), 1.5
# A whole femur is about 18 head radii long.
_SHORTEST_RADII = 10.0
# Spheres are fitted on voxels of about this size.
_COARSE_MM = 2.0


@dataclass(frozen=True)
class Level:
    """An anatomical level: its name, the side whose bones gave it, and its slice.

    `index` counts slices from inferior, on axes in order (see `ct.orientation.axis_order`); `z_mm` is the LPS z of its centre.
    """

    name: str
    side: Side
    index: int
    z_mm: float


@dataclass(frozen=True)
class _Bone:
    """One bone inside its `box`: bool ``[z, y, x]`` on axes in order, and which ends of it the scan cuts."""

    mask: np.ndarray
    box: Box
    cut_by: tuple[str, ...]

    @property
    def slices(self) -> tuple[int, int]:
        """First and last slice."""
        return self.box.start_xyz[2], self.box.stop_xyz[2] - 1


@dataclass(frozen=True)
class _Head:
    """The femoral head's centre in fractional indices ``(x, y, z)`` of the ordered scan, and its radius in mm."""

    centre: np.ndarray
    radius_mm: float


def find_levels(labels: np.ndarray, geometry: Geometry, segments: Iterable[Segment]) -> tuple[Level, ...]:
    """The levels that the scan shows, in the order of `LEVEL_NAMES`, right before left.

    Args:
        labels: uint8 ``[z, y, x]`` with sides, on any grid.
        geometry: its grid.
        segments: what the labels may hold; bones are known by their `Landmark`.
    """
    order = axis_order(geometry.direction)
    ordered, grid = order.apply(labels), order.geometry(geometry)
    faces = face_voxels(ordered)
    bones = {
        (segment.structure.landmark, segment.side): bone
        for segment in segments
        if segment.structure.landmark is not None and (bone := _bone(ordered, grid, segment.label, faces)) is not None
    }
    indices: list[tuple[str, Side, int]] = []
    sacrum = bones.get((Landmark.SACRUM, Side.MIDLINE))
    if sacrum is not None and not {"superior", "inferior"} & set(sacrum.cut_by):
        low, high = sacrum.slices
        indices.append((S1, Side.MIDLINE, round(high - _S1_SHARE * (high - low))))
    for side in (Side.RIGHT, Side.LEFT):
        femur = bones.get((Landmark.FEMUR, side))
        if femur is not None:
            found = _of_femur(femur, bones.get((Landmark.HIP_BONE, side)), grid, side)
            indices += [(name, side, index) for name, index in found.items()]
    x, y, _ = grid.size
    places = (
        Level(name, side, index, float(grid.to_physical(((x - 1) / 2, (y - 1) / 2, index))[2])) for name, side, index in indices
    )
    return tuple(sorted(places, key=lambda level: (LEVEL_NAMES.index(level.name), level.side is Side.LEFT)))


def _bone(ordered: np.ndarray, grid: Geometry, label: int, faces: np.ndarray) -> _Bone | None:
    box = box_of_labels(ordered, (label,))
    if box is None:
        return None
    mask = ordered[box.slices] == label
    largest = int(np.count_nonzero(mask, axis=(1, 2)).max())
    return _Bone(mask, box, truncated_by(faces[label], 0, largest, grid))


def _of_femur(femur: _Bone, hip: _Bone | None, grid: Geometry, side: Side) -> dict[str, int]:
    """Level -> slice of one leg."""
    head = None if "superior" in femur.cut_by else _head(femur, grid, side)
    if head is None:
        return {}
    found = {HEAD: round(float(head.centre[2]))}
    roof = None if hip is None else _roof(hip, head, grid)
    if roof is not None:
        found[ROOF] = roof
    trochanter = _lesser_trochanter(femur, head, grid, side)
    if trochanter is not None:
        found[LESSER_TROCHANTER] = trochanter
    low, high = femur.slices
    if "inferior" not in femur.cut_by and (high - low) * grid.spacing[2] >= _SHORTEST_RADII * head.radius_mm:
        found |= {name: round(high - share * (high - low)) for name, share in _FRACTIONS.items()}
    return found


def _medial(side: Side) -> int:
    """The sign of medial along x, which grows to the patient's left."""
    return 1 if side is Side.RIGHT else -1


def _head(femur: _Bone, grid: Geometry, side: Side) -> _Head | None:
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
    medial = (np.arange(depth.shape[2]) * step_x - shaft_x) * grid.spacing[0] * _medial(side)
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
    return _Head(centre + np.array(femur.box.start_xyz), radius)


def _shaft_x(mask: np.ndarray, grid: Geometry) -> float:
    """The middle of the shaft along x, in voxels of the box."""
    depth = (mask.shape[0] - 1 - np.arange(mask.shape[0])) * grid.spacing[2]
    lowest = float(depth.max())
    shaft = mask[(depth >= min(_SHAFT_MM[0], lowest - 0.2 * _SHORTEST_MM)) & (depth <= _SHAFT_MM[1])]
    return float(np.nonzero(shaft)[2].mean())


def _roof(hip: _Bone, head: _Head, grid: Geometry) -> int | None:
    x, y = (
        grid.spacing[axis] * (np.arange(hip.box.size_xyz[axis]) + hip.box.start_xyz[axis] - head.centre[axis]) for axis in (0, 1)
    )
    column = np.hypot(x[None, :], y[:, None]) <= _ROOF_RADIUS_MM
    shown = np.flatnonzero((hip.mask & column).any(axis=(1, 2))) + hip.box.start_xyz[2]
    above = shown[shown > head.centre[2]]
    if above.size == 0 or (above[0] - head.centre[2]) * grid.spacing[2] > _HIGHEST_ROOF_MM:
        return None
    return int(above[0])


def _lesser_trochanter(femur: _Bone, head: _Head, grid: Geometry, side: Side) -> int | None:
    from scipy.signal import find_peaks

    first = femur.box.start_xyz[2]
    index = np.arange(femur.mask.shape[0]) + first
    radii = (head.centre[2] - index) * grid.spacing[2] / head.radius_mm
    axis = np.flatnonzero((radii >= _AXIS_RADII[0]) & (radii <= _AXIS_RADII[1]))
    if axis.size < 3 or radii.max() < 0.5 * sum(_AXIS_RADII):
        return None
    centroids = np.array([_centroid(femur.mask[k]) for k in axis])
    x, y = (np.polyval(np.polyfit(axis, centroids[:, column], 1), np.arange(len(index))) for column in (0, 1))
    near = np.flatnonzero((radii >= _TROCHANTER_RADII[0]) & (radii <= _TROCHANTER_RADII[1]))
    reach = np.array([_reach(femur.mask[k], x[k], y[k], grid, _medial(side)) for k in near])
    peaks, facts = find_peaks(reach, prominence=_PEAK_MM)
    if peaks.size == 0:
        return None
    return int(near[peaks[np.argmax(facts["prominences"])]] + first)


def _centroid(section: np.ndarray) -> tuple[float, float]:
    """``(x, y)`` in voxels."""
    y, x = np.nonzero(section)
    return (float(x.mean()), float(y.mean())) if x.size else (np.nan, np.nan)


def _reach(section: np.ndarray, x: float, y: float, grid: Geometry, medial: int) -> float:
    """How far in mm a section reaches to medial and posterior, half way between both, from the point ``(x, y)`` in voxels."""
    rows, columns = np.nonzero(section)
    along = (columns - x) * grid.spacing[0] * medial + (rows - y) * grid.spacing[1]
    return float(along.max()) / float(np.sqrt(2)) if along.size else 0.0
