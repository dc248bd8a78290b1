"""The noise of a scan inside its muscles, and what it does to their shares of fat.

Noise pushes voxels of lean muscle below -30 HU, where they count as fat. In muscle of mean density m and noise of standard
deviation s that is the share Phi((-30 - m) / s) of the normal distribution, however healthy the muscle is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..anatomy import Segment
from ..ct.boxes import Box, label_boxes
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..findings import Finding, warning
from .density import FAT_BELOW_HU

# Voxels this far apart hardly share noise, whatever the kernel, and lie in the same bundle of fibres for the most part.
LAG_MM = 3.0
# Fewer triples of voxels say little of a muscle.
FEWEST_TRIPLES = 1000
# Fat between fibres looks like noise; the smoothest quarter of the muscles shows it least.
SMOOTHEST_SHARE = 0.25
LEAST_MUSCLES = 4
# Of long scans so many slices, evenly, say enough.
MOST_SLICES = 120
# Density of lean muscle, and the false share of fat from which on it is told.
LEAN_HU = 50.0
TOLD_FALSE_FAT = 0.02


def noise_sd(hu: np.ndarray, labels: np.ndarray, geometry: Geometry, segments: Iterable[Segment]) -> float | None:
    """The standard deviation of noise in HU, from muscles; None where the scan shows too little of them.

    In each muscle: 1.4826 times the median absolute deviation of second differences over 3 mm within the slice, divided by their
    gain for white noise (the square root of 6). Of all muscles the lower quartile counts.

    Args:
        hu: int16 ``[z, y, x]``.
        labels: uint8 with sides, same shape.
        geometry: their grid, any axis order.
        segments: what the labels may hold; those with a composition are looked at.
    """
    order = axis_order(geometry.direction)
    every = slice(None, None, math.ceil(order.geometry(geometry).size[2] / MOST_SLICES))
    ordered, density = np.ascontiguousarray(order.apply(labels)[every]), order.apply(hu)[every]
    spacing = order.geometry(geometry).spacing
    boxes = label_boxes(ordered)
    found = []
    for segment in segments:
        box = boxes.get(segment.label)
        if box is not None and segment.structure.has_composition:
            sd = _noise_of(density, ordered, segment.label, box, spacing)
            found += [] if sd is None else [sd]
    return float(np.quantile(found, SMOOTHEST_SHARE)) if len(found) >= LEAST_MUSCLES else None


def false_fat_share(sd_hu: float, mean_hu: float = LEAN_HU) -> float:
    """The share (0..1) of lean muscle that noise alone makes fat."""
    return 0.5 * math.erfc((mean_hu - FAT_BELOW_HU) / (sd_hu * math.sqrt(2))) if sd_hu > 0 else 0.0


def noise_findings(sd_hu: float | None) -> tuple[Finding, ...]:
    """A warning where noise alone makes fat of two per cent of lean muscle."""
    share = 0.0 if sd_hu is None else false_fat_share(sd_hu)
    if share < TOLD_FALSE_FAT:
        return ()
    sentence = (
        f"The scan is noisy (a standard deviation of about {sd_hu:.0f} HU inside muscle): about {100 * share:.0f} % of lean muscle "
        "counts as fat from noise alone; compare shares of fat and composite only between scans of equal noise."
    )
    return (warning("noisy", sentence),)


def _noise_of(hu: np.ndarray, labels: np.ndarray, label: int, box: Box, spacing: tuple[float, float, float]) -> float | None:
    mask, values = labels[box.slices] == label, hu[box.slices].astype(np.float32)
    differences = np.concatenate(
        [_second_differences(values, mask, axis, max(1, round(LAG_MM / spacing[2 - axis]))) for axis in (1, 2)]
    )
    if differences.size < FEWEST_TRIPLES:
        return None
    return float(1.4826 * np.median(np.abs(differences - np.median(differences))) / math.sqrt(6))


def _second_differences(values: np.ndarray, mask: np.ndarray, axis: int, lag: int) -> np.ndarray:
    """Where all three voxels lie in the mask, flat."""
    first, middle, last = (slice(0, -2 * lag), slice(lag, -lag), slice(2 * lag, None))
    a, b, c = ((slice(None),) * axis + (part,) for part in (first, middle, last))
    inside = mask[a] & mask[b] & mask[c]
    return (values[a] - 2 * values[b] + values[c])[inside]
