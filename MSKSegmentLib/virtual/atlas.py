"""Labelled anatomy that virtual patients are made from.

An atlas folder holds one ``<body>_labels.nrrd`` per body: an integer label map of about 1 mm, hip to knee, with the label
numbers of `anatomy` (right 1..22, left + 100, sacrum 3) and the extras below for tissue that is not segmented. Beside it may lie
``<body>_details.nrrd`` on the same grid: the muscles of another table of structures, right 1..99, left + 100, for tasks that name
muscles that the label map merges or lacks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import LEFT_OFFSET
from ..errors import InputError, shown

if TYPE_CHECKING:
    import SimpleITK as sitk

# Extra labels of an atlas: tissue that a CT shows but that is none of the segmented structures (right, left or unpaired).
COCCYX = 200
PATELLA, TIBIA, FIBULA, CARTILAGE, OTHER_MUSCLE, LIGAMENT = 201, 202, 203, 204, 205, 206
MIRRORED_EXTRA_OFFSET = 10

ATLAS_VARIABLE = "MSKSEG_ATLAS"


@dataclass(frozen=True, eq=False)
class Atlas:
    """One labelled body: `labels` uint8 ``[z, y, x]`` with z superior, y posterior, x left; `spacing` ``(z, y, x)`` in mm.

    `details` is a second label map of that shape, the muscles of another table of structures, or None. Atlases compare by
    identity, so that derived data can be cached.
    """

    name: str
    labels: np.ndarray
    spacing: tuple[float, float, float]
    details: np.ndarray | None = None


def atlas_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder given, else that of the environment variable ``MSKSEG_ATLAS``.

    Raises:
        InputError: neither names a folder.
    """
    chosen = folder or os.environ.get(ATLAS_VARIABLE)
    if not chosen:
        raise InputError("No atlas folder is known; name one with --atlas or in the environment variable MSKSEG_ATLAS.")
    path = Path(chosen)
    if not path.is_dir():
        raise InputError(f"The atlas folder {shown(path)!r} does not exist; name a folder with *_labels.nrrd files.")
    return path


def load_atlases(folder: str | os.PathLike[str] | None = None) -> tuple[Atlas, ...]:
    """All bodies of an atlas folder, sorted by name.

    Raises:
        InputError: no folder, no label map in it, a label map that is not 3D, or details on another grid.
    """
    import SimpleITK as sitk

    path = atlas_folder(folder)
    atlases = []
    for file in sorted(path.glob("*_labels.nrrd")):
        image = sitk.ReadImage(str(file))
        if image.GetDimension() != 3:
            raise InputError(f"The atlas file {file.name!r} is not three-dimensional; give one label map per body.")
        image = sitk.DICOMOrient(image, "LPS")
        labels = sitk.GetArrayFromImage(image).astype(np.uint8)
        x, y, z = image.GetSpacing()
        name = file.name.removesuffix("_labels.nrrd")
        atlases.append(Atlas(name, labels, (z, y, x), _details(path / f"{name}_details.nrrd", image)))
    if not atlases:
        raise InputError(f"The folder {shown(path)!r} holds no *_labels.nrrd file; see the atlas format in the documentation.")
    return tuple(atlases)


def _details(file: Path, labels: sitk.Image) -> np.ndarray | None:
    """The muscles of another table, uint8 ``[z, y, x]`` on the grid of the label map (oriented to LPS); None without the file."""
    import SimpleITK as sitk

    if not file.is_file():
        return None
    image = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
    places = [np.array([*one.GetSize(), *one.GetSpacing(), *one.GetOrigin()]) for one in (image, labels)]
    if places[0].shape != places[1].shape or not np.allclose(places[0], places[1], atol=1e-3):
        raise InputError(f"The atlas file {file.name!r} lies on another grid than its label map; make both anew.")
    return sitk.GetArrayFromImage(image).astype(np.uint8)


def mirrored_details() -> np.ndarray:
    """``[256]`` table that exchanges right and left values of `Atlas.details`."""
    table = np.arange(256, dtype=np.uint8)
    right = np.arange(1, LEFT_OFFSET)
    table[right], table[right + LEFT_OFFSET] = right + LEFT_OFFSET, right
    return table


def mirrored_table() -> np.ndarray:
    """``[256]`` table that exchanges right and left label values, extras included."""
    from ..anatomy.built_in import HIP_AND_THIGH

    table = np.arange(256, dtype=np.uint8)
    for structure in HIP_AND_THIGH.structures:
        if structure.paired:
            table[structure.index] = structure.index + LEFT_OFFSET
            table[structure.index + LEFT_OFFSET] = structure.index
    for extra in (PATELLA, TIBIA, FIBULA, CARTILAGE, OTHER_MUSCLE, LIGAMENT):
        table[extra] = extra + MIRRORED_EXTRA_OFFSET
        table[extra + MIRRORED_EXTRA_OFFSET] = extra
    return table
