"""The slices of one DICOM series in order along their normal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ...volume import Geometry
from ..straightening import LARGEST_TILT_DEGREES
from .foreign import LARGEST_SHIFT_MM, SAME_DIRECTION, LeftOut, refusing, without_strays
from .slice_header import SliceHeader

SAME_LEVEL_MM = 0.01


@dataclass(frozen=True)
class Stack:
    """Slices in order along their normal; several may lie at one level.

    `levels` float ``[n]`` is the distance of each slice along the normal in mm, `shifts` float ``[n, 2]`` the
    offset of its first pixel from that of the first slice along (row direction, column direction) in mm, `frame` ``[3, 3]`` has row
    direction, column direction and normal as columns.
    """

    headers: tuple[SliceHeader, ...]
    levels: np.ndarray
    shifts: np.ndarray
    frame: np.ndarray

    def part(self, chosen: np.ndarray) -> Stack:
        """The slices with these indices, or where a bool array is True."""
        headers = tuple(self.headers[i] for i in np.arange(len(self.headers))[chosen])
        shifts = self.shifts[chosen]
        return Stack(headers, self.levels[chosen], shifts - shifts[0], self.frame)

    def geometry(self, first_level: float, interval: float) -> Geometry:
        """The grid of these slices without their shifts, its slices at equal intervals (mm) from `first_level` on."""
        first = self.headers[0]
        assert first.position is not None and first.pixel_spacing is not None  # held by sorted_stack
        origin = np.asarray(first.position) + (first_level - self.levels[0]) * self.frame[:, 2]
        rows = [(float(a), float(b), float(c)) for a, b, c in self.frame]
        return Geometry(
            (first.columns, first.rows, len(self.headers)),
            (first.pixel_spacing[1], first.pixel_spacing[0], interval),
            (float(origin[0]), float(origin[1]), float(origin[2])),
            (rows[0], rows[1], rows[2]),
        )


def sorted_stack(headers: Sequence[SliceHeader]) -> tuple[Stack, tuple[LeftOut, ...]]:
    """Order the slices along their normal, and leave out single images that lie apart from the stack.

    Raises:
        InputError: geometry is absent or differs between slices.
    """
    _check_alike(headers)
    orientations = np.array([h.orientation for h in headers])
    if np.abs(orientations - orientations[0]).max() > 2 * SAME_DIRECTION:
        raise InputError("The slices of the series differ in orientation; choose a series of parallel slices.")
    frame = _frame(np.median(orientations, axis=0))
    positions = np.array([h.position for h in headers])
    local = (positions - positions[0]) @ frame
    order = np.argsort(local[:, 2], kind="stable")
    local = local[order]
    stack = Stack(tuple(headers[i] for i in order), local[:, 2], local[:, :2] - local[0, :2], frame)
    keep, strays = without_strays(list(stack.headers), stack.levels, stack.shifts)
    return stack.part(keep), strays


def _check_alike(headers: Sequence[SliceHeader]) -> None:
    first = headers[0]
    lacking = [
        what
        for what, missing in (
            ("position", any(h.position is None for h in headers)),
            ("orientation", any(h.orientation is None for h in headers)),
            ("pixel spacing", any(h.pixel_spacing is None for h in headers)),
        )
        if missing
    ]
    if lacking == ["pixel spacing"] and any(h.detector_spacing for h in headers):
        raise InputError(
            "The series states the pixel spacing at the detector only, which is not that in the patient; export the original "
            "axial series again."
        )
    if lacking:
        raise InputError(
            f"Slices of the series do not state their {' and '.join(lacking)} in the patient as numbers; export the original "
            "axial series again."
        )
    if any((h.rows, h.columns) != (first.rows, first.columns) for h in headers):
        raise InputError("The slices of the series differ in size; choose a series of a single reconstruction.")
    spacings = np.array([h.pixel_spacing for h in headers])
    if spacings.min() <= 0:
        raise InputError("The series has a pixel spacing of zero or less; export it again with its spacing.")
    if np.abs(spacings - spacings[0]).max() > 2e-3 * spacings[0].max():
        raise InputError("The slices of the series differ in pixel spacing; choose a series of a single reconstruction.")


def _frame(orientation: np.ndarray) -> np.ndarray:
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(float(row @ column)) > 0.02:
        raise InputError("The slice orientation of the series is not valid; export the series again.")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def without_copies(stack: Stack, hu: np.ndarray, left: tuple[LeftOut, ...]) -> np.ndarray:
    """Which slices to keep (bool ``[n]``) so that each level occurs once, `hu` int16 ``[n, y, x]`` being their pixels.

    Raises:
        InputError: different images lie at one level; the message also names `left`, which may explain it.
    """
    keep = np.ones(len(stack.levels), bool)
    clashes = set()
    for k in range(1, len(keep)):
        for j in range(k - 1, -1, -1):
            if stack.levels[k] - stack.levels[j] >= SAME_LEVEL_MM:
                break
            # Copies of one image may be rounded differently.
            if np.abs(hu[k].astype(np.int32) - hu[j]).max() <= 1:
                keep[k] = False
                break
        if keep[k]:
            before = int(np.flatnonzero(keep[:k])[-1])
            if stack.levels[k] - stack.levels[before] < SAME_LEVEL_MM:
                clashes.add(before)
    if clashes:
        raise refusing(
            f"Two different images lie at {len(clashes)} slice position{'s' if len(clashes) > 1 else ''} of the series; choose "
            "a series with a single acquisition and reconstruction",
            left,
        )
    return keep


def stack_tilt_degrees(stack: Stack) -> float:
    """The angle between the direction of stacking and the slices' normal.

    Raises:
        InputError: the slices are shifted irregularly, or more than a gantry tilts.
    """
    span = float(stack.levels[-1] - stack.levels[0])
    slope = stack.shifts[-1] / span
    tilt = math.degrees(math.atan(float(np.hypot(*slope))))
    if np.abs(stack.shifts - np.outer(stack.levels - stack.levels[0], slope)).max() > LARGEST_SHIFT_MM:
        raise InputError("The slices of the series are shifted against each other; choose a series of a single reconstruction.")
    if tilt > LARGEST_TILT_DEGREES:
        raise InputError(f"The slices are stacked at {tilt:.0f} degrees to their normal; export the axial series again.")
    return tilt
