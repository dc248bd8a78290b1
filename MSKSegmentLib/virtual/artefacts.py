"""Artefacts of a CT: beam hardening, cupping, photon starvation, metal streaks. Approximations in image space."""

from __future__ import annotations

import numpy as np

from .noise import Noise

# Angular steps of the streak pattern around metal: a streak is a few degrees wide.
_STREAK_BINS = 96


def add_beam_hardening(
    hu: np.ndarray, body: np.ndarray, spacing: tuple[float, float], between_bones: float, cupping: float
) -> None:
    """Dark bands between bones at one height, and a dip (or a rise) towards the body's middle.

    `hu` float32 ``[n, y, x]`` is changed in place; `body` bool of that shape; `spacing` ``(y, x)`` mm; strengths in HU.
    """
    from scipy import ndimage

    small = slice(None), slice(None, None, 2), slice(None, None, 2)
    step = (2 * spacing[0], 2 * spacing[1])
    shading = np.zeros_like(hu[small])
    if between_bones:
        bone = (hu[small] > 250).astype(np.float32)
        bands = ndimage.uniform_filter(bone, (1, 9 / step[0], 130 / step[1]), mode="constant")
        shading -= between_bones * np.clip(bands / 0.3, 0, 1.3) * (1 - bone)
    if cupping:
        inside = ndimage.uniform_filter(body[small].astype(np.float32), (1, 110 / step[0], 160 / step[1]), mode="constant")
        shading -= cupping * inside**2
    if between_bones or cupping:
        full = np.repeat(np.repeat(shading, 2, axis=1), 2, axis=2)[:, : hu.shape[1], : hu.shape[2]]
        hu += np.where(body, full, 0)


def add_starvation_streaks(
    hu: np.ndarray,
    body: np.ndarray,
    spacing: tuple[float, float],
    level: np.ndarray,
    noise: Noise,
    rng: np.random.Generator,
) -> None:
    """Horizontal streaks where the path from side to side is long.

    `hu` float32 ``[n, y, x]`` is changed in place; `body` bool of that shape; `spacing` ``(y, x)`` mm; `level` float ``[n]``: the
    strength in each slice in HU.
    """
    path = (body.sum(axis=2) * spacing[1] / 350.0).astype(np.float32)
    streaks = noise(rng, hu.shape, (0.01, 0.5, 30 / spacing[1]))
    hu += streaks * (np.clip(path - 0.5, 0, 1) * level[:, None])[:, :, None]


def add_metal_streaks(
    hu: np.ndarray,
    metal: np.ndarray,
    spacing: tuple[float, float],
    strength: float,
    reach_mm: float,
    rng: np.random.Generator,
) -> None:
    """Bright and dark streaks that start at metal, and a dark band between two implants.

    `hu` float32 ``[n, y, x]`` is changed in place; `metal` bool of that shape; `spacing` ``(y, x)`` mm. `strength` in HU near the
    metal; over `reach_mm` the streaks fade to a third.
    """
    from scipy import ndimage

    bins = np.arange(_STREAK_BINS)
    pattern = ndimage.gaussian_filter1d(rng.standard_normal(_STREAK_BINS), 1.3, mode="wrap")
    pattern += 1.2 * np.cos(2 * (bins * 2 * np.pi / _STREAK_BINS - rng.uniform(0, np.pi)))
    pattern = (pattern / np.abs(pattern).max()).astype(np.float32)
    ys, xs = np.ogrid[: hu.shape[1], : hu.shape[2]]
    for k in np.flatnonzero(metal.any(axis=(1, 2))):
        parts, count = ndimage.label(metal[k])
        centres = ndimage.center_of_mass(metal[k], parts, range(1, min(count, 3) + 1))
        for y, x in centres:
            dy, dx = (ys - y) * spacing[0], (xs - x) * spacing[1]
            far = np.hypot(dy, dx)
            turned = (np.arctan2(dy, dx) / (2 * np.pi) * _STREAK_BINS).astype(int) % _STREAK_BINS
            shape = np.exp(-far / reach_mm) * np.clip(far / 12, 0, 1)
            streak = strength * (pattern + 0.15 * rng.standard_normal(_STREAK_BINS).astype(np.float32))[turned] * shape
            # Air does not harden the beam, but streaks extend into it.
            hu[k] += np.where(hu[k] > -500, streak, 0.3 * streak)
        if len(centres) > 1:
            (y0, x0), (y1, x1) = centres[:2]
            length = max(1.0, np.hypot((y1 - y0) * spacing[0], (x1 - x0) * spacing[1]))
            along = ((ys - y0) * (y1 - y0) * spacing[0] ** 2 + (xs - x0) * (x1 - x0) * spacing[1] ** 2) / length**2
            off = ((ys - y0) * spacing[0] * (x1 - x0) * spacing[1] - (xs - x0) * spacing[1] * (y1 - y0) * spacing[0]) / length
            hu[k] -= 0.7 * strength * np.exp(-((off / 14) ** 2)) * ((along > 0) & (along < 1))
