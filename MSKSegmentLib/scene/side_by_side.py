"""Two results of one CT in two slice views beside each other, at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..case_result import CaseResult, Light, SegmentReport
from ..two_results.pair import ResultPair
from .differences import DIFFERENCES
from .linked_slices import LinkedSlices
from .navigation import Point
from .own_views import OPEN, OTHER, aim_slice
from .roles import find_node, nodes_of_class, remove_nodes, set_role
from .segment_views import SegmentsHidden, show_in_views
from .segmentation import add_segmentation

if TYPE_CHECKING:
    import slicer

_CLASS, _ROLE = "vtkMRMLSegmentationNode", "other result"
# So much more than the segments is seen.
_MARGIN_MM = 60.0


def add_other_result(
    scene: slicer.vtkMRMLScene, pair: ResultPair, ct_node: slicer.vtkMRMLScalarVolumeNode, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Add what a pair's second result has of the structures compared, in the colours of the first, in place of one added before.

    The node is hidden from editors and is not saved with the scene.
    """
    remove_other_result(scene)
    reports = tuple(SegmentReport(segment, Light.GREY, ()) for segment in pair.table.segments)
    result = CaseResult(pair.other_labels, pair.first.result.geometry, reports, table=pair.table)
    node = add_segmentation(scene, result, ct_node, name)
    set_role(node, _ROLE)
    for made in (node, node.GetDisplayNode()):
        made.SetHideFromEditors(True)
        made.SetSaveWithScene(False)
    return node


def find_other_result(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSegmentationNode | None:
    """The node that `add_other_result` made; None where there is none."""
    return find_node(scene, _CLASS, _ROLE)


def remove_other_result(scene: slicer.vtkMRMLScene) -> None:
    """Take it out of the scene again."""
    remove_nodes(scene, _CLASS, _ROLE)


class SideBySide:
    """Shows the open result in the first and the other one in the second view of `own_views.TWO_RESULTS`; `close` ends that.

    Both views show the same axial slice and move together.
    """

    def __init__(self, ct_node: slicer.vtkMRMLScalarVolumeNode, own: slicer.vtkMRMLSegmentationNode) -> None:
        """The views are in the scene; the middle of the segments of `own`, the open result, is shown first."""
        self._scene = scene = ct_node.GetScene()
        self._hidden: SegmentsHidden | None = None
        nodes, composites = (nodes_of_class(scene, f"vtkMRMLSlice{kind}Node") for kind in ("", "Composite"))
        self._views = [next(node for node in nodes if node.GetLayoutName() == view.name) for view in (OPEN, OTHER)]
        limits = _limits(own if own.GetSegmentation().GetNumberOfSegments() else ct_node)
        middle = limits.mean(axis=1).tolist()
        for view in self._views:
            aim_slice(view, (middle[0], middle[1], middle[2]), float(np.ptp(limits[:2], axis=1).max()) + _MARGIN_MM)
        for composite in composites:
            if composite.GetLayoutName() in (OPEN.name, OTHER.name):
                composite.SetDoPropagateVolumeSelection(False)
                composite.SetBackgroundVolumeID(ct_node.GetID())
        self._link = LinkedSlices(*self._views)

    def show_other(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Show what `add_other_result` made, in the second view only, and nothing but it and the differences there."""
        if self._hidden is not None:
            self._hidden.close()
        show_in_views(node.GetDisplayNode(), [self._views[1].GetID()])
        differences = find_node(self._scene, _CLASS, DIFFERENCES)
        self._hidden = SegmentsHidden(self._scene, (OTHER.name,), [one for one in (node, differences) if one is not None])

    def jump(self, point_ras: Point) -> None:
        """Go to the slice of a point (RAS, mm); what the views show of it stays."""
        self._views[0].JumpSliceByOffsetting(*point_ras)

    def close(self) -> None:
        """Let the views go, and show in them what they show otherwise."""
        self._link.close()
        if self._hidden is not None:
            self._hidden.close()


def _limits(node: slicer.vtkMRMLDisplayableNode) -> np.ndarray:
    """From where to where a node reaches in the world, RAS in mm ``[3, 2]``."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    return np.reshape(bounds, (3, 2))
