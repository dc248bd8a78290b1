"""DICOM series of one small scan, each with something odd that reading must see through; see `test_dicom_inputs`.

Every entry writes the scan `SCAN` into an empty folder. It must be read as the plain series is, with findings of the
codes that it names.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from ct_scans import two_thighs, write_dicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

INTERVAL = 3.0
SLICES = 24
Edit = Callable[[int, Dataset], None]


def _scan() -> np.ndarray:
    """Thighs that drift backwards from slice to slice, so that no slice is like another; none of it below -1024 HU."""
    hu = np.maximum(two_thighs(SLICES, columns=122), -1024)
    return np.stack([np.roll(section, k // 2 - 6, axis=0) for k, section in enumerate(hu)])


SCAN = _scan()
_y, _x = np.mgrid[: SCAN.shape[1], : SCAN.shape[2]]
OUTSIDE = np.hypot((_x - 60.5) / 61, (_y - 31.5) / 32) > 1.15


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


def _case(name: str, *codes: str, expected: np.ndarray | None = None, tolerance: int = 0, **options: Any) -> DicomInput:
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


# Pixels


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


def _padded(value: int, mask: np.ndarray = OUTSIDE) -> Callable[[int, np.ndarray], np.ndarray]:
    return lambda k, values: np.where(mask, value, values)


PADDED = np.where(OUTSIDE, -1024, SCAN).astype(np.int16)
_BLOCK = np.zeros_like(OUTSIDE)
_BLOCK[26:38, 20:34] = True
_HOLED = np.where(_BLOCK, -1024, SCAN).astype(np.int16)
_BALL = np.rint(5200 * np.exp(-((_x - 27) ** 2 + (_y - 32) ** 2) / 60)).astype(int)
_BONE = np.maximum(SCAN, _BALL // 2).astype(np.int16)
_METAL = np.maximum(SCAN, _BALL).astype(np.int16)
_TAG, _LIMIT = "PixelPaddingValue", "PixelPaddingRangeLimit"
_TEXT = (_y % 9 == 4) & (_x % 5 < 2)


def _range(k: int, values: np.ndarray) -> np.ndarray:
    return np.where(OUTSIDE, 63536 + (_x + _y + k) % 500, values)


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


def _syntax(uid: str) -> Edit:
    def edit(_: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)

    return edit


def _unknown_syntax(folder: Path) -> Path:
    return _rewritten(lambda content: content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.10", 1))(folder)


def _ge_private(folder: Path) -> Path:
    def edit(k: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        data.PixelData = np.frombuffer(data.PixelData, "<i2").astype(">i2").tobytes()

    series = plain(folder, edit=edit)
    for path in series.iterdir():
        # Both names have an even length, so that no other byte moves.
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2\0", b"1.2.840.113619.5.2", 1))
    return series


def _only_some(edit: Edit, *chosen: int) -> Edit:
    return lambda k, data: edit(k, data) if k in chosen else None


def _raw_hu(k: int, data: Dataset) -> None:
    stored_as("i2", stated_signed=True, change=lambda _, values: values - 1024)(k, data)
    without("RescaleSlope", "RescaleIntercept", "RescaleType")(k, data)


PIXELS = [
    _case("padding unsigned", edit=stored_as(change=_padded(63536), **{_TAG: ("US", 63536)}), expected=PADDED),
    _case(
        "padding stated signed, pixels unsigned",
        edit=stored_as(change=_padded(63536), **{_TAG: ("SS", -2000)}),
        expected=PADDED,
    ),
    _case(
        "padding stated unsigned, pixels signed",
        edit=stored_as("i2", stated_signed=True, change=_padded(-2000), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    _case(
        "padding range", edit=stored_as(change=_range, **{_TAG: ("US", 63536), _LIMIT: ("US", 64035)}), expected=PADDED
    ),
    _case(
        "padding range backwards",
        edit=stored_as(change=_range, **{_TAG: ("SS", -1501), _LIMIT: ("SS", -2000)}),
        expected=PADDED,
    ),
    _case(
        "padding range over zero",
        edit=stored_as(change=_range, **{_TAG: ("US", 63536), _LIMIT: ("US", 0)}),
        expected=PADDED,
    ),
    _case(
        "padding range over everything",
        "padding_range",
        edit=stored_as(change=_padded(4000), **{_TAG: ("US", 4000), _LIMIT: ("US", 0)}),
        expected=np.where(OUTSIDE, -1024, SCAN),
    ),
    _case(
        "padding beyond the stored bits",
        edit=stored_as(bits=12, change=_padded(63536), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    _case(
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
    _case("padding of air's value", edit=stored_as(change=_padded(0), **{_TAG: ("US", 0)}), expected=PADDED),
    _case(
        "padding of muscle's value",
        "padding_kept",
        edit=stored_as(change=_padded(1074), **{_TAG: ("US", 1074)}),
        expected=PADDED,
    ),
    _case("muscle's value called padding, no padding", edit=stored_as(**{_TAG: ("US", 1074)})),
    _case(
        "padding in the body",
        "padding_in_body",
        edit=stored_as(change=_padded(63536, _BLOCK), **{_TAG: ("US", 63536)}),
        expected=_HOLED,
    ),
    _case(
        "padding of muscle's value in the body",
        "padding_in_body",
        edit=stored_as(change=_padded(1074, _BLOCK), **{_TAG: ("US", 1074)}),
        expected=np.where(_BLOCK, 50, SCAN),
    ),
    _case("padding not stated", "unstated_padding", edit=stored_as(change=_padded(6000)), expected=PADDED),
    _case(
        "padding stated wrongly",
        "unstated_padding",
        edit=stored_as(change=_padded(6000), **{_TAG: ("US", 63536)}),
        expected=PADDED,
    ),
    _case(
        "signed pixels called unsigned",
        "pixel_layout",
        edit=stored_as("i2", change=lambda k, v: v - 1024, RescaleIntercept=0),
    ),
    _case(
        "12 unsigned bits called signed",
        "pixel_layout",
        edit=stored_as(bits=12, stated_signed=True, change=lambda k, v: np.maximum(v, _BALL // 2 + 1024)),
        expected=_BONE,
    ),
    _case(
        "values beyond the stated bits",
        "pixel_layout",
        edit=stored_as(bits=12, change=lambda k, v: np.maximum(v, _BALL + 1024)),
        expected=_METAL,
    ),
    _case("12 bits high in the cell", edit=stored_as(bits=12, high=15, change=lambda k, v: v << 4)),
    _case("impossible high bit", edit=stored_as(bits=16, high=19)),
    _case("32 bits", edit=stored_as("u4", bits=32)),
    _case("overlay in a high bit", edit=_overlaid(True)),
    _case("overlay in a high bit, not stated", edit=_overlaid(False)),
    _case("JPEG 2000", edit=_jpeg_2000),
    _case("run lengths", edit=lambda k, data: data.compress(pydicom.uid.RLELossless)),
    _case("big endian", edit=_big_endian),
    _case("implicit", edit=_syntax(pydicom.uid.ImplicitVRLittleEndian)),
    _case("deflated", edit=_syntax(pydicom.uid.DeflatedExplicitVRLittleEndian)),
    DicomInput("unknown private syntax", _unknown_syntax),
    DicomInput("private syntax with big-endian pixels", _ge_private),
    _case("no rescaling, stored as HU", "assumed_rescaling", edit=_raw_hu),
    _case(
        "no rescaling in three slices",
        "assumed_rescaling",
        edit=_only_some(without("RescaleSlope", "RescaleIntercept"), 3, 4, 9),
    ),
    _case("rescale slope of zero", "assumed_rescaling", edit=each(RescaleSlope=0)),
    _case("rescale type unspecified", "assumed_rescaling", edit=each(RescaleType="US")),
    _case("a slope per slice", rescale=lambda k: (0.5 + k % 3, -1024.0 - 8 * k), tolerance=2),
]


# Files and headers


def _text(tag: str, content: str) -> Edit:
    """An element whose text the writer would not let pass."""

    def edit(_: int, data: Dataset) -> None:
        number = pydicom.datadict.tag_for_keyword(tag)
        padded = content.encode("ascii") + b" " * (len(content) % 2)
        data[number] = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(number), "DS", len(padded), padded, 0, False, True
        )

    return edit


def _both(*edits: Edit) -> Edit:
    def edit(k: int, data: Dataset) -> None:
        for one in edits:
            one(k, data)

    return edit


def _commas(k: int, data: Dataset) -> None:
    z = INTERVAL * k
    _both(
        _text("PixelSpacing", "4,0\\4,00"),
        _text("ImagePositionPatient", f"-150,0\\-100,0\\{z:.2f}".replace(".", ",")),
        _text("RescaleSlope", "1,0"),
        _text("RescaleIntercept", "-1024,0"),
        _text("ImageOrientationPatient", "1,0\\0,0\\0,0\\0,0\\1,0\\0,0"),
        _text("SliceThickness", "3,0"),
    )(k, data)


def _blanks(k: int, data: Dataset) -> None:
    _text("PixelSpacing", " 4.0 \\ 4.0 ")(k, data)
    _text("ImagePositionPatient", f" -150.0\\ -100.0 \\{INTERVAL * k:8.2f}  ")(k, data)


def _list_as_text(k: int, data: Dataset) -> None:
    _text("PixelSpacing", "[4.0, 4.0]")(k, data)


def _as_double(k: int, data: Dataset) -> None:
    del data.PixelSpacing
    data.add_new(0x00280030, "FD", [4.0, 4.0])


def _rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        series = plain(folder)
        for path in series.iterdir():
            path.write_bytes(change(path.read_bytes()))
        return series

    return make


def _data_alone(content: bytes) -> bytes:
    """The data set from (0008,0016) on, explicit or implicit."""
    starts = [content.find(b"\x08\0\x16\0" + rest) for rest in (b"UI", b"\x1a\0\0\0")]
    return content[max(starts) :]


def _implicit_alone(folder: Path) -> Path:
    series = plain(folder, edit=_syntax(pydicom.uid.ImplicitVRLittleEndian))
    for path in series.iterdir():
        path.write_bytes(_data_alone(path.read_bytes()))
    return series


def _linked(folder: Path) -> Path:
    series = plain(folder)
    study = folder / "study"
    study.mkdir()
    (study / "images").symlink_to(series, target_is_directory=True)
    # A second way in, and one that leads back.
    (study / "again").symlink_to(series, target_is_directory=True)
    (series / "up").symlink_to(study, target_is_directory=True)
    (study / "lost").symlink_to(folder / "nowhere")
    return study


def _among_rubbish(folder: Path) -> Path:
    series = plain(folder)
    (series / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(60))
    (series / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(200))
    (series / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(200))
    (series / "._slice1_001.dcm").write_bytes(b"\0\5\x16\7" + bytes(200))
    (series / "notes.txt").write_text("hello")
    (series / "empty.dcm").write_bytes(b"")
    (series / "half.dcm").write_bytes(b"\x08\0\x16\0UI")
    os.mkfifo(series / "pipe")
    return series


FILES = [
    DicomInput("no preamble", _rewritten(lambda content: content[132:])),
    DicomInput("no preamble but the prefix", _rewritten(lambda content: content[128:])),
    DicomInput("no prefix behind the preamble", _rewritten(lambda content: content[:128] + content[132:])),
    DicomInput("no meta header", _rewritten(_data_alone)),
    DicomInput("no meta header, implicit", _implicit_alone),
    DicomInput("linked folders", _linked),
    DicomInput("among rubbish", _among_rubbish),
    _case("decimal commas", edit=_commas),
    _case("blanks in numbers", edit=_blanks),
    _case("list as text", edit=_list_as_text),
    _case("spacing as doubles", edit=_as_double),
    _case("modality missing", edit=without("Modality")),
    _case("patient position contradicts", edit=each(PatientPosition="FFP")),
    _case("thickness missing", edit=without("SliceThickness", "SpacingBetweenSlices")),
]


# What belongs together, and what does not


def _again(folder: Path) -> Path:
    """All slices once more, with UIDs and numbers of their own."""
    series = plain(folder)
    plain(folder, prefix="again", edit=_both(each(SeriesInstanceUID=_uid_of(series)), _renamed))
    return series


def _uid_of(series: Path) -> str:
    return str(pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True).SeriesInstanceUID)


def _renamed(k: int, data: Dataset) -> None:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.InstanceNumber = 100 + k


def _one_uid(k: int, data: Dataset) -> None:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"


def _uid_each(*tags: str, number: bool = False) -> Edit:
    def edit(k: int, data: Dataset) -> None:
        for tag in tags:
            setattr(data, tag, generate_uid(entropy_srcs=[tag, str(k)]))
        if number:
            data.SeriesNumber = k + 1

    return edit


def _stray(
    name: str, code: str = "images_left_out", *, shape: tuple[int, int] = SCAN.shape[1:], keep: bool = True, **tags: Any
) -> DicomInput:
    """The scan with one more image in its series: SCAN's tenth slice or noise of another size; None deletes a tag."""

    def edit(_: int, data: Dataset) -> None:
        data.InstanceNumber = 77
        for tag, value in tags.items():
            if value is None:
                without(tag)(0, data)
            else:
                setattr(data, tag, value)

    def make(folder: Path) -> Path:
        series = plain(folder)
        picture = np.full((1, *shape), 30, np.int16)
        picture[0, 5:9, 5:40] = 900
        tags["SeriesInstanceUID"] = _uid_of(series)
        write_dicom(series, picture, levels=[tags.pop("level", 27.0)], prefix="stray", edit=edit)
        return series

    return DicomInput(name, make, frozenset({code}))


_CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
_PAGE = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    "ImagePositionPatient": None,
    "ImageOrientationPatient": None,
    "PixelSpacing": None,
}


def _coloured(folder: Path) -> Path:
    series = plain(folder)

    def edit(_: int, data: Dataset) -> None:
        data.SeriesInstanceUID = _uid_of(series)
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        data.PixelData = bytes(data.Rows * data.Columns * 3)

    write_dicom(series, SCAN[:1], prefix="stray", edit=edit)
    return series


GROUPS = [
    DicomInput("every slice twice with new UIDs", _again, frozenset({"copied_slices"})),
    _case("one UID for all slices", edit=_one_uid),
    _case("no instance UIDs", edit=without("SOPInstanceUID")),
    _case("a series UID per slice", "joined_series", edit=_uid_each("SeriesInstanceUID")),
    _case(
        "all UIDs per slice",
        "joined_series",
        edit=_uid_each("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"),
    ),
    _case("series UID and number per slice", "joined_series", edit=_uid_each("SeriesInstanceUID", number=True)),
    _case("no series UID", edit=without("SeriesInstanceUID", "SeriesNumber", "StudyInstanceUID")),
    _case("instance numbers all alike", edit=each(InstanceNumber=1)),
    _case(
        "orientation rounded in one slice",
        edit=_only_some(each(ImageOrientationPatient=[1, 0.0004, 0, -0.0004, 1, 0]), 5),
    ),
    _case(
        "orientation missing in one slice", "completed_headers", edit=_only_some(without("ImageOrientationPatient"), 5)
    ),
    _case("pixel spacing missing in one slice", "completed_headers", edit=_only_some(without("PixelSpacing"), 5)),
    _stray("scout without the word, same size", ImageOrientationPatient=_CORONAL),
    _stray("scout without the word, other size", ImageOrientationPatient=_CORONAL, shape=(80, 50)),
    _stray("scout with the word, in the slices' plane", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    _stray("scout far away in the slices' plane", level=300.0),
    _stray("scout beside the slices", ImagePositionPatient=[60.0, -100.0, 28.5]),
    _stray("dose page, other size", shape=(100, 90), **_PAGE),
    _stray("dose page, same size", **_PAGE),
    _stray("screenshot at a slice's place", ImageType=["DERIVED", "SECONDARY", "OTHER"]),
    _stray("screenshot of another kind at a slice's place", SOPClassUID="1.2.840.10008.5.1.4.1.1.7"),
    _stray("image of another modality", Modality="OT"),
    _stray("slice of another size", shape=(48, 48), level=75.0),
    _stray("slice of another spacing", PixelSpacing=[3.5, 3.5], level=75.0),
    _stray("image without position", ImagePositionPatient=None),
    DicomInput("colour picture in the series", _coloured, frozenset({"images_left_out"})),
]
