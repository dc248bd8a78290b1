"""Slices of an MR series as values: rescaled where the headers say so, without rules that hold for CT alone."""

from __future__ import annotations

import numpy as np

from ..mr_values import to_mr
from .stack import Stack
from .stored import OpenFiles, read_stored


def mr_pixels(stack: Stack) -> np.ndarray:
    """The values int16 ``[z, y, x]`` of a stack.

    Slices without slope or intercept keep their stored values: many scanners state none, and MR has no unit that would need them.

    Raises:
        InputError: a slice cannot be decoded.
    """
    first, files = stack.headers[0], OpenFiles()
    values = np.empty((len(stack.headers), first.rows, first.columns), np.float32)
    whole = True
    for k, header in enumerate(stack.headers):
        image = read_stored(header, header.slope or 1.0, header.intercept or 0.0, files)
        values[k] = image.hu(image.layout.values(image.cells))
        whole = whole and float(image.slope).is_integer() and float(image.intercept).is_integer()
    # Integers stay exact: float32 holds those of 16 bits.
    return to_mr(values.astype(np.int32) if whole else values, "series")


def comparable(values: np.ndarray) -> np.ndarray:
    """The values on a scale where fat lies at the HU of bone, for comparing slices with each other; int16, same shape."""
    top = float(np.percentile(values[:, ::4, ::4], 99))
    return np.clip(values * np.float32(700.0 / max(top, 1.0)), -32768, 32767).astype(np.int16)
