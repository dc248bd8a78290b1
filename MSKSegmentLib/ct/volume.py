"""The CT (or MR) volume and its geometry: the one module that defines how voxels lie in the patient.

Arrays are ``[z, y, x]``; spacing, origin, size and the columns of `direction` follow ITK's order ``x, y, z`` in the
LPS frame (x grows to the patient's left, y to posterior, z to superior), in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..findings import Finding
from .modality import BEYOND_SCAN, CT_MODALITY, MODALITIES

if TYPE_CHECKING:
    import SimpleITK as sitk

    from .dicom_source import DicomSource

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Geometry:
    """A regular voxel grid in the patient (LPS, mm). `size` is ``(x, y, z)`` in voxels."""

    size: tuple[int, int, int]
    spacing: Vector
    origin: Vector = (0.0, 0.0, 0.0)
    direction: Matrix = IDENTITY

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape ``(z, y, x)`` of an array on this grid."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return self.spacing[0] * self.spacing[1] * self.spacing[2]

    @property
    def matrix(self) -> np.ndarray:
        """``[3, 3]`` matrix that takes an index step ``(i, j, k)`` to millimetres in LPS."""
        return np.asarray(self.direction) * np.asarray(self.spacing)[None, :]

    def to_physical(self, index_xyz: Any) -> np.ndarray:
        """LPS position in mm of (fractional) indices ``(i, j, k)``; ``[..., 3]`` in, ``[..., 3]`` out.

        >>> grid = Geometry(size=(512, 512, 300), spacing=(0.8, 0.8, 2.0), origin=(-200.0, -180.0, -900.0))
        >>> grid.shape  # of an array: slices, rows, columns
        (300, 512, 512)
        >>> grid.to_physical((10, 0, 5)).tolist()  # x to the patient's left, y to posterior, z to superior
        [-192.0, -180.0, -890.0]
        """
        return np.asarray(index_xyz, dtype=float) @ self.matrix.T + np.asarray(self.origin)

    def to_index(self, point_lps: Any) -> np.ndarray:
        """Fractional indices ``(i, j, k)`` of LPS positions in mm; the inverse of `to_physical`.

        >>> Geometry(size=(4, 4, 4), spacing=(2.0, 2.0, 5.0)).to_index((3.0, 2.0, 10.0)).tolist()
        [1.5, 1.0, 2.0]
        """
        offset = np.asarray(point_lps, dtype=float) - np.asarray(self.origin)
        return offset @ np.linalg.inv(self.matrix).T

    def cropped(self, start_xyz: tuple[int, int, int], size_xyz: tuple[int, int, int]) -> Geometry:
        """The grid of the box that begins at index `start_xyz` and holds `size_xyz` voxels."""
        origin = self.to_physical(start_xyz)
        return replace(self, size=size_xyz, origin=(float(origin[0]), float(origin[1]), float(origin[2])))

    def matches(self, other: Geometry, tolerance_mm: float = 1e-2) -> bool:
        """Whether both grids have the same size and their corner voxels lie within `tolerance_mm`."""
        if self.size != other.size:
            return False
        corners = np.array([[0, 0, 0], *np.diag(np.asarray(self.size) - 1)])
        return bool(np.abs(self.to_physical(corners) - other.to_physical(corners)).max() <= tolerance_mm)

    @staticmethod
    def of_image(image: sitk.Image) -> Geometry:
        """The geometry of a 3D SimpleITK image."""
        d = image.GetDirection()
        return Geometry(
            size=tuple(image.GetSize()),
            spacing=tuple(image.GetSpacing()),
            origin=tuple(image.GetOrigin()),
            direction=(d[0:3], d[3:6], d[6:9]),
        )

    def image_of(self, array: np.ndarray) -> sitk.Image:
        """A SimpleITK image of an array ``[z, y, x]`` (copied) on this grid.

        Raises:
            ValueError: the array's shape is not this grid's.
        """
        import SimpleITK as sitk

        if tuple(array.shape) != self.shape:
            raise ValueError(f"array of shape {array.shape} on a grid of shape {self.shape}")
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection([component for row in self.direction for component in row])
        return image


@dataclass(frozen=True)
class CTVolume:
    """A CT in Hounsfield units, or an MR scan in units of its own.

    `modality` is "CT" or "MR". `hu` is int16 ``[z, y, x]``; `intensities` is the same array, by the name that code for both
    modalities uses. `height_m` is the patient's height in metres, if the header states it; `findings` are the warnings of the
    reader: what it repaired, left out or doubts. `resampled` means that reading interpolated slices to
    equal intervals, so that `hu` does not show which were scanned. `source` are the DICOM slices that it was read from, None for
    other files.
    """

    hu: np.ndarray
    geometry: Geometry
    height_m: float | None = None
    findings: tuple[Finding, ...] = field(default=())
    resampled: bool = False
    source: DicomSource | None = None
    modality: str = CT_MODALITY

    def __post_init__(self) -> None:
        """Check shape and type."""
        if self.hu.dtype != np.int16:
            raise ValueError(f"hu must be int16, not {self.hu.dtype}")
        if self.hu.shape != self.geometry.shape:
            raise ValueError(f"hu of shape {self.hu.shape} on a grid of shape {self.geometry.shape}")
        if self.modality not in MODALITIES:
            raise ValueError(f"a modality {self.modality!r} instead of one of {', '.join(MODALITIES)}")

    @property
    def intensities(self) -> np.ndarray:
        """The voxels int16 ``[z, y, x]``: Hounsfield units of CT, the scanner's own values of MR."""
        return self.hu

    @property
    def outside(self) -> int:
        """The value beyond the scan: air in CT, no signal in MR."""
        return BEYOND_SCAN[self.modality]
