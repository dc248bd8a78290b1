"""The closed surface of a mask as the 3D views show it: without the steps of the voxels, and whole where it is thin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..results.segmentation_file import ras_matrix
from .geometry import array_of_image, array_of_matrix, full_extent, geometry_of_matrix, set_scalars, vtk_matrix
from .smooth_mask import ROOM_VOXELS, smooth_mask

if TYPE_CHECKING:
    import slicer
    import vtk


def smooth_surface(labelmap: slicer.vtkOrientedImageData, is_bone: bool) -> vtk.vtkPolyData:
    """The closed surface of the voxels that are not 0, in the frame of the image's world (RAS, mm), with normals.

    Slicer's own conversion smooths the triangles of a surface, which tears holes into sheets of bone that are as thin as a
    voxel. Here the mask is smoothed before there are triangles (`smooth_mask`), and cracks in such sheets are bridged in bones.
    """
    import vtk

    mask = np.pad(array_of_image(labelmap) != 0, ROOM_VOXELS)
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    start = [first - ROOM_VOXELS for first in labelmap.GetExtent()[0::2]]
    z, y, x = mask.shape
    grid = geometry_of_matrix(array_of_matrix(matrix), (x, y, z)).cropped((start[0], start[1], start[2]), (x, y, z))
    image = vtk.vtkImageData()
    set_scalars(image, smooth_mask(mask, bridged=is_bone), full_extent(grid))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeScalarsOff()
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(vtk_matrix(ras_matrix(grid)))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(contour.GetOutputPort())
    placed.SetTransform(to_ras)
    outwards = vtk.vtkReverseSense()
    outwards.SetInputConnection(placed.GetOutputPort())
    # A mirrored triangle shows its back.
    outwards.SetReverseCells(to_ras.GetMatrix().Determinant() < 0)
    outwards.ReverseNormalsOff()
    outwards.Update()
    return outwards.GetOutput()
