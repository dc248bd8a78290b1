"""A lumbar spine that stands on the sacrum: the lowest disc and vertebra lie in front of it, tilted like the promontory.

A spine that starts above the sacrum's highest point leaves bowel between the sacrum's wings, where every real scan shows the fifth
lumbar vertebra. A network trained on such bodies labels that vertebra as sacrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .spine import SOFT, Spine, add_back_muscles
from .tissue import SACRUM_LABEL, BodyLandmarks, BodyTissue

# Lordosis: the tilt of the endplates decreases to 0 over this height.
_LORDOSIS_MM = 110.0
_BLEND_MM = 45.0
_FITTED_MM = 26.0


@dataclass(frozen=True)
class Endplate:
    """The sacrum's upper endplate in the midline: its front edge at slice `z` and row `y`, and its rise to posterior as a slope."""

    z: float
    y: float
    slope: float


def sacral_endplate(tissue: np.ndarray, frame: BodyLandmarks) -> Endplate:
    """Find the endplate in a map uint8 ``[z, y, x]`` with a sacrum; the slope is limited to 0.2 .. 1.2 (11 to 50 degrees)."""
    dz, dy, dx = frame.spacing
    half = max(1, round(10 / dx))
    middle = slice(max(0, int(frame.middle) - half), int(frame.middle) + half + 1)
    bone = (tissue[:, :, middle] == SACRUM_LABEL).any(axis=2)
    rows = np.flatnonzero(bone.any(axis=0))
    tops = np.array([np.flatnonzero(bone[:, row]).max() for row in rows])
    # The front edge is the foremost row that reaches near the top; further down the sacrum's face lies behind it.
    high = rows[tops > frame.sacrum_top - 45 / dz]
    front = int(high.min()) if high.size else int(rows.min())
    fitted = (rows >= front) & (rows <= front + _FITTED_MM / dy)
    slope = 0.6
    if np.count_nonzero(fitted) > 2:
        slope = float(np.polyfit((rows[fitted] - front) * dy, tops[fitted] * dz, 1)[0])
    return Endplate(float(tops[rows == front][0]), float(front), float(np.clip(slope, 0.2, 1.2)))


def add_lumbar_spine(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """Discs and vertebrae on the sacrum's endplate, with arches, facet joints and processes, and the back muscles (in place)."""
    dz, dy, _ = frame.spacing
    endplate = sacral_endplate(tissue, frame)
    body, disc = float(rng.uniform(25, 31)), float(rng.uniform(5, 13))
    muscles = float(rng.uniform(23, 33))
    # Arches and processes hang down behind the bodies, by so much for every mm backwards.
    droop = float(rng.spawn(1)[0].uniform(0.1, 0.5))
    low = endplate.y + 0.62 * spine.radius / dy
    reach = 2 * spine.radius * endplate.slope
    for k in range(max(0, int(endplate.z - reach / dz)), frame.shape[0]):
        above = (k - endplate.z) * dz
        # On the sacrum at first, and between the psoas muscles above, also where the body leans to a side.
        middle = np.array([low, frame.middle])
        if not np.isnan(spine.path[k, 0]):
            middle += np.clip(above / _BLEND_MM, 0, 1) * (spine.path[k] - middle)
        add_back_muscles(tissue[k], frame, middle, (k - frame.sacrum_top) * dz, muscles)
        tilt = endplate.slope * np.clip(1 - above / _LORDOSIS_MM, -0.15, 1)
        rows = np.arange(frame.shape[1])
        back = middle[0] + 0.75 * spine.radius / dy
        behind = np.clip(rows - back, 0, None) * dy
        heights = above - tilt * (np.minimum(rows, back) - endplate.y) * dy + droop * behind
        _add_vertebra(tissue[k], frame, middle, spine.radius, heights, (body, disc))


def _add_vertebra(
    plane: np.ndarray, frame: BodyLandmarks, middle: np.ndarray, radius: float, heights: np.ndarray, sizes: tuple[float, float]
) -> None:
    """One slice: `heights` ``[y]`` are mm above the sacrum's endplate, `sizes` the heights of a vertebral body and a disc."""
    body, disc = sizes
    _, dy, dx = frame.spacing
    y, x = middle
    number, place = np.divmod(heights, body + disc)
    # Each vertebra stands on its disc.
    is_disc, there = (place < disc)[:, None], (heights > 0)[:, None]
    upwards = np.clip((place - disc) / body, 0, 1)[:, None]
    free = np.isin(plane, SOFT) & there
    waist = 0.9 + 0.1 * np.abs(2 * upwards - 1) ** 2
    wide = np.where(is_disc, 1.0, waist)
    ys, xs = (np.arange(frame.shape[1])[:, None] - y) * dy, (np.arange(frame.shape[2])[None, :] - x) * dx
    inside = (ys / (0.75 * radius * wide)) ** 2 + (xs / (radius * wide)) ** 2 <= 1
    behind = ys - 0.75 * radius
    canal = (behind - 7) ** 2 / 49 + xs**2 / 100 <= 1
    arch = ((behind - 9) / 15) ** 2 + (xs / 18) ** 2 <= 1
    pedicle = (np.abs(np.abs(xs) - 14) < 4.5) & (behind > -8) & (behind < 8) & (upwards > 0.35)
    facet = ((behind - 15) / 9) ** 2 + ((np.abs(xs) - 18) / 8) ** 2 <= 1
    joint = facet & (np.abs((behind - 15) - (np.abs(xs) - 18)) < 0.7 * max(dy, dx))
    # The fifth lumbar vertebra's transverse processes are the shortest, the third's the longest.
    long = np.array([32.0, 38.0, 43.0, 40.0, 36.0])[np.clip(number, 0, 4).astype(int)][:, None]
    transverse = (((behind + 1) / 4.5) ** 2 + (xs / long) ** 2 <= 1) & (upwards > 0.5) & (upwards < 0.9)
    spinous = (np.abs(xs) < 3.5) & (behind > 15) & (behind < 44) & (upwards < 0.75)
    bone = (arch & ~is_disc) | (facet & (is_disc | (upwards < 0.2))) | pedicle | transverse | (spinous & ~is_disc)
    plane[free & bone & ~inside] = BodyTissue.VERTEBRA
    plane[free & joint & is_disc & ~inside] = BodyTissue.DISC
    plane[free & inside & is_disc] = BodyTissue.DISC
    plane[free & inside & ~is_disc] = BodyTissue.VERTEBRA
    plane[free & canal & ~inside] = BodyTissue.ORGAN
