"""Vessels and tendons along a virtual patient's limbs."""

from __future__ import annotations

import numpy as np

from .build import Build
from .tissue import FEMUR_LABELS, PSOAS_LABELS, SARTORIUS_LABELS, BodyLandmarks, BodyTissue

# Muscles whose tendon continues beyond the end of the atlas' muscle: (class, length upwards, length downwards) in mm at most.
_TENDONS = (
    (14, 25, 55),  # BF
    (15, 0, 70),  # GRAC
    (16, 30, 45),  # RF
    (17, 0, 60),  # SART
    (18, 30, 40),  # SM
    (19, 25, 80),  # ST
    (12, 0, 30),  # PSOAS
    (20, 0, 200),  # TFL, which ends in the iliotibial tract
)
_SOFT = (BodyTissue.FAT, BodyTissue.BOWEL_WALL, BodyTissue.ORGAN)


def iliac_start(plane: np.ndarray, psoas: int, medial: int, frame: BodyLandmarks) -> np.ndarray | None:
    """Position of the iliac artery in a slice ``[y, x]``, in front of and medial to that psoas, in voxels; None without a psoas."""
    at = np.argwhere(plane == psoas)
    return at.mean(axis=0) + (-12 / frame.spacing[1], medial * 20 / frame.spacing[2]) if at.size else None


def add_vessels(tissue: np.ndarray, frame: BodyLandmarks, build: Build, rng: np.random.Generator, top: int | None = None) -> None:
    """Iliac and femoral artery and vein: beside the psoas in the pelvis, behind the sartorius in the thigh.

    They end at the slice `top`, or with the psoas.
    """
    dy, dx = frame.spacing[1:]
    for psoas, sartorius, femur, medial in zip(PSOAS_LABELS, SARTORIUS_LABELS, FEMUR_LABELS, (1, -1), strict=True):
        path = np.full((frame.shape[0], 2), np.nan)
        for k in range(frame.shape[0]):
            plane = tissue[k]
            if k > frame.pubis:
                start = iliac_start(plane, psoas, medial, frame)
                if start is not None:
                    path[k] = start
            else:
                muscle, bone = np.argwhere(plane == sartorius), np.argwhere(plane == femur)
                if muscle.size and bone.size:
                    path[k] = 0.72 * muscle.mean(axis=0) + 0.28 * bone.mean(axis=0) + (0, medial * 4 / dx)
        path_slices = np.flatnonzero(~np.isnan(path[:, 0]))
        if path_slices.size < 2:
            continue
        smooth = [np.interp(np.arange(frame.shape[0]), path_slices, path[path_slices, axis]) for axis in (0, 1)]
        for k in range(path_slices.min(), path_slices.max() + 1 if top is None else min(path_slices.max() + 1, top)):
            for offset, kind in ((0.0, BodyTissue.VESSEL), (2.2 * build.vessel_radius, BodyTissue.VEIN)):
                y, x = smooth[0][k] + 0.3 * offset / dy, smooth[1][k] + medial * offset / dx
                plane = tissue[k]
                free = np.isin(plane, _SOFT)
                plane[free & frame.ellipse(y, x, build.vessel_radius, build.vessel_radius)] = kind
                if kind == BodyTissue.VESSEL and rng.random() < build.calcification:
                    # A plaque: a piece of the artery's wall.
                    angle = rng.uniform(0, 2 * np.pi)
                    y, x = y + build.vessel_radius * np.sin(angle) / dy, x + build.vessel_radius * np.cos(angle) / dx
                    plane[free & frame.ellipse(y, x, rng.uniform(1, 2.6), rng.uniform(1, 2.6))] = BodyTissue.CALCIFICATION


def add_tendons(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """Cords of tendon that continue the muscles' ends through the fat around them."""
    from scipy import ndimage

    dz, dy, dx = frame.spacing
    boxes = ndimage.find_objects(tissue)
    for index, up, down in _TENDONS:
        for label in (index, index + 100):
            box = boxes[label - 1] if label <= len(boxes) else None
            if box is None:
                continue
            inside = tissue[box] == label
            levels = np.flatnonzero(inside.any(axis=(1, 2)))
            centres = np.array([np.argwhere(inside[k]).mean(axis=0) for k in levels]) + (box[1].start, box[2].start)
            levels = levels + box[0].start
            for length, end in ((up, -1), (down, 0)):
                end_levels, end_centres = (levels[-10:], centres[-10:]) if end else (levels[:10], centres[:10])
                if not length or len(end_levels) < 4:
                    continue
                slope = np.polyfit(end_levels, end_centres, 1)[0]
                # A muscle's end may be oblique, but its tendon must not leave the limb.
                slope = np.clip(slope, -0.5 * dz / dy, 0.5 * dz / dy)
                reach = int(rng.uniform(0.4, 1) * length / dz)
                radius = rng.uniform(1.8, 3.8)
                for step in range(1, reach + 1):
                    k = end_levels[end] + (step if end else -step)
                    if not 0 <= k < frame.shape[0]:
                        break
                    y, x = end_centres[end] + slope * (k - end_levels[end])
                    flat = 2.2 if index == 20 else 1.0
                    cord = frame.ellipse(y, x, radius * flat, radius / flat)
                    tissue[k][cord & (tissue[k] == BodyTissue.FAT)] = BodyTissue.TENDON
