"""The voxel uncertainty over the CT in every slice view, with its colour legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .roles import is_own_view, nodes_of_class
from .uncertainty import set_uncertainty_window

if TYPE_CHECKING:
    import slicer

_COMPOSITE = "vtkMRMLSliceCompositeNode"
_BEFORE_ATTRIBUTE = "MSKSegment.ForegroundBefore"


def set_uncertainty_overlay(
    scene: slicer.vtkMRMLScene,
    uncertainty_node: slicer.vtkMRMLScalarVolumeNode,
    opacity: float,
    visible: bool,
    window: tuple[float, float] | None = None,
) -> None:
    """Blend the uncertainty over the CT in all slice views of the user, or take it off again.

    Args:
        scene: the scene of the views.
        uncertainty_node: made by `add_uncertainty`.
        opacity: 0 (CT alone) to 1.
        visible: taking it off brings back the foreground that a view had before.
        window: lowest and highest value of the colour map; None leaves it as it is.
    """
    if window is not None:
        set_uncertainty_window(uncertainty_node, *window)
    for composite in nodes_of_class(scene, _COMPOSITE):
        if is_own_view(composite):
            continue
        if visible:
            _put_on(composite, uncertainty_node, opacity)
        else:
            _take_off(composite, uncertainty_node)
    _show_legend(uncertainty_node, visible)


def _put_on(composite: slicer.vtkMRMLSliceCompositeNode, node: slicer.vtkMRMLScalarVolumeNode, opacity: float) -> None:
    modified = composite.StartModify()
    if composite.GetForegroundVolumeID() != node.GetID():
        before = f"{composite.GetForegroundOpacity()!r} {composite.GetForegroundVolumeID() or ''}"
        composite.SetAttribute(_BEFORE_ATTRIBUTE, before)
        composite.SetForegroundVolumeID(node.GetID())
    composite.SetForegroundOpacity(opacity)
    composite.EndModify(modified)


def _take_off(composite: slicer.vtkMRMLSliceCompositeNode, node: slicer.vtkMRMLScalarVolumeNode) -> None:
    if composite.GetForegroundVolumeID() != node.GetID():
        return
    opacity, _, volume_id = (composite.GetAttribute(_BEFORE_ATTRIBUTE) or "0.0 ").partition(" ")
    modified = composite.StartModify()
    composite.SetForegroundVolumeID(volume_id or None)
    composite.SetForegroundOpacity(float(opacity))
    composite.RemoveAttribute(_BEFORE_ATTRIBUTE)
    composite.EndModify(modified)


def _show_legend(node: slicer.vtkMRMLScalarVolumeNode, visible: bool) -> None:
    import slicer

    logic = slicer.vtkSlicerColorLogic
    legend = logic.GetColorLegendDisplayNode(node)
    if legend is None:
        # Hosts without the Colors module draw a legend of their own.
        if not visible or not node.GetScene().IsNodeClassRegistered("vtkMRMLColorLegendDisplayNode"):
            return
        legend = logic.AddDefaultColorLegendDisplayNode(node)
        legend.SetTitleText(node.GetName())
        legend.SetLabelFormat("%.2g")
        legend.SetNumberOfLabels(5)
    legend.SetVisibility(visible)
