"""Scores of a segment from the running sums of the dropout passes."""

from __future__ import annotations

import numpy as np


def structure_uncertainty(labels: np.ndarray, uncertainty: np.ndarray) -> dict[int, float]:
    """Mean voxel uncertainty inside each label: the structure-wise predictive uncertainty of Soufi et al. 2025.

    `labels` is uint8 ``[z, y, x]``, `uncertainty` float32 of the same shape; returns label -> mean for labels present.
    """
    count, total = np.zeros(256), np.zeros(256)
    for plane, values in zip(labels, uncertainty, strict=True):
        inside = np.flatnonzero(plane)
        if inside.size:
            found = plane.ravel()[inside]
            count += np.bincount(found, minlength=256)
            total += np.bincount(found, weights=values.ravel()[inside], minlength=256)
    return {int(label): float(total[label] / count[label]) for label in np.flatnonzero(count)}


def dice(one: np.ndarray, two: np.ndarray, values: np.ndarray) -> dict[int, float]:
    """Dice coefficient of each of `values` between two integer label maps of one shape; NaN where both lack it."""
    size = int(max(values.max(), one.max(), two.max())) + 1
    first, second = np.bincount(one.ravel(), minlength=size), np.bincount(two.ravel(), minlength=size)
    both = np.bincount(one.ravel()[one.ravel() == two.ravel()], minlength=size)
    with np.errstate(invalid="ignore"):
        scores = 2 * both / (first + second)
    return {int(value): float(scores[value]) for value in values}
