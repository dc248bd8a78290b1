"""Find the slices of a virtual patient at the levels of a real scan, from the bones and without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .scan import Scan
from .tissues import solid_bone

# Bodies differ in length by about these factors; a short scan does not determine its scale.
SCALES = np.linspace(0.86, 1.16, 11)
SHORTEST_SCALED_MM = 150.0
STEP_MM = 3.0
PIXEL_MM = 3.0
FEWEST_SHARED = 0.5
# The same levels of two bodies differ by 0.05 to 0.3; beyond this the patient does not show the scan's levels.
WORST_COST = 0.5
# Bones of hands lie under the skin everywhere; hip bones and femora do not.
DEEP_BONE_MM = 18.0
CENTRAL_STRIP_MM = 20.0


@dataclass(frozen=True)
class Signature:
    """Features of the level of each slice: `values` float ``[z, 4]``, each of magnitude 1 or so, NaN without bone or body.

    Area of deep bone (in units of 40 cm2), its sideways standard deviation (40 mm), its distance behind the body's middle (30 mm),
    and the share of the slice's central strip that is body (one half): large in the trunk, small between the thighs. `step_mm` is
    the distance between slices.
    """

    values: np.ndarray
    step_mm: float

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels in mm from the first slice ``[n]`` and values ``[n, 4]`` of the slices that have a signature."""
        usable = np.isfinite(self.values).all(axis=1)
        return np.flatnonzero(usable) * self.step_mm, self.values[usable]


@dataclass(frozen=True)
class Match:
    """Levels of a real scan in a virtual one: ``z_virtual = shift_mm + scale * z_real``, mm from each one's first slice.

    `cost` is the mean difference of the signatures.
    """

    shift_mm: float
    scale: float
    cost: float

    def at(self, real_mm: float) -> float:
        """The level in the virtual scan, mm from its first slice, of a level of the real one."""
        return self.shift_mm + self.scale * real_mm


def signature(scan: Scan) -> Signature:
    """The signature of every slice of a scan, from pixels of about 3 mm."""
    stride = max(1, round(PIXEL_MM / scan.pixel))
    dz, dy, dx = scan.spacing[0], scan.spacing[1] * stride, scan.spacing[2] * stride
    coarse = Scan(scan.name, scan.hu[:, ::stride, ::stride], scan.body[:, ::stride, ::stride], (dz, dy, dx))
    found = np.full((len(scan.hu), 4), np.nan)
    for k, (plane, body) in enumerate(zip(solid_bone(coarse), coarse.body, strict=True)):
        pieces, count = ndimage.label(plane)
        deepest = np.zeros(count + 1)
        if count:
            deepest[1:] = ndimage.maximum(coarse.depth_mm[k], pieces, np.arange(1, count + 1))
        ys, xs = np.nonzero((deepest >= DEEP_BONE_MM)[pieces])
        if not ys.size:
            continue
        rows, columns = np.nonzero(body)
        strip = body[:, np.abs(np.arange(body.shape[1]) - np.median(columns)) * dx < CENTRAL_STRIP_MM]
        full = strip.sum() / ((np.ptp(rows) + 1) * strip.shape[1])
        found[k] = ys.size * dy * dx / 4000, xs.std() * dx / 40, (ys.mean() - rows.mean()) * dy / 30, 2 * full
    return Signature(found, dz)


def match_levels(real: Signature, virtual: Signature) -> Match | None:
    """The shift and scale along z at which the signatures agree best; None where they share too little or agree nowhere."""
    levels, ours = real.known()
    heights, theirs = virtual.known()
    if not levels.size or heights.size < 2:
        return None
    scales = SCALES if np.ptp(levels) >= SHORTEST_SCALED_MM else np.ones(1)
    best: Match | None = None
    for scale in scales:
        at = scale * levels
        # At least half of the shorter scan must lie inside the other.
        needed = max(1.0, FEWEST_SHARED * min(len(levels), np.ptp(heights) / (scale * real.step_mm)))
        shifts = np.arange(heights[0] - at[-1], heights[-1] - at[0] + STEP_MM, STEP_MM)
        there = shifts[:, None] + at
        inside = (there >= heights[0]) & (there <= heights[-1])
        off = np.mean([np.abs(np.interp(there, heights, theirs[:, j]) - ours[:, j]) for j in range(4)], axis=0)
        count = inside.sum(axis=1)
        costs = np.where(count >= needed, (off * inside).sum(axis=1) / np.maximum(count, 1), np.inf)
        lowest = int(np.argmin(costs))
        if np.isfinite(costs[lowest]) and (best is None or costs[lowest] < best.cost):
            best = Match(float(shifts[lowest]), float(scale), float(costs[lowest]))
    return best if best is not None and best.cost <= WORST_COST else None
