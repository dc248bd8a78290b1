"""DICOM series that must not be read as they are; see `broken_inputs`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from broken_input import BrokenInput
from ct_scans import two_thighs, write_dicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid


def _dicom(slices: int = 16, **options: Any) -> Callable[[Path], Path]:
    return lambda folder: write_dicom(folder / "series", two_thighs(slices), **options)


def _each(**tags: Any) -> Callable[[int, Dataset], None]:
    def edit(_: int, data: Dataset) -> None:
        for tag, value in tags.items():
            setattr(data, tag, value)

    return edit


def _only(index: int, **tags: Any) -> Callable[[int, Dataset], None]:
    def edit(k: int, data: Dataset) -> None:
        if k == index:
            _each(**tags)(k, data)

    return edit


def _without(*tags: str) -> Callable[[int, Dataset], None]:
    def edit(_: int, data: Dataset) -> None:
        for tag in tags:
            delattr(data, tag)

    return edit


def _without_slices(*lost: int) -> Callable[[Path], Path]:
    kept = np.setdiff1d(np.arange(24), lost)
    return lambda folder: write_dicom(folder / "series", two_thighs(24)[kept], levels=kept * 2.0)


def _colour(folder: Path) -> Path:
    def edit(_: int, data: Dataset) -> None:
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        data.PixelData = bytes(data.Rows * data.Columns * 3)

    return write_dicom(folder / "capture", two_thighs(10), edit=edit, tags={"ImageType": ["DERIVED", "SECONDARY"]})


def _two_series(folder: Path) -> Path:
    write_dicom(folder / "study" / "a", two_thighs(12), number=2)
    write_dicom(folder / "study" / "b", two_thighs(10), number=3)
    return folder / "study"


def _twice_at_each_level(folder: Path) -> Path:
    levels = np.repeat(np.arange(10) * 3.0, 2)
    return write_dicom(folder / "series", two_thighs(20), levels=levels)


def _two_sizes(folder: Path) -> Path:
    write_dicom(folder / "series", two_thighs(12))
    beyond = 60.0 + 5.0 * np.arange(8)
    write_dicom(folder / "series", two_thighs(8, rows=48, columns=48), levels=beyond, prefix="other", edit=_same_series)
    return folder / "series"


def _same_series(_: int, data: Dataset) -> None:
    data.SeriesInstanceUID = generate_uid(entropy_srcs=["1", "slice"])


def _cut_slice(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(12))
    path = sorted(series.iterdir())[5]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 9000])
    return series


def _garbled_headers(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(10))
    for path in sorted(series.iterdir()):
        data = bytearray(path.read_bytes())
        data[140:700] = np.random.default_rng(1).bytes(560)
        path.write_bytes(data)
    return series


def _undecodable(folder: Path) -> Path:
    def edit(_: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(600)])
        data["PixelData"].is_undefined_length = True

    return write_dicom(folder / "series", two_thighs(10), edit=edit)


def _single_dicom_slice(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(8))
    alone = folder / "alone"
    alone.mkdir()
    return Path(shutil.copy(sorted(series.iterdir())[0], alone))


def _detector_spacing(_: int, data: Dataset) -> None:
    del data.PixelSpacing
    data.ImagerPixelSpacing = [1.0, 1.0]


def _some_not_rescaled(k: int, data: Dataset) -> None:
    if k % 4 == 0:
        del data.RescaleIntercept


def _shuffled(folder: Path) -> Path:
    """Thighs that drift from slice to slice, their positions drawn anew."""
    hu = np.stack([np.roll(section, k - 10, axis=0) for k, section in enumerate(two_thighs(20))])
    return write_dicom(folder / "series", hu, levels=3.0 * np.random.default_rng(3).permutation(20))


def _rescaled_two_ways(k: int, data: Dataset) -> None:
    if k < 8:
        data.RescaleIntercept = 0


_LEVELS = np.arange(16) * 5.0
_SHIFTED = [(-150.0 + 12.0 * (k % 2), -100.0, 5.0 * k) for k in range(16)]
_SKEWED = [(-150.0, -100.0 + 6.0 * k, 5.0 * k) for k in range(16)]

BROKEN_DICOM: list[BrokenInput] = [
    BrokenInput("DICOM MR", _dicom(edit=_each(Modality="MR"))),
    BrokenInput("DICOM PET", _dicom(edit=_each(Modality="PT"))),
    BrokenInput("DICOM without modality", _dicom(edit=_without("Modality", "SOPClassUID"))),
    BrokenInput("DICOM colour capture", _colour),
    BrokenInput("DICOM localizer", _dicom(tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})),
    BrokenInput("DICOM of 5 slices", _dicom(5)),
    BrokenInput("single DICOM slice", _single_dicom_slice),
    BrokenInput("DICOM missing slice", _without_slices(9)),
    BrokenInput("DICOM missing slices", _without_slices(5, 6, 14)),
    BrokenInput("DICOM missing before last", _without_slices(21, 22)),
    BrokenInput("DICOM duplicate position", _dicom(levels=np.array([*_LEVELS[:15], _LEVELS[4]]))),
    BrokenInput("DICOM two phases", _twice_at_each_level),
    BrokenInput("DICOM several series", _two_series),
    BrokenInput("DICOM unknown series", _two_series, ("--series", "99")),
    BrokenInput("DICOM mixed orientations", _dicom(edit=_only(4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))),
    BrokenInput("DICOM mixed sizes", _two_sizes),
    BrokenInput("DICOM mixed spacing", _dicom(edit=_only(4, PixelSpacing=[3.5, 3.5]))),
    BrokenInput("DICOM without positions", _dicom(edit=_without("ImagePositionPatient"))),
    BrokenInput("DICOM without spacing", _dicom(edit=_without("PixelSpacing"))),
    BrokenInput("DICOM zero spacing", _dicom(spacing=(0.0, 0.0))),
    BrokenInput("DICOM invalid orientation", _dicom(orientation=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0))),
    BrokenInput("DICOM zigzag", _dicom(positions=_SHIFTED)),
    BrokenInput("DICOM stacked askew", _dicom(positions=_SKEWED)),
    BrokenInput("DICOM 15 mm apart", _dicom(levels=_LEVELS * 3)),
    BrokenInput("DICOM not rescaled", _dicom(edit=_each(RescaleIntercept=0))),
    BrokenInput("DICOM of another quantity", _dicom(edit=_each(RescaleType="Z_EFF"))),
    BrokenInput("DICOM with detector spacing alone", _dicom(edit=_detector_spacing)),
    BrokenInput("DICOM with shuffled positions", _shuffled),
    BrokenInput("DICOM rescaled in part", _dicom(rescale=lambda k: (1.0, -1024.0 + k), edit=_some_not_rescaled)),
    BrokenInput("DICOM rescaled two ways", _dicom(edit=_rescaled_two_ways)),
    BrokenInput("DICOM headers without pixels", _dicom(edit=_without("PixelData"))),
    BrokenInput("DICOM with packed pixels", _dicom(edit=_each(BitsAllocated=12, BitsStored=12, HighBit=11))),
    BrokenInput("DICOM multi-frame", _dicom(edit=_each(NumberOfFrames=16))),
    BrokenInput("DICOM cut slice", _cut_slice),
    BrokenInput("DICOM garbled headers", _garbled_headers),
    BrokenInput("DICOM undecodable", _undecodable),
]
