"""How segmentations are shown in the slices while two results are compared; what is changed is noted in the display nodes.

The notes come with a scene that is saved meanwhile, so that it can be put right when it is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .roles import ROLE_ATTRIBUTE, nodes_of_class

if TYPE_CHECKING:
    import slicer

_FILL_BEFORE, _HIDDEN = "MSKSegment.FillBefore", "MSKSegment.HiddenInSlices"
# Differences are seen through it, and what they belong to as well.
_FAINT = 0.1


def fill_faintly(node: slicer.vtkMRMLSegmentationNode, faint: bool) -> None:
    """Fill the segments faintly under what lies over them, or again as before."""
    display = node.GetDisplayNode()
    if faint:
        _note(display, _FILL_BEFORE, repr(display.GetOpacity2DFill()))
        display.SetOpacity2DFill(_FAINT)
        return
    before = _noted(display, _FILL_BEFORE)
    if before is not None:
        display.SetOpacity2DFill(float(before))


def hide_others_in_slices(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Take all segmentations of others out of the slices, so that only what is compared is seen; what is in 3D stays."""
    for other in _others(node):
        display = other.GetDisplayNode()
        if display.GetVisibility2D():
            _note(display, _HIDDEN, "")
            display.SetVisibility2D(False)


def show_as_before(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Show a segmentation, and those of others, as before a comparison."""
    if node.GetDisplayNode() is None:
        return
    fill_faintly(node, False)
    for other in _others(node):
        if _noted(other.GetDisplayNode(), _HIDDEN) is not None:
            other.GetDisplayNode().SetVisibility2D(True)


def _others(node: slicer.vtkMRMLSegmentationNode) -> list[slicer.vtkMRMLSegmentationNode]:
    nodes = nodes_of_class(node.GetScene(), "vtkMRMLSegmentationNode")
    return [one for one in nodes if one is not node and one.GetDisplayNode() is not None and not one.GetAttribute(ROLE_ATTRIBUTE)]


def _note(display: slicer.vtkMRMLDisplayNode, name: str, before: str) -> None:
    """Note what was before, unless that is noted already."""
    if display.GetAttribute(name) is None:
        display.SetAttribute(name, before)


def _noted(display: slicer.vtkMRMLDisplayNode, name: str) -> str | None:
    """Read a note and take it away; None without one."""
    before: str | None = display.GetAttribute(name)
    if before is not None:
        display.RemoveAttribute(name)
    return before
