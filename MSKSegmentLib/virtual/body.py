"""Completion of a labelled skeleton-and-muscle map to a whole body: everything that a CT shows and no label names.

Whatever is left out here, a network later calls muscle: abdominal wall, back muscles, lumbar spine, viscera, vessels, hands and
the table are therefore part of every virtual patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """Tissue classes beyond the atlas' labels (values 220 and up); 0 is air."""

    FAT = 220
    SKIN = 221
    WALL_MUSCLE = 222
    VERTEBRA = 223
    DISC = 224
    BOWEL_WALL = 225
    GAS = 226
    STOOL = 227
    FLUID = 228
    VESSEL = 229
    ORGAN = 230
    TABLE = 231
    FOAM = 232


FEMORA = (2, 102)
SACRUM = 3
HIP_BONES = (1, 101)
PSOAS = (12, 112)
SARTORIUS = (17, 117)


@dataclass(frozen=True)
class Build:
    """How a body is completed; lengths in mm. `fat` is the subcutaneous thickness, `belly` how far the abdomen bulges."""

    fat: float
    belly: float
    wall: float
    bowel_share: float
    gas_share: float
    bladder: float
    vessel_radius: float
    hands: bool
    table: bool


def random_build(rng: np.random.Generator) -> Build:
    """Draw a build from lean to obese."""
    fat = float(np.clip(rng.lognormal(np.log(16), 0.6), 4, 60))
    return Build(
        fat=fat,
        belly=float(rng.uniform(15, 55) + 1.2 * fat),
        wall=float(rng.uniform(7, 18)),
        bowel_share=float(rng.uniform(0.3, 0.75)),
        gas_share=float(rng.uniform(0.05, 0.4)),
        bladder=float(rng.uniform(15, 48)),
        vessel_radius=float(rng.uniform(3.5, 6.5)),
        hands=bool(rng.random() < 0.45),
        table=bool(rng.random() < 0.8),
    )


def complete_body(
    labels: np.ndarray, spacing: tuple[float, float, float], build: Build, rng: np.random.Generator
) -> np.ndarray:
    """Tissue map uint8 ``[z, y, x]``: the labels where they are, tissue classes around them, 0 in the air.

    `labels` is a patient from `deformation.deform`, `spacing` ``(z, y, x)`` in mm.
    """
    frame = _Frame.of(labels, spacing)
    core = _core(labels, frame, build)
    tissue = labels.copy()
    free = labels == 0
    tissue[core & free] = Tissue.FAT
    _fill_trunk(tissue, core, frame, build, rng)
    _add_spine(tissue, frame, rng)
    _add_vessels(tissue, frame, build, rng)
    _add_skin_and_fat(tissue, core, frame, build, rng)
    if build.hands:
        _add_hands(tissue, frame, rng)
    if build.table:
        _add_table(tissue, frame, rng)
    return tissue


@dataclass(frozen=True)
class _Frame:
    """Where things are: levels as slice numbers, positions in voxels, spacing in mm."""

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    crotch: int
    pubis: int
    crest: int
    sacrum_top: int
    middle: float
    promontory_y: float

    @staticmethod
    def of(labels: np.ndarray, spacing: tuple[float, float, float]) -> _Frame:
        hip = np.isin(labels, HIP_BONES)
        levels = np.flatnonzero(hip.any(axis=(1, 2)))
        sacrum = labels == SACRUM
        top = int(np.flatnonzero(sacrum.any(axis=(1, 2))).max())
        first = max(top - int(14 / spacing[0]), 0)
        _, ys, xs = np.nonzero(sacrum[first : top + 1])
        crotch = int(levels.min())
        return _Frame(
            spacing,
            labels.shape,  # type: ignore[arg-type]
            crotch,
            crotch + int(65 / spacing[0]),
            int(levels.max()),
            top,
            float(np.median(xs)),
            float(np.quantile(ys, 0.25)),
        )

    def ellipse(self, y: float, x: float, height_mm: float, width_mm: float) -> np.ndarray:
        """In-plane ellipse with centre in voxels and semi-axes in mm, bool ``[y, x]``."""
        ys = (np.arange(self.shape[1]) - y) * self.spacing[1] / height_mm
        xs = (np.arange(self.shape[2]) - x) * self.spacing[2] / width_mm
        return ys[:, None] ** 2 + xs[None, :] ** 2 <= 1


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> np.ndarray:
    """Smooth noise of unit standard deviation; `sigma` in voxels. Made on a coarser grid where it is smooth enough."""
    from scipy import ndimage

    step = [max(1, int(s / 2)) for s in sigma]
    small = [-(-n // k) + 1 for n, k in zip(shape, step, strict=True)]
    field = ndimage.gaussian_filter(
        rng.standard_normal(small, dtype=np.float32), [s / k for s, k in zip(sigma, step, strict=True)]
    )
    field = ndimage.zoom(field, [float(k) for k in step], order=1) if max(step) > 1 else field
    field = field[tuple(slice(0, n) for n in shape)]
    return (field - field.mean()) / (field.std() + 1e-6)


def _core(labels: np.ndarray, frame: _Frame, build: Build) -> np.ndarray:
    """What lies inside the deep fascia: each thigh's muscles with the gaps between them, and the trunk."""
    from scipy import ndimage

    core = np.zeros(labels.shape, bool)
    px = frame.spacing[1]
    radius = max(1, round(10 / px))
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    crest_box = None
    for k in range(labels.shape[0]):
        filled = labels[k] > 0
        if filled.any():
            core[k] = ndimage.binary_fill_holes(ndimage.binary_closing(filled, disk))
        if k < frame.pubis - int(25 / frame.spacing[0]):
            continue
        if k <= frame.crest - int(15 / frame.spacing[0]) or crest_box is None:
            ys, xs = np.nonzero(filled)
            crest_box = (xs.min(), xs.max(), ys.min(), ys.max())
        left, right, front, back = crest_box
        rise = np.clip((k - frame.pubis) / max(1, frame.crest - frame.pubis), 0, 1.1)
        front = front - build.belly / px * np.sin(rise * np.pi / 2.2)
        back = back + 14 / px * rise
        over = max(0.0, (k - frame.crest) * frame.spacing[0])
        half = (right - left) / 2 * frame.spacing[2] * (1 + 0.05 * rise) - 0.06 * over
        depth = (back - front) / 2 * px
        # A superellipse: flatter at the sides than an ellipse, as trunks are.
        ys_mm = (np.arange(frame.shape[1]) - (front + back) / 2) * px / max(depth, 30.0)
        xs_mm = (np.arange(frame.shape[2]) - (left + right) / 2) * frame.spacing[2] / max(half, 60.0)
        core[k] |= np.abs(ys_mm[:, None]) ** 2.4 + np.abs(xs_mm[None, :]) ** 2.4 <= 1
        if k > frame.sacrum_top - 60 / frame.spacing[0]:
            # Room for the back muscles behind the spine.
            core[k] |= frame.ellipse(frame.promontory_y + 40 / px, frame.middle, 42, 70)
    return core


def _fill_trunk(
    tissue: np.ndarray, core: np.ndarray, frame: _Frame, build: Build, rng: np.random.Generator
) -> None:
    """Abdominal wall, bowel with gas and stool, organs, bladder, rectum and the soft floor of the pelvis."""
    from scipy import ndimage

    start = frame.pubis - int(20 / frame.spacing[0])
    trunk, inside = tissue[start:], core[start:]
    depth = np.stack([ndimage.distance_transform_edt(plane, sampling=frame.spacing[1:]) for plane in inside])
    fat = trunk == Tissue.FAT
    front = np.arange(frame.shape[1])[None, :, None] < frame.promontory_y + 12 / frame.spacing[1]
    thickness = build.wall * (1 + 0.15 * _noise(rng, trunk.shape, (8, 8, 8)))
    wall = fat & front & (depth < thickness) & (depth > 1.5)
    trunk[wall] = Tissue.WALL_MUSCLE
    # Layers of the lateral wall are parted by thin fat.
    trunk[wall & (np.abs(depth - 0.45 * thickness) < 0.25 * frame.spacing[1])] = Tissue.FAT
    cavity = fat & ~wall & front
    sigma = tuple(9.0 / s for s in frame.spacing)
    loops = _noise(rng, trunk.shape, sigma)
    threshold = np.quantile(loops, 1 - build.bowel_share)
    bowel = cavity & (loops > threshold)
    trunk[bowel] = Tissue.BOWEL_WALL
    lumen = bowel & (loops > threshold + 0.35)
    content = _noise(rng, trunk.shape, tuple(22.0 / s for s in frame.spacing))
    trunk[lumen & (content > np.quantile(content, 1 - build.gas_share))] = Tissue.GAS
    trunk[lumen & (content < np.quantile(content, 0.3))] = Tissue.STOOL
    _add_organs(tissue, frame, build, rng)


def _add_organs(tissue: np.ndarray, frame: _Frame, build: Build, rng: np.random.Generator) -> None:
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


def _back_of_sacrum(tissue: np.ndarray, frame: _Frame) -> float:
    _, ys, _ = np.nonzero(tissue[: frame.sacrum_top - int(20 / frame.spacing[0])] == SACRUM)
    return float(ys.min()) if ys.size else frame.promontory_y + 40 / frame.spacing[1]


def _add_spine(tissue: np.ndarray, frame: _Frame, rng: np.random.Generator) -> None:
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


def _add_vessels(tissue: np.ndarray, frame: _Frame, build: Build, rng: np.random.Generator) -> None:
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


def _add_skin_and_fat(
    tissue: np.ndarray, core: np.ndarray, frame: _Frame, build: Build, rng: np.random.Generator
) -> None:
    """Subcutaneous fat of varying thickness around the core and 2 mm of skin."""
    from scipy import ndimage

    vary = 1 + 0.22 * _noise(rng, tissue.shape, tuple(45.0 / s for s in frame.spacing))
    lower = np.clip(np.arange(frame.shape[0]) / max(1, frame.pubis), 0.35, 1)
    for k in range(frame.shape[0]):
        if not core[k].any():
            continue
        far = ndimage.distance_transform_edt(~core[k], sampling=frame.spacing[1:])
        thickness = np.clip(build.fat * lower[k] * vary[k], 2.5, None)
        inside = far <= thickness
        # Thighs that touch share no skin between them on CT, so small gaps are closed first.
        inside = ndimage.binary_fill_holes(inside)
        plane = tissue[k]
        plane[inside & (plane == 0)] = Tissue.FAT
        edge = ndimage.distance_transform_edt(inside, sampling=frame.spacing[1:]) <= 2.2
        plane[edge & (plane == Tissue.FAT)] = Tissue.SKIN


def _add_hands(tissue: np.ndarray, frame: _Frame, rng: np.random.Generator) -> None:
    """Forearm or hand on one or both sides of the hips, or upon the belly."""
    dz, dy, dx = frame.spacing
    for sign in (-1, 1):
        if rng.random() < 0.25:
            continue
        low = frame.crotch - int(rng.uniform(-40, 80) / dz)
        radius, bone = rng.uniform(16, 30), rng.uniform(4, 7)
        back, gap = rng.uniform(0.15, 0.75), rng.uniform(1, 25)
        for k in range(max(0, low), frame.shape[0]):
            ys, xs = np.nonzero(tissue[k])
            if not ys.size:
                continue
            y = ys.min() + back * (ys.max() - ys.min())
            edge = xs[np.abs(ys - y) < 3]
            if not edge.size:
                continue
            x = (edge.max() if sign > 0 else edge.min()) + sign * (radius + gap) / dx
            plane, air = tissue[k], tissue[k] == 0
            plane[air & frame.ellipse(y, x, radius, radius)] = Tissue.SKIN
            plane[air & frame.ellipse(y, x, radius - 3, radius - 3)] = Tissue.FAT
            plane[air & frame.ellipse(y, x, 0.72 * radius, 0.8 * radius)] = Tissue.WALL_MUSCLE
            for shift in (-0.45, 0.45):
                plane[air & frame.ellipse(y + shift * radius / dy, x, bone, bone)] = Tissue.VERTEBRA


def _add_table(tissue: np.ndarray, frame: _Frame, rng: np.random.Generator) -> None:
    """A curved table top with foam under the body."""
    body = (tissue > 0).any(axis=0)
    ys, _ = np.nonzero(body)
    dy, dx = frame.spacing[1:]
    curve = rng.uniform(0, 45) * ((np.arange(frame.shape[2]) - frame.middle) * dx / 220) ** 2
    surface = ys.max() + (rng.uniform(3, 12) - curve) / dy
    below = np.arange(frame.shape[1])[:, None] - surface[None, :]
    thickness = rng.uniform(20, 45) / dy
    foam = (below > 0) & (below < thickness)
    shell = foam & ((below < 2 / dy + 0.5) | (below > thickness - 2 / dy - 0.5))
    air = tissue == 0
    tissue[air & foam[None]] = Tissue.FOAM
    tissue[air & shell[None]] = Tissue.TABLE
