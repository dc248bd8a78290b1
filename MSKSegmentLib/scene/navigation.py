"""Moving all views to a place in the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ct.bounds import Bounds
from .geometry import array_of_matrix
from .roles import is_own_view, nodes_of_class

if TYPE_CHECKING:
    import slicer

Point = tuple[float, float, float]

# A point counts as seen within this share of a slice view's width and height around its middle. The first and last slice of a scan
# that fills the view, with some percent of room, lie within.
_SEEN_SHARE = 0.96
# Room around a box in a 3D view.
_MARGIN = 1.1


def ras_of_lps(point_lps: tuple[float, ...], node: slicer.vtkMRMLTransformableNode) -> Point:
    """Place in the world (RAS, mm) of a point in the node's own frame (LPS, mm), such as that of a `WorstSlice`."""
    point = to_world(node) @ [-point_lps[0], -point_lps[1], point_lps[2], 1.0]
    return float(point[0]), float(point[1]), float(point[2])


def to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """Matrix ``[4, 4]`` from the node's own frame to the world, both RAS; its parent transform must be linear."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    if node.GetParentTransformNode() is not None:
        node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
    return array_of_matrix(matrix)


def jump_to(scene: slicer.vtkMRMLScene, point_ras: Point) -> None:
    """Show the point (RAS, mm) in all slice views of the user and move the crosshair there.

    A view in which the point is in sight already keeps its frame and changes only its slice; otherwise the point
    becomes the middle of the view.
    """
    for node in nodes_of_class(scene, "vtkMRMLSliceNode"):
        if is_own_view(node):
            continue
        if _in_frame(node, point_ras):
            node.JumpSliceByOffsetting(*point_ras)
        else:
            node.JumpSliceByCentering(*point_ras)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(*point_ras)


def look_at(scene: slicer.vtkMRMLScene, bounds_ras: Bounds) -> None:
    """Turn all 3D views of the user to a box ``(r0, r1, a0, a1, s0, s1)`` in mm and fit it in, without changing their direction."""
    for node in nodes_of_class(scene, "vtkMRMLCameraNode"):
        if not is_own_view(node):
            aim_camera(node, bounds_ras)


def aim_camera(node: slicer.vtkMRMLCameraNode, bounds_ras: Bounds) -> None:
    """Turn one camera to a box in mm and fit it in, without changing the direction."""
    limits = np.reshape(bounds_ras, (3, 2))
    middle, radius = limits.mean(axis=1), float(np.linalg.norm(limits[:, 1] - limits[:, 0])) / 2
    away = np.subtract(node.GetPosition(), node.GetFocalPoint())
    distance = _MARGIN * radius / np.sin(np.radians(node.GetViewAngle() / 2))
    modified = node.StartModify()
    node.SetFocalPoint(*middle)
    node.SetPosition(*(middle + away / np.linalg.norm(away) * distance))
    node.SetParallelScale(_MARGIN * radius)
    node.ResetClippingRange()
    node.EndModify(modified)


def _in_frame(node: slicer.vtkMRMLSliceNode, point_ras: Point) -> bool:
    import vtk

    to_slice = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(node.GetSliceToRAS(), to_slice)
    offset = (array_of_matrix(to_slice) @ [*point_ras, 1.0])[:2]
    field_of_view = np.array(node.GetFieldOfView()[:2])
    return bool((np.abs(offset) <= _SEEN_SHARE * field_of_view / 2).all())
