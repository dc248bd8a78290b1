"""Which voxels of slices that nobody drew may be learned: those that passes and neighbouring slices confirm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

# Neighbouring slices further apart than so many intervals are no neighbours: between them a slice was empty.
_NEXT_WITHIN = 1.5


@dataclass(frozen=True)
class PseudoRule:
    """What makes a voxel's class a pseudo-label.

    At least the share `passes_agree` of the dropout passes give it that class, and in the slices below and above some voxel within
    `reach_mm` of it in the plane has the class too. A slice counts only if at least the share `least_kept` of what it shows of
    structures is kept.
    """

    passes_agree: float = 0.9
    reach_mm: float = 3.0
    least_kept: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a rule that means nothing."""
        if not 0.5 <= self.passes_agree <= 1 or not 0 <= self.reach_mm <= 50 or not 0 <= self.least_kept <= 1:
            raise InputError("Give a share of passes from 0.5 to 1, a reach from 0 to 50 mm, and a least share from 0 to 1.")


def majority(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class that most passes give each voxel, uint8 ``[h, w]``, and their share, float32 ``[h, w]``.

    Args:
        maps: the class of each voxel in each pass, uint8 ``[passes, h, w]``. Of equally many, the lower class wins.
    """
    winner, most = np.zeros(maps.shape[1:], np.uint8), np.zeros(maps.shape[1:], np.int32)
    for index in np.unique(maps):
        votes = np.count_nonzero(maps == index, axis=0)
        better = votes > most
        winner[better], most[better] = index, votes[better]
    return winner, (most / len(maps)).astype(np.float32)


def near_same_class(classes: np.ndarray, neighbour: np.ndarray, reach: tuple[float, float]) -> np.ndarray:
    """Where a neighbouring slice has the voxel's class nearby, bool ``[h, w]``.

    Args:
        classes: of the slice, uint8 ``[h, w]``.
        neighbour: of the slice above or below.
        reach: half axes ``(rows, columns)`` in voxels of the ellipse around the voxel that is searched.
    """
    from scipy import ndimage

    rows, columns = (np.arange(-int(half), int(half) + 1) for half in reach)
    ellipse = (rows[:, None] / max(reach[0], 1e-6)) ** 2 + (columns[None, :] / max(reach[1], 1e-6)) ** 2 <= 1
    near = np.zeros(classes.shape, bool)
    for index in np.unique(classes):
        here = classes == index
        near |= here & ndimage.binary_dilation(neighbour == index, ellipse)
    return near


def kept_slices(
    maps: dict[float, np.ndarray], interval: float, pixel_mm: tuple[float, float], rule: PseudoRule
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Level -> class uint8 ``[h, w]`` and where it is a pseudo-label, bool ``[h, w]``; other slices are left out.

    Args:
        maps: level -> the class map of each pass, uint8 ``[passes, h, w]``.
        interval: the distance of neighbouring levels, in the unit of the levels.
        pixel_mm: height and width of a voxel.
        rule: what is kept.
    """
    found = {level: majority(passes) for level, passes in maps.items()}
    levels = sorted(found)
    reach = rule.reach_mm / pixel_mm[0], rule.reach_mm / pixel_mm[1]
    kept = {}
    for below, level, above in zip(levels, levels[1:], levels[2:], strict=False):
        if max(level - below, above - level) > _NEXT_WITHIN * interval:
            continue
        classes, share = found[level]
        sure = share >= rule.passes_agree - 1e-6
        for other in (below, above):
            sure &= near_same_class(classes, found[other][0], reach)
        shown = np.count_nonzero(classes)
        if shown and np.count_nonzero(sure & (classes > 0)) >= rule.least_kept * shown:
            kept[level] = classes, sure
    return kept
