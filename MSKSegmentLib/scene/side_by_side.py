"""Two segmentations of one CT in two slice views beside each other, at the same level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..case_result import CaseResult, Light, SegmentReport
from ..two_results.pair import ResultPair
from .roles import nodes_of_class, remove_nodes, set_role
from .segmentation import add_segmentation

if TYPE_CHECKING:
    import slicer
    import vtk

_CLASS, _ROLE = "vtkMRMLSegmentationNode", "other result"


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


def remove_other_result(scene: slicer.vtkMRMLScene) -> None:
    """Take it out of the scene again."""
    remove_nodes(scene, _CLASS, _ROLE)


@dataclass(frozen=True)
class _ViewBefore:
    """What a slice view looked like."""

    slice_to_ras: vtk.vtkMatrix4x4
    field_of_view: tuple[float, float, float]
    linked: bool
    hot_linked: bool


class SideBySide:
    """Shows one segmentation in the first of two slice views and the other in the second; `close` gives the views back.

    Both views show axial slices of the same place and move together. What other segmentations show does not change.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, views: tuple[str, str], shown: Sequence[slicer.vtkMRMLSegmentationNode]) -> None:
        """`views` are the layout names of slice views of the scene, such as "Red"; `shown` what the first and second show."""
        import vtk

        slices = nodes_of_class(scene, "vtkMRMLSliceNode")
        self._slices = [next(node for node in slices if node.GetLayoutName() == name) for name in views]
        composites = nodes_of_class(scene, "vtkMRMLSliceCompositeNode")
        self._composites = [next(node for node in composites if node.GetLayoutName() == name) for name in views]
        self._displays = [node.GetDisplayNode() for node in shown]
        self._view_ids = [tuple(display.GetViewNodeIDs() or ()) for display in self._displays]
        self._before = []
        for node, composite in zip(self._slices, self._composites, strict=True):
            matrix = vtk.vtkMatrix4x4()
            matrix.DeepCopy(node.GetSliceToRAS())
            linked = composite.GetLinkedControl(), composite.GetHotLinkedControl()
            self._before.append(_ViewBefore(matrix, tuple(node.GetFieldOfView()), *map(bool, linked)))
        for display, node in zip(self._displays, self._slices, strict=True):
            display.SetViewNodeIDs([node.GetID()])
        self._align()
        for composite in self._composites:
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)

    def show_second(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Show another segmentation in the second view; the one so far has left the scene."""
        self._displays[1] = node.GetDisplayNode()
        self._view_ids[1] = ()
        self._displays[1].SetViewNodeIDs([self._slices[1].GetID()])

    def close(self) -> None:
        """Give views and segmentations back as they were; what left the scene meanwhile is passed over."""
        for display, ids in zip(self._displays, self._view_ids, strict=True):
            display.SetViewNodeIDs(ids)
        for node, composite, before in zip(self._slices, self._composites, self._before, strict=True):
            composite.SetHotLinkedControl(before.hot_linked)
            composite.SetLinkedControl(before.linked)
            node.GetSliceToRAS().DeepCopy(before.slice_to_ras)
            node.UpdateMatrices()
            node.SetFieldOfView(*before.field_of_view)

    def _align(self) -> None:
        """Turn both views to axial, at the place and scale of the first."""
        first, second = self._slices
        offset = first.GetSliceOffset() if first.GetOrientation() == "Axial" else None
        for node in self._slices:
            node.SetOrientation("Axial")
        if offset is not None:
            first.SetSliceOffset(offset)
        second.GetSliceToRAS().DeepCopy(first.GetSliceToRAS())
        second.UpdateMatrices()
        second.SetFieldOfView(*first.GetFieldOfView())
        # One of them may have had no scan yet.
        ct_id = self._composites[0].GetBackgroundVolumeID()
        if ct_id:
            self._composites[1].SetBackgroundVolumeID(ct_id)
