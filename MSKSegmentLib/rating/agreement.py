"""How far a mask agrees with every pass of the network: over a whole segment and slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..quality.pass_sums import LOW_SLICE_SHARE
from .network_view import NetworkView, label_counts

# A slice below this counts as one in which mask and network disagree: what both call the structure is less than half of what either
# does (IoU .54).
DISAGREEING_BELOW = 0.7


@dataclass(frozen=True)
class PassAgreement:
    """The overlap of one segment of a mask with the network's passes.

    `dice` ``[passes]`` is the Dice coefficient with each pass; `by_slice` ``[z]`` the mean over the passes in each slice, as a
    ratio of sums (not a number where neither has the segment), and `area` ``[z]`` the mean of both areas in voxels.
    `volume_ratio` is the mask's volume over the passes' mean one, None where no pass has the segment; `inside_share` the share of
    the mask that the passes give to the segment as well.
    """

    dice: np.ndarray
    by_slice: np.ndarray
    area: np.ndarray
    volume_ratio: float | None
    inside_share: float

    @property
    def mean(self) -> float:
        """Mean Dice coefficient over the passes."""
        return float(self.dice.mean())

    @property
    def low_slice(self) -> float:
        """The agreement in single slices that a tenth of the segment's area stays below."""
        shown = np.flatnonzero(self.area)
        order = shown[np.argsort(self.by_slice[shown], kind="stable")]
        reached = np.cumsum(self.area[order])
        return float(self.by_slice[order[np.searchsorted(reached, LOW_SLICE_SHARE * reached[-1])]])

    @property
    def disagreeing(self) -> np.ndarray:
        """Whether mask and network disagree in a slice, bool ``[z]``."""
        return (self.area > 0) & (np.nan_to_num(self.by_slice, nan=1.0) < DISAGREEING_BELOW)

    @property
    def disagreeing_share(self) -> float:
        """The share of the segment's area that lies in slices where mask and network disagree."""
        return float(self.area[self.disagreeing].sum() / self.area.sum())


def pass_agreements(mask: np.ndarray, view: NetworkView) -> dict[int, PassAgreement]:
    """Label -> agreement, for all labels of a mask uint8 ``[z, y, x]`` with sides on the view's grid."""
    given, drawn = label_counts(mask), view.voxels
    shared = np.stack([label_counts(np.where(labels == mask, mask, 0)) for labels in view.passes])
    return {
        int(label): _agreement(given[:, label], drawn[:, :, label], shared[:, :, label])
        for label in np.flatnonzero(given.sum(axis=0))
        if label
    }


def _agreement(given: np.ndarray, drawn: np.ndarray, shared: np.ndarray) -> PassAgreement:
    """From voxels of the mask ``[z]``, of each pass and of both ``[passes, z]``."""
    dice = 2 * shared.sum(axis=1) / (given.sum() + drawn.sum(axis=1))
    area = (given + drawn.mean(axis=0)) / 2
    by_slice = np.divide(shared.mean(axis=0), area, out=np.full(len(area), np.nan), where=area > 0)
    mean_volume = float(drawn.sum(axis=1).mean())
    ratio = float(given.sum()) / mean_volume if mean_volume else None
    return PassAgreement(dice, by_slice, area, ratio, float(shared.sum(axis=1).mean() / given.sum()))
