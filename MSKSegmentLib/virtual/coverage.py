"""How much of a virtual patient is scanned, and at which slice intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .specimen import Specimen
from .tissue import HIP_BONE_LABELS

# The fewest slices of a scan.
MIN_SLICES = 6


@dataclass(frozen=True)
class Coverage:
    """What a scan covers: ``whole``, ``pelvis``, ``thigh``, ``right leg``, ``left leg`` or ``slab``.

    `part` (0..1) moves the cut; a slab is the share `height` of the body's height. Below `thick_below` (share of the height) only
    every `thick_step`-th slice was scanned and the others were interpolated, as for a scan with mixed intervals.
    """

    name: str = "whole"
    part: float = 0.5
    thick_below: float = 0.0
    thick_step: int = 2
    height: float = 1.0


def random_coverage(rng: np.random.Generator) -> Coverage:
    """Draw a coverage: two thirds are whole scans, one in seven has mixed intervals."""
    name = str(rng.choice(["whole", "pelvis", "thigh", "right leg", "left leg"], p=[0.64, 0.14, 0.12, 0.05, 0.05]))
    mixed = rng.random() < 0.15
    return Coverage(name, float(rng.random()), float(rng.uniform(0.3, 0.7)) if mixed else 0.0, int(rng.integers(2, 4)))


def cut_to(specimen: Specimen, coverage: Coverage) -> Specimen:
    """The part of a specimen that the scan covers, at the same spacing."""
    depth, height, width = specimen.tissue.shape
    everything = slice(0, height), slice(0, width)
    hip = np.flatnonzero(np.isin(specimen.tissue[:, ::2, ::2], HIP_BONE_LABELS).any(axis=(1, 2)))
    if coverage.name == "pelvis":
        low = max(0, int(hip.min() - (20 + 80 * coverage.part) / specimen.spacing[0]))
        return _cut(specimen, low, depth, everything)
    if coverage.name == "thigh":
        high = int(hip.min() + 60 * coverage.part / specimen.spacing[0])
        return _cut(specimen, 0, max(high, 8), everything)
    if coverage.name == "slab":
        count = max(MIN_SLICES, round(coverage.height * depth))
        low = round(coverage.part * max(0, depth - count))
        return _cut(specimen, low, min(depth, low + count), everything)
    if coverage.name.endswith("leg"):
        bones = np.argwhere(np.isin(specimen.tissue[hip.min() : hip.max() + 1 : 4], HIP_BONE_LABELS))
        middle = int(bones[:, 2].mean())
        window = slice(0, middle) if coverage.name == "right leg" else slice(middle, width)
        return _cut(specimen, 0, depth, (everything[0], window))
    return specimen


def _cut(specimen: Specimen, first: int, last: int, window: tuple[slice, slice]) -> Specimen:
    part = specimen.slab(first, last, window)
    return replace(part, tissue=np.ascontiguousarray(part.tissue), depth=np.ascontiguousarray(part.depth))


def mix_intervals(hu: np.ndarray, coverage: Coverage) -> None:
    """Replace slices of `hu` (int16 ``[z, y, x]``, changed in place) that were not scanned: interpolate between scanned ones."""
    last = int(coverage.thick_below * len(hu))
    for low in range(0, last - coverage.thick_step, coverage.thick_step):
        high = low + coverage.thick_step
        for k in range(low + 1, high):
            part = (k - low) / coverage.thick_step
            hu[k] = np.rint((1 - part) * hu[low] + part * hu[high])
