"""Anatomical levels of a scan, found from its bones: the axial slices at which cross-sections of different patients are compared.

The rules, on slices along the axis nearest to superior-inferior; lengths are along that axis:

- **S1**: an eighth of the sacrum's height below its top. S1 is about the upper quarter of the sacrum, so this is its middle.
- **Femoral head centre** and **lesser trochanter**: see `femoral_landmarks`.
- **Acetabular roof**: the lowest slice above that centre that shows the same side's hip bone within 5 mm of the centre, seen from
  above, and at most 60 mm higher.
- **One third, middle and two thirds of the femur** (the middle is mid-thigh): of the way from its highest slice to its lowest.

A level is missing where its bone is not in the scan, or the scan cuts the bone at an end that the rule needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..anatomy import Segment, Side
from ..anatomy.table import Landmark
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..language.catalogue import noted as N_
from .extent import face_voxels
from .femoral_landmarks import BoneInScan, FemoralHead, bone_in_scan, femoral_head, lesser_trochanter, shaft_axis

S1, ROOF, HEAD, LESSER_TROCHANTER = N_("S1"), N_("acetabular roof"), N_("femoral head centre"), N_("lesser trochanter")
UPPER_THIRD, MID_THIGH, LOWER_THIRD = N_("1/3 of the femur"), N_("mid-thigh"), N_("2/3 of the femur")
# From superior to inferior.
LEVEL_NAMES = (S1, ROOF, HEAD, LESSER_TROCHANTER, UPPER_THIRD, MID_THIGH, LOWER_THIRD)

_S1_SHARE = 1 / 8
_FRACTIONS = {UPPER_THIRD: 1 / 3, MID_THIGH: 1 / 2, LOWER_THIRD: 2 / 3}
_ROOF_RADIUS_MM, _HIGHEST_ROOF_MM = 5.0, 60.0
# A whole femur is about 18 head radii long.
_SHORTEST_RADII = 10.0


@dataclass(frozen=True)
class Level:
    """An anatomical level: its name, the side whose bones gave it, and its slice.

    `index` counts slices from inferior, on axes in order (see `ct.orientation.axis_order`); `z_mm` is the LPS z of its centre.
    """

    name: str
    side: Side
    index: int
    z_mm: float


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
        if segment.structure.landmark is not None
        and (bone := bone_in_scan(ordered, grid, segment.label, faces[segment.label])) is not None
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


def _of_femur(femur: BoneInScan, hip: BoneInScan | None, grid: Geometry, side: Side) -> dict[str, int]:
    """Level -> slice of one leg."""
    head = None if "superior" in femur.cut_by else femoral_head(femur, grid, side)
    if head is None:
        return {}
    found = {HEAD: round(float(head.centre[2]))}
    roof = None if hip is None else _roof(hip, head, grid)
    if roof is not None:
        found[ROOF] = roof
    axis = shaft_axis(femur, head, grid)
    trochanter = None if axis is None else lesser_trochanter(femur, head, axis, grid, side)
    if trochanter is not None:
        found[LESSER_TROCHANTER] = trochanter
    low, high = femur.slices
    if "inferior" not in femur.cut_by and (high - low) * grid.spacing[2] >= _SHORTEST_RADII * head.radius_mm:
        found |= {name: round(high - share * (high - low)) for name, share in _FRACTIONS.items()}
    return found


def _roof(hip: BoneInScan, head: FemoralHead, grid: Geometry) -> int | None:
    x, y = (
        grid.spacing[axis] * (np.arange(hip.box.size_xyz[axis]) + hip.box.start_xyz[axis] - head.centre[axis]) for axis in (0, 1)
    )
    column = np.hypot(x[None, :], y[:, None]) <= _ROOF_RADIUS_MM
    shown = np.flatnonzero((hip.mask & column).any(axis=(1, 2))) + hip.box.start_xyz[2]
    above = shown[shown > head.centre[2]]
    if above.size == 0 or (above[0] - head.centre[2]) * grid.spacing[2] > _HIGHEST_ROOF_MM:
        return None
    return int(above[0])
