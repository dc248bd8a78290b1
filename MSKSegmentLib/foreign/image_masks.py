"""Masks in image files: label maps, Slicer's segmentations, folders with one file per structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..anatomy import Code, Side
from ..ct.reading.images.file import FORMATS, ImageHeader, read_image_file, read_image_header
from ..ct.reading.label_maps import StoredSegment, stored_segments
from ..ct.volume import Geometry
from ..errors import InputError, shown
from ..findings import Finding
from .mask import LABEL_MAP, ForeignMask, ForeignSegment, Layer, empty, values_of, whole_numbers
from .nifti_names import names_in_nifti
from .segment_names import is_generated, number_in, side_of_word


def read_image_mask(path: Path, assume_orientation: str | None) -> ForeignMask:
    """The mask in one image file, with the names of its values where the file holds them.

    Raises:
        InputError: it cannot be read, is empty, or is no label map.
    """
    header = read_image_header(path)
    stored = stored_segments(header.keys, None)
    name = f"The segmentation {path.name}"
    if stored:
        return _segmentation(header, stored, name, assume_orientation)
    voxels, geometry, findings = _voxels(header, assume_orientation)
    values = [value for value in values_of(voxels, name) if value]
    if not values:
        raise empty(name)
    names = names_in_nifti(header)
    segments = tuple(ForeignSegment(value, (names[value],) if names.get(value) else ()) for value in values)
    return ForeignMask(name, LABEL_MAP, (Layer(segments, lambda: voxels),), geometry, findings)


def read_folder(folder: Path, files: Sequence[Path], assume_orientation: str | None) -> ForeignMask:
    """The mask in a folder of which each file holds one structure and is named after it; files are read when they are asked for.

    Raises:
        InputError: a file cannot be read, holds several values, or they lie on different grids.
    """
    name = f"The folder {shown(folder)!r}"
    first = read_image_header(files[0])
    voxels, geometry, findings = _voxels(first, assume_orientation)
    if len(files) == 1 and len(values_of(voxels, name)) > 2:
        return replace(read_image_mask(files[0], assume_orientation), name=name)
    layers = tuple(
        Layer((ForeignSegment(1, (_stem(file),)),), partial(_one_structure, file, geometry, assume_orientation)) for file in files
    )
    return ForeignMask(name, "a folder of masks", layers, geometry, findings)


def _segmentation(header: ImageHeader, stored: Sequence[StoredSegment], name: str, assume_orientation: str | None) -> ForeignMask:
    image = read_image_file(header, assume_orientation)
    array = image.voxels if image.voxels.ndim == 4 else image.voxels[..., None]
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} does not hold whole numbers; save it again as a segmentation.")
    if any(segment.layer >= array.shape[3] for segment in stored):
        raise InputError(f"{name} lacks a layer that its header names; save it again.")
    geometry = image.fit.apply(array[..., 0], 0, nearest=True)[1]

    def of_layer(number: int) -> Callable[[], np.ndarray]:
        return lambda: image.fit.apply(array[..., number], 0, nearest=True)[0]

    layers = tuple(
        Layer(tuple(_named(segment) for segment in stored if segment.layer == number), of_layer(number))
        for number in range(array.shape[3])
    )
    return ForeignMask(name, "a segmentation", layers, geometry, _about_mask(image.findings))


def _named(segment: StoredSegment) -> ForeignSegment:
    """Slicer's terminology (``context~category~type~side~...``, a code as ``scheme^value^meaning``) is among the tags."""
    entries = [text.split("~") for text in segment.texts if text.count("~") >= 3]
    code, side = None, None
    for parts in entries:
        stated = parts[2].split("^")
        code = Code(*stated) if len(stated) == 3 and all(stated) else code
        side = _side_of_code(parts[3]) or side
    # A name that only counts, such as Slicer gives to a label map without names, leaves the value to tell.
    names = tuple(text for text in segment.texts if "~" not in text and not is_generated(text))
    return ForeignSegment(segment.value, names, code, side, None if names else number_in(segment.name))


def _side_of_code(text: str) -> Side | None:
    return side_of_word(text.rpartition("^")[2])


def _voxels(header: ImageHeader, assume_orientation: str | None) -> tuple[np.ndarray, Geometry, tuple[Finding, ...]]:
    """Whole numbers ``[z, y, x]`` on a regular grid, and what reading the file left in doubt."""
    name = f"The segmentation {header.path.name}"
    if header.is_complex or header.values_per_voxel != 1:
        what = "complex values" if header.is_complex else "several values per voxel"
        raise InputError(f"{name} has {what}; a label map is needed.")
    image = read_image_file(header, assume_orientation)
    whole = whole_numbers(image.voxels, image.scaling, name)
    voxels, geometry = image.fit.apply(whole, 0, nearest=True)
    return voxels, geometry, _about_mask(image.findings)


def _about_mask(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(replace(found, sentence=f"About the label map: {found.sentence}") for found in findings)


def _one_structure(file: Path, geometry: Geometry, assume_orientation: str | None) -> np.ndarray:
    """1 inside the structure of a file, uint8 ``[z, y, x]``."""
    voxels, own, _ = _voxels(read_image_header(file), assume_orientation)
    values = [value for value in values_of(voxels, file.name) if value]
    if len(values) > 1:
        raise InputError(
            f"The file {file.name} holds {len(values)} structures, and a folder is read as one structure per file; give that file "
            "alone, or take it out of the folder."
        )
    if not own.matches(geometry):
        raise InputError(f"The file {file.name} lies on another grid than the other files of its folder; give files of one scan.")
    return (voxels != 0).astype(np.uint8)


def _stem(file: Path) -> str:
    suffix = next((suffix for suffix in sorted(FORMATS, key=len, reverse=True) if file.name.lower().endswith(suffix)), file.suffix)
    return file.name[: -len(suffix)].removesuffix(".seg") if suffix else file.name
