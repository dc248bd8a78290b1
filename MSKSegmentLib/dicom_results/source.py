"""The scanned series that a result refers to: found again, held against the result, its slices matched with the result's grid."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..case_result import CaseResult
from ..ct.dicom_source import SeriesIdentity, SourceSlice
from ..ct.reading.dicom.archives import as_folder
from ..ct.reading.dicom.headers import open_dataset
from ..ct.reading.files import read_ct
from ..ct.volume import Geometry
from ..errors import InputError, shown
from ..provenance import input_digest
from .grid import SliceMatch, match_slices

# Type 2 of the modules that all results copy: an empty value stands for what is not known.
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "SeriesNumber", "PositionReferenceIndicator",
)  # fmt: skip


@dataclass(frozen=True)
class SourceSeries:
    """A series as its results need it.

    `images` are the headers (data sets without pixels) of the single-frame images in the order of `slices`, or of the one
    multi-frame image; `slices` are those of the CT in order; `match` says where they lie in the result's grid, `place` where the
    series was found.
    """

    images: tuple[Any, ...]
    slices: tuple[SourceSlice, ...]
    match: SliceMatch
    place: Path

    @property
    def multi_frame(self) -> bool:
        """Whether all slices are frames of one image."""
        return self.slices[0].frame is not None

    @property
    def first(self) -> Any:
        """The header that patient and study are copied from."""
        return self.images[0]


def recorded_series(result: CaseResult) -> SeriesIdentity:
    """The series that the result says it was made from.

    Raises:
        InputError: it says none.
    """
    if result.facts.series is None:
        raise InputError(
            "This result does not say which DICOM series it was made from (a NIfTI, NRRD or MetaImage file, or an earlier "
            "version): DICOM results belong to a study, so run the segmentation again on the DICOM folder."
        )
    return result.facts.series


def open_source(result: CaseResult, place: Path) -> SourceSeries:
    """Find the result's series at `place`, a DICOM folder, one of its files or a zip, and hold it against the result.

    Raises:
        InputError: the series is not there, incomplete or changed, the result was made from no DICOM series, or its objects
            cannot refer to it.
    """
    with as_folder(place) as folder:
        return _open(result, folder, place)


def _open(result: CaseResult, folder: Path, place: Path) -> SourceSeries:
    wanted = recorded_series(result)
    try:
        volume = read_ct(folder, wanted.series_uid, modality=result.task.modality)
    except InputError as error:
        raise InputError(
            f"{shown(place)!r} does not hold the series that this result was made from ({str(error).rstrip('.')}); give its folder "
            "with --source."
        ) from error
    source = volume.source
    if source is None or source.study_uid != wanted.study_uid or set(source.identity.instances) != set(wanted.instances):
        raise InputError(
            f"The series in {shown(place)!r} has other images than the one that this result was made from: give the original "
            "series with --source, or run the segmentation again."
        )
    if input_digest(volume) != result.facts.input_digest or not volume.geometry.matches(result.geometry):
        raise InputError(
            f"The series in {shown(place)!r} has changed since this result was made from it: its voxels or positions differ; give "
            "the original series with --source, or run the segmentation again."
        )
    images = _images(source.slices, result.geometry)
    _check_references(images, source.slices)
    return SourceSeries(images, source.slices, match_slices(source.slices, result.geometry), place)


def _images(slices: tuple[SourceSlice, ...], geometry: Geometry) -> tuple[Any, ...]:
    """The headers of the images in order, each once; geometry as the reader settled it, whatever way the header writes it."""
    images: dict[str, Any] = {}
    for one in slices:
        if one.instance_uid in images:
            continue
        images[one.instance_uid] = header = _header(one.path)
        if one.frame is None:
            header.ImagePositionPatient = _decimals(one.position)
        places = (header, header) if one.frame is None else _shared_places(header)
        places[0].PixelSpacing = _decimals((geometry.spacing[1], geometry.spacing[0]))
        places[1].ImageOrientationPatient = _decimals(one.orientation)
        # Type 2 in a CT image: it may be empty or, in what archives hold, missing; results have to state one.
        if places[0].get("SliceThickness") is None:
            (places[0].SliceThickness,) = _decimals((geometry.spacing[2],))
    return tuple(images.values())


def _shared_places(header: Any) -> tuple[Any, Any]:
    """Where a multi-frame image states pixel spacing and orientation for all frames; some say it frame by frame alone."""
    from pydicom.dataset import Dataset

    if not header.get("SharedFunctionalGroupsSequence"):
        header.SharedFunctionalGroupsSequence = [Dataset()]
    shared = header.SharedFunctionalGroupsSequence[0]
    own = header.PerFrameFunctionalGroupsSequence[0]
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if not shared.get(keyword):
            setattr(shared, keyword, own.get(keyword) or [Dataset()])
    return shared.PixelMeasuresSequence[0], shared.PlaneOrientationSequence[0]


def _decimals(numbers: tuple[float, ...]) -> list[Any]:
    from pydicom.valuerep import DS

    return [DS(float(number), auto_format=True) for number in numbers]


def _header(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = open_dataset(path, pixels=False)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in data:
                setattr(data, keyword, None)
        return data


def _check_references(images: tuple[Any, ...], slices: tuple[SourceSlice, ...]) -> None:
    """Refuse what no DICOM object can refer to as its one source.

    Raises:
        InputError: the images belong to several series, studies or frames of reference, or name none.
    """
    reason = None
    if slices[0].frame is not None and len(images) > 1:
        reason = "its frames are spread over several multi-frame files"
    for keyword, what in (
        ("StudyInstanceUID", "study"),
        ("SeriesInstanceUID", "series"),
        ("FrameOfReferenceUID", "frame of reference"),
    ):
        values = {str(image.get(keyword) or "") for image in images}
        if "" in values:
            reason = f"its images name no {what}"
        elif len(values) > 1:
            reason = f"its images name {len(values)} different {what} identifiers"
    if len({one.frame is None for one in slices}) > 1:
        reason = "it mixes single-frame and multi-frame images"
    if reason:
        raise InputError(f"No DICOM result can refer to this series: {reason}; export the original series again and segment that.")


def by_frames(source: SourceSeries, array: np.ndarray) -> np.ndarray:
    """An array ``[z, y, x]`` on the result's grid as frames ``[n, rows, columns]`` that fit the images pixel by pixel.

    They are in the order of the images, or of a multi-frame image's frames; frames that are no slice of the CT are zero.
    """
    first = source.images[0]
    slices = source.match.take(array, int(first.Rows), int(first.Columns))
    if not source.multi_frame:
        return slices
    frames = np.zeros((int(first.NumberOfFrames), *slices.shape[1:]), array.dtype)
    frames[[one.frame - 1 for one in source.slices if one.frame is not None]] = slices
    return frames
