"""The headers of the DICOM images in a folder."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import InputError, shown
from ...storage_classes import SINGLE_FRAME
from .frames import FRAME_TAGS, frame_headers
from .slice_header import SliceHeader
from .values import clean, number_of, numbers_of, text_of, whole_of, words_of

# A wrong folder (a home folder, a whole archive) should lead to an error at once, not to minutes of reading.
MOST_FILES = 20_000
_MODALITY_OF = {uid: modality for modality, uid in SINGLE_FRAME.items()}

_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber",
    "InstanceNumber", "AcquisitionNumber", "SeriesDescription", "Modality", "ImageType", "ConvolutionKernel", "Rows",
    "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames", "PixelSpacing", "ImagerPixelSpacing",
    "ImageOrientationPatient", "ImagePositionPatient", "SliceLocation", "SliceThickness", "SpacingBetweenSlices",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "PatientSize", "GantryDetectorTilt", *FRAME_TAGS,
)  # fmt: skip


def scan_headers(folder: Path) -> list[SliceHeader]:
    """The headers of all DICOM images in a folder, its subfolders and linked folders; other files are skipped.

    Each frame of a multi-frame image counts as a slice.

    Raises:
        InputError: the folder is missing or holds more files than a scan does.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {shown(folder)}; check the path.")
    return [header for path in image_paths(folder) for header in read_slice_headers(path)]


def image_paths(folder: Path) -> Iterator[Path]:
    """The files below a folder in the order of their names; links are followed, and no file is listed twice.

    Raises:
        InputError: there are more files than a scan has.
    """
    met: set[tuple[int, int]] = set()
    files = 0
    for root, folders, names in os.walk(folder, followlinks=True):
        # A link may lead back to a folder above it.
        if not _first_visit(Path(root), met, stat.S_ISDIR):
            folders.clear()
            continue
        folders.sort()
        for name in sorted(names):
            files += 1
            if files > MOST_FILES:
                raise InputError(
                    f"The folder {shown(folder)} holds more than {MOST_FILES} files; choose the folder of the one scan."
                )
            if _first_visit(Path(root, name), met, stat.S_ISREG):
                yield Path(root, name)


def _first_visit(path: Path, met: set[tuple[int, int]], is_kind: Any) -> bool:
    try:
        facts = path.stat()
    except OSError:
        return False
    # Some file systems do not number files.
    seen = facts.st_ino != 0 and (facts.st_dev, facts.st_ino) in met
    met.add((facts.st_dev, facts.st_ino))
    return bool(is_kind(facts.st_mode)) and not seen


def open_dataset(path: Path, tags: tuple[str, ...] | None = None, pixels: bool = True) -> Any:
    """The data set of a DICOM file, with or without preamble and file meta information; None where it is not one.

    With `tags` only these elements are read, without the pixels.
    """
    import pydicom

    with path.open("rb") as file:
        start = _start_of_data(file.read(136))
        if start is None:
            return None
        stream: Any = file
        if start:
            file.seek(start)
            stream = io.BytesIO(file.read())
        stream.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = None if tags is None else list(tags)
            return pydicom.dcmread(stream, stop_before_pixels=tags is not None or not pixels, force=True, specific_tags=wanted)


def _start_of_data(head: bytes) -> int | None:
    """The byte at which the toolkit must begin: it reads a complete preamble, or data that begin with their first element."""
    if head[128:132] == b"DICM" or _is_element(head[:4]):
        return 0
    if head[:4] == b"DICM" and _is_element(head[4:8]):
        return 4
    if not any(head[:128]) and _is_element(head[128:132]):
        return 128
    return None


def _is_element(start: bytes) -> bool:
    """Whether four bytes are a tag that a data set may begin with: group 0002 or 0008, in either byte order."""
    for order in ("little", "big"):
        group, element = int.from_bytes(start[:2], order), int.from_bytes(start[2:], order)  # type: ignore[arg-type]
        if (group == 2 and element <= 0x0102) or (group == 8 and element <= 0x0070):
            return True
    return False


def read_slice_headers(path: Path) -> list[SliceHeader]:
    """The header of one DICOM image, or those of its frames; empty if the file is not a DICOM image."""
    import pydicom  # noqa: F401  (a missing package must not look like a damaged file)

    try:
        data = open_dataset(path, _TAGS)
        image = None if data is None else _header(path, data)
        return [] if image is None else frame_headers(data, image)
    # A damaged header may raise nearly anything while it is parsed; the file is then no readable image.
    except Exception:
        return []


def _header(path: Path, data: Any) -> SliceHeader | None:
    rows, columns = whole_of(data, "Rows"), whole_of(data, "Columns")
    if not rows or not columns:
        return None
    number, sop_class = whole_of(data, "SeriesNumber"), text_of(data, "SOPClassUID")
    return SliceHeader(
        path=path,
        sop_class=sop_class,
        instance_uid=text_of(data, "SOPInstanceUID"),
        study_uid=text_of(data, "StudyInstanceUID"),
        series_uid=text_of(data, "SeriesInstanceUID"),
        frame_uid=text_of(data, "FrameOfReferenceUID"),
        series_number="" if number is None else str(number),
        instance_number=whole_of(data, "InstanceNumber"),
        acquisition=whole_of(data, "AcquisitionNumber"),
        description=clean(text_of(data, "SeriesDescription")),
        # The SOP class states it, too.
        modality=clean(text_of(data, "Modality")).upper() or _MODALITY_OF.get(sop_class, ""),
        image_type=words_of(data, "ImageType"),
        kernel=text_of(data, "ConvolutionKernel"),
        rows=rows,
        columns=columns,
        samples=whole_of(data, "SamplesPerPixel") or 1,
        bits=whole_of(data, "BitsAllocated"),
        frames=whole_of(data, "NumberOfFrames") or 1,
        pixel_spacing=numbers_of(data, "PixelSpacing", 2),
        detector_spacing=numbers_of(data, "ImagerPixelSpacing", 2) is not None,
        orientation=numbers_of(data, "ImageOrientationPatient", 6),
        position=numbers_of(data, "ImagePositionPatient", 3),
        location=number_of(data, "SliceLocation"),
        thickness=number_of(data, "SliceThickness"),
        stated_interval=number_of(data, "SpacingBetweenSlices"),
        slope=number_of(data, "RescaleSlope"),
        intercept=number_of(data, "RescaleIntercept"),
        rescale_type=clean(text_of(data, "RescaleType")).upper(),
        height=number_of(data, "PatientSize"),
        gantry_tilt=number_of(data, "GantryDetectorTilt") or 0.0,
    )
