"""Odd pixels: padding, sign and bits, overlays, transfer syntaxes, rescaling; see `dicom_inputs`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from dicom_inputs import (
    OUTSIDE,
    SCAN,
    DicomInput,
    Edit,
    X,
    Y,
    both,
    case,
    each,
    only_some,
    plain,
    rewritten,
    stored_as,
    syntax,
    without,
)
from pydicom.dataset import Dataset


def _padded(value: int, mask: np.ndarray = OUTSIDE) -> Callable[[int, np.ndarray], np.ndarray]:
    return lambda k, values: np.where(mask, value, values)


PADDED = np.where(OUTSIDE, -1024, SCAN).astype(np.int16)
_BLOCK = np.zeros_like(OUTSIDE)
_BLOCK[26:38, 20:34] = True
_HOLED = np.where(_BLOCK, -1024, SCAN).astype(np.int16)
_BALL = np.rint(5200 * np.exp(-((X - 27) ** 2 + (Y - 32) ** 2) / 60)).astype(int)
_BONE = np.maximum(SCAN, _BALL // 2).astype(np.int16)
_METAL = np.maximum(SCAN, _BALL).astype(np.int16)
_TAG, _LIMIT = "PixelPaddingValue", "PixelPaddingRangeLimit"
_TEXT = (Y % 9 == 4) & (X % 5 < 2)


def _range(k: int, values: np.ndarray) -> np.ndarray:
    return np.where(OUTSIDE, 63536 + (X + Y + k) % 500, values)


def _overlaid(declared: bool) -> Edit:
    edit = stored_as(bits=12, change=lambda k, values: values | np.where(_TEXT, 1 << 15, 0))

    def with_overlay(k: int, data: Dataset) -> None:
        edit(k, data)
        if declared:
            data.add_new(0x60000010, "US", data.Rows)
            data.add_new(0x60000011, "US", data.Columns)
            data.add_new(0x60000040, "CS", "G")
            data.add_new(0x60000050, "SS", [1, 1])
            data.add_new(0x60000100, "US", 16)
            data.add_new(0x60000102, "US", 15)

    return with_overlay


def _jpeg_2000(k: int, data: Dataset) -> None:
    values = np.frombuffer(data.PixelData, "<i2").reshape(data.Rows, data.Columns)
    with tempfile.TemporaryDirectory() as folder:
        writer = sitk.ImageFileWriter()
        writer.SetUseCompression(True)
        writer.SetFileName(str(Path(folder, "a.dcm")))
        writer.Execute(sitk.GetImageFromArray(values[None]))
        written = pydicom.dcmread(Path(folder, "a.dcm"))
    data.file_meta.TransferSyntaxUID = written.file_meta.TransferSyntaxUID
    assert "JPEG 2000" in written.file_meta.TransferSyntaxUID.name
    data.PixelData = written.PixelData
    data["PixelData"].is_undefined_length = True


def _big_endian(k: int, data: Dataset) -> None:
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    data.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()


def _unknown_syntax(folder: Path) -> Path:
    return rewritten(lambda content: content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.10", 1))(folder)


def _ge_private(folder: Path) -> Path:
    def edit(k: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        data.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()

    series = plain(folder, edit=edit)
    for path in series.iterdir():
        # Both names have an even length, so that no other byte moves.
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2\0", b"1.2.840.113619.5.2", 1))
    return series


def _raw_hu(k: int, data: Dataset) -> None:
    stored_as("i2", stated_signed=True, change=lambda _, values: values - 1024)(k, data)
    without("RescaleSlope", "RescaleIntercept", "RescaleType")(k, data)


def _specks(value: int) -> Callable[[int, np.ndarray], np.ndarray]:
    """Single pixels and a pair in the air, in every second slice."""
    return lambda k, values: np.where(_SPECKS & (k % 2 == 0), value, values)


def _speckled(hu: int, scan: np.ndarray = SCAN) -> np.ndarray:
    speckled = scan.copy()
    speckled[::2, _SPECKS] = hu
    return speckled


_SPECKS = np.zeros_like(OUTSIDE)
_SPECKS[[2, 3, 60, 30], [40, 41, 61, 60]] = True
_AS_HU = stored_as("i2", stated_signed=True, change=lambda k, v: v - 1024, RescaleIntercept=0)
_CLIP = np.where((np.hypot(X - 27, Y - 32) < 4)[None], 18_000, SCAN).astype(np.int16)


PIXELS = [
    case("another intercept in one slice", "contradicting_rescaling", edit=only_some(each(RescaleIntercept=0), 7)),
    case(
        "another intercept in a few slices stored as HU",
        "contradicting_rescaling",
        edit=both(_AS_HU, only_some(each(RescaleIntercept=-1024), 0, 7, 8, 23)),
    ),
    case("twice the slope in one slice", "contradicting_rescaling", edit=only_some(each(RescaleSlope=2), 11)),
    case("half the slope at the end", "contradicting_rescaling", edit=only_some(each(RescaleSlope=0.5), 22, 23)),
    case(
        "twice the slope in a slice stored as HU",
        "contradicting_rescaling",
        edit=both(_AS_HU, only_some(each(RescaleSlope=2), 5)),
    ),
    case("another intercept that fits in one slice", rescale=lambda k: (1.0, 0.0 if k == 7 else -1024.0)),
    case("another slope that fits in a few", rescale=lambda k: (2.0 if k in (0, 9) else 1.0, -1024.0), tolerance=1),
    case("intercepts in two parts that fit", rescale=lambda k: (1.0, 0.0 if k < 12 else -1024.0)),
    case("wrapped 16 bits", "wrapped_values", edit=stored_as(change=_specks(65531)), expected=_speckled(-1029)),
    case("wrapped 15 bits", "wrapped_values", edit=stored_as(bits=15, change=_specks(32767)), expected=_speckled(-1025)),
    case(
        "wrapped beyond 12 bits",
        "wrapped_values",
        edit=stored_as(bits=12, change=_specks(65531)),
        expected=_speckled(-1029),
    ),
    case("specks of metal in 12 bits", edit=stored_as(bits=12, change=_specks(4095)), expected=_speckled(3071)),
    case(
        "specks on an extended scale",
        rescale=lambda k: (10.0, -10240.0),
        edit=stored_as(bits=12, change=_specks(4095)),
        expected=_speckled(30710),
        tolerance=5,
    ),
    case(
        "clipped metal in 16 bits and wrapped air",
        "wrapped_values",
        edit=stored_as(change=lambda k, v: _specks(65535)(k, np.where(_CLIP[k] == 18_000, 19_024, v))),
        expected=_speckled(-1025, _CLIP),
    ),
    case("clipped metal in 16 bits", edit=stored_as(change=lambda k, v: _CLIP[k] + 1024), expected=_CLIP),
    case("padding unsigned", edit=stored_as(change=_padded(63536), **{_TAG: ("US", 63536)}), expected=PADDED),
    case(
        "padding stated signed, pixels unsigned",
        edit=stored_as(change=_padded(63536), **{_TAG: ("SS", -2000)}),
        expected=PADDED,
    ),
    case(
        "padding stated unsigned, pixels signed",
        edit=stored_as("i2", stated_signed=True, change=_padded(-2000), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    case("padding range", edit=stored_as(change=_range, **{_TAG: ("US", 63536), _LIMIT: ("US", 64035)}), expected=PADDED),
    case(
        "padding range backwards",
        edit=stored_as(change=_range, **{_TAG: ("SS", -1501), _LIMIT: ("SS", -2000)}),
        expected=PADDED,
    ),
    case(
        "padding range over zero",
        edit=stored_as(change=_range, **{_TAG: ("US", 63536), _LIMIT: ("US", 0)}),
        expected=PADDED,
    ),
    case(
        "padding range over everything",
        "padding_range",
        edit=stored_as(change=_padded(4000), **{_TAG: ("US", 4000), _LIMIT: ("US", 0)}),
        expected=np.where(OUTSIDE, -1024, SCAN),
    ),
    case(
        "padding beyond the stored bits",
        edit=stored_as(bits=12, change=_padded(63536), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    case(
        "padding of 12 signed bits",
        edit=stored_as(
            "i2",
            bits=12,
            stated_signed=True,
            change=lambda k, v: np.where(OUTSIDE, -2000, v) & 0xFFF,
            **{_TAG: ("SS", -2000)},
        ),
        expected=PADDED,
    ),
    case("padding of air's value", edit=stored_as(change=_padded(0), **{_TAG: ("US", 0)}), expected=PADDED),
    case(
        "padding of muscle's value",
        "padding_kept",
        edit=stored_as(change=_padded(1074), **{_TAG: ("US", 1074)}),
        expected=PADDED,
    ),
    case("muscle's value called padding, no padding", edit=stored_as(**{_TAG: ("US", 1074)})),
    case(
        "padding in the body",
        "padding_in_body",
        edit=stored_as(change=_padded(63536, _BLOCK), **{_TAG: ("US", 63536)}),
        expected=_HOLED,
    ),
    case(
        "padding of muscle's value in the body",
        "padding_in_body",
        edit=stored_as(change=_padded(1074, _BLOCK), **{_TAG: ("US", 1074)}),
        expected=np.where(_BLOCK, 50, SCAN),
    ),
    case("padding not stated", "unstated_padding", edit=stored_as(change=_padded(6000)), expected=PADDED),
    case(
        "padding stated wrongly",
        "unstated_padding",
        edit=stored_as(change=_padded(6000), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    case(
        "signed pixels called unsigned",
        "pixel_layout",
        edit=stored_as("i2", change=lambda k, v: v - 1024, RescaleIntercept=0),
    ),
    case(
        "12 unsigned bits called signed",
        "pixel_layout",
        edit=stored_as(bits=12, stated_signed=True, change=lambda k, v: np.maximum(v, _BALL // 2 + 1024)),
        expected=_BONE,
    ),
    case(
        "values beyond the stated bits",
        "pixel_layout",
        edit=stored_as(bits=12, change=lambda k, v: np.maximum(v, _BALL + 1024)),
        expected=_METAL,
    ),
    case("12 bits high in the cell", edit=stored_as(bits=12, high=15, change=lambda k, v: v << 4)),
    case("impossible high bit", edit=stored_as(bits=16, high=19)),
    case("32 bits", edit=stored_as("u4", bits=32)),
    case("overlay in a high bit", edit=_overlaid(True)),
    case("overlay in a high bit, not stated", edit=_overlaid(False)),
    case("JPEG 2000", edit=_jpeg_2000),
    case("run lengths", edit=lambda k, data: data.compress(pydicom.uid.RLELossless)),
    case("big endian", edit=_big_endian),
    case("implicit", edit=syntax(pydicom.uid.ImplicitVRLittleEndian)),
    case("deflated", edit=syntax(pydicom.uid.DeflatedExplicitVRLittleEndian)),
    DicomInput("unknown private syntax", _unknown_syntax),
    DicomInput("private syntax with big-endian pixels", _ge_private),
    case("no rescaling, stored as HU", "assumed_rescaling", edit=_raw_hu),
    case(
        "no rescaling in three slices",
        "assumed_rescaling",
        edit=only_some(without("RescaleSlope", "RescaleIntercept"), 3, 4, 9),
    ),
    case("rescale slope of zero", "assumed_rescaling", edit=each(RescaleSlope=0)),
    case("rescale type unspecified", "assumed_rescaling", edit=each(RescaleType="US")),
    case("a slope per slice", rescale=lambda k: (0.5 + k % 3, -1024.0 - 8 * k), tolerance=2),
]
