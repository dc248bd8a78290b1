"""Padding: pixels without data, and which of them count as air around the body.

Padding fills what the scanner did not reconstruct, mostly the corners of a round field of view. It may have any value:
far below air, far above metal, or that of a tissue.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .stored import Layout, StoredImage

# No tissue has values outside these: the lower end, and the end of the usual 12 bits.
NO_TISSUE_BELOW_HU, NO_TISSUE_ABOVE_HU = -1100.0, 3071.0
AIR_BELOW_HU = -900.0
# A padding range must not cover this: everything from fat to muscle.
TISSUE_HU = (-100.0, 60.0)
OUTSIDE_HU = -300.0
_BORDER = 3


def padding_mask(image: StoredImage) -> tuple[np.ndarray, np.ndarray, bool]:
    """Where cells hold the padding value or a value of the padding range.

    A range that covers fat and muscle, read with the pixels' signedness, is tried with the other one; if that fails, too,
    the padding value alone counts.

    Returns:
        Padding, bool ``[y, x]``; the part of it that is certain, bool ``[y, x]``, because it uses bits beyond the stored ones;
        whether the range was given up.
    """
    if image.padding is None:
        none = np.zeros(image.cells.shape, bool)
        return none, none, False
    if image.padding_limit is None:
        return *_within(image, image.layout, image.padding), False
    for layout in (image.layout, replace(image.layout, signed=not image.layout.signed)):
        low, high = _ends(layout, image.padding, image.padding_limit)
        span = sorted((image.hu(low), image.hu(high)))
        if not (span[0] < TISSUE_HU[0] and span[1] > TISSUE_HU[1]):
            return *_within(image, layout, image.padding, image.padding_limit), False
    return *_within(image, image.layout, image.padding), True


def _ends(layout: Layout, *tags: tuple[int, int]) -> tuple[int, int]:
    """The smallest and largest of padding tags as values of a whole cell."""
    values = []
    for number, bits in tags:
        if layout.signed and number >= 1 << (bits - 1):
            number -= 1 << bits
        values.append(number if layout.signed else number % (1 << layout.allocated))
    return min(values), max(values)


def _within(image: StoredImage, layout: Layout, *tags: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells whose value lies within the tags' range, and those for which only the whole cell does and not its stored bits."""
    low, high = _ends(layout, *tags)
    whole = layout.whole_cell.values(image.cells)
    as_whole = (whole >= low) & (whole <= high)
    least, greatest = layout.limits
    if least > low or high > greatest:
        return as_whole, as_whole & (layout.values(image.cells) != whole)
    values = layout.values(image.cells)
    return as_whole | ((values >= low) & (values <= high)), np.zeros_like(as_whole)


def unstated_padding(hu: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Padding that the header does not state: a constant above 3071 HU that fills the image's corners; bool ``[y, x]``."""
    corners = [(y, x) for y in (0, -1) for x in (0, -1) if not stated[y, x]]
    values = [hu[corner] for corner in corners if hu[corner] > NO_TISSUE_ABOVE_HU]
    usual = max(values, key=values.count, default=None)
    if usual is None or values.count(usual) < 2:
        return np.zeros(hu.shape, bool)
    return hu == usual


def split_padding(hu: np.ndarray, padding: np.ndarray, certain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(padding that becomes air, padding inside the body), bool ``[y, x]`` each.

    Padding that is `certain`, or whose values no tissue has, becomes air everywhere. Padding with a value that tissue
    may have becomes air only if it fills a corner of the image in one piece without bridges of a pixel: noise in a muscle takes
    every value. The second mask holds solid pieces of at least 3 x 3 pixels that the body encloses; they hold no data, whether
    they became air or not.
    """
    from scipy import ndimage

    no_tissue = padding & (certain | (hu <= AIR_BELOW_HU) | (hu > NO_TISSUE_ABOVE_HU))
    doubtful = padding & ~no_tissue
    air = no_tissue
    square = np.ones((3, 3))
    if doubtful.any():
        solid = ndimage.binary_opening(np.pad(padding, 1, mode="edge"), square)[1:-1, 1:-1]
        corners = _reaching(solid, corners=True)
        if corners.any():
            # The opening removes the rim of a piece, and its narrow parts where a round field nearly touches the image's border.
            border = np.ones_like(padding)
            border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
            may = padding & (border | ndimage.binary_dilation(corners, square))
            air = no_tissue | ndimage.binary_propagation(corners, mask=may | corners)
    # Gas in the bowel may have the value of air.
    lost = padding & (certain | (hu < NO_TISSUE_BELOW_HU) | (hu > AIR_BELOW_HU))
    if not lost.any():
        return air, lost
    enclosed = lost & ~_reaching(lost | air | (hu < OUTSIDE_HU))
    return air, ndimage.binary_opening(enclosed, square) if enclosed.any() else enclosed


def _reaching(mask: np.ndarray, corners: bool = False) -> np.ndarray:
    """The pieces of a mask ``[y, x]`` that touch the image's border or, with `corners`, contain one of its corners."""
    from scipy import ndimage

    pieces, number = ndimage.label(mask)
    edges = [pieces[:: len(pieces) - 1, :: pieces.shape[1] - 1].ravel()] if corners else [*pieces[[0, -1]], *pieces[:, [0, -1]].T]
    reaches = np.zeros(number + 1, bool)
    reaches[np.concatenate(edges)] = True
    reaches[0] = False
    return reaches[pieces]
