"""Unsigned pixels whose value lay below zero and wrapped round to the top of the stored range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .padding import AIR_BELOW_HU, OUTSIDE_HU
from .stored import Layout, StoredImage

# Noise in air reaches at most this far below zero.
MOST_BELOW_ZERO = 2000
# Air lies at -1000 HU, but sharp kernels undershoot.
LOWEST_AIR_HU = -4000.0
# A few pixels above the first value among air are wrong. Extended scales end at the second one: a value above it is wrong
# everywhere.
NO_SPECK_ABOVE_HU, NO_VALUE_ABOVE_HU = 10_000.0, 31_000.0
# A larger piece is metal.
LARGEST_PIECE = 9


def unwrapped(image: StoredImage, layout: Layout, hu: np.ndarray, padding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that wrapped round, bool ``[y, x]``, and their true HU, float64 ``[n]``.

    Only small pieces count, with values near the top of the range of the stored bits, or of the whole cell if it has more bits.
    `hu` are the values that `layout` gives, float64 ``[y, x]``; `padding`, bool, does not count.
    """
    found = np.zeros(hu.shape, bool)
    values = np.zeros(hu.shape, np.int64)
    if not layout.signed and layout.shift == 0:
        whole = layout.stored < layout.allocated and not image.overlay
        for way in (layout, replace(layout, stored=layout.allocated)) if whole else (layout,):
            beyond_all = hu > NO_VALUE_ABOVE_HU if way == layout else np.ones(hu.shape, bool)
            read = way.values(image.cells).astype(np.int64) - (1 << way.stored)
            below = image.hu(read)
            top = (read >= -MOST_BELOW_ZERO) & (below >= LOWEST_AIR_HU) & (below <= AIR_BELOW_HU) & ~padding & ~found
            chosen = _small_pieces(top & (beyond_all | (hu > NO_SPECK_ABOVE_HU)), beyond_all, hu)
            found |= chosen
            values[chosen] = read[chosen]
    return found, image.hu(values[found])


def _small_pieces(top: np.ndarray, beyond_all: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """The pieces of a mask ``[y, x]`` of a few pixels each, in air or with values `beyond_all`."""
    from scipy import ndimage

    if not top.any():
        return top
    square = np.ones((3, 3), bool)
    pieces, _ = ndimage.label(top, square)
    chosen = np.zeros_like(top)
    for number, (rows, columns) in enumerate(ndimage.find_objects(pieces), start=1):
        around = np.s_[max(0, rows.start - 1) : rows.stop + 1, max(0, columns.start - 1) : columns.stop + 1]
        piece = pieces[around] == number
        if np.count_nonzero(piece) > LARGEST_PIECE:
            continue
        beside = hu[around][ndimage.binary_dilation(piece, square) & ~piece]
        if beyond_all[around][piece].all() or (beside.size and np.median(beside) < OUTSIDE_HU):
            chosen[around] |= piece
    return chosen
