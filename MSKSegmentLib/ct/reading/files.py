"""Reading a CT or an MR scan of any common format into a `CTVolume`; label maps are read by `read_labels`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError, shown
from ...timing import time_logged
from ..checks.volume import refuse, spacing_findings
from ..modality import CT_MODALITY, MR_MODALITY, SCAN_WORDS
from ..orientation import axis_order
from ..volume import CTVolume, Geometry
from .dicom.archives import as_folder, is_zip
from .dicom.headers import read_slice_headers, scan_headers
from .dicom.reading import read_series, series_grid
from .dicom.series import FEWEST_SLICES, Series, choose_series, list_series
from .images.facts import checked_assumption, place_voxels
from .images.file import FORMATS, ImageHeader, is_image_file, read_image_file, read_image_header
from .images.grid import fit_grid
from .label_maps import read_labels

__all__ = ["FORMATS", "inspect_ct", "list_series", "read_ct", "read_labels", "read_thin_ct"]

FEWEST_PIXELS = 32
# The name of a DICOM series in sentences.
_SERIES = "the series"
_A_SCAN = {CT_MODALITY: "a CT", MR_MODALITY: "an MR scan"}
_A_VOLUME = {CT_MODALITY: "a CT volume", MR_MODALITY: "an MR volume"}
_LOG = logging.getLogger(__name__)


@time_logged(_LOG, "Reading the scan")
def read_ct(
    path: str | Path, series: str | None = None, assume_orientation: str | None = None, modality: str = CT_MODALITY
) -> CTVolume:
    """Read a CT, or with the modality "MR" an MR scan, from a DICOM folder, one of its files, a zip of DICOM files, or a NIfTI,
    NRRD or MetaImage file.

    Args:
        path: file or folder; names may hold any characters.
        series: number or UID of the DICOM series, needed when the folder or zip holds several series of the modality. A single
            DICOM file stands for its own series.
        assume_orientation: "LPS" or "RAS", the frame of an image file that does not state how its axes lie in the patient; the
            scan then carries a warning. It has no effect if the file states its frame.
        modality: "CT" or "MR", that of the task; image files do not state theirs, so that their values are checked later.

    Returns:
        HU, or values of MR in the scanner's own unit, int16 ``[z, y, x]`` on the file's own grid (DICOM: slices sorted along their
        normal), the patient's height if a DICOM header states a possible one, and findings on what was repaired.

    Raises:
        InputError: the path cannot be read as one volume of that modality; the message is a sentence for the user.
    """
    assume_orientation = checked_assumption(assume_orientation)
    with _located(Path(path), series, modality) as source:
        if isinstance(source, Series):
            return _checked(read_series(source), _SERIES)
        image = read_image_file(source, assume_orientation)
        return _checked(CTVolume(*image.intensities(modality), findings=image.findings, modality=modality), _image(source))


@dataclass(frozen=True)
class ScanHeader:
    """The content of a scan's headers, without voxels: its grid as the file states it, and the files with its slices or voxels.

    `instances` are the UIDs of its DICOM images, empty for an image file.
    """

    geometry: Geometry
    files: tuple[Path, ...]
    instances: tuple[str, ...] = ()


def inspect_ct(
    path: str | Path, series: str | None = None, assume_orientation: str | None = None, modality: str = CT_MODALITY
) -> ScanHeader:
    """Check by headers alone whether `read_ct` with the same arguments would read a scan; problems of the voxels stay unnoticed.

    Raises:
        InputError: `read_ct` would refuse it, with the same sentence; or its spacing is not that of a CT.
    """
    assume_orientation = checked_assumption(assume_orientation)
    with _located(Path(path), series, modality) as source:
        return inspect_series(source) if isinstance(source, Series) else _inspected_image(source, assume_orientation)


def inspect_series(series: Series) -> ScanHeader:
    """`inspect_ct` of a DICOM series.

    Raises:
        InputError: see there.
    """
    geometry = _header_checked(series_grid(series), _SERIES)
    slices = series.slices
    return ScanHeader(geometry, tuple(header.path for header in slices), tuple(header.instance_uid for header in slices))


def _inspected_image(header: ImageHeader, assume_orientation: str | None) -> ScanHeader:
    placement = place_voxels(header.facts, header.path.name, assume_orientation)
    grid = fit_grid(header.facts.size, placement, header.path.name).geometry
    return ScanHeader(_header_checked(grid, _image(header)), (header.path,))


def _header_checked(geometry: Geometry, what: str) -> Geometry:
    """Check a grid by all rules for a scan's grid; the placeholder for its voxels takes no memory.

    Raises:
        InputError: the method cannot work on this grid.
    """
    volume = _checked(CTVolume(np.broadcast_to(np.int16(0), geometry.shape), geometry), what)
    order = axis_order(geometry.direction)
    refuse(spacing_findings(CTVolume(order.apply(volume.hu), order.geometry(geometry))))
    return geometry


def check_scan_file(path: Path, series: str | None = None, modality: str = CT_MODALITY) -> None:
    """Refuse a path, or an image file by its header, that cannot be a scan; takes milliseconds, before anything slow begins.

    Folders, zips and DICOM files are not opened.

    Raises:
        InputError: `read_ct` would refuse it, with the same sentence.
    """
    _image_header(path, series, modality)


def _image_header(path: Path, series: str | None, modality: str) -> ImageHeader | None:
    """The header of an image file; None for a folder, a zip, and a file that can only be DICOM.

    Raises:
        InputError: there is no such file, it is empty, or its header does not describe one scalar volume.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {shown(path)}; check the path.")
    if path.is_dir():
        return None
    if path.stat().st_size == 0:
        raise InputError(f"The file {path.name} is empty; copy or export it again.")
    if is_zip(path) or not is_image_file(path):
        return None
    if series is not None:
        raise InputError(f"The option --series applies to DICOM folders and zips only; leave it out for {shown(path)}.")
    image = read_image_header(path)
    _check_header(image, modality)
    return image


@contextmanager
def _located(path: Path, series: str | None, modality: str) -> Iterator[Series | ImageHeader]:
    """The DICOM series or the image file that a path means, by headers alone; its files exist within the block.

    Raises:
        InputError: there is none, or it cannot be one scalar volume.
    """
    image = _image_header(path, series, modality)
    if image is not None:
        yield image
    elif path.is_dir():
        yield choose_series(scan_headers(path), f"folder {shown(path.resolve())}", series, modality)
    elif is_zip(path):
        with as_folder(path) as folder:
            yield choose_series(scan_headers(folder), f"zip {shown(path)}", series, modality)
    else:
        own = read_slice_headers(path)
        if not own:
            raise InputError(
                f"The file {shown(path)} is not {_A_VOLUME[modality]}; give a DICOM folder or a file of type {', '.join(FORMATS)}."
            )
        headers = [h for h in scan_headers(path.parent) if h.path.parent == path.parent]
        wanted = series if series is not None else own[0].series_uid
        yield choose_series(headers, f"folder {shown(path.resolve().parent)}", wanted, modality)


def read_thin_ct(path: Path) -> CTVolume | None:
    """The CT of an image file with fewer slices than `read_ct` asks for; None for any other file or folder.

    Only for comparing images: so few slices cannot be segmented.

    Raises:
        InputError: the file cannot be read, or does not hold HU.
    """
    if not (path.is_file() and is_image_file(path)):
        return None
    header = read_image_header(path)
    if header.values_per_voxel != 1 or header.facts.size[2] >= FEWEST_SLICES:
        return None
    image = read_image_file(header)
    return CTVolume(*image.intensities(CT_MODALITY), findings=image.findings)


def _image(header: ImageHeader) -> str:
    """The name of an image file in sentences."""
    return f"the image {header.path.name}"


def _check_header(header: ImageHeader, modality: str) -> None:
    """Refuse by the header alone what cannot be one scalar volume, before its voxels take memory."""
    scan, values = SCAN_WORDS[modality], "a CT in Hounsfield units" if modality == CT_MODALITY else _A_SCAN[modality]
    name, size = header.path.name, header.facts.size
    if header.is_segmentation:
        raise InputError(f"The file {name} is a segmentation and not {_A_SCAN[modality]}; choose the {scan} that it was made on.")
    if size[2] == 1:
        raise InputError(f"The image {name} is a single slice; choose {_A_VOLUME[modality]} of at least {FEWEST_SLICES} slices.")
    if header.is_complex:
        raise InputError(f"The image {name} has complex values; choose {values}.")
    if header.values_per_voxel != 1:
        raise InputError(
            f"The image {name} has {header.dimensions} dimensions (a time series, for example); choose a single 3D volume."
            if header.dimensions > 3
            else f"The image {name} has {header.values_per_voxel} values per voxel (a colour or vector image); choose {values}."
        )


def _checked(volume: CTVolume, what: str) -> CTVolume:
    """Check that the method can work on the volume's grid; `what` names the scan in messages."""
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
