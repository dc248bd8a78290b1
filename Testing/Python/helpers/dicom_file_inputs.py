"""Odd files and headers: preambles, links, rubbish, decimal commas; see `dicom_inputs`."""

from __future__ import annotations

import os
from pathlib import Path

import pydicom
from dicom_inputs import (
    INTERVAL,
    DicomInput,
    Edit,
    both,
    case,
    each,
    plain,
    rewritten,
    syntax,
    without,
)
from pydicom.dataset import Dataset


def _text(tag: str, content: str) -> Edit:
    """An element whose text the writer would not let pass."""

    def edit(_: int, data: Dataset) -> None:
        number = pydicom.datadict.tag_for_keyword(tag)
        padded = content.encode("ascii") + b" " * (len(content) % 2)
        data[number] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(number), "DS", len(padded), padded, 0, False, True)

    return edit


def _commas(k: int, data: Dataset) -> None:
    z = INTERVAL * k
    both(
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


def _data_alone(content: bytes) -> bytes:
    """The data set from (0008,0016) on, explicit or implicit."""
    starts = [content.find(b"\x08\0\x16\0" + rest) for rest in (b"UI", b"\x1a\0\0\0")]
    return content[max(starts) :]


def _implicit_alone(folder: Path) -> Path:
    series = plain(folder, edit=syntax(pydicom.uid.ImplicitVRLittleEndian))
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
    DicomInput("no preamble", rewritten(lambda content: content[132:])),
    DicomInput("no preamble but the prefix", rewritten(lambda content: content[128:])),
    DicomInput("no prefix behind the preamble", rewritten(lambda content: content[:128] + content[132:])),
    DicomInput("no meta header", rewritten(_data_alone)),
    DicomInput("no meta header, implicit", _implicit_alone),
    DicomInput("linked folders", _linked),
    DicomInput("among rubbish", _among_rubbish),
    case("decimal commas", edit=_commas),
    case("blanks in numbers", edit=_blanks),
    case("list as text", edit=_list_as_text),
    case("spacing as doubles", edit=_as_double),
    case("modality missing", edit=without("Modality")),
    case("patient position contradicts", edit=each(PatientPosition="FFP")),
    case("thickness missing", edit=without("SliceThickness", "SpacingBetweenSlices")),
]
