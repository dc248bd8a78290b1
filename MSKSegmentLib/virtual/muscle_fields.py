"""The muscles of an atlas as fields: signed distances, thickness and axis, computed once per atlas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..anatomy import LEFT_OFFSET
from ..anatomy.built_in import HIP_AND_THIGH
from .atlas import COCCYX, FIBULA, LIGAMENT, MIRRORED_EXTRA_OFFSET, OTHER_MUSCLE, PATELLA, TIBIA, Atlas

# A muscle may extend at most this far (mm) beyond its surface in the atlas.
REACH_MM = 14.0
# No muscle takes voxels whose distances to right and left muscles differ by less than this (mm): skin and fat lie there.
_MIDLINE_MM = 4.0
# Bones that are nearer to each other than this (mm) form a joint, into which no muscle grows.
_JOINT_MM = 3.5
_CARTILAGE_MM = 1.5
_THICKNESS_MM = 10.0

MUSCLES = (
    *(segment.label for segment in HIP_AND_THIGH.segments if not segment.structure.is_bone),
    *(OTHER_MUSCLE, OTHER_MUSCLE + MIRRORED_EXTRA_OFFSET),
)
_BONES = (
    *(segment.label for segment in HIP_AND_THIGH.segments if segment.structure.is_bone),
    COCCYX,
    *(extra + side for extra in (PATELLA, TIBIA, FIBULA) for side in (0, MIRRORED_EXTRA_OFFSET)),
)


@dataclass(frozen=True)
class Part:
    """One muscle of an atlas on the grid of its `Anatomy`.

    `distance` float32 is the signed distance to its surface in mm (negative inside) in `box`; where it touches bone it has no
    surface, so that a thinner muscle stays on its bone. `points` ``[n]`` are flat indices, in the whole grid, of the voxels that
    the muscle may take, `inside` bool ``[n]`` marks those that it has, and `local` ``[3, n]`` are their indices in the box.
    `half` ``[n]`` is half of the local thickness in mm. `axis` is the unit vector ``(z, y, x)`` along the muscle, `along` ``[n]``
    the position on it in mm; `ends` are the positions of its lower and upper end, `free` says for each whether it lies inside
    the atlas.
    """

    label: int
    box: tuple[slice, ...]
    distance: np.ndarray
    points: np.ndarray
    local: np.ndarray
    inside: np.ndarray
    half: np.ndarray
    axis: np.ndarray
    along: np.ndarray
    ends: tuple[float, float]
    free: tuple[bool, bool]

    @property
    def voxels(self) -> int:
        """The muscle's volume in the atlas, in voxels."""
        return int(np.count_nonzero(self.inside))


@dataclass(frozen=True)
class Anatomy:
    """The muscles of an atlas: `labels` uint8 ``[z, y, x]`` at `spacing` mm, its `parts`, and the distance to bone in mm."""

    labels: np.ndarray
    spacing: tuple[float, float, float]
    parts: tuple[Part, ...]
    to_bone: np.ndarray


@lru_cache(maxsize=8)
def anatomy_of(atlas: Atlas, grid_mm: float) -> Anatomy:
    """The fields of an atlas, on every n-th voxel of its grid, about `grid_mm` apart."""
    step = [max(1, round(grid_mm / size)) for size in atlas.spacing]
    labels = np.ascontiguousarray(atlas.labels[tuple(slice(k // 2, None, k) for k in step)])
    spacing = tuple(k * size for k, size in zip(step, atlas.spacing, strict=True))
    bone, to_bone, closed = _surroundings(labels, spacing)
    sides = _own_sides(labels, spacing)
    parts = []
    for label in MUSCLES:
        mask = labels == label
        if np.count_nonzero(mask) > 30:
            parts.append(_part(label, mask, bone, closed, sides, spacing))
    return Anatomy(labels, spacing, tuple(parts), to_bone)  # type: ignore[arg-type]


def _surroundings(labels: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bone (bool), distance to it (mm, float32), voxels closed to muscle (bool: bone, joints, their content); ``[z, y, x]``."""
    bone = np.isin(labels, _BONES)
    # Cartilage, ligaments and other labels of an atlas stay where they are.
    fixed = bone | ((labels > 0) & ~np.isin(labels, MUSCLES))
    closed = fixed | (_outside(fixed & ~bone & ~_is(labels, LIGAMENT), spacing) <= _CARTILAGE_MM)
    near = np.zeros(labels.shape, np.uint8)
    for value in _BONES:
        mask = labels == value
        if mask.any():
            box = _box(mask, spacing, _JOINT_MM)
            near[box] += _outside(mask[box], spacing) <= _JOINT_MM
    joint = (near >= 2) & (labels == 0)
    return bone, _outside(bone, spacing), closed | joint


def _part(
    label: int, mask: np.ndarray, bone: np.ndarray, closed: np.ndarray, sides: np.ndarray, spacing: tuple[float, ...]
) -> Part:
    from scipy import ndimage

    box = _box(mask, spacing, REACH_MM)
    inside, around = mask[box], bone[box]
    half_voxel = 0.5 * min(spacing)
    out = _outside(inside, spacing)
    depth = ndimage.distance_transform_edt(np.pad(inside | around, 1), sampling=spacing)[1:-1, 1:-1, 1:-1].astype(np.float32)
    distance = np.where(inside, half_voxel - depth, out - half_voxel).astype(np.float32)
    sigma = [_THICKNESS_MM / size for size in spacing]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(inside, depth, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-4)
    # The mean depth is half of the half thickness in a plate and a third of the radius in a rod.
    half = np.clip(2.5 * mean, 2.0, 60.0)
    allowed = inside | ((distance < REACH_MM) & ~closed[box] & (sides[box] == 1 + _is_left(label)))
    local = np.array(np.nonzero(allowed))
    start = np.array([part.start for part in box])
    points = np.ravel_multi_index(tuple(local + start[:, None]), mask.shape)
    at = local * np.asarray(spacing)[:, None]
    own = inside[tuple(local)]
    centre, axis = _axis(at[:, own])
    along = axis @ (at - centre[:, None])
    ends = tuple(np.quantile(along[own], (0.005, 0.995)).tolist())
    levels = np.flatnonzero(inside.any(axis=(1, 2))) + box[0].start
    # The lower end (of the axis, which points upwards) and the upper one.
    free = (bool(levels.min() > 1), bool(levels.max() < mask.shape[0] - 2))
    return Part(
        label, box, distance, points, local, own, half[tuple(local)].astype(np.float32), axis, along.astype(np.float32), ends, free
    )  # fmt: skip


def _axis(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and first principal axis of points ``[3, n]``; the axis points upwards."""
    centre = at.mean(axis=1)
    _, vectors = np.linalg.eigh(np.cov(at))
    axis = vectors[:, -1]
    return centre, axis if axis[0] >= 0 else -axis


def _is_left(label: int) -> bool:
    return label >= OTHER_MUSCLE + MIRRORED_EXTRA_OFFSET or LEFT_OFFSET < label < COCCYX


def _own_sides(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """1 where the nearest muscle is of the right side, 2 where it is of the left, 0 between them; uint8."""
    right, left = (
        _outside(np.isin(labels, [value for value in MUSCLES if _is_left(value) == side]), spacing) for side in (False, True)
    )
    return np.where(right + _MIDLINE_MM < left, 1, np.where(left + _MIDLINE_MM < right, 2, 0)).astype(np.uint8)


def _is(labels: np.ndarray, extra: int) -> np.ndarray:
    return (labels == extra) | (labels == extra + MIRRORED_EXTRA_OFFSET)


def _outside(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    from scipy import ndimage

    if not mask.any():
        return np.full(mask.shape, 1e3, np.float32)
    return ndimage.distance_transform_edt(~mask, sampling=spacing).astype(np.float32)


def _box(mask: np.ndarray, spacing: tuple[float, ...], margin_mm: float) -> tuple[slice, ...]:
    from scipy import ndimage

    (found,) = ndimage.find_objects(mask.view(np.uint8))
    margins = [int(np.ceil(margin_mm / size)) + 1 for size in spacing]
    return tuple(
        slice(max(0, part.start - n), min(size, part.stop + n)) for part, n, size in zip(found, margins, mask.shape, strict=True)
    )
