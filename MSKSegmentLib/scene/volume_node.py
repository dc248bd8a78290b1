"""A CT that lies in the scene as what the measurements read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ct.modality import CT_MODALITY
from ..ct.reading.hounsfield import to_hu
from ..ct.reading.mr_values import to_mr
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError
from .geometry import array_of_image, array_of_matrix, geometry_of_matrix

if TYPE_CHECKING:
    import slicer

# How far a parent transform may be from a rotation and still count as one (share of a length).
_RIGID_TOLERANCE = 1e-3


def volume_of_node(volume_node: slicer.vtkMRMLScalarVolumeNode, modality: str = CT_MODALITY) -> CTVolume:
    """The CT, or with the modality "MR" the MR scan, of a scalar volume node, in the node's own frame: int16 HU ``[z, y, x]``.

    The voxels of an int16 node are not copied but shared, read-only; other types are rounded into a copy. A parent
    transform is not applied: labels of the result belong under the same transform. It may only turn and shift, because
    under any other one the right side or the volumes would not be those that the views show.

    Raises:
        InputError: the node is no scalar volume or holds no image, holds several values per voxel or values that are
            not numbers, or lies under a transform that is not rigid.
    """
    import slicer

    name = volume_node.GetName()
    if not isinstance(volume_node, slicer.vtkMRMLScalarVolumeNode) or isinstance(volume_node, slicer.vtkMRMLLabelMapVolumeNode):
        raise InputError(f"{name} is not a CT volume; choose the volume with the CT.")
    image = volume_node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise InputError(f"The volume {name} holds no image; load the CT again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"The volume {name} has {image.GetNumberOfScalarComponents()} values per voxel; choose a CT in Hounsfield units."
        )
    _check_transform(volume_node)
    array = array_of_image(image)
    if array.dtype == np.int16:
        hu = array.view()
        hu.flags.writeable = False
    else:
        hu = to_hu(array, name) if modality == CT_MODALITY else to_mr(array, name)
    return CTVolume(hu, geometry_of_node(volume_node), modality=modality)


def geometry_of_node(volume_node: slicer.vtkMRMLVolumeNode) -> Geometry:
    """The grid (LPS) of a volume node in its own frame, without its parent transform."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    image = volume_node.GetImageData()
    start = np.eye(4)
    start[:3, 3] = image.GetExtent()[0::2]
    return geometry_of_matrix(array_of_matrix(matrix) @ start, image.GetDimensions())


def _check_transform(node: slicer.vtkMRMLTransformableNode) -> None:
    import vtk

    transform = node.GetParentTransformNode()
    if transform is None:
        return
    rigid = False
    if transform.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(matrix)
        turn = array_of_matrix(matrix)[:3, :3]
        rigid = bool(np.abs(turn.T @ turn - np.eye(3)).max() < _RIGID_TOLERANCE and np.linalg.det(turn) > 0)
    if not rigid:
        raise InputError(
            f"The volume {node.GetName()} lies under a transform that scales, mirrors or bends it; harden the transform "
            "or take the volume out of it."
        )
