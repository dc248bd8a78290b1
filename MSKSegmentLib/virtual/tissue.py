"""Tissue classes beyond the atlas' labels, and the landmarks by which they are placed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class BodyTissue(IntEnum):
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
    TENDON = 233
    CLOTH = 234
    CALCIFICATION = 235
    VEIN = 236
    KIDNEY = 237
    PAD = 238
    PHANTOM = 239


FEMUR_LABELS = (2, 102)
SACRUM_LABEL = 3
HIP_BONE_LABELS = (1, 101)
PSOAS_LABELS = (12, 112)
SARTORIUS_LABELS = (17, 117)
# The rods of a calibration phantom, each of a density of its own.
PHANTOM_RODS = tuple(range(BodyTissue.PHANTOM + 1, BodyTissue.PHANTOM + 7))
# What a body lies on.
SUPPORTS = (BodyTissue.TABLE, BodyTissue.FOAM, BodyTissue.PAD, BodyTissue.PHANTOM, *PHANTOM_RODS)
# Tissue that a hand, clothes or the table may replace.
OUTSIDE = (0, BodyTissue.CLOTH, *SUPPORTS)


@dataclass(frozen=True)
class BodyLandmarks:
    """Landmarks of a body: levels as slice numbers, positions in voxels, spacing in mm."""

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    crotch: int
    pubis: int
    crest: int
    sacrum_top: int
    middle: float
    promontory_y: float

    @staticmethod
    def of(labels: np.ndarray, spacing: tuple[float, float, float]) -> BodyLandmarks:
        """Find the landmarks of a label map ``[z, y, x]``; `spacing` is ``(z, y, x)`` in mm."""
        hip = np.isin(labels, HIP_BONE_LABELS)
        levels = np.flatnonzero(hip.any(axis=(1, 2)))
        sacrum = labels == SACRUM_LABEL
        top = int(np.flatnonzero(sacrum.any(axis=(1, 2))).max())
        first = max(top - int(14 / spacing[0]), 0)
        _, ys, xs = np.nonzero(sacrum[first : top + 1])
        crotch = int(levels.min())
        return BodyLandmarks(
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


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> np.ndarray:
    """Smooth noise of unit standard deviation; `sigma` in voxels. Computed on a coarser grid where it is smooth enough."""
    from scipy import ndimage

    step = [max(1, int(s / 2)) for s in sigma]
    small = [-(-n // k) + 1 for n, k in zip(shape, step, strict=True)]
    field = ndimage.gaussian_filter(rng.standard_normal(small, dtype=np.float32), [s / k for s, k in zip(sigma, step, strict=True)])
    field = ndimage.zoom(field, [float(k) for k in step], order=1) if max(step) > 1 else field
    field = field[tuple(slice(0, n) for n in shape)]
    return ((field - field.mean()) / (field.std() + 1e-6)).astype(np.float32)
