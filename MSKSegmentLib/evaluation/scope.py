"""Where the truth of a labelled case is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import StructureTable
from .cases import LabelledCase


@dataclass(frozen=True)
class Scope:
    """Where the truth is known: `slices` bool ``[z]`` and `structures` bool ``[classes]``; not where `outside`, bool ``[z, y, x]``.

    `known` is bool ``[z, 256]``: in which slices a label with its side is known, where that differs between segments.
    `table` says what the labels stand for.
    """

    table: StructureTable
    slices: np.ndarray
    structures: np.ndarray
    outside: np.ndarray | None = None
    known: np.ndarray | None = None

    @staticmethod
    def everything(table: StructureTable, depth: int) -> Scope:
        """All of a volume of `depth` slices is labelled."""
        return Scope(table, np.ones(depth, bool), np.ones(table.classes, bool))

    @staticmethod
    def of(case: LabelledCase) -> Scope:
        """What is known of a case."""
        return Scope(case.table, case.slices, case.structures, case.outside, case.known)

    def slices_of(self, label: int) -> np.ndarray:
        """The slices in which a label with its side is known, bool ``[z]``."""
        return self.slices if self.known is None else self.slices & self.known[:, label]

    def voxels_known(self, k: int, size: int) -> np.ndarray:
        """How many of the `size` voxels of slice `k` are known of each label with its side, int64 ``[256]``."""
        inside = size if self.outside is None else size - int(np.count_nonzero(self.outside[k]))
        return inside * (np.ones(256, np.int64) if self.known is None else self.known[k].astype(np.int64))
