"""Image files of any format: their headers, their voxels, and the regular grid of the voxels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....findings import Finding
from ...modality import BEYOND_SCAN, CT_MODALITY
from ...volume import Geometry
from ..hounsfield import read_image, read_information, to_hu
from ..mr_values import to_mr
from . import nifti_file
from .facts import ImageFacts, Stated, left_over, place_voxels
from .grid import GridFit, fit_grid
from .metaimage import metaimage_facts, parse_metaimage
from .metaimage_data import check_voxels, is_text, read_text
from .nifti_facts import nifti_facts
from .nifti_header import NiftiHeader
from .nrrd import nrrd_facts, parse_nrrd
from .nrrd_data import check_files, names_several

FORMATS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_LONGEST_HEADER = 1 << 20
_NRRD, _META, _NIFTI = (".nrrd", ".nhdr"), (".mha", ".mhd"), (".nii", ".nii.gz")
_NAMES: dict[tuple[str, ...], str] = {_NRRD: "a NRRD image", _META: "a MetaImage", _NIFTI: "a NIfTI image"}


@dataclass(frozen=True)
class ImageHeader:
    """The content of an image file's header, read before its voxels take memory.

    `values_per_voxel` counts channels and time points, `dimensions` all axes except that of channels; `keys` are the file's further
    entries, such as Slicer's segments.
    """

    path: Path
    facts: ImageFacts
    values_per_voxel: int
    dimensions: int = 3
    is_complex: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    nifti: NiftiHeader | None = None

    @property
    def is_segmentation(self) -> bool:
        """Whether it is a segmentation of 3D Slicer."""
        return any(key.startswith("Segment0_") for key in self.keys)


@dataclass(frozen=True)
class ImageFile:
    """Voxels as they are stored, ``[z, y, x]`` or, with several values each, ``[z, y, x, value]``, and their placement."""

    name: str
    voxels: np.ndarray
    scaling: tuple[float, float] | None
    fit: GridFit
    findings: tuple[Finding, ...]

    def intensities(self, modality: str) -> tuple[np.ndarray, Geometry]:
        """Values int16 ``[z, y, x]`` on a regular grid: HU of CT, MR as `mr_values.to_mr` keeps it.

        Raises:
            InputError: a value is not a finite number.
        """
        convert = to_hu if modality == CT_MODALITY else to_mr
        return self.fit.apply(convert(self.voxels, self.name, self.scaling), BEYOND_SCAN[modality], nearest=False)


def is_image_file(path: Path) -> bool:
    """Whether a file is an image file that can be read, by its name or, for a NIfTI pair, by its header."""
    return path.name.lower().endswith(FORMATS) or nifti_file.pair_header(path) is not None


def read_image_header(path: Path) -> ImageHeader:
    """Read the header of a NIfTI, NRRD or MetaImage file.

    Raises:
        InputError: the file is damaged or of another type, or its header contradicts itself or lacks the spacing.
    """
    if path.stat().st_size == 0:
        raise InputError(f"The file {path.name} is empty; copy or export it again.")
    path = nifti_file.pair_header(path) or path
    kind = _kind_by_content(path) or _kind_by_name(path)
    if kind is _NIFTI:
        nifti = nifti_file.read_nifti_header(path)
        facts = nifti_facts(nifti, path.name)
        return ImageHeader(path, facts, nifti.values_per_voxel, len(nifti.dims), nifti.voxel_type.kind == "c", nifti=nifti)
    if kind is not _kind_by_name(path):
        raise InputError(f"The file {path.name} is {_NAMES[kind]}, unlike what its name says; rename it to end in {kind[0]}.")
    facts = nrrd_facts(parse_nrrd(path), path.name) if kind is _NRRD else metaimage_facts(parse_metaimage(path), path.name)
    _data_file(path, kind)
    # Not needed for NIfTI, of which `mskseg check` is to tell within a second.
    import SimpleITK as sitk

    reader = read_information(path)
    if reader is None:
        raise InputError(
            f"The header of {path.name} is damaged, or uses parts of its format that cannot be read; export it again as a plain 3D "
            "volume."
        )
    values = reader.GetNumberOfComponents() * int(np.prod(reader.GetSize()[3:]))
    keys = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    is_complex = "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID())
    return ImageHeader(path, facts, values, reader.GetDimension(), is_complex, keys)


def read_image_file(header: ImageHeader, assume_orientation: str | None = None) -> ImageFile:
    """The voxels of a file and their placement in the patient.

    Args:
        header: the result of `read_image_header`.
        assume_orientation: "LPS" or "RAS", the frame of a file that does not state its own.

    Raises:
        InputError: voxels are missing or damaged, or the header does not state their position.
    """
    name = header.path.name
    placement = place_voxels(header.facts, name, assume_orientation)
    fit = fit_grid(header.facts.size, placement, name)
    findings = placement.findings + fit.findings
    if header.nifti is not None:
        voxels, more = nifti_file.read_voxels(header.path, header.nifti)
    else:
        voxels, more = _voxels(header)
    scaling: Stated[tuple[float, float]] | None = header.facts.scaling
    return ImageFile(name, voxels, scaling.value if scaling else None, fit, findings + more)


def _voxels(header: ImageHeader) -> tuple[np.ndarray, tuple[Finding, ...]]:
    import SimpleITK as sitk

    fields = parse_metaimage(header.path) if _kind_by_name(header.path) is _META else None
    if fields:
        check_voxels(header.path, fields)
    image = read_text(header.path, fields) if fields and is_text(fields) else read_image(header.path)
    if image is None:
        raise InputError(
            f"The pixels of the file {header.path.name} cannot be read; it is damaged or cut short, so export it again."
        )
    array = sitk.GetArrayFromImage(image)
    i, j, k = header.facts.size
    source, begin = _data_file(header.path, _kind_by_name(header.path))
    more = 0 if source is None or begin is None else source.stat().st_size - begin - array.nbytes
    return array.reshape((k, j, i) if header.values_per_voxel == 1 else (k, j, i, header.values_per_voxel)), left_over(more)


def _kind_by_name(path: Path) -> tuple[str, ...]:
    name = path.name.lower()
    return next((kind for kind in (_NRRD, _META) if name.endswith(kind)), _NIFTI)


def _kind_by_content(path: Path) -> tuple[str, ...] | None:
    with path.open("rb") as file:
        start = file.read(400)
    if start.startswith(b"NRRD000"):
        return _NRRD
    if re.match(rb"\s*(ObjectType|NDims|Comment|ObjectSubType)\s*[=:]", start):
        return _META
    if start[:2] == b"\x1f\x8b" or any(int.from_bytes(start[:4], order) in (348, 540) for order in ("little", "big")):
        return _NIFTI
    return None


def _data_file(path: Path, kind: tuple[str, ...]) -> tuple[Path | None, int | None]:
    """The file with the voxels (None if there are several), and the byte at which they begin (None if compressed).

    Raises:
        InputError: it is missing.
    """
    if kind is _NRRD:
        nrrd = parse_nrrd(path)
        named = nrrd.fields.get("datafile", "")
        several = names_several(named)
        if several:
            check_files(path, nrrd)
        plain = nrrd.fields["encoding"].lower() == "raw" and not {"byteskip", "lineskip"} & set(nrrd.fields)
        end = rb"\r?\n\r?\n"
    else:
        fields = parse_metaimage(path)
        named = fields.get("ElementDataFile", "")
        several = named.upper().startswith("LIST") or "%" in named
        plain = fields.get("CompressedData", "False").lower() == "false" and fields.get("HeaderSize", "0") == "0"
        plain = plain and fields.get("BinaryData", "True").lower() == "true"
        end = rb"ElementDataFile[^\n]*\n"
        named = "" if named.upper() == "LOCAL" else named
    if several:
        return None, None
    if named:
        if not (path.parent / named).is_file():
            raise InputError(
                f"The file {Path(named).name}, which holds the voxels of {path.name}, is missing; put both into one folder."
            )
        return path.parent / named, 0 if plain else None
    with path.open("rb") as file:
        found = re.search(end, file.read(_LONGEST_HEADER))
    return path, found.end() if found and plain else None
