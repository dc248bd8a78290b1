"""The simulated scanner: slices, kernel, noise, calibration drift, artefacts, field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .artefacts import add_beam_hardening, add_metal_streaks, add_starvation_streaks
from .noise import Noise

LOWEST_SCANNED_HU, HIGHEST_SCANNED_HU = -1024, 3071
# Metal exceeds the HU scale; the kernel blurs this value instead.
_METAL_SHOWN_HU = 3500.0
# Before the simulated scan only metal is as bright as this.
METAL_FROM_HU = 3000.0
# A box one voxel wide has a standard deviation of 0.29 voxels; scans that were resampled before are blurred a little more.
_VOXEL_BLUR = 0.36


@dataclass(frozen=True)
class Acquisition:
    """Scanner settings.

    `blur_mm`: standard deviation of the point spread in plane; `slice_mm`: that of the slice profile; `sharpening`: weight of an
    unsharp mask, as in edge-enhancing kernels; `noise_hu`: standard deviation in an average body; `grain_mm`: the smoothing that
    correlates it; `scale`, `offset_hu`: calibration drift; `beam_hardening_hu`, `cupping_hu`: depth of the dark bands between bones
    and of the dip in the body's middle; `starvation`: strength of streaks across the hips over the noise; `metal_streaks_hu`:
    strength of the streaks around metal, `metal_reach_mm`: the distance over which they fade to a third; `repaired`: metal artefact
    reduction was on; `view_mm`: radius of the field of view, `view_centre`: its centre from the array's middle in mm ``(y, x)``.
    """

    blur_mm: float = 1.0
    slice_mm: float = 1.0
    sharpening: float = 0.0
    noise_hu: float = 12.0
    grain_mm: float = 0.7
    scale: float = 1.0
    offset_hu: float = 0.0
    beam_hardening_hu: float = 0.0
    cupping_hu: float = 0.0
    starvation: float = 0.0
    metal_streaks_hu: float = 350.0
    metal_reach_mm: float = 55.0
    repaired: bool = False
    view_mm: float = 1000.0
    view_centre: tuple[float, float] = (0.0, 0.0)


def random_acquisition(rng: np.random.Generator) -> Acquisition:
    """Draw a scanner: sharp to soft kernels, thin to thick slices, high to low dose, good and bad calibration."""
    sharp = rng.random() < 0.3
    view, centre = 1000.0, (0.0, 0.0)
    if rng.random() < 0.15:
        view, centre = float(rng.uniform(170, 260)), (float(rng.normal(0, 20)), float(rng.normal(0, 30)))
        if rng.random() < 0.25:
            # A reconstruction of one leg.
            view, centre = float(rng.uniform(95, 150)), (centre[0], float(rng.choice([-1, 1]) * rng.uniform(60, 110)))
    return Acquisition(
        blur_mm=float(rng.uniform(0.3, 0.7) if sharp else rng.uniform(0.5, 1.4)),
        slice_mm=float(rng.uniform(0.4, 2.6)),
        sharpening=float(rng.uniform(0.1, 0.9)) if sharp else 0.0,
        noise_hu=float(np.clip(rng.lognormal(np.log(12), 0.6), 2, 40)),
        grain_mm=float(rng.uniform(0.3, 1.2)),
        scale=float(rng.normal(1.0, 0.015)),
        offset_hu=float(rng.normal(0, 6)),
        beam_hardening_hu=float(rng.uniform(0, 35)) if rng.random() < 0.6 else 0.0,
        cupping_hu=float(rng.normal(0, 9)),
        starvation=float(rng.uniform(0, 2.2)) if rng.random() < 0.65 else 0.0,
        metal_streaks_hu=float(rng.uniform(80, 700)),
        repaired=bool(rng.random() < 0.3),
        view_mm=view,
        view_centre=centre,
    )


def blur_slices(hu: np.ndarray, slice_mm: float, interval_mm: float) -> None:
    """The slice profile: Gaussian of `slice_mm` along z over `hu` ``[z, y, x]`` (float32, changed in place)."""
    from scipy import ndimage

    np.minimum(hu, _METAL_SHOWN_HU, out=hu)
    ndimage.gaussian_filter1d(hu, slice_mm / interval_mm, axis=0, output=hu, mode="nearest")


def scan_slices(
    hu: np.ndarray,
    metal: np.ndarray | None,
    spacing: tuple[float, float],
    settings: Acquisition,
    noise: Noise,
    rng: np.random.Generator,
) -> np.ndarray:
    """Apply the scanner's in-plane effects to `hu` (float32 ``[n, y, x]``, changed in place); returns it, not yet rounded.

    `metal` is bool of the same shape (None: no metal), `spacing` ``(y, x)`` in mm.
    """
    from scipy import ndimage

    # A voxel holds the mean over its area, but tissue was looked up at its centre: taking that mean is a blur as well.
    sigma = (0.0, *(np.hypot(settings.blur_mm, _VOXEL_BLUR * step) / step for step in spacing))
    ndimage.gaussian_filter(hu, sigma, output=hu, truncate=3.0)
    if settings.sharpening:
        wide = ndimage.gaussian_filter(hu, (0.0, 1.6 / spacing[0], 1.6 / spacing[1]), truncate=3.0)
        hu += settings.sharpening * (hu - wide)
    body = hu > -300
    add_beam_hardening(hu, body, spacing, settings.beam_hardening_hu, settings.cupping_hu)
    if metal is not None and metal.any():
        strength = settings.metal_streaks_hu * (0.35 if settings.repaired else 1.0)
        add_metal_streaks(hu, metal, spacing, strength, settings.metal_reach_mm, rng)
    # Photons are scarcest in the middle of the trunk: noise grows with the body's cross-section.
    area = body.sum(axis=(1, 2)) * spacing[0] * spacing[1]
    level = (settings.noise_hu * np.sqrt(np.clip(area / 8e4, 0.15, 2.5))).astype(np.float32)
    grains = noise(rng, hu.shape, (0.01, settings.grain_mm / spacing[0], settings.grain_mm / spacing[1]))
    hu += grains * level[:, None, None]
    if settings.starvation:
        add_starvation_streaks(hu, body, spacing, settings.starvation * level, noise, rng)
    hu *= settings.scale
    hu += settings.offset_hu
    return hu


def outside_view(shape: tuple[int, int], spacing: tuple[float, float], settings: Acquisition) -> np.ndarray | None:
    """Pixels outside the circular field of view, bool ``[y, x]`` of `shape`; None without any. `spacing` ``(y, x)`` in mm."""
    if settings.view_mm >= 1000:
        return None
    ys = (np.arange(shape[0]) - shape[0] / 2) * spacing[0] - settings.view_centre[0]
    xs = (np.arange(shape[1]) - shape[1] / 2) * spacing[1] - settings.view_centre[1]
    return ys[:, None] ** 2 + xs[None, :] ** 2 > settings.view_mm**2


def stored(hu: np.ndarray) -> np.ndarray:
    """HU as scanners store them: int16 of the same shape, clipped to 12 bits."""
    return np.clip(np.rint(hu), LOWEST_SCANNED_HU, HIGHEST_SCANNED_HU).astype(np.int16)
