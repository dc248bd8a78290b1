"""Storing MR values as int16, unchanged where they fit; their unit is arbitrary."""

from __future__ import annotations

import numpy as np

from ...errors import InputError

# Values beyond int16, and fractions within a small range, are scaled to this largest magnitude.
_LARGEST = 10_000.0
_FEWEST_STEPS = 500.0


def to_mr(array: np.ndarray, name: str, scaling: tuple[float, float] | None = None) -> np.ndarray:
    """Values ``[z, y, x]`` of any real type as int16.

    Integers that fit are kept, int16 without a copy. Other values are rounded if their range is wide enough, and else multiplied
    by one factor first.
    `scaling` is (slope, intercept) if the stored values are scaled.

    Raises:
        InputError: a value is not a finite number; `name` is the file's name for the message.
    """
    if array.dtype == np.int16 and scaling is None:
        return array
    slope, intercept = scaling or (1.0, 0.0)
    is_float = array.dtype.kind == "f"
    if is_float and not all(np.isfinite(section).all() for section in array):
        raise InputError(f"The image {name} has values that are not numbers (NaN or infinity); export it again.")
    ends = np.array([array.min(), array.max()], dtype=np.float64) * slope + intercept
    largest, limits = float(np.abs(ends).max()), np.iinfo(np.int16)
    whole = not is_float and float(slope).is_integer() and float(intercept).is_integer()
    fits = largest <= limits.max and (whole or float(np.ptp(ends)) >= _FEWEST_STEPS)
    factor = 1.0 if fits or largest == 0 else _LARGEST / largest
    values = np.empty(array.shape, dtype=np.int16)
    for k, section in enumerate(array):
        values[k] = np.rint((section * np.float64(slope) + intercept) * factor)
    return values
