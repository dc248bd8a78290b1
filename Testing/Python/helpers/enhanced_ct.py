"""Small made-up scans as multi-frame Enhanced CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ct_scans import AXIAL, SPACING
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def write_enhanced(
    path: Path,
    hu: np.ndarray,
    *,
    order: Sequence[int] | None = None,
    rescale: Callable[[int], tuple[float, float]] = lambda k: (1.0, -1024.0),
    positions: np.ndarray | None = None,
    shared: bool = False,
    compression: str | None = None,
    edit: Callable[[Dataset], None] | None = None,
) -> Path:
    """Write HU ``[z, y, x]`` as one file; `order` says which slice is which frame, `rescale` is by slice.

    With `shared` all but the positions is said once for all frames, else by each frame.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    order = range(len(hu)) if order is None else order
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = EnhancedCTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid(entropy_srcs=["enhanced", path.name])
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.PatientName, data.PatientID = "Phantom", "P"
    data.StudyInstanceUID, data.SeriesInstanceUID = (generate_uid(entropy_srcs=[name]) for name in ("study", "enhanced"))
    data.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    data.SeriesNumber, data.InstanceNumber, data.SeriesDescription = 4, 1, "Thigh enhanced"
    data.NumberOfFrames, data.Rows, data.Columns = len(order), hu.shape[1], hu.shape[2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    cells, frames = [], []
    for number, k in enumerate(order, start=1):
        slope, intercept = rescale(k)
        cells.append(np.rint((hu[k].astype(float) - intercept) / slope).astype("<i2").tobytes())
        place = (-150.0, -100.0, k * SPACING[2]) if positions is None else positions[k]
        frame = _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[round(float(v), 5) for v in place])],
            FrameContentSequence=[_item(FrameAcquisitionNumber=1, InStackPositionNumber=number)],
        )
        if not shared:
            _describe(frame, slope, intercept)
        frames.append(frame)
    common = Dataset()
    if shared:
        _describe(common, *rescale(0))
    data.SharedFunctionalGroupsSequence, data.PerFrameFunctionalGroupsSequence = [common], frames
    data.PixelData = b"".join(cells)
    if compression:
        data.compress(UID(compression))
    if edit is not None:
        edit(data)
    data.save_as(path, enforce_file_format=True)
    return path


def _describe(place: Dataset, slope: float, intercept: float) -> None:
    place.PixelMeasuresSequence = [_item(PixelSpacing=[SPACING[1], SPACING[0]], SliceThickness=SPACING[2])]
    place.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(AXIAL))]
    place.PixelValueTransformationSequence = [_item(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType="HU")]
    place.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])]
