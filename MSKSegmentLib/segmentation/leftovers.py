"""Small pieces astride the median surface: they belong to the side whose body they lie beside, or to none.

A piece of the lowest lumbar vertebra called hip bone lies in the middle, apart from both hip bones. Any sign of a mean, and any cut
through it, would give its volume to one side or the other by the tenth of a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET
from .components import PIECE_DISTANCE_MM, Parts
from .splitting import Leaning

# A component with less than this share of its structure's largest one is a piece, not a side.
PIECE_OF_LARGEST = 0.25
# Near the median surface (in units of the side field, 2 per mm) a component waits for its neighbours. A piece is astride when its
# mean lies there, or this share of it on the smaller side.
NEAR_SURFACE = 10.0
# Far from the bodies the surface is an extrapolation: for every mm away it may be 0.1 mm off, as with a pelvis tilted by 6 degrees.
NEAR_PER_MM_AWAY = 0.2
ASTRIDE_SHARE = 0.25
# A piece goes to the nearer body when the other one is at least this much farther away.
CLEARLY_NEARER_MM = 10.0


@dataclass(frozen=True)
class Sizes:
    """Which components of a structure are pieces, bool ``[n]``, and how near to the surface each is in doubt, float ``[n]``."""

    piece: np.ndarray
    near: np.ndarray

    @staticmethod
    def of(parts: Parts, spacing: tuple[float, float, float]) -> Sizes:
        """By volume, and of pieces by the gap between their box and that of the nearest body; spacing in mm along ``z, y, x``."""
        piece = parts.voxels < PIECE_OF_LARGEST * parts.voxels.max()
        starts, stops = (np.array([[getattr(side, end) for side in box] for box in parts.boxes]) for end in ("start", "stop"))
        # Of every component at once: a scan in which the network sees nothing it knows falls into thousands.
        away = np.full(piece.size, np.inf)
        for body in np.flatnonzero(~piece):
            gaps = np.maximum(0, np.maximum(starts - stops[body], starts[body] - stops))
            away = np.minimum(away, np.linalg.norm(gaps * np.array(spacing), axis=1))
        return Sizes(piece, np.where(piece, np.maximum(NEAR_SURFACE, NEAR_PER_MM_AWAY * away), NEAR_SURFACE))

    def single(self, index: int) -> Sizes:
        """Those of one component, as `Parts.single`."""
        return Sizes(self.piece[index : index + 1], self.near[index : index + 1])

    def astride(self, lean: Leaning) -> np.ndarray:
        """Which components are pieces astride the median surface, bool ``[n]``."""
        return self.piece & (lean.on_both_sides | (np.abs(lean.mean) < self.near) | (lean.minor >= ASTRIDE_SHARE))


def side_beside(parts: Parts, labels: np.ndarray, spacing: tuple[float, float, float]) -> bool | None:
    """Whether a piece (of one component) belongs to the left; None when it lies beside neither body, or beside both.

    It lies beside a body when their nearest voxels are within 10 mm and the other side's body is at least 10 mm farther away.

    Args:
        parts: the piece.
        labels: uint8 ``[z, y, x]`` with the sides painted so far.
        spacing: mm along ``z, y, x``.
    """
    from scipy.ndimage import distance_transform_edt

    reach = PIECE_DISTANCE_MM + CLEARLY_NEARER_MM
    around = tuple(
        slice(max(0, part.start - int(reach / step) - 1), part.stop + int(reach / step) + 1)
        for part, step in zip(parts.slices, spacing, strict=True)
    )
    inside = tuple(
        slice(part.start - grown.start, part.stop - grown.start) for part, grown in zip(parts.slices, around, strict=True)
    )
    block, index = labels[around], parts.structure.index
    distances = []
    for label in (index, index + LEFT_OFFSET):
        body = block == label
        distance = distance_transform_edt(~body, sampling=spacing)[inside] if body.any() else None
        distances.append(np.inf if distance is None else float(distance[parts.ids > 0].min()))
    right, left = distances
    if min(right, left) > PIECE_DISTANCE_MM or abs(right - left) < CLEARLY_NEARER_MM:
        return None
    return left < right
