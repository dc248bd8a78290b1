"""Contrast randomisation: a random linear curve for each class of tissue, so that a network relies on shape more than on HU.

Simulated physics covers known scanners only. A network that is also trained on random contrast depends less on contrast (domain
randomisation: Billot et al., SynthSeg, Medical Image Analysis 86, 2023; there contrast is random, here it varies around the
simulated HU).
"""

from __future__ import annotations

import numpy as np

from .radiodensity import IMPLANT_HU, MUSCLE_LABELS
from .specimen import BONES
from .tissue import OUTSIDE, BodyTissue

# Standard deviations of the offset in HU and of the logarithm of the slope about the class' mean.
_MUSCLE = (40.0, 0.35)
_EACH_MUSCLE = (10.0, 0.12)
_BONE = (120.0, 0.4)
_OTHER = (40.0, 0.35)
_LARGEST_OFFSETS = 2.5
# Air stays air, wherever it is.
_KEPT = (*OUTSIDE, BodyTissue.GAS)


def change_contrast(hu: np.ndarray, tissue: np.ndarray, rng: np.random.Generator) -> None:
    """Give each tissue of a body a random curve; `hu` float32 ``[z, y, x]`` is changed in place, `tissue` is uint8 of that shape.

    Muscles share a curve and differ a little around it, all bones share one; air, gas, table and metal keep their HU.
    """
    offsets, slopes = np.zeros(256, np.float32), np.ones(256, np.float32)
    shared_offset, shared_slope = _draw(rng, _MUSCLE)
    bone = _draw(rng, _BONE)
    for value in np.unique(tissue).tolist():
        if value in _KEPT:
            continue
        if value in MUSCLE_LABELS:
            own_offset, own_slope = _draw(rng, _EACH_MUSCLE)
            offsets[value], slopes[value] = shared_offset + own_offset, shared_slope * own_slope
        else:
            offsets[value], slopes[value] = bone if value in BONES else _draw(rng, _OTHER)
    counts = np.bincount(tissue.ravel(), minlength=256)
    means = np.bincount(tissue.ravel(), hu.ravel(), minlength=256) / np.maximum(counts, 1)
    shift = (offsets + (1 - slopes) * means).astype(np.float32)
    changed = hu * slopes[tissue] + shift[tissue]
    np.copyto(hu, changed, where=hu < IMPLANT_HU)


def _draw(rng: np.random.Generator, spread: tuple[float, float]) -> tuple[float, float]:
    """Offset in HU and slope."""
    offset, slope = np.clip(rng.normal(0, 1, 2), -_LARGEST_OFFSETS, _LARGEST_OFFSETS) * spread
    return float(offset), float(np.exp(slope))
