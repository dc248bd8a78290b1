"""Where two results of a CT differ, as colours over its slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..ct.boxes import label_boxes, union_box
from ..results.segmentation_file import REPRESENTATION
from ..two_results.differences import DifferenceKind
from .geometry import oriented_image
from .roles import remove_nodes, set_role
from .volume_node import geometry_of_node

if TYPE_CHECKING:
    import slicer

# The role of the node, see `roles`.
DIFFERENCES = "differences"
_CLASS = "vtkMRMLSegmentationNode"
# Red, green and blue from 0 to 1, which no segment has; told apart by people who do not see red and green, too.
DIFFERENCE_COLORS: Mapping[DifferenceKind, tuple[float, float, float]] = {
    DifferenceKind.ONLY_FIRST: (1.0, 0.1, 0.85),
    DifferenceKind.ONLY_SECOND: (0.0, 0.9, 1.0),
    DifferenceKind.ANOTHER: (1.0, 0.95, 0.1),
}
_FILL, _OUTLINE_PIXELS = 0.75, 1


def show_differences(
    scene: slicer.vtkMRMLScene, kinds: np.ndarray, ct_node: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode | None:
    """Lay `two_results.differences.kinds_of_difference` of the CT's grid over all slices, in place of what was shown of it before.

    The node is hidden from editors and is not saved with the scene. None where nothing differs.
    """
    import slicer

    hide_differences(scene)
    boxes = label_boxes(kinds)
    around = union_box(boxes.values())
    if around is None:
        return None
    node = scene.AddNewNodeByClass(_CLASS, "Differences")
    modified = node.StartModify()
    set_role(node, DIFFERENCES)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(REPRESENTATION)
    (x0, y0, z0), (x1, y1, z1) = around.start_xyz, around.stop_xyz
    image = oriented_image(kinds[around.slices], geometry_of_node(ct_node), (x0, x1 - 1, y0, y1 - 1, z0, z1 - 1))
    for kind in (kind for kind in DifferenceKind if kind in boxes):
        segment = slicer.vtkSegment()
        segment.SetName(kind.name.lower().replace("_", " "))
        segment.SetColor(*DIFFERENCE_COLORS[kind])
        segment.SetLabelValue(int(kind))
        segment.AddRepresentation(REPRESENTATION, image)
        segmentation.AddSegment(segment, kind.name)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.EndModify(modified)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(_FILL)
    display.SetOpacity2DOutline(1.0)
    display.SetSliceIntersectionThickness(_OUTLINE_PIXELS)
    display.SetVisibility3D(False)
    for made in (node, display):
        made.SetHideFromEditors(True)
        made.SetSaveWithScene(False)
    return node


def hide_differences(scene: slicer.vtkMRMLScene) -> None:
    """Take them off the slices."""
    remove_nodes(scene, _CLASS, DIFFERENCES)
