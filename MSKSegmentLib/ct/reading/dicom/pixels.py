"""One DICOM image as Hounsfield units: padding becomes air, and the stated layout of bits is checked against the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....findings import Finding, warning
from ...orientation import AIR_HU
from .padding import padding_mask, split_padding, unstated_padding
from .stored import Layout, StoredImage
from .wrapped import unwrapped

# No CT of a body has values beyond these, even on an extended scale.
PLAUSIBLE_HU = (-1200.0, 20_000.0)
FEWEST_STRANGE = 10
# A value that is decoded wrongly differs by thousands from its neighbours.
CLEARLY_SMOOTHER = 0.7
# Padding inside the body is reported from this volume on.
TOLD_INNER_CC = 0.5


@dataclass(frozen=True)
class PixelNotes:
    """The number of padding pixels that the body encloses in a slice, and codes of the decisions about its pixels."""

    inner: int
    codes: frozenset[str]


def slice_pixels(image: StoredImage) -> tuple[np.ndarray, PixelNotes]:
    """HU int16 ``[y, x]`` of stored values.

    If the stated signedness and number of bits give values that no CT has, and others give a clearly smoother image, the
    others are used.
    """
    codes = set()
    padding, certain, refused = padding_mask(image)
    if refused:
        codes.add("padding_range")
    hu = image.hu(image.layout.values(image.cells))
    layout = _fitting_layout(image, hu, padding)
    if layout != image.layout:
        codes.add("pixel_layout")
        hu = image.hu(layout.values(image.cells))
    unstated = unstated_padding(hu, padding)
    if unstated.any():
        codes.add("unstated_padding")
        padding, certain = padding | unstated, certain | unstated
    wrapped, below = unwrapped(image, layout, hu, padding)
    if wrapped.any():
        codes.add("wrapped_values")
        hu[wrapped] = below
    inner = 0
    if padding.any():
        air, inside = split_padding(hu, padding, certain)
        if air.any() and not np.array_equal(air, padding):
            codes.add("padding_kept")
        hu[air] = AIR_HU
        inner = int(np.count_nonzero(inside))
    limits = np.iinfo(np.int16)
    return np.rint(np.clip(hu, limits.min, limits.max)).astype(np.int16), PixelNotes(inner, frozenset(codes))


def _fitting_layout(image: StoredImage, hu: np.ndarray, padding: np.ndarray) -> Layout:
    """The layout that fits the cells: the stated one if its values, `hu`, are possible."""
    stated = image.layout
    strange = ((hu < PLAUSIBLE_HU[0]) | (hu > PLAUSIBLE_HU[1])) & ~padding
    if stated.stored < stated.allocated and not image.overlay:
        # Bits beyond the stated ones must extend the sign; otherwise the stated number is wrong.
        extended = replace(stated, stored=stated.allocated - stated.shift).values(image.cells)
        strange |= (extended != stated.values(image.cells)) & ~padding
    if np.count_nonzero(strange) < FEWEST_STRANGE:
        return stated
    others = [
        replace(stated, signed=not stated.signed),
        stated.whole_cell,
        replace(stated.whole_cell, signed=not stated.signed),
    ]
    if image.overlay:
        others = others[:1]
    roughness = [_roughness(image.hu(layout.values(image.cells)), strange, padding) for layout in (stated, *others)]
    best = int(np.argmin(roughness))
    return (stated, *others)[best] if roughness[best] < CLEARLY_SMOOTHER * roughness[0] else stated


def _roughness(hu: np.ndarray, where: np.ndarray, padding: np.ndarray) -> float:
    """Sum of absolute differences of neighbouring pixels of which one at least lies `where`, and none in padding."""
    total = 0.0
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        pairs = (where[a] | where[b]) & ~(padding[a] | padding[b])
        total += float(np.abs(hu[a] - hu[b])[pairs].sum())
    return total


_SENTENCES = {
    "pixel_layout": (
        "The header is wrong about sign or number of bits of the pixels in {n} of {all} slices; they were read in the way that "
        "makes a smooth image, so check the densities."
    ),
    "unstated_padding": (
        "The corners of {n} of {all} slices hold a value beyond all tissue that the header does not call padding; it was taken "
        "for air."
    ),
    "wrapped_values": (
        "Single pixels in {n} of {all} slices lay below zero and had wrapped round to the top of the stored range; they were "
        "taken for the air that they are."
    ),
    "padding_range": (
        "The header's range of padding values covers fat and muscle and cannot be meant; only the padding value itself was "
        "taken for air."
    ),
    "padding_kept": (
        "The header's padding value is one that tissue has too; only padding in the corners of the slices was taken for air."
    ),
}


def pixel_findings(slices: Sequence[PixelNotes], pixel_mm2: float, interval_mm: float) -> tuple[Finding, ...]:
    """Findings on the decisions about the pixels of a scan."""
    found = []
    for code, sentence in _SENTENCES.items():
        number = sum(code in s.codes for s in slices)
        if number:
            found.append(warning(code, sentence.format(n=number, all=len(slices))))
    inner_cc = sum(s.inner for s in slices) * pixel_mm2 * interval_mm / 1000
    if inner_cc >= TOLD_INNER_CC:
        found.append(
            warning(
                "padding_in_body",
                f"{inner_cc:.1f} cc inside the body hold padding, that is no data; what lies there was not measured, so load "
                "the original series.",
            )
        )
    return tuple(found)
