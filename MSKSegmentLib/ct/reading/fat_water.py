"""Fat and water images of a Dixon sequence, brought onto the grid of a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError, shown
from ..volume import Geometry
from .images.file import FORMATS, is_image_file, read_image_file, read_image_header

# Grids whose corners differ by at most this many voxels are the same grid.
_SAME_VOXELS = 0.01


def read_fat_water(fat: Path, water: Path, scan: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Both images float32 ``[z, y, x]`` on the scan's grid, NaN beyond the images; another grid is interpolated linearly.

    Only image files are read: their values are used unchanged, while each DICOM series may have its own scale.

    Raises:
        InputError: a file cannot be used, the two lie on different grids or are empty, or neither reaches into the scan.
    """
    (fat_values, grid), (water_values, other) = _read(fat, "fat"), _read(water, "water")
    if not _same(grid, other):
        raise InputError(
            f"The fat image {shown(fat)} ({_described(grid)}) lies on another grid than the water image {shown(water)} "
            f"({_described(other)}); give both images of one sequence."
        )
    if _same(grid, scan):
        return fat_values, water_values
    placed = [_resampled(values, grid, scan) for values in (fat_values, water_values)]
    if not np.isfinite(placed[0]).any():
        raise InputError("The fat and water images lie elsewhere than the scan; give those of the same examination and region.")
    return placed[0], placed[1]


def _read(path: Path, what: str) -> tuple[np.ndarray, Geometry]:
    if not path.exists():
        raise InputError(f"There is no file {shown(path)}; check the path of the {what} image.")
    if path.is_dir() or not is_image_file(path):
        raise InputError(
            f"The {what} image {shown(path)} is no file of type {', '.join(FORMATS)}; convert both series to image files, so that "
            "their values have one scale."
        )
    header = read_image_header(path)
    if header.values_per_voxel != 1 or header.is_complex or header.dimensions != 3:
        raise InputError(f"The {what} image {shown(path)} is no single real volume; give the magnitude image of {what} alone.")
    image = read_image_file(header)
    if image.fit.shifts is not None:
        raise InputError(f"The {what} image {shown(path)} is a tilted stack; resample it to a regular grid first.")
    slope, intercept = image.scaling or (1.0, 0.0)
    values = (image.voxels * np.float64(slope) + intercept).astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"The {what} image {shown(path)} has values that are not numbers; export it again.")
    if values.max() <= 0:
        raise InputError(f"The {what} image {shown(path)} holds no signal; choose the {what} image itself.")
    return np.maximum(values, 0), image.fit.geometry


def _same(one: Geometry, other: Geometry) -> bool:
    """Whether two grids have the same voxels, from their corners."""
    if one.size != other.size:
        return False
    corners = [(0, 0, 0), *np.diag(np.array(one.size) - 1).tolist()]
    apart = max(np.abs(np.subtract(one.to_physical(corner), other.to_physical(corner))).max() for corner in corners)
    return bool(apart <= _SAME_VOXELS * min(one.spacing))


def _resampled(values: np.ndarray, grid: Geometry, scan: Geometry) -> np.ndarray:
    import SimpleITK as sitk

    direction = [component for row in scan.direction for component in row]
    place = (scan.size, sitk.Transform(), sitk.sitkLinear, scan.origin, scan.spacing, direction, float("nan"))
    found: np.ndarray = sitk.GetArrayFromImage(sitk.Resample(grid.image_of(values), *place))
    return found


def _described(grid: Geometry) -> str:
    return f"{' x '.join(map(str, grid.size))} voxels of {' x '.join(f'{value:.3g}' for value in grid.spacing)} mm"
