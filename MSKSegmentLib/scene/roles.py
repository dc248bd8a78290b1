"""Nodes that this project makes once for a scene and finds again by the role they play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import slicer

ROLE_ATTRIBUTE = "MSKSegment.Role"
# How the names of the views of `own_views` begin.
OWN_VIEW_PREFIX = "MSKSegment"


def set_role(node: slicer.vtkMRMLNode, role: str) -> None:
    """Note the role that a node plays."""
    node.SetAttribute(ROLE_ATTRIBUTE, role)


def find_node(scene: slicer.vtkMRMLScene, class_name: str, role: str) -> slicer.vtkMRMLNode | None:
    """The scene's first node of that class and role; None when there is none."""
    return next(iter(find_nodes(scene, class_name, role)), None)


def find_nodes(scene: slicer.vtkMRMLScene, class_name: str, role: str) -> list[slicer.vtkMRMLNode]:
    """All nodes of that class and role, in the scene's order."""
    return [node for node in nodes_of_class(scene, class_name) if node.GetAttribute(ROLE_ATTRIBUTE) == role]


def remove_nodes(scene: slicer.vtkMRMLScene, class_name: str, role: str) -> None:
    """Take displayable nodes of that class and role out of the scene, with what displays them, which a scene keeps by itself."""
    for node in find_nodes(scene, class_name, role):
        for display in [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]:
            scene.RemoveNode(display)
        scene.RemoveNode(node)


def nodes_of_class(scene: slicer.vtkMRMLScene, class_name: str) -> list[slicer.vtkMRMLNode]:
    """All nodes of that class, in the scene's order."""
    return [scene.GetNthNodeByClass(number, class_name) for number in range(scene.GetNumberOfNodesByClass(class_name))]


def is_own_view(node: Any) -> bool:
    """Whether a slice, 3D view, composite or camera node belongs to a view of `own_views`, which this project fills by itself."""
    return (node.GetLayoutName() or "").startswith(OWN_VIEW_PREFIX)
