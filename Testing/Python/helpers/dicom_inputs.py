"""DICOM series of one small scan, each with something odd that reading must see through; see `test_dicom_inputs`.

Every entry writes the scan `SCAN` into an empty folder. It must be read as the plain series is, with findings of the
codes that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from ct_scans import two_thighs, write_dicom
from pydicom.dataset import Dataset

INTERVAL = 3.0
SLICES = 24
Edit = Callable[[int, Dataset], None]


def _scan() -> np.ndarray:
    """Thighs that drift backwards from slice to slice, so that no slice is like another; none of it below -1024 HU."""
    hu = np.maximum(two_thighs(SLICES, columns=122), -1024)
    return np.stack([np.roll(section, k // 2 - 6, axis=0) for k, section in enumerate(hu)])


SCAN = _scan()
Y, X = np.mgrid[: SCAN.shape[1], : SCAN.shape[2]]
OUTSIDE = np.hypot((X - 60.5) / 61, (Y - 31.5) / 32) > 1.15


@dataclass(frozen=True)
class DicomInput:
    """One odd series; `expected` is what must be read (HU ``[z, y, x]``), SCAN itself where it is None."""

    name: str
    make: Callable[[Path], Path]
    codes: frozenset[str] = frozenset()
    expected: np.ndarray | None = None
    tolerance: int = 0


def plain(folder: Path, **options: Any) -> Path:
    """The scan as a flawless series."""
    return write_dicom(folder / "series", SCAN, **{"levels": INTERVAL * np.arange(SLICES), **options})


def case(name: str, *codes: str, expected: np.ndarray | None = None, tolerance: int = 0, **options: Any) -> DicomInput:
    return DicomInput(name, lambda folder: plain(folder, **options), frozenset(codes), expected, tolerance)


def each(**tags: Any) -> Edit:
    def edit(_: int, data: Dataset) -> None:
        for tag, value in tags.items():
            setattr(data, tag, value)

    return edit


def without(*tags: str) -> Edit:
    def edit(_: int, data: Dataset) -> None:
        for tag in tags:
            if tag in data:
                delattr(data, tag)

    return edit


def stored_as(
    kind: str = "u2",
    bits: int = 16,
    high: int | None = None,
    stated_signed: bool = False,
    change: Callable[[int, np.ndarray], np.ndarray] = lambda k, values: values,
    **tags: Any,
) -> Edit:
    """Stored values (HU + 1024) as cells of a kind; padding tags are given as (value representation, value)."""

    def edit(k: int, data: Dataset) -> None:
        values = np.frombuffer(data.PixelData, "<i2").astype(np.int64).reshape(data.Rows, data.Columns)
        cells = change(k, values)
        data.PixelData = cells.astype(kind).tobytes()
        data.BitsAllocated, data.BitsStored = 8 * np.dtype(kind).itemsize, bits
        data.HighBit, data.PixelRepresentation = bits - 1 if high is None else high, int(stated_signed)
        for tag, value in tags.items():
            if isinstance(value, tuple):
                data.add_new(pydicom.datadict.tag_for_keyword(tag), *value)
            else:
                setattr(data, tag, value)

    return edit


def syntax(uid: str) -> Edit:
    def edit(_: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)

    return edit


def only_some(edit: Edit, *chosen: int) -> Edit:
    return lambda k, data: edit(k, data) if k in chosen else None


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        series = plain(folder)
        for path in series.iterdir():
            path.write_bytes(change(path.read_bytes()))
        return series

    return make


def both(*edits: Edit) -> Edit:
    def edit(k: int, data: Dataset) -> None:
        for one in edits:
            one(k, data)

    return edit


def uid_of(series: Path) -> str:
    return str(pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True).SeriesInstanceUID)
