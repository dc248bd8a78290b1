"""Components against the side field: on which side they lie, and the cut through those that lie on both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .components import Parts
from .side_field import CoarseGrid

# A component with less than this share on its smaller side is not on both sides.
MINOR_SHARE = 0.02
# Two components of one structure of which the smaller has at least this share of the larger are its two sides ...
COMPARABLE_SHARE = 0.5
# ... when the means of the field over them differ by this much (mm, 2 per mm) ...
COMPARABLE_APART = 20.0
# ... and this share of the shorter one's length lies at the levels of the other: the pieces of a muscle that the network broke in
# two lie one above the other.
BESIDE_SHARE = 0.5


@dataclass(frozen=True)
class Leaning:
    """Where the components of a structure lie: for each the shares of its voxels on the right and on the left, the
    shares deep on the right and on the left (beyond the depth asked for), the mean of the field in mm, and the first and the last
    coarse slice. All ``[n]``.
    """

    right: np.ndarray
    left: np.ndarray
    deep_right: np.ndarray
    deep_left: np.ndarray
    mean: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @property
    def minor(self) -> np.ndarray:
        """Share of each component on the side where less of it lies."""
        return np.minimum(self.left, self.right)

    @property
    def on_both_sides(self) -> np.ndarray:
        """Which components reach deep into both sides, and not with their tip alone."""
        return (self.deep_right > 0) & (self.deep_left > 0) & (self.minor >= MINOR_SHARE)

    def beside(self, one: int, other: int) -> bool:
        """Whether two components lie at the same levels, for the most part of the shorter one."""
        ends, starts = self.highest[[one, other]], self.lowest[[one, other]]
        shared = min(ends) - max(starts) + 1
        return bool(shared >= BESIDE_SHARE * (ends - starts + 1).min())


def leaning(parts: Parts, field: np.ndarray, grid: CoarseGrid, depth_mm: float) -> Leaning:
    """Sum up a coarse side field over the components of a structure."""
    ids, where = grid.component_samples(parts)
    values = field[tuple(where)].astype(float)
    slots = parts.voxels.size + 1
    count = np.bincount(ids, minlength=slots)[1:]

    def share(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(ids[chosen], minlength=slots)[1:] / count

    lowest = np.full(slots, field.shape[0])
    highest = np.full(slots, -1)
    np.minimum.at(lowest, ids, where[0])
    np.maximum.at(highest, ids, where[0])
    return Leaning(
        share(values < 0),
        share(values > 0),
        share(values < -depth_mm),
        share(values > depth_mm),
        np.bincount(ids, values, minlength=slots)[1:] / count,
        lowest[1:],
        highest[1:],
    )


def sides_of_whole(parts: Parts, lean: Leaning) -> tuple[np.ndarray, np.ndarray]:
    """For each component whether it goes to the left, and whether it is known to be one side that must not be cut.

    A structure that comes in two comparable components beside each other is not fused: the one with the lower mean is right,
    whatever the field says of their parts. So muscles of crossed legs stay whole. Components above each other are no such
    pair: they may be pieces of one side's muscle, of which the other side's was missed.
    """
    is_left = lean.left > 0.5
    whole = np.zeros(parts.voxels.size, dtype=bool)
    if parts.voxels.size > 1:
        second, first = np.argsort(parts.voxels)[-2:]
        comparable = parts.voxels[second] >= COMPARABLE_SHARE * parts.voxels[first]
        apart = abs(lean.mean[first] - lean.mean[second]) > COMPARABLE_APART
        if comparable and apart and lean.beside(int(first), int(second)):
            whole[[first, second]] = True
            is_left[first] = lean.mean[first] > lean.mean[second]
            is_left[second] = not is_left[first]
    return is_left, whole


def left_part(mask: np.ndarray, field: np.ndarray, spacing: tuple[float, float, float], depth_mm: float) -> np.ndarray:
    """The left part of a component that spans both sides, by a watershed between its two sure parts.

    What lies deeper than `depth_mm` on either side of the field is sure; between, a flood from both sides meets
    where the component is thin and near the median surface, as at the pubic symphysis. Without a waist it meets at
    the surface itself.

    Args:
        mask: bool ``[z, y, x]``, the component.
        field: float ``[z, y, x]``, the side field on the same voxels, in mm, positive on the left.
        spacing: mm along ``z, y, x``.
        depth_mm: in units of the field.

    Returns:
        bool ``[z, y, x]``, part of `mask`.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt
    from skimage.segmentation import watershed

    left = mask & (field > 0)
    unsure = mask & (np.abs(field) <= depth_mm)
    if not unsure.any():
        return left
    # One more voxel on each side, so that the sure parts that the flood starts from are inside.
    limits = [np.flatnonzero(unsure.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(max(0, int(found[0]) - 1), int(found[-1]) + 2) for found in limits)
    mask, field, unsure = mask[box], field[box], unsure[box]
    # Of the sure parts only the voxels that touch the unsure ones: the rest need no flood.
    flooding = binary_dilation(unsure, np.ones((3, 3, 3))) & mask
    markers = (flooding & (field < -depth_mm)).astype(np.int32) + 2 * (flooding & (field > depth_mm))
    # The field runs at 2 mm per mm: a waist counts twice as much as the way to the median surface.
    height = -0.25 * np.abs(field)
    if not mask.all():
        height -= distance_transform_edt(mask, sampling=spacing)
    flooded = watershed(height, markers, mask=flooding)
    left[box] = np.where(flooded > 0, flooded == 2, left[box])
    return left
