"""Reading a segmentation of another program, whatever form it has."""

from __future__ import annotations

from pathlib import Path

from ..ct.reading.images.facts import checked_assumption
from ..ct.reading.images.file import is_image_file
from ..errors import InputError, shown
from .dicom_masks import is_dicom, read_dicom_mask
from .image_masks import read_folder, read_image_mask
from .mask import ForeignMask

_DICOM_SUFFIX = ".dcm"


def read_mask(path: str | Path, assume_orientation: str | None = None) -> ForeignMask:
    """Read a label map (NIfTI, NRRD, MetaImage), a ``.seg.nrrd``, a DICOM segmentation, or a folder with one file per structure.

    `assume_orientation` is as in `ct.read_ct`.

    Raises:
        InputError: there is nothing of that kind, or it cannot be read.
        DependencyError: it is a DICOM segmentation, and the package that reads it is missing.
    """
    path = Path(path)
    assume_orientation = checked_assumption(assume_orientation)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        images = [file for file in files if is_image_file(file)]
        if images:
            return read_folder(path, images, assume_orientation)
        objects = [file for file in files if is_dicom(file)]
        if len(objects) == 1:
            return read_dicom_mask(objects[0])
        found = f"{len(objects)} DICOM files" if objects else "no image files"
        raise InputError(
            f"The folder {shown(path)!r} holds {found}; give a folder with one NIfTI, NRRD or MHA file per structure, or "
            "the one file "
            "of a DICOM segmentation."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path.name}; check the path.")
    if path.suffix.casefold() == _DICOM_SUFFIX or is_dicom(path):
        return read_dicom_mask(path)
    return read_image_mask(path, assume_orientation)
