"""From the slices of one DICOM series to a regular volume: order, gaps, intervals, gantry tilt, rescaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..findings import Finding, warning
from .dicom_series import FEWEST_SLICES, SliceHeader
from .straightening import straighten
from .volume import CTVolume, Geometry

FINEST_INTERVAL_MM = 1.0
LARGEST_GAP_MM = 10.0
IGNORED_TILT_DEGREES = 0.5
# Beyond this the positions are wrong rather than the gantry tilted: gantries stop at 30 degrees.
LARGEST_TILT_DEGREES = 35.0
HEIGHTS_M = (1.0, 2.3)


@dataclass(frozen=True)
class Stack:
    """Slices in order along their normal.

    `levels` float ``[n]`` is the distance of each slice along the normal in mm, `shifts` float ``[n, 2]`` what its
    first pixel lies off the first slice's along (row direction, column direction) in mm, `frame` ``[3, 3]`` has row
    direction, column direction and normal as columns.
    """

    headers: tuple[SliceHeader, ...]
    levels: np.ndarray
    shifts: np.ndarray
    frame: np.ndarray

    @property
    def spacing(self) -> tuple[float, float]:
        """Pixel spacing (x, y) in mm."""
        rows, columns = self.headers[0].pixel_spacing or (0.0, 0.0)
        return columns, rows


def read_stack(headers: Sequence[SliceHeader]) -> CTVolume:
    """Read the slices of one CT series.

    Missing slices are refused. Intervals that change between parts of a scan are legitimate and interpolated linearly
    to the finest one, but not finer than 1 mm. A gantry tilt of at least half a degree is corrected. Either is told in
    the findings.

    Raises:
        InputError: the slices do not make one volume or cannot be decoded.
    """
    stack = sorted_stack(headers)
    findings = list(_copies(headers, stack))
    check_missing(stack.levels)
    height_m, height_findings = patient_height(stack.headers[0].height)
    tilt = stack_tilt_degrees(stack)
    geometry = _geometry(stack)
    hu = np.empty(geometry.shape, dtype=np.int16)
    for k, header in enumerate(stack.headers):
        hu[k] = _read_slice(header)
    if tilt >= IGNORED_TILT_DEGREES:
        hu, geometry = straighten(hu, stack.shifts, geometry)
        sentence = f"The gantry was tilted by {tilt:.1f} degrees; the slices were shifted back by interpolation."
        findings.append(warning("gantry_tilt", sentence))
    else:
        findings.extend(_header_tilt(stack))
    intervals = np.diff(stack.levels)
    interval = float(intervals.mean())
    regular = np.linspace(stack.levels[0], stack.levels[-1], len(stack.levels))
    if np.abs(stack.levels - regular).max() > max(0.1, 0.1 * interval):
        interval = max(FINEST_INTERVAL_MM, float(intervals.min()))
        hu = interpolate_slices(hu, stack.levels, interval)
        sentence = (
            f"The slice interval varies from {intervals.min():.2f} to {intervals.max():.2f} mm; the scan was "
            f"interpolated to {interval:.2f} mm, and the results are on these slices."
        )
        findings.append(warning("mixed_intervals", sentence))
    x, y, _ = geometry.size
    geometry = replace(geometry, size=(x, y, len(hu)), spacing=(geometry.spacing[0], geometry.spacing[1], interval))
    return CTVolume(hu, geometry, height_m, (*findings, *height_findings))


def sorted_stack(headers: Sequence[SliceHeader]) -> Stack:
    """Order the slices along their normal; copies of the same image are dropped.

    Raises:
        InputError: geometry is absent or differs between slices, or different images share a position.
    """
    unique = list({header.instance_uid: header for header in headers}.values())
    first = unique[0]
    if any(h.position is None or h.orientation is None or h.pixel_spacing is None for h in unique):
        raise InputError(
            "Some slices of the series do not say where they lie in the patient; export the original axial series "
            "again."
        )
    if any((h.rows, h.columns) != (first.rows, first.columns) for h in unique):
        raise InputError("The slices of the series differ in size; choose a series of a single reconstruction.")
    spacings = np.array([h.pixel_spacing for h in unique])
    if not np.isfinite(spacings).all() or spacings.min() <= 0:
        raise InputError("The series has a pixel spacing of zero or less; export it again with its spacing.")
    if np.abs(spacings - spacings[0]).max() > 1e-3 * spacings[0].max():
        raise InputError(
            "The slices of the series differ in pixel spacing; choose a series of a single reconstruction."
        )
    orientations = np.array([h.orientation for h in unique])
    positions = np.array([h.position for h in unique])
    if not (np.isfinite(orientations).all() and np.isfinite(positions).all()):
        raise InputError("Slice positions of the series are not numbers; export the series again.")
    if np.abs(orientations - orientations[0]).max() > 5e-3:
        raise InputError("The slices of the series differ in orientation; choose a series of parallel slices.")
    frame = _frame(orientations[0])
    local = (positions - positions[0]) @ frame
    order = np.argsort(local[:, 2], kind="stable")
    local = local[order]
    gaps = np.diff(local[:, 2])
    doubled = int(np.count_nonzero(gaps < 0.01))
    if doubled:
        raise InputError(
            f"Two different images lie at {doubled} slice position{'s' if doubled > 1 else ''} of the series; choose "
            "a series with a single acquisition and reconstruction."
        )
    return Stack(tuple(unique[i] for i in order), local[:, 2], local[:, :2] - local[0, :2], frame)


def _frame(orientation: np.ndarray) -> np.ndarray:
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(float(row @ column)) > 0.02:
        raise InputError("The slice orientation of the series is not valid; export the series again.")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _geometry(stack: Stack) -> Geometry:
    first = stack.headers[0]
    assert first.position is not None  # held by sorted_stack
    x, y, z = first.position
    rows = [(float(a), float(b), float(c)) for a, b, c in stack.frame]
    interval = float(np.diff(stack.levels).mean())
    return Geometry(
        (first.columns, first.rows, len(stack.headers)),
        (*stack.spacing, interval),
        (x, y, z),
        (rows[0], rows[1], rows[2]),
    )


def check_missing(levels: np.ndarray) -> None:
    """Refuse a stack with missing slices, `levels` float ``[n]`` being their positions in mm.

    A part of a scan with another interval has several equal intervals in a row; one or two intervals that are at least
    1.6 times as large as those before and after are slices that were lost.

    Raises:
        InputError: slices are missing, or two neighbours are more than 10 mm apart.
    """
    if len(levels) < FEWEST_SLICES:
        raise InputError(f"The series has only {len(levels)} slices; at least {FEWEST_SLICES} are needed.")
    intervals = np.diff(levels)
    runs: list[tuple[int, int]] = []
    for i, interval in enumerate(intervals):
        if runs and abs(interval - intervals[runs[-1][0]]) <= max(0.05, 0.1 * intervals[runs[-1][0]]):
            runs[-1] = (runs[-1][0], i + 1)
        else:
            runs.append((i, i + 1))
    missing, places = 0, []
    for r, (start, end) in enumerate(runs):
        beside = [intervals[runs[n][0]] for n in (r - 1, r + 1) if 0 <= n < len(runs)]
        if end - start > 2 or not beside or intervals[start] < 1.6 * max(beside):
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


def stack_tilt_degrees(stack: Stack) -> float:
    """The angle between the direction of stacking and the slices' normal.

    Raises:
        InputError: the slices are shifted irregularly, or more than a gantry tilts.
    """
    span = float(stack.levels[-1] - stack.levels[0])
    slope = stack.shifts[-1] / span
    tilt = math.degrees(math.atan(float(np.hypot(*slope))))
    # Tables sag and reconstructions are recentred by a pixel or two at most.
    if np.abs(stack.shifts - np.outer(stack.levels - stack.levels[0], slope)).max() > 3.0:
        raise InputError(
            "The slices of the series are shifted against each other; choose a series of a single reconstruction."
        )
    if tilt > LARGEST_TILT_DEGREES:
        raise InputError(
            f"The slices are stacked at {tilt:.0f} degrees to their normal; export the axial series again."
        )
    return tilt


def interpolate_slices(hu: np.ndarray, levels: np.ndarray, interval: float) -> np.ndarray:
    """Slices int16 ``[z, y, x]`` at irregular `levels` (mm, rising) linearly interpolated to a regular `interval`."""
    targets = np.arange(levels[0], levels[-1] + 1e-3 * interval, interval)
    below = np.clip(np.searchsorted(levels, targets, side="right") - 1, 0, len(levels) - 2)
    weights = np.clip((targets - levels[below]) / (levels[below + 1] - levels[below]), 0.0, 1.0)
    result = np.empty((len(targets), *hu.shape[1:]), dtype=np.int16)
    for k, (i, weight) in enumerate(zip(below, weights.astype(np.float32), strict=True)):
        result[k] = np.rint(hu[i] * (np.float32(1) - weight) + hu[i + 1] * weight)
    return result


def patient_height(value: float | None) -> tuple[float | None, tuple[Finding, ...]]:
    """The height in metres of a header's value, and a finding where the value is impossible. Zero stands for unknown."""
    if value is None or value == 0:
        return None, ()
    if HEIGHTS_M[0] <= value <= HEIGHTS_M[1]:
        return value, ()
    sentence = f"The patient's height in the header, {value:g} m, is impossible and was ignored."
    return None, (warning("impossible_height", sentence),)


def _copies(headers: Sequence[SliceHeader], stack: Stack) -> tuple[Finding, ...]:
    copies = len(headers) - len(stack.headers)
    if not copies:
        return ()
    sentence = f"{copies} slice file{'s are copies' if copies > 1 else ' is a copy'} of another and did not count."
    return (warning("copied_slices", sentence),)


def _header_tilt(stack: Stack) -> tuple[Finding, ...]:
    named = abs(stack.headers[0].gantry_tilt)
    shown = math.degrees(math.acos(min(1.0, float(np.abs(stack.frame[2, 2])))))
    if named < IGNORED_TILT_DEGREES or abs(named - shown) < 1.0:
        return ()
    sentence = (
        f"The header names a gantry tilt of {named:.1f} degrees that the slice positions do not show; check that the "
        "body does not look sheared."
    )
    return (warning("unseen_tilt", sentence),)


def _read_slice(header: SliceHeader) -> np.ndarray:
    """One slice int16 ``[y, x]`` in HU, with its own rescale slope and intercept applied."""
    from .hounsfield import read_image, to_hu

    image = read_image(header.path)
    if image is None:
        compressed = header.syntax and "Endian" not in header.syntax
        how = f" ({header.syntax})" if compressed else ""
        what = (
            "its compression cannot be decoded here; export the series uncompressed"
            if compressed
            else "it is damaged or cut short; copy or export the series again"
        )
        raise InputError(f"The slice {header.path.name} cannot be read{how}: {what}.")
    import SimpleITK as sitk

    array = sitk.GetArrayViewFromImage(image)
    if image.GetNumberOfComponentsPerPixel() != 1 or array.size != header.rows * header.columns:
        raise InputError(
            f"The slice {header.path.name} is not a grey image of the series' size; export the series again."
        )
    return to_hu(array.reshape(1, header.rows, header.columns), header.path.name)[0]
