"""Opening an image file quietly, and its pixels as HU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the toolkit's own warnings off the terminal: findings state what matters."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def read_image(path: Path) -> sitk.Image | None:
    """An image file with its stored values (DICOM: rescaled), or None if it cannot be read."""
    import SimpleITK as sitk

    with _quiet():
        try:
            return sitk.ReadImage(str(path))
        except RuntimeError:
            return None


def read_information(path: Path) -> sitk.ImageFileReader | None:
    """A reader that has read only the file's header, or None if that fails."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _quiet():
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            return None
    return reader


def to_hu(array: np.ndarray, name: str, scaling: tuple[float, float] | None = None) -> np.ndarray:
    """Values ``[z, y, x]`` of any real type as int16 HU, rounded and clipped to the range of int16; int16 HU are not copied.

    `scaling` is (slope, intercept) if the stored values are scaled. It works slice by slice, without a float copy of the
    volume.

    Raises:
        InputError: a value is not a finite number; `name` is the file's name for the message.
    """
    if array.dtype == np.int16 and scaling is None:
        return array
    hu = np.empty(array.shape, dtype=np.int16)
    limits = np.iinfo(np.int16)
    for k, section in enumerate(array):
        values = section if scaling is None else section * float(scaling[0]) + float(scaling[1])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"The image {name} has values that are not numbers (NaN or infinity); export it again.")
        held = np.clip(values, limits.min, limits.max)
        hu[k] = np.rint(held) if values.dtype.kind == "f" else held
    return hu
