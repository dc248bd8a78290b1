"""Right or left leg from the order of the muscles around the femur, without a midline."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..anatomy import StructureTable
from ..ct.volume import Vector

SLAB_MM = 15.0


def handedness(classes: np.ndarray, spacing: Vector, table: StructureTable) -> float:
    """How much the structures of one leg are arranged as in a right leg (1) or a left one (-1).

    In slabs of 15 mm the centroids of the structures are compared with their anatomical places (`Structure.place_cm`; only the
    order around the limb matters, so one place serves both sexes and all levels) by the 2 x 2 cross-covariance M of the two,
    weighted by area. Its determinant is positive when places and centroids go
    round the same way and negative when mirrored, whatever the rotation of the leg about its axis: the sign rule of
    Kabsch's method for the best rotation between two point sets. 2 det M / |M|^2, between -1 and 1, is averaged
    over the slabs by area.

    Args:
        classes: uint8 ``[z, y, x]`` with axes in order (superior, posterior, left); one leg only.
        spacing: mm along ``z, y, x``.
        table: the structures that the classes stand for; those without a place do not vote.

    Returns:
        The vote, 0 when there is no slab with three structures.
    """
    total = weight = 0.0
    for covariance, _, _, area in _slabs(classes, spacing, table, fewest=3):
        norm = float((covariance**2).sum())
        if norm > 0:
            total += area * 2.0 * float(np.linalg.det(covariance)) / norm
            weight += area
    return total / weight if weight else 0.0


def medial_is_left(classes: np.ndarray, spacing: Vector, table: StructureTable) -> float:
    """How much the medial structures lie to the left of the lateral ones: 1 as in a right leg, -1 as in a left one.

    The correlation between the tabulated medial places and the centroids along x, averaged over slabs; it needs
    only two structures, but takes it that the leg is not turned about its axis. Arguments as in `handedness`.
    """
    total = weight = 0.0
    for covariance, places, seen, area in _slabs(classes, spacing, table, fewest=2):
        norm = float(np.sqrt(places[0] * seen[0]))
        if norm > 0:
            total += area * float(covariance[0, 0]) / norm
            weight += area
    return total / weight if weight else 0.0


def _slabs(
    classes: np.ndarray, spacing: Vector, table: StructureTable, fewest: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Per slab the cross-covariance ``(medial, anterior) x (left, anterior)``, both variances, the area."""
    known = np.zeros((table.classes, 2))
    votes = np.zeros(table.classes, dtype=bool)
    for structure in table.structures:
        if structure.place_cm is not None:
            known[structure.index] = structure.place_cm
            votes[structure.index] = True
    step = max(1, round(SLAB_MM / spacing[0]))
    for start in range(0, classes.shape[0], step):
        z, y, x = np.nonzero(classes[start : start + step])
        indices = classes[start + z, y, x]
        area = np.bincount(indices, minlength=table.classes).astype(float)
        area[~votes] = 0
        present = np.flatnonzero(area)
        if present.size < fewest:
            continue
        left = np.bincount(indices, x * spacing[2], minlength=table.classes)[present] / area[present]
        front = -np.bincount(indices, y * spacing[1], minlength=table.classes)[present] / area[present]
        # Square roots of the areas, so that one large muscle does not dominate the others.
        shares = np.sqrt(area[present])
        shares /= shares.sum()
        places = known[present] - shares @ known[present]
        seen = np.stack([left, front], axis=1)
        seen -= shares @ seen
        yield (places * shares[:, None]).T @ seen, shares @ places**2, shares @ seen**2, float(area.sum())
