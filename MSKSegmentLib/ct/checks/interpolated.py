"""Slices that were not scanned but interpolated between others: the scan is coarser than its slice interval states."""

from __future__ import annotations

import numpy as np

from ...findings import Finding, warning

# With every second slice interpolated the share is a half, minus the ends.
TOLD_SHARE = 0.4
# Rounding shifts the mean of two integers by up to half a unit, and its neighbours were rounded too; noise is larger.
LARGEST_OFFSET_HU = 0.75
# Equal neighbours (a phantom without noise, repeated slices) do not show interpolation.
LEAST_DIFFERENCE_HU = 2.0
BODY_HU = -300
STRIDE = 4
FEWEST_PIXELS = 50


def interpolation_findings(hu: np.ndarray, levels: np.ndarray | None = None) -> tuple[Finding, ...]:
    """A warning where most slices are the mean of the slices beside them, to within rounding; reads every fourth pixel.

    `hu` int16 ``[z, y, x]`` are the slices as the series holds them, `levels` float ``[z]`` their positions in mm if the
    intervals differ.
    """
    share = interpolated_share(hu, levels)
    return (mostly_interpolated(share),) if share >= TOLD_SHARE else ()


def mostly_interpolated(share: float) -> Finding:
    """The warning that this share of the slices was interpolated between scanned ones."""
    return warning(
        "interpolated",
        f"Most slices were interpolated between others ({share:.0%} of them); the scan is coarser than its slice interval, and "
        "borders are off where a muscle changes between the slices that were scanned.",
    )


def interpolated_share(hu: np.ndarray, levels: np.ndarray | None = None) -> float:
    """Share of the inner slices of int16 ``[z, y, x]`` whose body is the mean of both neighbours' although these differ.

    If `levels` (float ``[z]``, mm) are given, the mean is weighted by the distances.
    """
    levels = np.arange(len(hu), dtype=float) if levels is None else levels
    found = judged = 0
    for k in range(1, len(hu) - 1):
        below, here, above = (plane[::STRIDE, ::STRIDE].astype(np.float32) for plane in hu[k - 1 : k + 2])
        weight = np.float32((levels[k] - levels[k - 1]) / (levels[k + 1] - levels[k - 1]))
        body = (below > BODY_HU) & (here > BODY_HU) & (above > BODY_HU)
        if np.count_nonzero(body) < FEWEST_PIXELS:
            continue
        judged += 1
        if np.median(np.abs(above - below)[body]) >= LEAST_DIFFERENCE_HU:
            mean = (1 - weight) * below + weight * above
            found += bool(np.median(np.abs(mean - here)[body]) <= LARGEST_OFFSET_HU)
    return found / judged if judged else 0.0
