"""The network's classes on the coarse grid, asked for by landmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Landmark, StructureTable
from .side_field import CoarseGrid


@dataclass(frozen=True)
class CoarseScan:
    """The structures of a scan, coarsely: `classes` is uint8 ``[z, y, x]`` on `grid`, whose numbers `table` explains."""

    classes: np.ndarray
    grid: CoarseGrid
    table: StructureTable

    @property
    def shape(self) -> tuple[int, ...]:
        """``(z, y, x)``."""
        return self.classes.shape

    def mask(self, landmark: Landmark) -> np.ndarray:
        """Where a landmark is, bool ``[z, y, x]``; nowhere when the table has none."""
        structure = self.table.landmark(landmark)
        return np.zeros(self.shape, bool) if structure is None else self.classes == structure.index

    @property
    def paired_bones(self) -> np.ndarray:
        """Where hip bones and femora are, bool ``[z, y, x]``."""
        return self.mask(Landmark.HIP_BONE) | self.mask(Landmark.FEMUR)

    @property
    def has_side(self) -> np.ndarray:
        """Where structures are that exist on both sides, bool ``[z, y, x]``."""
        return (self.classes > 0) & ~np.isin(self.classes, self.table.unpaired)
