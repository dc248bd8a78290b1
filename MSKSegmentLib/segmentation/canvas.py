"""The label map with sides while it is being filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET
from .components import Parts
from .leftovers import Sizes, side_beside
from .side_field import CoarseGrid, between
from .splitting import leaning, left_part, sides_of_whole


@dataclass(frozen=True)
class Canvas:
    """The label map to be filled and the coarse grid; axes in order."""

    labels: np.ndarray
    grid: CoarseGrid
    spacing: tuple[float, float, float]

    def paint(self, parts: Parts, is_left: np.ndarray, chosen: np.ndarray) -> None:
        """Give the chosen components (bool ``[n]``) of a structure their labels, whole."""
        index, labels = parts.structure.index, self.labels[parts.slices]
        for which in np.flatnonzero(chosen):
            box = parts.boxes[which]
            mask = (parts.ids[box] == which + 1).view(np.uint8)
            # Other components lie in the same box: add, as their voxels are others.
            labels[box] += mask * np.uint8(index + LEFT_OFFSET if is_left[which] else index)

    def paint_by(self, parts: Parts, field: np.ndarray, depth: float, sizes: Sizes) -> list[Parts]:
        """Give the components of a structure their labels by a coarse side field; split those that span both sides.

        Returns the pieces astride the median surface, which get no label here (see `leftovers`).
        """
        lean = leaning(parts, field, self.grid, depth)
        is_left, whole = sides_of_whole(parts, lean)
        pieces = sizes.astride(lean) & ~whole
        split = lean.on_both_sides & ~whole & ~pieces
        self.paint(parts, is_left, ~split & ~pieces)
        for index in np.flatnonzero(split):
            part = parts.single(int(index))
            mask = part.ids > 0
            left = left_part(mask, self.grid.enlarged(field, part.slices), self.spacing, depth)
            number = part.structure.index
            self.labels[part.slices] += np.where(left, number + LEFT_OFFSET, number * mask).astype(np.uint8)
        return [parts.single(int(index)) for index in np.flatnonzero(pieces)]

    def settle(self, pieces: list[Parts]) -> list[Parts]:
        """Give pieces to the body of their structure that they lie beside; returns those that stay without a label."""
        sides = [side_beside(piece, self.labels, self.spacing) for piece in pieces]
        for piece, is_left in zip(pieces, sides, strict=True):
            if is_left is not None:
                self.paint(piece, np.array([is_left]), np.array([True]))
        return [piece for piece, is_left in zip(pieces, sides, strict=True) if is_left is None]

    def on_both_sides(self, structures: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the structures that are painted on both sides: one alone would push the surface between the sides away."""
        painted = np.unique(self.grid.sample(self.labels))
        return tuple(index for index in structures if index in painted and index + LEFT_OFFSET in painted)

    def field(self, structures: tuple[int, ...]) -> np.ndarray | None:
        """The side field between what is painted right and left of these structures; None when a side is missing."""
        coarse = self.grid.sample(self.labels)
        right = np.isin(coarse, structures)
        left = np.isin(coarse, [index + LEFT_OFFSET for index in structures])
        return between(right, left, self.grid.spacing) if right.any() and left.any() else None
