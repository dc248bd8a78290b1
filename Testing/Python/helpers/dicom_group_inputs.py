"""What belongs together and what does not: copies, UIDs, scouts, dose pages; see `dicom_inputs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ct_scans import write_dicom
from dicom_inputs import (
    SCAN,
    DicomInput,
    Edit,
    both,
    case,
    each,
    only_some,
    plain,
    uid_of,
    without,
)
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid


def _again(folder: Path) -> Path:
    """All slices once more, with UIDs and numbers of their own."""
    series = plain(folder)
    plain(folder, prefix="again", edit=both(each(SeriesInstanceUID=uid_of(series)), _renamed))
    return series


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
        tags["SeriesInstanceUID"] = uid_of(series)
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
        data.SeriesInstanceUID = uid_of(series)
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        data.PixelData = bytes(data.Rows * data.Columns * 3)

    write_dicom(series, SCAN[:1], prefix="stray", edit=edit)
    return series


GROUPS = [
    DicomInput("every slice twice with new UIDs", _again, frozenset({"copied_slices"})),
    case("one UID for all slices", edit=_one_uid),
    case("no instance UIDs", edit=without("SOPInstanceUID")),
    case("a series UID per slice", "joined_series", edit=_uid_each("SeriesInstanceUID")),
    case(
        "all UIDs per slice",
        "joined_series",
        edit=_uid_each("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"),
    ),
    case("series UID and number per slice", "joined_series", edit=_uid_each("SeriesInstanceUID", number=True)),
    case("no series UID", edit=without("SeriesInstanceUID", "SeriesNumber", "StudyInstanceUID")),
    case("instance numbers all alike", edit=each(InstanceNumber=1)),
    case(
        "orientation rounded in one slice",
        edit=only_some(each(ImageOrientationPatient=[1, 0.0004, 0, -0.0004, 1, 0]), 5),
    ),
    case("orientation missing in one slice", "completed_headers", edit=only_some(without("ImageOrientationPatient"), 5)),
    case("pixel spacing missing in one slice", "completed_headers", edit=only_some(without("PixelSpacing"), 5)),
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
