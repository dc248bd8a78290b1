"""Reading a CT of any common format into a `CTVolume`; label maps are read by `read_labels`."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from ...errors import InputError, shown
from ...timing import time_logged
from ..orientation import axis_order
from ..volume import CTVolume
from .dicom.archives import as_folder, is_zip
from .dicom.headers import read_slice_headers, scan_headers
from .dicom.reading import read_series
from .dicom.series import FEWEST_SLICES, choose_series, list_series
from .dicom.slice_header import SliceHeader
from .images.facts import checked_assumption
from .images.file import FORMATS, ImageHeader, is_image_file, read_image_file, read_image_header
from .label_maps import read_labels

__all__ = ["FORMATS", "list_series", "read_ct", "read_labels", "read_thin_ct"]

FEWEST_PIXELS = 32
_LOG = logging.getLogger(__name__)


@time_logged(_LOG, "Reading the CT")
def read_ct(path: str | Path, series: str | None = None, assume_orientation: str | None = None) -> CTVolume:
    """Read a CT from a DICOM folder, one of its files, a zip of DICOM files, or a NIfTI, NRRD or MetaImage file.

    Args:
        path: file or folder; names may hold any characters.
        series: number or UID of the DICOM series, needed when the folder or zip holds several CT series. A single DICOM file
            stands for its own series.
        assume_orientation: "LPS" or "RAS", how to take the axes of an image file that does not state how they lie in the patient;
            of no effect where the file does. The scan carries a warning then.

    Returns:
        HU int16 ``[z, y, x]`` on the file's own grid (DICOM: slices sorted along their normal), the patient's height
        where a DICOM header gives a possible one, and findings on what was repaired.

    Raises:
        InputError: the path cannot be read as one CT volume; the message is a sentence for the user.
    """
    path = Path(path)
    assume_orientation = checked_assumption(assume_orientation)
    if not path.exists():
        raise InputError(f"There is no file or folder {shown(path)}; check the path.")
    if path.is_dir():
        return _read_series(scan_headers(path), f"folder {shown(path.resolve())}", series)
    if path.stat().st_size == 0:
        raise InputError(f"The file {path.name} is empty; copy or export it again.")
    if is_zip(path):
        with as_folder(path) as folder:
            return _read_series(scan_headers(folder), f"zip {shown(path)}", series)
    if not is_image_file(path):
        own = read_slice_headers(path)
        if not own:
            raise InputError(
                f"The file {shown(path)} is not a CT volume; give a DICOM folder or a file of type {', '.join(FORMATS)}."
            )
        headers = [h for h in scan_headers(path.parent) if h.path.parent == path.parent]
        wanted = series if series is not None else own[0].series_uid
        return _read_series(headers, f"folder {shown(path.resolve().parent)}", wanted)
    if series is not None:
        raise InputError(f"The option --series applies to DICOM folders and zips only; leave it out for {shown(path)}.")
    return _read_file(path, assume_orientation)


def _read_series(headers: list[SliceHeader], place: str, series: str | None) -> CTVolume:
    return _checked(read_series(choose_series(headers, place, series)), "the series")


def read_thin_ct(path: Path) -> CTVolume | None:
    """The CT of an image file with fewer slices than `read_ct` asks for; None for any other file or folder.

    For comparing images only: so few slices are no scan to be segmented as it is.

    Raises:
        InputError: the file cannot be read, or does not hold HU.
    """
    if not (path.is_file() and is_image_file(path)):
        return None
    header = read_image_header(path)
    if header.values_per_voxel != 1 or header.facts.size[2] >= FEWEST_SLICES:
        return None
    image = read_image_file(header)
    return CTVolume(*image.hounsfield(), findings=image.findings)


def _read_file(path: Path, assume_orientation: str | None) -> CTVolume:
    header = read_image_header(path)
    _check_header(header)
    image = read_image_file(header, assume_orientation)
    return _checked(CTVolume(*image.hounsfield(), findings=image.findings), f"the image {path.name}")


def _check_header(header: ImageHeader) -> None:
    """Refuse by the header alone what cannot be one grey volume, before its pixels take memory."""
    name, size = header.path.name, header.facts.size
    if header.is_segmentation:
        raise InputError(f"The file {name} is a segmentation and not a CT; choose the CT that it was made on.")
    if size[2] == 1:
        raise InputError(f"The image {name} is a single slice; choose a CT volume of at least {FEWEST_SLICES} slices.")
    if header.is_complex:
        raise InputError(f"The image {name} has complex values; choose a CT in Hounsfield units.")
    if header.values_per_voxel != 1:
        raise InputError(
            f"The image {name} has {header.dimensions} dimensions (a time series, for example); choose a single 3D volume."
            if header.dimensions > 3
            else f"The image {name} has {header.values_per_voxel} values per voxel (a colour or vector image); choose a CT in "
            "Hounsfield units."
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
        raise InputError(f"{what} has slices of only {x} x {y} pixels; at least {FEWEST_PIXELS} x {FEWEST_PIXELS} are needed.")
    if z < FEWEST_SLICES:
        raise InputError(f"{what} has only {z} axial slice{'s' if z > 1 else ''}; at least {FEWEST_SLICES} are needed.")
    spacing = " x ".join(f"{value:.3f}" for value in geometry.spacing)
    _LOG.info("The scan has %d x %d x %d voxels of %s mm", *geometry.size, spacing)
    for finding in volume.findings:
        _LOG.info("The reader found %s", finding.code)
    return volume
