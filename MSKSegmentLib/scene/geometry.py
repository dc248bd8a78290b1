"""Between numpy arrays on a `Geometry` (LPS) and VTK images placed in Slicer's RAS frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ct.volume import Geometry
from ..results.segmentation_file import ras_matrix

if TYPE_CHECKING:
    import slicer
    import vtk

Extent = tuple[int, int, int, int, int, int]


def vtk_matrix(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """A VTK matrix from an array ``[4, 4]``."""
    import vtk

    result = vtk.vtkMatrix4x4()
    result.DeepCopy(matrix.ravel().tolist())
    return result


def array_of_matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """The array ``[4, 4]`` of a VTK matrix."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def array_of_image(image: vtk.vtkImageData) -> np.ndarray:
    """The scalars of a VTK image as an array ``[z, y, x]``, or ``[z, y, x, values]``, that shares its memory."""
    from vtk.util.numpy_support import vtk_to_numpy

    x, y, z = image.GetDimensions()
    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(z, y, x, *scalars.shape[1:])


def set_scalars(image: vtk.vtkImageData, array: np.ndarray, extent: Extent) -> None:
    """Give a VTK image a copy of an array ``[z, y, x]`` or ``[z, y, x, values]``.

    Its extent is ``(x0, x1, y0, y1, z0, z1)``, ends included.
    """
    from vtk.util.numpy_support import numpy_to_vtk

    scalars = numpy_to_vtk(np.ascontiguousarray(array).reshape(-1, *array.shape[3:]), deep=True)
    scalars.SetName("ImageScalars")
    image.SetExtent(*extent)
    image.GetPointData().SetScalars(scalars)


def full_extent(geometry: Geometry) -> Extent:
    """The VTK extent of the whole grid."""
    x, y, z = geometry.size
    return 0, x - 1, 0, y - 1, 0, z - 1


def geometry_of_matrix(ijk_to_ras: np.ndarray, size: tuple[int, int, int]) -> Geometry:
    """The grid (LPS) of a matrix ``[4, 4]`` from voxel indices to RAS; the inverse of `ras_matrix`."""
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_ras
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    rows = (to_lps[:3, :3] / spacing).tolist()
    origin = to_lps[:3, 3].tolist()
    return Geometry(
        size=size,
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin=(origin[0], origin[1], origin[2]),
        direction=(tuple(rows[0]), tuple(rows[1]), tuple(rows[2])),
    )


def geometry_of_serialized(text: str) -> Geometry:
    """The grid of a text that `serialized_geometry` wrote."""
    values = [float(value) for value in text.split(";") if value]
    x, y, z = (int(bound) + 1 for bound in values[17::2])
    return geometry_of_matrix(np.array(values[:16]).reshape(4, 4), (x, y, z))


def oriented_image(array: np.ndarray, geometry: Geometry, extent: Extent | None = None) -> slicer.vtkOrientedImageData:
    """An array ``[z, y, x]`` (copied) that fills `extent` of the grid, or all of it, as Slicer's placed image."""
    import slicer

    image = slicer.vtkOrientedImageData()
    set_scalars(image, array, extent or full_extent(geometry))
    image.SetImageToWorldMatrix(vtk_matrix(ras_matrix(geometry)))
    return image


def add_scalar_volume(
    scene: slicer.vtkMRMLScene, array: np.ndarray, geometry: Geometry, name: str
) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume node with a copy of an array ``[z, y, x]`` and a display node of its own, whose window is the caller's to set."""
    import vtk

    image = vtk.vtkImageData()
    set_scalars(image, array, full_extent(geometry))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(vtk_matrix(ras_matrix(geometry)))
    # A display that chooses its own window would look through all voxels for it, which takes a second for a large scan.
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.SetAndObserveImageData(image)
    return node
