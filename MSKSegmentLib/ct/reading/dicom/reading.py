"""A volume from the slices of one DICOM series of CT or MR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from ...checks.interpolated import interpolation_findings
from ...dicom_source import DicomSource, SourceSlice
from ...modality import BEYOND_SCAN, CT_MODALITY
from ...volume import CTVolume, Geometry
from ..straightening import straighten, tilt_finding
from .foreign import LeftOut, left_out_findings, refusing
from .intervals import check_missing, interpolate_slices, interval_findings, regular_grid
from .mr_pixels import comparable, mr_pixels
from .pixels import PixelNotes, pixel_findings, slice_pixels
from .rescaling import mend_rescaling
from .series import Series
from .slice_header import SliceHeader
from .stack import SAME_LEVEL_MM, Stack, sorted_stack, stack_tilt_degrees, without_copies
from .statements import (
    IGNORED_TILT_DEGREES,
    alternating_acquisitions,
    alternation_findings,
    check_order,
    frame_findings,
    interval_contradictions,
    skipped_findings,
    tilt_findings,
)
from .stored import LOOSE_TYPES, OpenFiles, read_stored, rescaling

HEIGHTS_M = (1.0, 2.3)


def read_series(series: Series) -> CTVolume:
    """Read the slices of one series of CT or MR.

    Copies and foreign images are left out. Missing slices are refused. Slices at irregular intervals are interpolated linearly to
    the prevailing interval, but not below 1 mm. A gantry tilt of at least half a degree is corrected. The findings report
    all of it.

    Raises:
        InputError: the slices do not make one volume or cannot be decoded.
    """
    stack, strays = sorted_stack(series.slices)
    left = (*series.left_out, *strays)
    findings = [*series.findings, *left_out_findings(strays)]
    modality = stack.headers[0].modality
    is_ct = modality == CT_MODALITY
    hu, notes, rescaled = _pixels(stack) if is_ct else (mr_pixels(stack), [], ())
    keep = without_copies(stack, hu, left)
    if not keep.all():
        findings.append(_copies(int(np.count_nonzero(~keep))))
        notes = [note for note, kept in zip(notes, keep, strict=True) if kept] if notes else []
        stack, hu = stack.part(keep), hu[keep]
    _check_complete(stack, left)
    check_order(stack.headers, hu if is_ct else comparable(hu))
    tilt = stack_tilt_degrees(stack)
    grid = regular_grid(stack.levels)
    geometry = stack.geometry(grid.first, grid.interval)
    findings += rescaled
    findings += pixel_findings(notes, geometry.spacing[0] * geometry.spacing[1], grid.interval)
    findings += frame_findings(stack.headers)
    findings += skipped_findings(stack.headers, stack.levels)
    findings += interval_contradictions(stack.headers, stack.levels, tilt)
    if is_ct:
        # Neighbouring slices of MR are often excited in an interleaved order and differ in brightness for that reason.
        findings += alternation_findings(stack.headers, stack.levels, hu)
    if tilt >= IGNORED_TILT_DEGREES:
        hu, geometry = straighten(hu, stack.shifts, geometry, BEYOND_SCAN[modality])
        findings.append(tilt_finding(tilt))
    else:
        findings += tilt_findings(stack.headers, stack.frame)
    if grid.moved:
        brought = interval_findings(stack.levels, grid)
        findings += brought
        if is_ct and all(finding.code != "interpolated" for finding in brought):
            findings += interpolation_findings(hu, stack.levels)
        hu = interpolate_slices(hu, stack.levels, grid.levels)
    height_m, height_findings = patient_height(stack.headers[0].height)
    geometry = replace(geometry, size=(geometry.size[0], geometry.size[1], len(hu)))
    found = (*findings, *height_findings)
    return CTVolume(hu, geometry, height_m, found, grid.moved, _source(stack), modality)


def _source(stack: Stack) -> DicomSource | None:
    """The slices of a stack as results refer to them; None if a file lacks its UIDs."""
    first = stack.headers[0]
    if not all((first.study_uid, first.series_uid, *(h.instance_uid for h in stack.headers))):
        return None
    slices = []
    for header in stack.headers:
        assert header.position is not None and header.orientation is not None  # held by sorted_stack
        x, y, z = header.position
        slices.append(SourceSlice(header.path, header.instance_uid, header.frame, (x, y, z), header.orientation))
    return DicomSource(first.study_uid, first.series_uid, tuple(slices))


def series_grid(series: Series) -> Geometry:
    """The grid of one series by its headers alone, before a gantry tilt is corrected; slices at one level count once.

    Raises:
        InputError: the slices do not make one volume.
    """
    stack, strays = sorted_stack(series.slices)
    stack = stack.part(np.diff(stack.levels, prepend=-np.inf) >= SAME_LEVEL_MM)
    _check_complete(stack, (*series.left_out, *strays))
    stack_tilt_degrees(stack)
    grid = regular_grid(stack.levels)
    geometry = stack.geometry(grid.first, grid.interval)
    return replace(geometry, size=(*geometry.size[:2], grid.count))


def _pixels(stack: Stack) -> tuple[np.ndarray, list[PixelNotes], tuple[Finding, ...]]:
    """HU int16 ``[z, y, x]`` of a stack, the notes on each slice's pixels, and findings on the rescaling."""
    pairs, lacking = rescaling(stack.headers)
    first, files = stack.headers[0], OpenFiles()
    hu, notes = np.empty((len(pairs), first.rows, first.columns), np.int16), []
    for k, (header, pair) in enumerate(zip(stack.headers, pairs, strict=True)):
        hu[k], note = slice_pixels(read_stored(header, *pair, files))
        notes.append(note)
    # Slices without rescaling get that of the others, which then all have the same.
    mended = mend_rescaling(
        stack.headers, pairs, hu, notes, lambda k, pair: slice_pixels(read_stored(stack.headers[k], *pair, files))
    )
    if not lacking:
        return hu, notes, (*mended, *_type_findings(stack.headers))
    if lacking == len(pairs):
        sentence = (
            "The series states no rescale slope and intercept; its stored values were taken for Hounsfield units, so check that "
            "air is near -1000 and muscle near 50."
        )
    else:
        sentence = (
            f"{lacking} of {len(pairs)} slices of the series state no rescale slope and intercept; those of the others were taken."
        )
    return hu, notes, (warning("assumed_rescaling", sentence),)


def _type_findings(headers: tuple[SliceHeader, ...]) -> tuple[Finding, ...]:
    kinds = {h.rescale_type for h in headers} & LOOSE_TYPES
    if not kinds:
        return ()
    sentence = (
        f'The header calls the values "{sorted(kinds)[0]}" and not plain Hounsfield units; they were taken for these, so check the '
        "densities."
    )
    return (warning("assumed_rescaling", sentence),)


def _check_complete(stack: Stack, left: tuple[LeftOut, ...]) -> None:
    """Refuse missing slices; where two acquisitions alternate, check each by itself."""
    parts = alternating_acquisitions(stack.headers, stack.levels) or [np.arange(len(stack.levels))]
    for part in parts:
        try:
            check_missing(stack.levels[part])
        except InputError as error:
            raise refusing(str(error).rstrip("."), left) from None


def _copies(copies: int) -> Finding:
    sentence = f"{copies} slice file{'s are copies' if copies > 1 else ' is a copy'} of another and did not count."
    return warning("copied_slices", sentence)


def patient_height(value: float | None) -> tuple[float | None, tuple[Finding, ...]]:
    """The height in metres from a header's value, and a finding if the value is impossible. Zero means unknown."""
    if value is None or value == 0:
        return None, ()
    if HEIGHTS_M[0] <= value <= HEIGHTS_M[1]:
        return value, ()
    sentence = f"The patient's height in the header, {value:g} m, is impossible and was ignored."
    return None, (warning("impossible_height", sentence),)
