"""Profiles across surfaces: sharpness of the skin and of the border between fat and muscle."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .scan import Scan

STEP_MM = 0.5
REACH_MM = 14.0
FEWEST_PROFILES = 60
MOST_PER_SLICE = 400
# Clear air beside the skin has less; a table, a hand or a blanket has more.
CLEAR_AIR_HU = -900.0


def positions() -> np.ndarray:
    """Positions along a profile in mm, inside (negative) to outside."""
    return np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)


def profiles(scan: Scan, mask: np.ndarray) -> np.ndarray:
    """HU ``[n, positions]`` along the normals of the surface of `mask`, bool ``[z, y, x]``, in every slice."""
    t = positions()
    dy, dx = scan.spacing[1:]
    found = []
    for hu, inside in zip(scan.hu, mask, strict=True):
        ys, xs = np.nonzero(inside & ~ndimage.binary_erosion(inside))
        if ys.size < 10:
            continue
        step = -(-ys.size // MOST_PER_SLICE)
        ys, xs = ys[::step], xs[::step]
        soft = ndimage.gaussian_filter(inside.astype(np.float32), (4 / dy, 4 / dx))
        ny, nx = -np.gradient(soft, dy, axis=0)[ys, xs], -np.gradient(soft, dx, axis=1)[ys, xs]
        size = np.hypot(ny, nx)
        keep = size > 1e-4
        at_y = ys[keep, None] + t * (ny / np.maximum(size, 1e-9))[keep, None] / dy
        at_x = xs[keep, None] + t * (nx / np.maximum(size, 1e-9))[keep, None] / dx
        within = ((at_y >= 0) & (at_y <= hu.shape[0] - 1) & (at_x >= 0) & (at_x <= hu.shape[1] - 1)).all(axis=1)
        found.append(ndimage.map_coordinates(hu, [at_y[within], at_x[within]], order=1))
    return np.concatenate(found) if found else np.empty((0, t.size))


def skin_profiles(scan: Scan) -> np.ndarray:
    """Profiles ``[n, positions]`` across skin that has clear air outside and fat inside."""
    t = positions()
    lines = profiles(scan, scan.body)
    air, fat = lines[:, t > 7].max(axis=1), lines[:, (t < -6) & (t > -11)].mean(axis=1)
    return lines[(air < CLEAR_AIR_HU) & (np.abs(fat - scan.fat.hu) < 30)]


def muscle_profiles(scan: Scan) -> np.ndarray:
    """Profiles ``[n, positions]`` from muscle (negative positions) into fat."""
    t = positions()
    middle = (scan.fat.hu + scan.muscle.hu) / 2
    lines = profiles(scan, scan.behind & (scan.smooth > middle) & (scan.depth_mm > 8))
    muscle, fat = lines[:, (t < -4) & (t > -9)], lines[:, (t > 4) & (t < 9)]
    calm = (np.abs(muscle.mean(axis=1) - scan.muscle.hu) < 30) & (np.abs(fat.mean(axis=1) - scan.fat.hu) < 30)
    return lines[calm]


def width_10_90(lines: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance in mm between 10 and 90 % of the way from `low` (outside) to `high` (inside), per profile ``[n]``.

    Of several crossings the outermost counts, so that bright skin does not widen the edge.
    """
    outward = lines[:, ::-1]
    at = []
    for share in (0.1, 0.9):
        level = (low + share * (high - low))[:, None]
        above = outward >= level
        first = np.clip(above.argmax(axis=1), 1, None)
        rows = np.arange(len(lines))
        before, after = outward[rows, first - 1], outward[rows, first]
        part = (level[:, 0] - before) / np.where(after == before, 1, after - before)
        at.append(np.where(above.any(axis=1), first - 1 + np.clip(part, 0, 1), np.nan))
    return (at[1] - at[0]) * STEP_MM


def edge_quantities(scan: Scan) -> tuple[dict[str, float], np.ndarray]:
    """Widths of the edges and strength of the skin, and the median profile across the skin ``[positions]``."""
    t = positions()
    values = dict.fromkeys(("skin_edge_mm", "skin_excess_hu_mm", "skin_peak_hu", "muscle_fat_edge_mm"), np.nan)
    lines = skin_profiles(scan)
    curve = np.full(t.size, np.nan)
    if len(lines) >= FEWEST_PROFILES:
        air = lines[:, t > 7].mean(axis=1)
        fat = lines[:, (t < -6) & (t > -11)].mean(axis=1)
        curve = np.median(lines, axis=0)
        excess = np.clip(lines - fat[:, None], 0, None)[:, t > -7].sum(axis=1) * STEP_MM
        values["skin_edge_mm"] = float(np.nanmedian(width_10_90(lines, air, fat)))
        values["skin_excess_hu_mm"] = float(np.median(excess))
        values["skin_peak_hu"] = float(np.median(lines[:, t > -7].max(axis=1)))
    lines = muscle_profiles(scan)
    if len(lines) >= FEWEST_PROFILES:
        inside, outside = lines[:, (t < -4) & (t > -9)].mean(axis=1), lines[:, (t > 4) & (t < 9)].mean(axis=1)
        near = lines[:, np.abs(t) < 9]
        values["muscle_fat_edge_mm"] = float(np.nanmedian(width_10_90(near, outside, inside)))
    return values, curve
