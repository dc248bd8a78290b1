"""Several sources as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .sources import Batch, SliceSource


class MixedSource:
    """Draws each slice from one of several sources, chosen by weight."""

    def __init__(self, sources: Sequence[SliceSource], weights: Sequence[float], seed: int) -> None:
        self._sources = list(sources)
        self._shares = np.asarray(weights, float) / np.sum(weights)
        self._rng = np.random.default_rng(seed)

    def refresh(self) -> int:
        """Refresh all sources; returns the total number of their patients."""
        return sum(source.refresh() for source in self._sources)

    def batch(self, size: int) -> Batch:
        """`size` slices, source after source."""
        counts = self._rng.multinomial(size, self._shares)
        parts = [source.batch(int(count)) for source, count in zip(self._sources, counts, strict=True) if count]
        return Batch(
            torch.cat([part.images for part in parts]),
            torch.cat([part.classes for part in parts]),
            torch.cat([part.known for part in parts]),
            torch.cat([part.positions for part in parts]),
        )
