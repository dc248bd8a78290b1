"""Curves that only rise or only fall, from noisy pairs of numbers."""

from __future__ import annotations

import numpy as np

from ..quality.curve import Curve

BINS = 40


def isotonic_curve(x: np.ndarray, y: np.ndarray, rising: bool, pseudo: float = 0.0) -> Curve:
    """The isotonic regression of y ``[n]`` on x ``[n]``, through the centres of its blocks so that it has no steps.

    The pairs are first averaged in up to 40 bins of equal size. With `pseudo` each block counts so many more pairs with y = 0 and
    as many with y = 1, so that a frequency is never quite 0 or 1.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(x, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    sizes = np.array([len(part) for part in bins], dtype=float)
    places, means = (np.array([values[part].mean() for part in bins]) for values in (x, y))
    fitted = isotonic_regression(means, weights=sizes, increasing=rising)
    knots = []
    for first, last in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        count = float(sizes[first:last].sum())
        place = float(np.average(places[first:last], weights=sizes[first:last]))
        knots.append((place, float((fitted.x[first] * count + pseudo) / (count + 2 * pseudo))))
    return Curve(tuple(knots))
