"""Slice intervals: missing slices, the prevailing interval, and a regular grid with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from ...checks.interpolated import TOLD_SHARE, mostly_interpolated
from .series import FEWEST_SLICES

FINEST_INTERVAL_MM = 1.0
LARGEST_GAP_MM = 10.0
# Intervals that differ by less are the same: positions are rounded.
SAME_INTERVAL = 0.1
SAME_INTERVAL_MM = 0.05
# Muscles are measured well with slice intervals up to this.
COARSE_MM = 3.0
# An interval of at least this share of the gaps, and of three in a row, is that of a part of the scan.
PART_SHARE, PART_RUN = 0.15, 3


@dataclass(frozen=True)
class RegularGrid:
    """Levels at equal intervals in mm along the normal, `moved` if they are not those of the slices."""

    first: float
    interval: float
    count: int
    moved: bool

    @property
    def levels(self) -> np.ndarray:
        """Float ``[count]``, rising."""
        return self.first + self.interval * np.arange(self.count)


def check_missing(levels: np.ndarray) -> None:
    """Refuse a stack with missing slices, `levels` float ``[n]`` being their positions in mm.

    A part of a scan with another interval has several equal intervals in a row; one or two intervals that are at least
    1.6 times as large as those before and after show lost slices.

    Raises:
        InputError: slices are missing, or two neighbours are more than 10 mm apart.
    """
    if len(levels) < FEWEST_SLICES:
        raise InputError(f"The series has only {len(levels)} slices; at least {FEWEST_SLICES} are needed.")
    intervals = np.diff(levels)
    runs: list[tuple[int, int]] = []
    for i, interval in enumerate(intervals):
        if runs and abs(interval - intervals[runs[-1][0]]) <= _tolerance(intervals[runs[-1][0]]):
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    missing, places = 0, []
    for r, (start, end) in enumerate(runs):
        beside = [intervals[runs[n][0]] for n in (r - 1, r + 1) if 0 <= n < len(runs)]
        # If positions jitter, the gaps beside a large one are small.
        around = float(np.median(intervals[max(0, start - 4) : end + 4]))
        if end - start > 2 or not beside or intervals[start] < 1.6 * max(*beside, around):
            continue
        missing += sum(max(1, round(float(gap / max(beside))) - 1) for gap in intervals[start:end])
        places.append(f"after slice {start + 1}")
    if missing:
        shown = ", ".join(places[:3]) + (f" and at {len(places) - 3} more places" if len(places) > 3 else "")
        raise InputError(
            f"The series lacks {missing} slice{'s' if missing > 1 else ''} ({shown} of the {len(levels)} that are "
            "present, counted along the stack); export the complete series again."
        )
    if intervals.max() > LARGEST_GAP_MM and intervals.max() > 1.1 * intervals.min():
        raise InputError(
            f"Neighbouring slices are up to {intervals.max():.1f} mm apart; scans with gaps beyond "
            f"{LARGEST_GAP_MM:.0f} mm cannot be used."
        )


def _tolerance(interval: float) -> float:
    return max(SAME_INTERVAL_MM, SAME_INTERVAL * interval)


def regular_grid(levels: np.ndarray) -> RegularGrid:
    """The regular grid for slices at `levels` (float ``[n]``, mm, rising).

    Slices within a tenth of the interval of a straight line count as regular and stay unchanged. Otherwise the grid
    has the prevailing interval and lies where most slices lie, so that these stay unchanged, too.
    """
    slope, start = (float(v) for v in np.polyfit(np.arange(len(levels)), levels, 1))
    line = start + slope * np.arange(len(levels))
    if np.abs(levels - line).max() <= max(0.1, SAME_INTERVAL * slope):
        # Exact positions must not get the rounding errors of the fit.
        exact = np.abs(levels - (levels[0] + slope * np.arange(len(levels)))).max() < 0.05
        return RegularGrid(float(levels[0]) if exact else start, round(slope, 6), len(levels), False)
    interval = max(FINEST_INTERVAL_MM, prevailing_interval(np.diff(levels)))
    margin = 0.05 * interval
    offsets = levels[:, None] - levels[None]
    near = np.abs(offsets - interval * np.rint(offsets / interval)) <= margin
    anchor = float(levels[np.argmax(near.sum(axis=1))])
    below, above = (int(np.floor((distance + margin) / interval)) for distance in (anchor - levels[0], levels[-1] - anchor))
    return RegularGrid(anchor - below * interval, interval, below + above + 1, True)


def prevailing_interval(intervals: np.ndarray) -> float:
    """The interval in mm that holds for most of the scan's length.

    If that is coarse and other parts of the scan are finer, the finest of these, so that no part loses detail.
    `intervals` are the gaps between neighbouring slices in order, float ``[n]`` in mm. Single odd gaps do not count.
    """
    left = np.ones(len(intervals), bool)
    parts: list[tuple[float, float]] = []
    while left.any():
        candidates = intervals[left]
        near = np.abs(candidates[:, None] - candidates[None]) <= np.maximum(SAME_INTERVAL_MM, SAME_INTERVAL * candidates)
        center = float(candidates[np.argmax(near.sum(axis=0))])
        members = left & (np.abs(intervals - center) <= _tolerance(center))
        run = max(len(part) for part in "".join("x" if m else " " for m in members).split())
        if run >= PART_RUN and members.mean() >= (PART_SHARE if parts else 0.0):
            parts.append((float(intervals[members].sum()), float(np.median(intervals[members]))))
        left &= ~members
    if not parts:
        return float(intervals.mean())
    longest = max(parts)[1]
    return longest if longest <= COARSE_MM else min(interval for _, interval in parts)


def interpolate_slices(hu: np.ndarray, levels: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Slices int16 ``[z, y, x]`` at `levels` (mm, rising) linearly interpolated to `targets` (mm); the ends are repeated."""
    below, weights = _neighbours(levels, targets)
    result = np.empty((len(targets), *hu.shape[1:]), dtype=np.int16)
    for k, (i, weight) in enumerate(zip(below, weights.astype(np.float32), strict=True)):
        result[k] = np.rint(hu[i] * (np.float32(1) - weight) + hu[i + 1] * weight)
    return result


def _neighbours(levels: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the slice below each target, and the weight of the one above."""
    below = np.clip(np.searchsorted(levels, targets, side="right") - 1, 0, len(levels) - 2)
    weights = np.clip((targets - levels[below]) / (levels[below + 1] - levels[below]), 0.0, 1.0)
    # A target near a slice is that slice: positions are rounded.
    weights = np.where(weights < 0.02, 0.0, np.where(weights > 0.98, 1.0, weights))
    return below, weights


def interval_findings(levels: np.ndarray, grid: RegularGrid) -> tuple[Finding, ...]:
    """Warnings on what the regular grid changes of slices at `levels`: how many were interpolated, and whether these are most."""
    if not grid.moved:
        return ()
    intervals = np.diff(levels)
    below, weights = _neighbours(levels, grid.levels)
    between = (weights > 0) & (weights < 1)
    # Interpolation hardly blurs between slices that are no farther apart than usual.
    coarse = between & (intervals[below] > 1.5 * grid.interval)
    off = np.abs((levels - grid.first + 0.5 * grid.interval) % grid.interval - 0.5 * grid.interval)
    unused = np.count_nonzero(off > 0.05 * grid.interval)
    sentence = (
        f"The slice interval varies from {intervals.min():.2f} to {intervals.max():.2f} mm; the scan was brought to "
        f"{grid.interval:.2f} mm. {np.count_nonzero(between)} of its {grid.count} slices were interpolated for that, and {unused} "
        "of the slices that were scanned lie between them."
    )
    found = [warning("mixed_intervals", sentence)]
    if coarse.mean() >= TOLD_SHARE:
        found.append(mostly_interpolated(float(coarse.mean())))
    return tuple(found)
