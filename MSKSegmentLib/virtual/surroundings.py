"""Objects around a virtual patient: arms, clothes, the table."""

from __future__ import annotations

import numpy as np

from .tissue import BodyLandmarks, BodyTissue, smooth_noise


def add_arms(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """Forearm or hand on one or both sides of the hips, or hands on the thighs."""
    dz, dy, dx = frame.spacing
    for sign in (-1, 1):
        if rng.random() < 0.25:
            continue
        low = frame.crotch - int(rng.uniform(-40, 80) / dz)
        radius, bone = rng.uniform(16, 32), rng.uniform(4, 7)
        back, gap = rng.uniform(-0.05, 0.75), rng.uniform(0, 25)
        fat = rng.uniform(0.6, 0.85)
        for k in range(max(0, low), frame.shape[0]):
            ys, xs = np.nonzero(tissue[k])
            if not ys.size:
                continue
            y = ys.min() + back * (ys.max() - ys.min())
            edge = xs[np.abs(ys - y) < 3]
            if not edge.size:
                continue
            x = (edge.max() if sign > 0 else edge.min()) + sign * (radius + gap) / dx
            plane, air = tissue[k], np.isin(tissue[k], (0, BodyTissue.CLOTH))
            plane[air & frame.ellipse(y, x, radius, radius)] = BodyTissue.SKIN
            plane[air & frame.ellipse(y, x, radius - 3, radius - 3)] = BodyTissue.FAT
            plane[air & frame.ellipse(y, x, fat * radius, fat * radius)] = BodyTissue.WALL_MUSCLE
            for shift in (-0.45, 0.45):
                plane[air & frame.ellipse(y + shift * radius / dy, x, bone, bone)] = BodyTissue.VERTEBRA


def add_table(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
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
    tissue[air & foam[None]] = BodyTissue.FOAM
    tissue[air & shell[None]] = BodyTissue.TABLE


def add_clothes(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """Folds of cloth a few millimetres off the skin, over a part of the body; sometimes a zip or a button."""
    from scipy import ndimage

    folds = smooth_noise(rng, tissue.shape, (30 / frame.spacing[0], 18 / frame.spacing[1], 18 / frame.spacing[2]))
    low, high = sorted(rng.uniform(0, 1, 2) * frame.shape[0])
    thickness = rng.uniform(1.5, 5)
    metal_level = int(rng.uniform(low, high)) if rng.random() < 0.3 else -1
    for k in range(int(low), int(high)):
        body = tissue[k] > 0
        if not body.any():
            continue
        far = ndimage.distance_transform_edt(~body, sampling=frame.spacing[1:])
        offset = 2.5 + 2.5 * np.clip(folds[k] + 1, 0, 3)
        cloth = (far > offset) & (far < offset + thickness) & (folds[k] > -0.9)
        tissue[k][cloth & ~body] = BodyTissue.CLOTH
        if abs(k - metal_level) * frame.spacing[0] < 6:
            y = np.nonzero(body.any(axis=1))[0].min() - 3 / frame.spacing[1]
            tissue[k][frame.ellipse(y, frame.middle, 2.5, 5) & ~body] = BodyTissue.CALCIFICATION
