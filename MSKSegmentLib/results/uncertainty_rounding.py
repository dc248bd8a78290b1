"""The voxel uncertainty as its file holds it: without the digits that mean nothing, which no compression shrinks.

The variance is a difference of two float32 numbers of up to 1, divided by the number of classes: hardly a digit of what is below
some 1e-8 is right. Where all passes agree, which is most of the body, there is nothing else. Without these digits the file of a
large scan takes a third of the space, and less time. Numbers of segments are computed from the exact values, before.
"""

from __future__ import annotations

import numpy as np

# Of the 23 binary digits of a float32, 10 are kept.
_DROPPED_BITS = 13
# The last number below 1e-8 with 10 binary digits: such a one is rounded to itself, so that rounding twice changes nothing.
_LEAST = np.float32(1374 * 2.0**-37)
# What stands for all positive numbers below.
_SMALL = np.float32(2.0**-28)


def rounded_uncertainty(uncertainty: np.ndarray) -> np.ndarray:
    """A voxel uncertainty (float32 of any shape, variances of probabilities without unit) as it is stored: a new array in C order.

    From 1e-8 on values are right to 0.05 % (2^-11), below to 1e-8: all that are positive become one number, 2^-28. Zeros stay zeros
    and positive values positive, so that a percentile of the positive voxels, at which displays end, stays as right. What was
    rounded before stays as it is.
    """
    exact = np.ascontiguousarray(uncertainty, np.float32)
    bits = exact.view(np.uint32) + np.uint32(1 << (_DROPPED_BITS - 1))
    bits &= np.uint32((1 << 32) - (1 << _DROPPED_BITS))
    rounded = bits.view(np.float32)
    # Products, since numpy takes eight times as long to choose by a mask.
    small = exact < _LEAST
    rounded *= ~small
    rounded += (small & (exact > 0)) * _SMALL
    return rounded
