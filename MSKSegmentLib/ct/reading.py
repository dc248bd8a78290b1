"""Reading a CT of any common format into a `CTVolume`; label maps are read by `read_labels`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dicom.headers import read_header, scan_headers
from .dicom.reading import read_series
from .dicom.series import FEWEST_SLICES, choose_series, list_series
from .hounsfield import read_image, read_information, to_hu
from .label_reading import read_labels
from .nifti_file import check_nifti
from .orientation import axis_order
from .volume import CTVolume, Geometry

if TYPE_CHECKING:
    import SimpleITK as sitk

__all__ = ["FORMATS", "list_series", "read_ct", "read_labels", "read_thin_ct"]

FORMATS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
FEWEST_PIXELS = 32


def read_ct(path: str | Path, series: str | None = None) -> CTVolume:
    """Read a CT from a DICOM folder, one of its files, or a NIfTI, NRRD or MetaImage file.

    Args:
        path: file or folder; names may hold any characters.
        series: number or UID of the DICOM series, needed when the folder holds several CT series. A single DICOM file
            stands for its own series.

    Returns:
        HU int16 ``[z, y, x]`` on the file's own grid (DICOM: slices sorted along their normal), the patient's height
        where a DICOM header gives a possible one, and findings on what was repaired.

    Raises:
        InputError: the path cannot be read as one CT volume; the message is a sentence for the user.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file or folder {path.name}; check the path.")
    if path.is_dir():
        volume = read_series(choose_series(scan_headers(path), path.resolve().name, series))
        return _checked(volume, "the series")
    if path.stat().st_size == 0:
        raise InputError(f"The file {path.name} is empty; copy or export it again.")
    if not path.name.lower().endswith(FORMATS):
        header = read_header(path)
        if header is None:
            raise InputError(
                f"The file {path.name} is not a CT volume; give a DICOM folder or a file of type {', '.join(FORMATS)}."
            )
        headers = [h for h in scan_headers(path.parent) if h.path.parent == path.parent]
        wanted = series if series is not None else header.series_uid
        return _checked(read_series(choose_series(headers, path.resolve().parent.name, wanted)), "the series")
    if series is not None:
        raise InputError(f"The option --series applies to DICOM folders only; leave it out for {path.name}.")
    return _read_file(path)


def read_thin_ct(path: Path) -> CTVolume | None:
    """The CT of an image file with fewer slices than `read_ct` asks for; None for any other file or folder.

    For comparing images only: so few slices are no scan to be segmented as it is.

    Raises:
        InputError: the file cannot be read, or does not hold HU.
    """
    import SimpleITK as sitk

    image = read_image(path) if path.is_file() and path.name.lower().endswith(FORMATS) else None
    if image is None or image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        return None
    if image.GetSize()[2] >= FEWEST_SLICES:
        return None
    return CTVolume(to_hu(sitk.GetArrayViewFromImage(image), path.name), Geometry.of_image(image))


def _read_file(path: Path) -> CTVolume:
    reader = read_information(path)
    if reader is None:
        raise InputError(
            f"The file {path.name} cannot be read; it is damaged, cut short, or not what its name says, so export it "
            "again."
        )
    _check_information(reader, path.name)
    image = _checked_image(path) if path.name.lower().endswith((".nii", ".nii.gz")) else read_image(path)
    if image is None:
        raise InputError(
            f"The pixels of the file {path.name} cannot be read; it is damaged or cut short, so export it again."
        )
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    import SimpleITK as sitk

    hu = to_hu(sitk.GetArrayViewFromImage(image), path.name)
    return _checked(CTVolume(hu, Geometry.of_image(image)), f"the image {path.name}")


def _checked_image(path: Path) -> sitk.Image | None:
    """A NIfTI's image; the file is checked meanwhile, since unpacking takes most of the time of both."""
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(check_nifti, path)
        image = read_image(path)
        checked.result()
    return image


def _check_information(reader: sitk.ImageFileReader, name: str) -> None:
    """Refuse by the header alone what cannot be one grey volume, before its pixels take memory."""
    import SimpleITK as sitk

    size = reader.GetSize()
    if any(key.startswith("Segment0_") for key in reader.GetMetaDataKeys()):
        raise InputError(f"The file {name} is a segmentation and not a CT; choose the CT that it was made on.")
    if len(size) < 3 or (len(size) == 3 and size[2] == 1):
        raise InputError(f"The image {name} is a single slice; choose a CT volume of at least {FEWEST_SLICES} slices.")
    if len(size) > 4 or (len(size) == 4 and size[3] != 1):
        raise InputError(
            f"The image {name} has {len(size)} dimensions (a time series, for example); choose a single 3D volume."
        )
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if "complex" in kind:
        raise InputError(f"The image {name} has complex values; choose a CT in Hounsfield units.")
    if reader.GetNumberOfComponents() != 1:
        raise InputError(
            f"The image {name} has {reader.GetNumberOfComponents()} values per voxel (a colour or vector image); "
            "choose a CT in Hounsfield units."
        )


def _checked(volume: CTVolume, what: str) -> CTVolume:
    """Hold the grid to what the method can work on; `what` names the scan in the sentence."""
    geometry = volume.geometry
    what = what[0].upper() + what[1:]
    numbers = np.array([*geometry.spacing, *geometry.origin, *np.ravel(geometry.direction)])
    if not np.isfinite(numbers).all():
        raise InputError(f"{what} has a position or direction that is not a number; export it again.")
    if min(geometry.spacing) <= 0:
        raise InputError(f"{what} has a voxel spacing of zero or less; export it again with its spacing.")
    direction = np.asarray(geometry.direction)
    if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-2:
        raise InputError(f"{what} has axes that are not at right angles; resample it to a regular grid first.")
    x, y, z = (geometry.size[axis] for axis in axis_order(geometry.direction).axes)
    if min(x, y) < FEWEST_PIXELS:
        raise InputError(
            f"{what} has slices of only {x} x {y} pixels; at least {FEWEST_PIXELS} x {FEWEST_PIXELS} are needed."
        )
    if z < FEWEST_SLICES:
        raise InputError(f"{what} has only {z} axial slice{'s' if z > 1 else ''}; at least {FEWEST_SLICES} are needed.")
    return volume
