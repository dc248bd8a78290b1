"""Small made-up scans, written as volumes or as DICOM series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SPACING = (4.0, 4.0, 5.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def two_thighs(slices: int = 16, rows: int = 64, columns: int = 96, seed: int = 0) -> np.ndarray:
    """HU int16 ``[z, y, x]`` of two thighs in air: fat around muscle around the femur, with noise. Left is thinner."""
    y, x = np.mgrid[:rows, :columns].astype(float)
    section = np.full((rows, columns), -1000.0)
    for center, scale in ((0.27, 1.0), (0.73, 0.9)):
        radius = np.hypot((x - center * columns) / (0.19 * columns), (y - 0.5 * rows) / (0.36 * rows)) / scale
        section[radius < 1.0] = -100
        section[radius < 0.8] = 50
        section[radius < 0.22] = 700
    noise = np.random.default_rng(seed).normal(0, 10, (slices, rows, columns))
    return np.rint(section + noise).astype(np.int16)


def write_volume(
    path: Path, array: np.ndarray, spacing: tuple[float, ...] = SPACING, is_vector: bool = False, compress: bool = False
) -> Path:
    """Write an array ``[z, y, x]`` in the format of the path's ending."""
    image = sitk.GetImageFromArray(array, isVector=is_vector)
    if image.GetDimension() == len(spacing):
        image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path), compress)
    return path


def write_dicom(
    folder: Path,
    hu: np.ndarray,
    *,
    spacing: tuple[float, float] = SPACING[:2],
    levels: Any = None,
    orientation: tuple[float, ...] = AXIAL,
    positions: Any = None,
    number: int = 1,
    rescale: Callable[[int], tuple[float, float]] = lambda k: (1.0, -1024.0),
    prefix: str = "slice",
    tags: dict[str, Any] | None = None,
    edit: Callable[[int, Dataset], None] | None = None,
) -> Path:
    """Write HU ``[z, y, x]`` as single-frame CT files; `levels` are the slices' z, `edit` changes single headers."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = np.arange(len(hu)) * SPACING[2] if levels is None else levels
    series_uid = generate_uid(entropy_srcs=[str(number), prefix])
    for k, section in enumerate(hu):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.SOPInstanceUID = generate_uid(entropy_srcs=[series_uid, str(k)])
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.PatientName, data.PatientID = "Phantom", "P"
        data.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
        data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = series_uid, number, k + 1
        data.SeriesDescription = f"Thigh {number}"
        slope, intercept = rescale(k)
        stored = np.rint((section.astype(float) - intercept) / slope).astype(np.int16)
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.Rows, data.Columns = section.shape
        data.PixelSpacing = [spacing[1], spacing[0]]
        data.ImageOrientationPatient = list(orientation)
        position = (-150.0, -100.0, float(levels[k])) if positions is None else positions[k]
        data.ImagePositionPatient = [round(float(p), 5) for p in position]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.PixelData = stored.tobytes()
        for tag, value in (tags or {}).items():
            setattr(data, tag, value)
        if edit is not None:
            edit(k, data)
        # Names in reverse, so that the order of files is not the order of slices.
        data.save_as(folder / f"{prefix}{number}_{len(hu) - k:03d}.dcm", enforce_file_format=True)
    return folder
