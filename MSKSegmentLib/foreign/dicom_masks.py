"""DICOM segmentations: segments by label, coded meaning and laterality, frames put onto one grid by highdicom."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import Code, Side
from ..anatomy.terminology import side_code
from ..ct.volume import Geometry
from ..errors import InputError
from ..packages import FOR_DICOM, require
from .mask import ForeignMask, ForeignSegment, Layer

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_SIDE_OF_CODE = {code.value: side for side in Side if (code := side_code(side)) is not None}


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def frame_of_reference(path: Path) -> str | None:
    """The UID of the frame that a DICOM file's positions are given in; None where it says none, or is gone, as one out of a zip."""
    import pydicom

    try:
        found = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
    except (OSError, ValueError):
        return None
    uid = found.get("FrameOfReferenceUID")
    return str(uid) if uid else None


def read_dicom_mask(path: Path) -> ForeignMask:
    """The mask in a DICOM segmentation; segments are read when they are asked for.

    Raises:
        InputError: the file is another kind of DICOM object, holds shares instead of labels, or cannot be put onto one grid.
        DependencyError: highdicom is missing.
    """
    require(*FOR_DICOM, purpose="Reading a DICOM segmentation")
    import highdicom
    import pydicom

    name = f"The DICOM segmentation {path.name}"
    try:
        stated = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SegmentationType", "Modality"])
    except (pydicom.errors.InvalidDicomError, OSError, ValueError) as error:
        raise InputError(f"The file {path.name} is no DICOM file, or damaged; export it again.") from error
    if stated.get("SOPClassUID") not in _SEGMENTATIONS:
        raise InputError(
            f"The file {path.name} is no DICOM segmentation but of modality {stated.get('Modality', 'unknown')}; give the "
            "file with "
            "the segments."
        )
    if str(stated.get("SegmentationType", "")).upper() == "FRACTIONAL":
        raise InputError(f"{name} holds shares between 0 and 1 and no labels; export it as a binary segmentation.")
    try:
        source = highdicom.seg.segread(path)
        volume = source.get_volume(segment_numbers=[source.segment_numbers[0]], combine_segments=True)
        segments = [_segment(source.get_segment_description(number)) for number in source.segment_numbers]
    # highdicom raises various errors for what does not lie on a grid.
    except (ValueError, RuntimeError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"{name} cannot be read, or its frames lie on no regular grid ({_words(error)}); export it again."
        ) from error
    geometry = _geometry(volume)
    layers = tuple(Layer((segment,), partial(_voxels, source, segment.value, name)) for segment in segments)
    study, frame = source.get("StudyInstanceUID"), source.get("FrameOfReferenceUID")
    return ForeignMask(
        name, "a DICOM segmentation", layers, geometry, study_uid=study and str(study), frame_uid=frame and str(frame)
    )


def _segment(description: Any) -> ForeignSegment:
    kind = description.segmented_property_type
    modifiers = [code for entry in kind.get("SegmentedPropertyTypeModifierCodeSequence", []) for code in [str(entry.CodeValue)]]
    sides = {_SIDE_OF_CODE[value] for value in modifiers if value in _SIDE_OF_CODE}
    texts = dict.fromkeys(text for text in (str(description.segment_label), str(kind.meaning)) if text)
    code = Code(str(kind.scheme_designator), str(kind.value), str(kind.meaning))
    return ForeignSegment(int(description.segment_number), tuple(texts), code, sides.pop() if len(sides) == 1 else None)


def _voxels(source: Any, number: int, name: str) -> np.ndarray:
    """The segment's number inside it, ``[z, y, x]``."""
    try:
        return np.asarray(source.get_volume(segment_numbers=[number], combine_segments=True).array)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{name} has a segment that cannot be read ({_words(error)}); export it again.") from error


def _geometry(volume: Any) -> Geometry:
    """The grid of a highdicom volume, whose affine takes array indices ``(z, y, x)`` to LPS."""
    affine = np.asarray(volume.affine, float)
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    axes = [(float(row[0]), float(row[1]), float(row[2])) for row in steps / spacing]
    z, y, x = volume.spatial_shape
    origin = affine[:3, 3]
    return Geometry(
        (int(x), int(y), int(z)),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        (axes[0], axes[1], axes[2]),
    )


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:120] or type(error).__name__
