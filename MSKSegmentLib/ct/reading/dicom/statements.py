"""Consistency of the headers of a stack: intervals, order, acquisitions, frames of reference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from .slice_header import SliceHeader

SAME_LENGTH = 0.05
# Overlapping reconstructions and gaps between slices are usual up to these ratios of thickness and interval.
LARGEST_OVERLAP, LARGEST_SKIP = 3.2, 3.2
MOST_ACQUISITIONS = 4
# If two acquisitions alternate, at least this share of neighbouring slices belongs to different ones.
ALTERNATING = 0.5
JAGGED = 1.15
FITS_BETTER = 0.8
IGNORED_TILT_DEGREES = 0.5
# Slices that cover less than this share of their interval, and whose numbers skip some, have lost the slices between.
REACHING, FEWEST_SKIPS = 0.75, 3


def interval_contradictions(headers: Sequence[SliceHeader], levels: np.ndarray, tilt_degrees: float) -> tuple[Finding, ...]:
    """A warning if locations, stated interval or thickness contradict the positions, which are at `levels` (mm, rising)."""
    intervals = np.diff(levels)
    interval = float(np.median(intervals))
    contradictions = []
    locations = [h.location for h in headers]
    if all(location is not None for location in locations):
        steps = np.abs(np.diff(np.array(locations, dtype=float)))
        # Along the table or along the normal: with a tilted gantry they differ.
        factors = (1.0, 1.0 / math.cos(math.radians(tilt_degrees)), math.cos(math.radians(tilt_degrees)))
        off = min(float(np.median(np.abs(steps - factor * intervals))) for factor in factors)
        if steps.any() and off > SAME_LENGTH * interval + 0.02:
            contradictions.append(f"their slice locations are {np.median(steps):.2f} mm apart")
    stated = [abs(h.stated_interval) for h in headers if h.stated_interval]
    if stated and abs(float(np.median(stated)) - interval) > SAME_LENGTH * interval + 0.02:
        contradictions.append(f"the header states {np.median(stated):.2f} mm between slices")
    thickness = [h.thickness for h in headers if h.thickness and h.thickness > 0]
    if thickness:
        thick = float(np.median(thickness))
        if thick > LARGEST_OVERLAP * interval or interval > LARGEST_SKIP * thick:
            contradictions.append(f"they are {thick:.2f} mm thick")
    if not contradictions:
        return ()
    sentence = (
        f"By their positions the slices lie {interval:.2f} mm apart, but {' and '.join(contradictions)}; the positions were used, "
        "so check that the body has its natural height."
    )
    return (warning("contradictory_intervals", sentence),)


def skipped_findings(headers: Sequence[SliceHeader], levels: np.ndarray) -> tuple[Finding, ...]:
    """A warning if numbers are skipped along the stack, and the slices there are thinner than their intervals.

    Slices that are lost at a regular rate leave regular intervals. `levels` are in mm, rising. Gaps between consecutively numbered
    slices were scanned like that, and skipped numbers alone may belong to a second reconstruction.
    """
    numbers = [h.instance_number for h in headers]
    if None in numbers:
        return ()
    steps = np.diff(np.array(numbers, dtype=int))
    stated = [abs(h.stated_interval) for h in headers if h.stated_interval]
    thickness = [h.thickness for h in headers if h.thickness and h.thickness > 0]
    reach = min((float(np.median(lengths)) for lengths in (stated, thickness) if lengths), default=None)
    if reach is None or not (np.all(steps > 0) or np.all(steps < 0)):
        return ()
    gaps = np.diff(levels)
    skips = (np.abs(steps) > 1) & (reach <= REACHING * gaps)
    if np.count_nonzero(skips) < FEWEST_SKIPS:
        return ()
    sentence = (
        f"Slices seem to be missing between others: the images are numbered in steps of {np.median(np.abs(steps[skips])):.0f} and "
        f"lie {np.median(gaps[skips]):.2f} mm apart, but their header states {reach:.2f} mm for a slice; load the complete series."
    )
    return (warning("slices_skipped", sentence),)


def tilt_findings(headers: Sequence[SliceHeader], frame: np.ndarray) -> tuple[Finding, ...]:
    """A warning if the header states a gantry tilt that `frame` (row, column, normal as columns) does not show."""
    named = abs(headers[0].gantry_tilt)
    shown = math.degrees(math.acos(min(1.0, float(np.abs(frame[2, 2])))))
    if named < IGNORED_TILT_DEGREES or abs(named - shown) < 1.0:
        return ()
    sentence = (
        f"The header names a gantry tilt of {named:.1f} degrees that the slice positions do not show; check that the "
        "body does not look sheared."
    )
    return (warning("unseen_tilt", sentence),)


def frame_findings(headers: Sequence[SliceHeader]) -> tuple[Finding, ...]:
    """A warning if slices state two to four frames of reference; one for each slice comes from a tool that renames all UIDs."""
    frames = Counter(h.frame_uid for h in headers if h.frame_uid)
    if len(frames) < 2 or len(frames) > MOST_ACQUISITIONS:
        return ()
    sentence = (
        f"The slices name {len(frames)} frames of reference, between which positions cannot be compared; check that the parts "
        "of the scan fit together."
    )
    return (warning("frames_of_reference", sentence),)


def alternating_acquisitions(headers: Sequence[SliceHeader], levels: np.ndarray) -> list[np.ndarray] | None:
    """Indices of the slices of each acquisition, if the headers show that acquisitions alternate along the stack, else None."""
    for label in (lambda h: h.acquisition, lambda h: h.kernel, lambda h: h.image_type, lambda h: h.thickness):
        labels = [label(h) for h in headers]
        kinds = Counter(labels)
        if not 2 <= len(kinds) <= MOST_ACQUISITIONS or min(kinds.values()) < 4:
            continue
        switches = sum(a != b for a, b in zip(labels, labels[1:], strict=False))
        if switches >= ALTERNATING * 2 * min(kinds.values()):
            return [np.flatnonzero([value == kind for value in labels]) for kind in kinds]
    even, odd = np.arange(0, len(headers), 2), np.arange(1, len(headers), 2)
    numbers = [h.instance_number for h in headers]
    if all(n is not None for n in numbers) and len(set(numbers)) == len(numbers):
        values = np.array(numbers, dtype=int)
        if values[even].max() < values[odd].min() or values[odd].max() < values[even].min():
            return [even, odd]
    gaps = np.diff(levels)
    first, second = gaps[::2], gaps[1::2]
    if abs(np.median(first) - np.median(second)) > 0.2 * gaps.mean() and max(np.ptp(first), np.ptp(second)) < 0.1 * gaps.mean():
        return [even, odd]
    return None


def alternation_findings(headers: Sequence[SliceHeader], levels: np.ndarray, hu: np.ndarray) -> tuple[Finding, ...]:
    """A warning if two acquisitions alternate along the stack, by the headers or because every second slice is similar.

    `hu` is int16 ``[z, y, x]``, the slices in order.
    """
    shown = alternating_acquisitions(headers, levels) is not None
    if not shown and not _is_jagged(hu):
        return ()
    sentence = (
        "Slices of two acquisitions or reconstructions seem to alternate in this series; where the body moved between "
        "them its outlines are jagged, so choose a series with a single one."
    )
    return (warning("interleaved", sentence),)


def _is_jagged(hu: np.ndarray) -> bool:
    """Whether slices resemble the next but one more than the next."""
    sample = _sample(hu)
    return len(hu) >= 8 and _difference(sample[1:], sample[:-1]) > JAGGED * _difference(sample[2:], sample[:-2])


def check_order(headers: Sequence[SliceHeader], hu: np.ndarray) -> None:
    """Refuse a stack whose images are continuous by number but not by position. `hu` int16 ``[z, y, x]`` is ordered by position.

    Raises:
        InputError: the positions are wrong.
    """
    numbers = [h.instance_number for h in headers]
    if None in numbers or len(set(numbers)) < len(numbers):
        return
    order = np.argsort(np.array(numbers, dtype=int))
    steps = np.diff(order)
    if (steps > 0).all() or (steps < 0).all():
        return
    sample = _sample(hu)
    by_number = sample[order]
    if _difference(by_number[1:], by_number[:-1]) < FITS_BETTER * _difference(sample[1:], sample[:-1]):
        raise InputError(
            "The images of the series continue each other in the order of their numbers and not in that of their positions, so "
            "the positions are wrong; export the original series again."
        )


def _sample(hu: np.ndarray) -> np.ndarray:
    """A coarse copy, float32, limited to the range from fat to bone."""
    stride = max(1, min(hu.shape[1:]) // 64)
    return np.clip(hu[:, ::stride, ::stride].astype(np.float32), -300, 700)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())
