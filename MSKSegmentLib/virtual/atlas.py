"""Labelled anatomy that virtual patients are made from.

An atlas folder holds one ``<body>_labels.nrrd`` per body: an integer label map of about 1 mm, hip to knee, with the label
numbers of `anatomy` (right 1..22, left + 100, sacrum 3) and the extras below for tissue that is not segmented.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError, shown

# Extra labels of an atlas: tissue that a CT shows but that no structure of ours covers (right, left or unpaired).
COCCYX = 200
PATELLA, TIBIA, FIBULA, CARTILAGE, OTHER_MUSCLE, LIGAMENT = 201, 202, 203, 204, 205, 206
MIRRORED_EXTRA_OFFSET = 10


@dataclass(frozen=True, eq=False)
class Atlas:
    """One labelled body: `labels` uint8 ``[z, y, x]`` with z superior, y posterior, x left; `spacing` ``(z, y, x)`` in mm.

    Compared by identity, so that what is derived from it can be kept.
    """

    name: str
    labels: np.ndarray
    spacing: tuple[float, float, float]


def atlas_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder given, else that of the environment variable ``MSKSEG_ATLAS``.

    Raises:
        InputError: neither names a folder.
    """
    chosen = folder or os.environ.get("MSKSEG_ATLAS")
    if not chosen:
        raise InputError("No atlas folder is known; name one with --atlas or in the environment variable MSKSEG_ATLAS.")
    path = Path(chosen)
    if not path.is_dir():
        raise InputError(f"The atlas folder {shown(path)!r} does not exist; name a folder with *_labels.nrrd files.")
    return path


def load_atlases(folder: str | os.PathLike[str] | None = None) -> tuple[Atlas, ...]:
    """All bodies of an atlas folder, sorted by name.

    Raises:
        InputError: no folder, no label map in it, or a label map that is not 3D.
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
        atlases.append(Atlas(file.name.removesuffix("_labels.nrrd"), labels, (z, y, x)))
    if not atlases:
        raise InputError(f"The folder {shown(path)!r} holds no *_labels.nrrd file; see the atlas format in the documentation.")
    return tuple(atlases)


def mirrored_table() -> np.ndarray:
    """``[256]`` table that exchanges right and left label values, extras included."""
    from ..anatomy import LEFT_OFFSET
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
