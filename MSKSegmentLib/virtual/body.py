"""Completion of a labelled skeleton-and-muscle map to a whole body: everything that a CT shows and no label names.

Whatever is left out here, a network later calls muscle: abdominal wall, back muscles, lumbar spine, viscera, vessels, hands and
the table are therefore part of every virtual patient.
"""

from __future__ import annotations

import numpy as np

from .build import Build
from .inner_organs import add_spine, add_vessels, fill_trunk
from .tissue import Frame, Tissue, smooth_noise


def complete_body(
    labels: np.ndarray, spacing: tuple[float, float, float], build: Build, rng: np.random.Generator
) -> np.ndarray:
    """Tissue map uint8 ``[z, y, x]``: the labels where they are, tissue classes around them, 0 in the air.

    `labels` is a patient from `deformation.deform`, `spacing` ``(z, y, x)`` in mm.
    """
    frame = Frame.of(labels, spacing)
    core = _core(labels, frame, build)
    tissue = labels.copy()
    free = labels == 0
    tissue[core & free] = Tissue.FAT
    fill_trunk(tissue, core, frame, build, rng)
    add_spine(tissue, frame, rng)
    add_vessels(tissue, frame, build, rng)
    _add_skin_and_fat(tissue, core, frame, build, rng)
    if build.hands:
        _add_hands(tissue, frame, rng)
    if build.table:
        _add_table(tissue, frame, rng)
    return tissue


def _core(labels: np.ndarray, frame: Frame, build: Build) -> np.ndarray:
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


def _add_skin_and_fat(
    tissue: np.ndarray, core: np.ndarray, frame: Frame, build: Build, rng: np.random.Generator
) -> None:
    """Subcutaneous fat of varying thickness around the core and 2 mm of skin."""
    from scipy import ndimage

    vary = 1 + 0.22 * smooth_noise(rng, tissue.shape, tuple(45.0 / s for s in frame.spacing))
    lower = np.clip(np.arange(frame.shape[0]) / max(1, frame.pubis), 0.35, 1)
    for k in range(frame.shape[0]):
        if not core[k].any():
            continue
        far = ndimage.distance_transform_edt(~core[k], sampling=frame.spacing[1:])
        thickness = np.clip(build.fat * lower[k] * vary[k], 2.5, None)
        inside = far <= thickness
        # Air that is enclosed all round, as between fat thighs, is taken as fat.
        inside = ndimage.binary_fill_holes(inside)
        plane = tissue[k]
        plane[inside & (plane == 0)] = Tissue.FAT
        edge = ndimage.distance_transform_edt(inside, sampling=frame.spacing[1:]) <= 2.2
        plane[edge & (plane == Tissue.FAT)] = Tissue.SKIN


def _add_hands(tissue: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
    """Forearm or hand on one or both sides of the hips."""
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


def _add_table(tissue: np.ndarray, frame: Frame, rng: np.random.Generator) -> None:
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
