"""Images that a series holds besides its slices: scouts, dose pages, screenshots, images of another size or plane.

They are left out, each with a reason. Without a clear majority no image is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from .slice_header import SliceHeader

# A larger share of another kind is a second scan in the series, not stray images.
MOST_FOREIGN = 0.2
# Direction cosines that differ by less are the same, but for rounding.
SAME_DIRECTION = 5e-3
# Sagging tables and recentred reconstructions shift slices by a pixel or two at most.
LARGEST_SHIFT_MM = 3.0
DETACHED_MM, DETACHED_INTERVALS, MOST_DETACHED = 20.0, 5.0, 2
_SCOUT_WORDS = {"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM"}
_PAGE_WORDS = {"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "DOSE", "DOSE_INFO", "DOSE REPORT", "DOSEREPORT", "PROTOCOL"}


@dataclass(frozen=True)
class LeftOut:
    """One image that does not belong to the stack, and why, as the end of "... was left out: it"."""

    header: SliceHeader
    reason: str


def is_scout(header: SliceHeader) -> bool:
    """Whether the image's type says that it is a localizer."""
    return bool(_SCOUT_WORDS & set(header.image_type))


def without_foreign(group: list[SliceHeader]) -> tuple[list[SliceHeader], tuple[LeftOut, ...]]:
    """The slices of a series, and the images that by their headers do not belong to them.

    A slice that lacks its orientation or pixel spacing but otherwise matches the others gets theirs.
    """
    kept = list(group)
    left: list[LeftOut] = []

    def leave(foreign: Callable[[SliceHeader], str | None]) -> None:
        reasons = [foreign(header) for header in kept]
        if all(reasons):
            return
        left.extend(LeftOut(h, reason) for h, reason in zip(kept, reasons, strict=True) if reason)
        kept[:] = [h for h, reason in zip(kept, reasons, strict=True) if not reason]

    def leave_few(key: Callable[[SliceHeader], Hashable], reason: Callable[[SliceHeader, SliceHeader], str]) -> None:
        usual, number = Counter(map(key, kept)).most_common(1)[0]
        if len(kept) - number <= MOST_FOREIGN * len(kept):
            example = next(h for h in kept if key(h) == usual)
            leave(lambda h: None if key(h) == usual else reason(h, example))

    leave(lambda h: "is a localizer (scout view)" if is_scout(h) else None)
    leave(lambda h: "is a page of text or a screenshot" if _PAGE_WORDS & set(h.image_type) else None)
    leave(lambda h: "is a colour picture" if h.samples != 1 else None)
    leave_few(lambda h: h.modality, lambda h, _: f"is {h.modality or 'of unknown modality'}")
    leave_few(lambda h: h.sop_class, lambda *_: "is of another kind than the others (a screenshot, for example)")
    leave_few(lambda h: h.frames > 1, lambda *_: "holds several frames")
    leave_few(
        lambda h: (h.rows, h.columns),
        lambda h, like: f"has {h.columns} x {h.rows} pixels where the others have {like.columns} x {like.rows}",
    )
    leave_few(lambda h: h.bits, lambda h, like: f"has pixels of {h.bits} bits where the others have {like.bits}")
    leave_few(lambda h: "SECONDARY" in h.image_type[1:2], lambda *_: "is a secondary image among primary ones")
    leave_few(lambda h: h.position is None, lambda *_: "does not say where it lies in the patient")
    direction = _usual(kept, lambda h: h.orientation, 0.02)
    if direction is not None:
        leave_few(
            lambda h: h.orientation is None or _near(h.orientation, direction, SAME_DIRECTION),
            lambda *_: "lies in another plane than the others",
        )
    spacing = _usual(kept, lambda h: h.pixel_spacing, 1e-3)
    if spacing is not None:
        leave_few(
            lambda h: h.pixel_spacing is None or _near(h.pixel_spacing, spacing, 1e-3 * max(spacing)),
            lambda *_: "has another pixel spacing than the others",
        )
    return [_completed(h, direction, spacing) for h in kept], tuple(left)


def _usual(
    headers: list[SliceHeader], value: Callable[[SliceHeader], tuple[float, ...] | None], step: float
) -> tuple[float, ...] | None:
    """The value that most headers share within `step`, if only few lack it."""
    stated = [v for v in map(value, headers) if v is not None]
    if len(stated) < (1 - MOST_FOREIGN) * len(headers) or not stated:
        return None
    ((common, _),) = Counter(tuple(round(x / step) for x in v) for v in stated).most_common(1)
    return next(v for v in stated if tuple(round(x / step) for x in v) == common)


def _near(a: tuple[float, ...], b: tuple[float, ...], tolerance: float) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= tolerance


def _completed(header: SliceHeader, direction: tuple[float, ...] | None, spacing: tuple[float, ...] | None) -> SliceHeader:
    orientation, pixel_spacing = header.orientation or direction, header.pixel_spacing or spacing
    return replace(header, orientation=orientation, pixel_spacing=pixel_spacing)


def completed_findings(group: list[SliceHeader], kept: list[SliceHeader]) -> tuple[Finding, ...]:
    """A warning where slices got the orientation or pixel spacing of the others."""
    before = {(h.path, h.frame): h for h in group}
    filled = sum(before[h.path, h.frame] != h for h in kept)
    if not filled:
        return ()
    how = "state neither" if filled > 1 else "states neither"
    sentence = (
        f"{filled} slice{'s' if filled > 1 else ''} of the series {how} orientation nor pixel spacing in full; those of the "
        "other slices were taken."
    )
    return (warning("completed_headers", sentence),)


def without_strays(headers: list[SliceHeader], levels: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, tuple[LeftOut, ...]]:
    """Which of the slices in order belong to one stack by their positions (bool ``[n]``), and those that do not.

    The latter are single images that lie beside the stack or far beyond its end. `levels` float ``[n]`` are in mm, rising;
    `shifts` float ``[n, 2]`` are in mm within the plane.
    """
    keep = np.ones(len(levels), bool)
    reasons: dict[int, str] = {}
    intervals = np.diff(levels)
    steps = intervals > 0.01
    if np.count_nonzero(steps) < 3:
        return keep, ()
    slope = np.median(np.diff(shifts, axis=0)[steps] / intervals[steps, None], axis=0)
    rest = shifts - levels[:, None] * slope
    off = np.abs(rest - np.median(rest, axis=0)).max(axis=1)
    beside = np.flatnonzero(off > LARGEST_SHIFT_MM)
    if len(beside) <= max(1, 0.05 * len(levels)):
        reasons.update({int(k): f"lies {off[k]:.0f} mm beside the others" for k in beside})
    usual = float(np.median(intervals[steps]))
    for k in range(MOST_DETACHED):
        for gap, loose in ((k, range(k + 1)), (len(intervals) - 1 - k, range(len(levels) - 1 - k, len(levels)))):
            if intervals[gap] > max(DETACHED_MM, DETACHED_INTERVALS * usual):
                reasons.update({i: f"lies {intervals[gap]:.0f} mm away from the others" for i in loose})
    keep[list(reasons)] = False
    return keep, tuple(LeftOut(headers[k], reason) for k, reason in sorted(reasons.items()))


def left_out_findings(left: tuple[LeftOut, ...]) -> tuple[Finding, ...]:
    """A warning that says which images were left out and why, by number, since file names may contain the patient's name."""
    if not left:
        return ()
    is_single = len(left) == 1
    sentence = (
        f"{len(left)} image{'' if is_single else 's'} of the series {'was' if is_single else 'were'} left out: {_listed(left)}."
    )
    return (warning("images_left_out", sentence),)


def _listed(left: tuple[LeftOut, ...]) -> str:
    reasons: dict[str, list[str]] = {}
    for image in left:
        number = image.header.instance_number
        reasons.setdefault(image.reason, []).append("without number" if number is None else f"number {number}")
    parts = [f"{_images(numbers)} {reason}" for reason, numbers in reasons.items()]
    return "; ".join(parts[:4])


def _images(numbers: list[str]) -> str:
    """Images as a singular subject, to match the reason: "image number 5", "each of the images number 5 and number 6"."""
    if len(numbers) == 1:
        return f"image {numbers[0]}"
    named, more = numbers[:4], len(numbers) - 4
    last = f"{more} more" if more > 0 else named.pop()
    return f"each of the images {', '.join(named)} and {last}"


def refusing(sentence: str, left: tuple[LeftOut, ...]) -> InputError:
    """A refusal that also names the images left out, which may be the missing ones. `sentence` ends without a full stop."""
    return InputError(f"{sentence}{f' (left out: {_listed(left)})' if left else ''}.")
