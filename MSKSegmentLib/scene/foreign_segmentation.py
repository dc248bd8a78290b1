"""A segmentation node of another module as a file that an import reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..results.segmentation_file import REPRESENTATION
from .geometry import array_of_matrix
from .segmentation import write_seg_nrrd

if TYPE_CHECKING:
    import slicer

# Millimetres, and shares of a length: less is rounding.
_SAME_PLACE = 1e-3


def write_foreign_segmentation(
    node: slicer.vtkMRMLSegmentationNode, ct_node: slicer.vtkMRMLScalarVolumeNode, path: str | os.PathLike[str]
) -> None:
    """Write the segments of any node, surfaces as voxels of the CT, to a ``.seg.nrrd`` in the CT's own frame. The node stays.

    Raises:
        InputError: the node has no segments, does not lie where the CT lies, or cannot be written.
    """
    if node.GetSegmentation().GetNumberOfSegments() == 0:
        raise InputError(f"The segmentation {node.GetName()} has no segments; choose the one that holds bones and muscles.")
    _check_place(node, ct_node)
    whole = node if node.GetSegmentation().GetSourceRepresentationName() == REPRESENTATION else _with_voxels(node, ct_node)
    write_seg_nrrd(whole, path, compressed=False)


def hide_segmentation(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Take a segmentation out of the views; it stays in the scene."""
    display = node.GetDisplayNode()
    if display is not None:
        display.SetVisibility(False)


def _check_place(node: slicer.vtkMRMLSegmentationNode, ct_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    import slicer
    import vtk

    ours, ct_transform = node.GetParentTransformNode(), ct_node.GetParentTransformNode()
    if ours is ct_transform:
        return
    between = vtk.vtkMatrix4x4()
    linear = slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(ours, ct_transform, between)
    if not linear or np.abs(array_of_matrix(between) - np.eye(4)).max() > _SAME_PLACE:
        raise InputError(
            f"The segmentation {node.GetName()} lies under another transform than the CT; harden the transforms, or put both under "
            "the same one."
        )


def _with_voxels(node: slicer.vtkMRMLSegmentationNode, ct_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """A copy outside the scene whose surfaces were turned into voxels of the CT."""
    import slicer

    copy = slicer.vtkMRMLSegmentationNode()
    copy.SetName(node.GetName())
    segmentation = copy.GetSegmentation()
    segmentation.DeepCopy(node.GetSegmentation())
    copy.SetReferenceImageGeometryParameterFromVolumeNode(ct_node)
    if not segmentation.CreateRepresentation(REPRESENTATION):
        raise InputError(
            f"The surfaces of {node.GetName()} cannot be turned into voxels; create its binary labelmap in Segmentations."
        )
    segmentation.SetSourceRepresentationName(REPRESENTATION)
    return copy
