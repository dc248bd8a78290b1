"""Sides for what a mask states none for, from the anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..ct.volume import Geometry
from ..findings import Finding


@dataclass(frozen=True)
class SidesFound:
    """`labels` is uint8 ``[z, y, x]`` with sides, `decided` the indices of structures whose side came from the anatomy, `lost` the
    voxels that belong to neither side and became background. `findings` say where the sides are in doubt.
    """

    labels: np.ndarray
    decided: tuple[int, ...] = ()
    lost: int = 0
    findings: tuple[Finding, ...] = ()


def sides_of(labels: np.ndarray, undecided: np.ndarray | None, geometry: Geometry, table: StructureTable) -> SidesFound:
    """Labels in which every paired structure has a side; where `undecided` is true they hold the structure's index instead.

    `labels` and `undecided` are ``[z, y, x]``. All structures say where right and left are, also those whose side is given.
    """
    if undecided is None or not undecided.any():
        return SidesFound(labels)
    from ..segmentation import split_sides

    split = split_sides(labels % LEFT_OFFSET, geometry, table)
    decided = np.flatnonzero(np.bincount(labels[undecided], minlength=256)).tolist()
    found = split.labels[undecided]
    result = labels.copy()
    result[undecided] = found
    return SidesFound(result, tuple(decided), int((found == 0).sum()), split.findings)
