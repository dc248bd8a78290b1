"""Joint pose of a virtual patient: hips and knees turn, and the muscles follow the bones that they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .atlas import COCCYX, FIBULA, MIRRORED_EXTRA_OFFSET, PATELLA, TIBIA, Atlas
from .tissue import FEMUR_LABELS, HIP_BONE_LABELS, SACRUM_LABEL

# The weights are smooth, so that a coarse grid suffices.
GRID_MM = 6.0
# Soft tissue shears over this length around a joint instead of tearing (standard deviation, mm).
JOINT_SMOOTHING_MM = 7.0


@dataclass(frozen=True)
class LegPose:
    """One leg relative to the atlas; degrees and mm; positive: flexed, abducted, rotated outwards.

    `shift` ``(z, y, x)`` moves the femur in the socket (x lateral): subluxation. `bulk` is the share by which the thigh's
    muscles are wider (or, below 0, thinner) around the same bone; `flattening` is the loss of the femoral head's height as a share.
    """

    flexion: float = 0.0
    abduction: float = 0.0
    rotation: float = 0.0
    knee: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bulk: float = 0.0
    flattening: float = 0.0


@dataclass(frozen=True)
class Leg:
    """Landmarks of one leg in mm from the array's start, ``(z, y, x)``, and how closely tissue follows femur and tibia (0..1).

    `lateral` is the sign of x away from the middle; `follows_femur` and `follows_tibia` are float32 on a grid of `grid` mm;
    `axis` ``[n, 2]`` is the femur's ``(y, x)`` at the grid's levels.
    """

    lateral: int
    head: np.ndarray
    knee: np.ndarray
    follows_femur: np.ndarray
    follows_tibia: np.ndarray
    axis: np.ndarray
    grid: np.ndarray


@dataclass(frozen=True)
class Skeleton:
    """Both legs (right, left) of an atlas and the body's middle along x in mm."""

    legs: tuple[Leg, Leg]
    middle: float


@lru_cache(maxsize=16)
def skeleton(atlas: Atlas) -> Skeleton:
    """The landmarks of an atlas, found once per atlas."""
    from scipy import ndimage

    spacing = np.asarray(atlas.spacing)
    step = np.maximum(1, np.round(GRID_MM / spacing).astype(int))
    coarse = atlas.labels[tuple(slice(k // 2, None, k) for k in step)]
    grid = spacing * step
    extras = {side: [extra + side * MIRRORED_EXTRA_OFFSET for extra in (PATELLA, TIBIA, FIBULA)] for side in (0, 1)}
    trunk = _distance(np.isin(coarse, (*HIP_BONE_LABELS, SACRUM_LABEL, COCCYX)), grid)
    hips = [np.argwhere(atlas.labels == bone)[:, 2].mean() * spacing[2] for bone in HIP_BONE_LABELS]
    legs = []
    for side, femur in enumerate(FEMUR_LABELS):
        thigh = _distance(np.isin(coarse, (femur, *extras[side])), grid)
        shank = _distance(np.isin(coarse, extras[side]), grid)
        bone = _distance(coarse == femur, grid)
        at = (np.argwhere(atlas.labels == femur) + 0.5) * spacing
        head, knee = _head(at, float(np.mean(hips))), at[at[:, 0] < at[:, 0].min() + 25].mean(axis=0)
        weights = [
            ndimage.gaussian_filter(other**3 / (other**3 + own**3 + 1e-3), JOINT_SMOOTHING_MM / grid).astype(np.float32)
            for own, other in ((thigh, trunk), (shank, bone))
        ]
        # Above the knee no tissue follows the tibia, although the patella's weight reaches upwards.
        heights = (np.arange(coarse.shape[0]) * grid[0] - knee[0] - 50) / 40
        weights[1] *= np.clip(1 - heights, 0, 1).astype(np.float32)[:, None, None]
        lateral = -1 if hips[side] < np.mean(hips) else 1
        legs.append(Leg(lateral, head, knee, weights[0], weights[1], _axis(at, coarse.shape[0], grid[0]), grid))
    return Skeleton((legs[0], legs[1]), float(np.mean(hips)))


def _distance(mask: np.ndarray, grid: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    if not mask.any():
        return np.full(mask.shape, 1e3, np.float32)
    return ndimage.distance_transform_edt(~mask, sampling=grid).astype(np.float32)


def _head(femur: np.ndarray, middle: float) -> np.ndarray:
    """Centre of the femoral head: of the topmost 40 mm of the femur, the part nearest to the body's middle."""
    top = femur[femur[:, 0] > femur[:, 0].max() - 40]
    medial = np.abs(top[:, 2] - middle)
    return top[medial < medial.min() + 44].mean(axis=0)


def _axis(femur: np.ndarray, count: int, step: float) -> np.ndarray:
    levels = np.floor(femur[:, 0] / step).astype(int)
    filled_levels = np.unique(levels)
    centres = np.array([femur[levels == level][:, 1:].mean(axis=0) for level in filled_levels])
    return np.stack([np.interp(np.arange(count), filled_levels, centres[:, k]) for k in (0, 1)], axis=1)


def unpose(points: np.ndarray, body: Skeleton, poses: tuple[LegPose, LegPose]) -> np.ndarray:
    """Where in the atlas a point of the posed body comes from: ``[3, ...]`` mm ``(z, y, x)`` to the same shape.

    Points that would come from the other side's leg get NaN: there is no tissue. Each joint's angle is scaled with the weight by
    which tissue follows the bone, so that tissue shears and does not shrink. The weight is defined at the source, which is
    therefore found by iteration.
    """
    result = points.copy()
    for leg, pose in zip(body.legs, poses, strict=True):
        on_side = (points[2] - body.middle) * leg.lateral >= 0
        target = points[:, on_side]
        source = target.copy()
        for _ in range(4):
            source = _unturn(target, source, leg, pose)
        follows = _sample(leg.follows_femur, source, leg.grid)
        lost = ((source[2] - body.middle) * leg.lateral < 0) & (follows > 0.1)
        source[:, lost] = np.nan
        result[:, on_side] = source
    return result


def _unturn(target: np.ndarray, guess: np.ndarray, leg: Leg, pose: LegPose) -> np.ndarray:
    w = _sample(leg.follows_femur, guess, leg.grid)
    shift = np.asarray(pose.shift) * (1, 1, leg.lateral)
    moved = target - leg.head[:, None] - w * shift[:, None]
    # Abduction and outward rotation are mirrored between the legs.
    hip = np.array([pose.rotation * leg.lateral, -pose.abduction * leg.lateral, -pose.flexion])
    source = leg.head[:, None] + _turn(moved, np.radians(hip), w)
    if pose.knee:
        v = _sample(leg.follows_tibia, guess, leg.grid)
        source = leg.knee[:, None] + _turn(source - leg.knee[:, None], np.radians([0, 0, pose.knee]), v)
    source = _narrow(source, leg, pose.bulk, w)
    if pose.flattening:
        away = source - leg.head[:, None]
        near = pose.flattening * np.exp(-((away**2).sum(axis=0) / 27.0**2))
        source[0] += near * np.clip(away[0], 0, None)
        source[1:] -= 0.4 * near * away[1:]
    return source


def _narrow(source: np.ndarray, leg: Leg, bulk: float, w: np.ndarray) -> np.ndarray:
    """Undo the widening of a thigh's muscles around the femur's axis, which leaves the bone as it is."""
    if not bulk:
        return source
    level = source[0] / leg.grid[0] - 0.5
    centre = np.stack([np.interp(level, np.arange(len(leg.axis)), leg.axis[:, k]) for k in (0, 1)])
    away = source[1:] - centre
    far = np.hypot(*away)
    below = np.clip((leg.head[0] - 30 - source[0]) / 80, 0, 1)
    wider = 1 + bulk * w * below * np.clip((far - 14) / 30, 0, 1)
    return np.concatenate([source[:1], centre + away / wider])


def _turn(points: np.ndarray, angles: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rotate ``[3, n]`` points by ``weight`` times the rotation vector `angles` ``(z, y, x)`` in radians (Rodrigues' formula)."""
    size = float(np.linalg.norm(angles))
    if size < 1e-6:
        return points
    axis = (angles / size)[:, None]
    theta = weight * size
    cos, sin = np.cos(theta), np.sin(theta)
    cross = np.cross(axis.T, points.T).T
    return points * cos + cross * sin + axis * (axis * points).sum(axis=0) * (1 - cos)


def _sample(field: np.ndarray, points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return ndimage.map_coordinates(field, points / grid[:, None] - 0.5, order=1, mode="nearest", prefilter=False)
