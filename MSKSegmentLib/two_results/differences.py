"""Where two results differ and how, as a map for the slices."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from .pair import ResultPair


class DifferenceKind(IntEnum):
    """What is there where two results say different things; the value is that of the map."""

    ONLY_FIRST = 1
    ONLY_SECOND = 2
    # Both draw something, but not the same structure.
    ANOTHER = 3


def kinds_of_difference(pair: ResultPair) -> np.ndarray:
    """The `DifferenceKind` of each voxel, uint8 ``[z, y, x]`` on the first result's grid; 0 where both say the same."""
    first, second = pair.labels, pair.other_labels
    kinds = np.zeros(first.shape, np.uint8)
    # Plane by plane: a large scan has a hundred million voxels.
    for plane, one, other in zip(kinds, first, second, strict=True):
        plane[(one > 0) & (other == 0)] = DifferenceKind.ONLY_FIRST
        plane[(one == 0) & (other > 0)] = DifferenceKind.ONLY_SECOND
        plane[(one > 0) & (other > 0) & (one != other)] = DifferenceKind.ANOTHER
    return kinds
