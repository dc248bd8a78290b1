"""What fills a virtual patient's trunk and runs through its limbs: viscera, spine, back muscles, vessels."""

from __future__ import annotations

import numpy as np

from .build import Build
from .tissue import FEMORA, PSOAS, SACRUM, SARTORIUS, Frame, Tissue, smooth_noise


def fill_trunk(
    tissue: np.ndarray, core: np.ndarray, frame: Frame, build: Build, rng: np.random.Generator
) -> None:
    """Abdominal wall, bowel with gas and stool, organs, bladder, rectum and the soft floor of the pelvis."""
    from scipy import ndimage

    start = frame.pubis - int(20 / frame.spacing[0])
    trunk, inside = tissue[start:], core[start:]
    depth = np.stack([ndimage.distance_transform_edt(plane, sampling=frame.spacing[1:]) for plane in inside])
    fat = trunk == Tissue.FAT
    front = np.arange(frame.shape[1])[None, :, None] < frame.promontory_y + 12 / frame.spacing[1]
    thickness = build.wall * (1 + 0.15 * smooth_noise(rng, trunk.shape, (8, 8, 8)))
    wall = fat & front & (depth < thickness) & (depth > 1.5)
    trunk[wall] = Tissue.WALL_MUSCLE
    # Layers of the lateral wall are parted by thin fat.
    trunk[wall & (np.abs(depth - 0.45 * thickness) < 0.25 * frame.spacing[1])] = Tissue.FAT
    cavity = _reached_from_the_middle(fat & ~wall & front, frame)
    sigma = tuple(9.0 / s for s in frame.spacing)
    loops = smooth_noise(rng, trunk.shape, sigma)
    threshold = np.quantile(loops, 1 - build.bowel_share)
    bowel = cavity & (loops > threshold)
    trunk[bowel] = Tissue.BOWEL_WALL
    lumen = bowel & (loops > threshold + 0.35)
    content = smooth_noise(rng, trunk.shape, tuple(22.0 / s for s in frame.spacing))
    trunk[lumen & (content > np.quantile(content, 1 - build.gas_share))] = Tissue.GAS
    trunk[lumen & (content < np.quantile(content, 0.3))] = Tissue.STOOL
    _add_organs(tissue, frame, build, rng)


def _reached_from_the_middle(space: np.ndarray, frame: Frame) -> np.ndarray:
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


def _add_organs(tissue: np.ndarray, frame: Frame, build: Build, rng: np.random.Generator) -> None:
    """Bladder, rectum, pelvic floor, and kidneys and liver where the scan reaches that high."""
    soft = (Tissue.FAT, Tissue.BOWEL_WALL, Tissue.GAS, Tissue.STOOL)
    dz = frame.spacing[0]
    bladder_z, bladder_y = frame.pubis + build.bladder / dz * 0.7, frame.promontory_y - rng.uniform(45, 70) / frame.spacing[1]
    rectum_radius = rng.uniform(10, 22)
    rectum_tissue = rng.choice([Tissue.BOWEL_WALL, Tissue.GAS, Tissue.STOOL])
    sacrum_y = _back_of_sacrum(tissue, frame)
    floor_depth = rng.uniform(25, 60)
    for k in range(max(0, frame.crotch - int(10 / dz)), frame.shape[0]):
        plane = tissue[k]
        replaceable = np.isin(plane, soft)
        if frame.crotch + 15 / dz < k < frame.sacrum_top - 20 / dz:
            y = sacrum_y - (rectum_radius + 8) / frame.spacing[1]
            outer = frame.ellipse(y, frame.middle, rectum_radius, rectum_radius)
            plane[replaceable & outer] = Tissue.BOWEL_WALL
            inner = frame.ellipse(y, frame.middle, 0.65 * rectum_radius, 0.65 * rectum_radius)
            plane[replaceable & inner] = rectum_tissue
        if k < frame.pubis + floor_depth / dz - 20 / dz:
            # Levator ani, prostate or vagina, penile bulb: soft tissue between the obturators, below the bladder.
            y = sacrum_y - 55 / frame.spacing[1]
            plane[replaceable & frame.ellipse(y, frame.middle, 42, 30)] = Tissue.ORGAN
        height = 1 - ((k - bladder_z) * dz / build.bladder) ** 2
        if height > 0.02:
            radius = build.bladder * np.sqrt(height)
            replaceable = np.isin(plane, (*soft, Tissue.ORGAN))
            plane[replaceable & frame.ellipse(bladder_y, frame.middle, 0.85 * radius, 1.1 * radius)] = Tissue.FLUID
        over = (k - frame.crest) * dz
        replaceable = np.isin(plane, soft)
        if over > 35:
            for sign in (-1, 1):
                x = frame.middle + sign * 70 / frame.spacing[2]
                plane[replaceable & frame.ellipse(frame.promontory_y + 10 / frame.spacing[1], x, 30, 28)] = Tissue.ORGAN
        if over > 60:
            x = frame.middle - 75 / frame.spacing[2]
            plane[replaceable & frame.ellipse(frame.promontory_y - 50 / frame.spacing[1], x, 75, 65)] = Tissue.ORGAN


def _back_of_sacrum(tissue: np.ndarray, frame: Frame) -> float:
    _, ys, _ = np.nonzero(tissue[: frame.sacrum_top - int(20 / frame.spacing[0])] == SACRUM)
    return float(ys.min()) if ys.size else frame.promontory_y + 40 / frame.spacing[1]


def add_spine(tissue: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    """Lumbar vertebrae and discs above the sacrum; erector spinae, multifidus and quadratus lumborum beside them."""
    dz, dy, dx = frame.spacing
    body, disc = rng.uniform(25, 31), rng.uniform(6, 13)
    radius = rng.uniform(20, 26)
    back_radius = rng.uniform(18, 27)
    free = (Tissue.FAT, Tissue.WALL_MUSCLE, Tissue.BOWEL_WALL, Tissue.GAS, Tissue.STOOL, Tissue.ORGAN)
    for k in range(max(0, frame.sacrum_top - int(70 / dz)), frame.shape[0]):
        plane = tissue[k]
        above = (k - frame.sacrum_top) * dz
        available = np.isin(plane, free)
        y = frame.promontory_y + (0 if above < 0 else -min(above, 30) * 0.25) / dy
        grow = np.clip(1 + above / 80, 0.25, 1.0)
        for sign in (-1, 1):
            x = frame.middle + sign * 30 * grow / dx
            muscle = frame.ellipse(y + (48 + 8 * grow) / dy, x, back_radius * grow * 0.85, back_radius * grow * 1.25)
            plane[available & muscle] = Tissue.WALL_MUSCLE
            if above > 10:
                lumborum = frame.ellipse(y + 22 / dy, frame.middle + sign * 62 / dx, 10, 20)
                plane[available & lumborum] = Tissue.WALL_MUSCLE
        if above <= 0:
            continue
        is_disc = (above % (body + disc)) < disc
        available = np.isin(plane, free)
        vertebra = frame.ellipse(y + 6 / dy, frame.middle, 0.75 * radius, radius)
        plane[available & vertebra] = Tissue.DISC if is_disc else Tissue.VERTEBRA
        ring = frame.ellipse(y + (12 + 0.75 * radius) / dy, frame.middle, 15, 18)
        canal = frame.ellipse(y + (9 + 0.75 * radius) / dy, frame.middle, 7, 10)
        spinous = frame.ellipse(y + (30 + 0.75 * radius) / dy, frame.middle, 20, 4)
        transverse = frame.ellipse(y + (4 + 0.75 * radius) / dy, frame.middle, 4, 42)
        posterior = ring | (spinous | transverse if not is_disc else spinous)
        plane[available & posterior & ~vertebra] = Tissue.VERTEBRA
        plane[available & canal & ~vertebra] = Tissue.ORGAN


def add_vessels(tissue: np.ndarray, frame: Frame, build: Build, rng: np.random.Generator) -> None:
    """Iliac and femoral artery and vein: beside the psoas in the pelvis, behind the sartorius in the thigh."""
    dy, dx = frame.spacing[1:]
    for psoas, sartorius, femur, medial in zip(PSOAS, SARTORIUS, FEMORA, (1, -1), strict=True):
        path = np.full((frame.shape[0], 2), np.nan)
        for k in range(frame.shape[0]):
            plane = tissue[k]
            if k > frame.pubis:
                at = np.argwhere(plane == psoas)
                if at.size:
                    path[k] = at.mean(axis=0) + (-12 / dy, medial * 20 / dx)
            else:
                muscle, bone = np.argwhere(plane == sartorius), np.argwhere(plane == femur)
                if muscle.size and bone.size:
                    path[k] = 0.72 * muscle.mean(axis=0) + 0.28 * bone.mean(axis=0) + (0, medial * 4 / dx)
        known = np.flatnonzero(~np.isnan(path[:, 0]))
        if known.size < 2:
            continue
        smooth = [np.interp(np.arange(frame.shape[0]), known, path[known, axis]) for axis in (0, 1)]
        for k in range(known.min(), known.max() + 1):
            for offset in (0.0, 2.2 * build.vessel_radius):
                x = smooth[1][k] + medial * offset / dx
                disc = frame.ellipse(smooth[0][k] + 0.3 * offset / dy, x, build.vessel_radius, build.vessel_radius)
                plane = tissue[k]
                plane[disc & np.isin(plane, (Tissue.FAT, Tissue.BOWEL_WALL, Tissue.ORGAN))] = Tissue.VESSEL
