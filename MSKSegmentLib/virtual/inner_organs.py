"""Contents of a virtual patient's trunk, and the genitals in front of it."""

from __future__ import annotations

import numpy as np

from .build import Build
from .tissue import HIP_BONE_LABELS, SACRUM_LABEL, BodyLandmarks, BodyTissue, smooth_noise


def fill_trunk(tissue: np.ndarray, core: np.ndarray, frame: BodyLandmarks, build: Build, rng: np.random.Generator) -> None:
    """Add abdominal wall, bowel with gas and stool, organs, bladder, rectum and pelvic floor to `tissue` uint8 ``[z, y, x]``."""
    from scipy import ndimage

    start = frame.pubis - int(20 / frame.spacing[0])
    trunk, inside = tissue[start:], core[start:]
    depth = np.stack([ndimage.distance_transform_edt(plane, sampling=frame.spacing[1:]) for plane in inside])
    fat = trunk == BodyTissue.FAT
    front = np.arange(frame.shape[1])[None, :, None] < frame.promontory_y + 12 / frame.spacing[1]
    thickness = build.wall * (1 + 0.15 * smooth_noise(rng, trunk.shape, (8, 8, 8)))
    wall = fat & front & (depth < thickness) & (depth > 1.5)
    trunk[wall] = BodyTissue.WALL_MUSCLE
    # Thin fat separates the layers of the lateral wall.
    trunk[wall & (np.abs(depth - 0.45 * thickness) < 0.25 * frame.spacing[1])] = BodyTissue.FAT
    cavity = _reached_from_the_middle(fat & ~wall & front, frame)
    sigma = tuple(9.0 / s for s in frame.spacing)
    loops = smooth_noise(rng, trunk.shape, sigma)
    threshold = np.quantile(loops, 1 - build.bowel_share)
    bowel = cavity & (loops > threshold)
    trunk[bowel] = BodyTissue.BOWEL_WALL
    lumen = bowel & (loops > threshold + 0.35)
    content = smooth_noise(rng, trunk.shape, tuple(22.0 / s for s in frame.spacing))
    trunk[lumen & (content > np.quantile(content, 1 - build.gas_share))] = BodyTissue.GAS
    trunk[lumen & (content < np.quantile(content, 0.3))] = BodyTissue.STOOL
    _add_organs(tissue, frame, build, rng)


def _reached_from_the_middle(space: np.ndarray, frame: BodyLandmarks) -> np.ndarray:
    """The part of each slice's free space that is wide and joined to the body's middle: the belly, not the groin's fat planes."""
    from scipy import ndimage

    radius = max(1, round(7 / frame.spacing[1]))
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    middle = slice(int(frame.middle - 15 / frame.spacing[2]), int(frame.middle + 15 / frame.spacing[2]) + 1)
    reached = np.zeros_like(space)
    for k, plane in enumerate(space):
        parts, _ = ndimage.label(ndimage.binary_opening(plane, disk))
        central = np.unique(parts[:, middle])
        reached[k] = np.isin(parts, central[central > 0])
    return reached


def _add_organs(tissue: np.ndarray, frame: BodyLandmarks, build: Build, rng: np.random.Generator) -> None:
    """Bladder, rectum, pelvic floor, and kidneys and liver where the scan reaches that high."""
    soft = (BodyTissue.FAT, BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL)
    dz = frame.spacing[0]
    bladder_z, bladder_y = frame.pubis + build.bladder / dz * 0.7, frame.promontory_y - rng.uniform(45, 70) / frame.spacing[1]
    rectum_radius = rng.uniform(10, 22)
    rectum_tissue = rng.choice([BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL])
    sacrum_y = _back_of_sacrum(tissue, frame)
    floor_depth = rng.uniform(25, 60)
    for k in range(max(0, frame.crotch - int(10 / dz)), frame.shape[0]):
        plane = tissue[k]
        replaceable = np.isin(plane, soft)
        if frame.crotch + 15 / dz < k < frame.sacrum_top - 20 / dz:
            y = sacrum_y - (rectum_radius + 8) / frame.spacing[1]
            outer = frame.ellipse(y, frame.middle, rectum_radius, rectum_radius)
            plane[replaceable & outer] = BodyTissue.BOWEL_WALL
            inner = frame.ellipse(y, frame.middle, 0.65 * rectum_radius, 0.65 * rectum_radius)
            plane[replaceable & inner] = rectum_tissue
        if k < frame.pubis + floor_depth / dz - 20 / dz:
            # Levator ani, prostate or vagina, penile bulb: soft tissue between the obturators, below the bladder.
            y = sacrum_y - 55 / frame.spacing[1]
            plane[replaceable & frame.ellipse(y, frame.middle, 42, 30)] = BodyTissue.ORGAN
        height = 1 - ((k - bladder_z) * dz / build.bladder) ** 2
        if height > 0.02:
            radius = build.bladder * np.sqrt(height)
            replaceable = np.isin(plane, (*soft, BodyTissue.ORGAN))
            plane[replaceable & frame.ellipse(bladder_y, frame.middle, 0.85 * radius, 1.1 * radius)] = BodyTissue.FLUID
        over = (k - frame.crest) * dz
        replaceable = np.isin(plane, soft)
        if build.abdomen:
            continue
        if over > 35:
            for sign in (-1, 1):
                x = frame.middle + sign * 70 / frame.spacing[2]
                plane[replaceable & frame.ellipse(frame.promontory_y + 10 / frame.spacing[1], x, 30, 28)] = BodyTissue.ORGAN
        if over > 60:
            x = frame.middle - 75 / frame.spacing[2]
            plane[replaceable & frame.ellipse(frame.promontory_y - 50 / frame.spacing[1], x, 75, 65)] = BodyTissue.ORGAN


def _back_of_sacrum(tissue: np.ndarray, frame: BodyLandmarks) -> float:
    _, ys, _ = np.nonzero(tissue[: frame.sacrum_top - int(20 / frame.spacing[0])] == SACRUM_LABEL)
    return float(ys.min()) if ys.size else frame.promontory_y + 40 / frame.spacing[1]


def add_genitals(tissue: np.ndarray, core: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """Scrotum and penis in front of and below the symphysis; `core` grows with them, so that skin covers them."""
    dz, dy, dx = frame.spacing
    inner = np.isin(tissue, HIP_BONE_LABELS)
    level = min(frame.crotch + int(15 / dz), frame.shape[0] - 1)
    ys = np.nonzero(inner[level])[0]
    if not ys.size:
        return
    front, size = ys.min() - 12 / dy, rng.uniform(20, 36)
    middle_z = frame.crotch - rng.uniform(0, 25) / dz
    for k in range(max(0, int(middle_z - 2 * size / dz)), min(frame.shape[0], int(middle_z + 2 * size / dz))):
        height = 1 - ((k - middle_z) * dz / (1.4 * size)) ** 2
        if height <= 0.02:
            continue
        plane = frame.ellipse(front, frame.middle, size * np.sqrt(height), size * 1.15 * np.sqrt(height))
        soft = plane & np.isin(tissue[k], (0, BodyTissue.FAT))
        tissue[k][soft] = BodyTissue.ORGAN
        core[k] |= plane
