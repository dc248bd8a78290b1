"""What the scanner does to a virtual patient: blur, noise, calibration drift and metal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tissue import FEMORA

LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True)
class Acquisition:
    """Scanner settings: blur (standard deviation, mm in plane and voxels along z), noise (HU) and its grain (voxels), drift."""

    blur_mm: float
    blur_z: float
    noise_hu: float
    grain: float
    scale: float
    offset_hu: float
    metal: bool


def random_acquisition(rng: np.random.Generator) -> Acquisition:
    """Draw a scanner: sharp to soft kernels, low to high dose."""
    return Acquisition(
        blur_mm=float(rng.uniform(0.6, 1.6)),
        blur_z=float(rng.uniform(0.2, 0.7)),
        noise_hu=float(rng.lognormal(np.log(13), 0.6)),
        grain=float(rng.uniform(0.3, 0.9)),
        scale=float(rng.normal(1.0, 0.015)),
        offset_hu=float(rng.normal(0, 5)),
        metal=bool(rng.random() < 0.12),
    )


def scan(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    settings: Acquisition,
    rng: np.random.Generator,
) -> np.ndarray:
    """CT int16 ``[z, y, x]`` of the radiodensities `hu` (float32, changed in place); `labels` tells where implants go."""
    from scipy import ndimage

    if settings.metal:
        _add_implant(hu, labels, spacing, rng)
    sigma = (settings.blur_z, settings.blur_mm / spacing[1], settings.blur_mm / spacing[2])
    ndimage.gaussian_filter(hu, sigma, output=hu)
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    ndimage.gaussian_filter(noise, (0, settings.grain, settings.grain), output=noise)
    # Photons are scarcest in the middle of the trunk: noise grows with the body's cross-section.
    area = (hu > -300).mean(axis=(1, 2))
    level = settings.noise_hu / noise.std() * np.sqrt(area / max(area.mean(), 1e-3))
    hu += noise * level[:, None, None].astype(np.float32)
    hu *= settings.scale
    hu += settings.offset_hu
    return np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16)


def _add_implant(
    hu: np.ndarray, labels: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator
) -> None:
    """A nail or stem in one proximal femur with dark and bright streaks around it."""
    femur = labels == rng.choice(FEMORA)
    levels = np.flatnonzero(femur.any(axis=(1, 2)))
    if not levels.size:
        return
    top = levels.max() - int(rng.uniform(0, 50) / spacing[0])
    bottom = max(levels.min(), top - int(rng.uniform(30, 160) / spacing[0]))
    radius, strength = rng.uniform(4, 8), rng.uniform(150, 700)
    arms, phase = int(rng.integers(2, 6)), rng.uniform(0, np.pi)
    for k in range(bottom, top + 1):
        at = np.argwhere(femur[k])
        if not at.size:
            continue
        y, x = at.mean(axis=0)
        dy = (np.arange(hu.shape[1]) - y)[:, None] * spacing[1]
        dx = (np.arange(hu.shape[2]) - x)[None, :] * spacing[2]
        far, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
        streak = strength * np.cos(arms * angle + phase + rng.normal(0, 0.3)) * np.exp(-far / 60)
        hu[k] += np.where(hu[k] > -500, streak, 0.3 * streak)
        hu[k][far < radius] = HIGHEST_HU
