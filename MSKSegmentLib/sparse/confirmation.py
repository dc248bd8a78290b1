"""Whether pseudo-labels may be learned: what the network confirms is held against the slices that somebody drew.

The network has seen these slices, so that it does better there than elsewhere: who fails here must not teach.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..evaluation.cases import LabelledCase


@dataclass(frozen=True)
class Confirmed:
    """Voxels of drawn slices: `kept` are confirmed as a structure, `right` of these are that structure.

    `drawn` are a structure by the drawing, `missed` of these are confirmed as background: the network never learned to see it.
    """

    kept: int = 0
    right: int = 0
    drawn: int = 0
    missed: int = 0

    @property
    def right_share(self) -> float:
        """The share of what was confirmed that is right; 0 where nothing was."""
        return self.right / self.kept if self.kept else 0.0

    @property
    def missed_share(self) -> float:
        """The share of what was drawn that was confirmed as background."""
        return self.missed / self.drawn if self.drawn else 0.0


@dataclass(frozen=True)
class ConfirmationGate:
    """What pseudo-labels must reach on drawn slices to be learned: at least the share `least_right`, at most `most_missed`."""

    least_right: float = 0.95
    most_missed: float = 0.05

    def __post_init__(self) -> None:
        """Refuse limits that are no shares."""
        if not 0 <= self.least_right <= 1 or not 0 <= self.most_missed <= 1:
            raise InputError("Give shares from 0 to 1 for what must be right and what may be missed.")

    def lets_through(self, found: Confirmed) -> bool:
        """Whether these pseudo-labels may be learned."""
        return found.right_share >= self.least_right and found.missed_share <= self.most_missed


def confirmed_on_drawn(case: LabelledCase, labels: np.ndarray, known: np.ndarray) -> Confirmed:
    """Hold confirmed labels against a case's drawing, where somebody drew; structure by structure, since sides are not learned.

    Args:
        case: the annotated case.
        labels: the network's, uint8 ``[z, y, x]`` with sides on the case's grid.
        known: where they are confirmed, bool of that shape.
    """
    values = np.arange(256)
    classes = np.zeros(256, np.int64)
    for segment in case.table.segments:
        classes[segment.label] = segment.structure.index
    total = np.zeros(4, np.int64)
    for k in np.flatnonzero(case.slices).tolist():
        # Labels that somebody drew, or would have drawn, in this slice.
        asked = case.structures[classes] & (values > 0)
        if case.known is not None:
            asked &= case.known[k]
        inside = np.ones(labels.shape[1:], bool) if case.outside is None else ~case.outside[k]
        truth, found, sure = case.truth[k], labels[k], known[k] & inside
        kept, drawn = sure & asked[found], inside & asked[truth]
        right = kept & (classes[found] == classes[truth])
        total += [np.count_nonzero(one) for one in (kept, right, drawn, drawn & sure & (found == 0))]
    return Confirmed(*total.tolist())


def joined(parts: Iterable[Confirmed]) -> Confirmed:
    """All cases together."""
    found = list(parts)
    return Confirmed(*(sum(getattr(one, name) for one in found) for name in ("kept", "right", "drawn", "missed")))
