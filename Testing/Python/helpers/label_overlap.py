"""How well two label maps agree."""

import numpy as np


def dice(first: np.ndarray, second: np.ndarray, values: np.ndarray) -> dict[int, float]:
    """Dice coefficient of each of `values` between two integer label maps of one shape; NaN where both lack it."""
    size = int(max(values.max(), first.max(), second.max())) + 1
    in_first, in_second = np.bincount(first.ravel(), minlength=size), np.bincount(second.ravel(), minlength=size)
    in_both = np.bincount(first.ravel()[first.ravel() == second.ravel()], minlength=size)
    with np.errstate(invalid="ignore"):
        scores = 2 * in_both / (in_first + in_second)
    return {int(value): float(scores[value]) for value in values}
