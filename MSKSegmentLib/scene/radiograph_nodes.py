"""The radiographs computed from a CT as volumes of the scene, one voxel thick, where the CT lies; metal as label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ct.orientation import axis_order
from ..ct.radiograph import Radiograph, RayDirection, both_radiographs
from ..ct.volume import CTVolume, Geometry
from ..results.segmentation_file import ras_matrix
from .geometry import add_scalar_volume, full_extent, set_scalars, vtk_matrix
from .navigation import Point
from .own_views import aim_slice
from .roles import set_role

if TYPE_CHECKING:
    import slicer

_ROLE = "radiograph"
_NAMES = {RayDirection.FRONTAL: "Radiograph from the front", RayDirection.LATERAL: "Radiograph from the right"}
_REFERENCES = {RayDirection.FRONTAL: "radiographFront", RayDirection.LATERAL: "radiographRight"}
_METAL = "metal"
# Around a radiograph in its view.
_ROOM = 1.04
# Yellow, as in the report.
_METAL_COLOR = (1.0, 0.867, 0.0, 1.0)
_METAL_COLOR_NAME = "MSKSegment metal"


@dataclass(frozen=True)
class RadiographNodes:
    """One radiograph in the scene: `image`, float32 millimetres of water, and `metal`, None where no ray meets any."""

    image: slicer.vtkMRMLScalarVolumeNode
    metal: slicer.vtkMRMLLabelMapVolumeNode | None


def radiograph_nodes(state: slicer.vtkMRMLScriptedModuleNode) -> dict[RayDirection, RadiographNodes] | None:
    """The radiographs of a case, found through its state node (`CaseNodes.state`); None before `add_radiographs`, or if deleted."""
    found = {}
    for view, role in _REFERENCES.items():
        image = state.GetNodeReference(role)
        if image is None or image.GetImageData() is None:
            return None
        found[view] = RadiographNodes(image, image.GetNodeReference(_METAL))
    return found


def add_radiographs(
    state: slicer.vtkMRMLScriptedModuleNode, ct_node: slicer.vtkMRMLScalarVolumeNode, volume: CTVolume
) -> dict[RayDirection, RadiographNodes]:
    """Compute the radiographs of a CT and keep them with the case, about a second for 500 slices; they are saved with the scene.

    They lie in the middle of the CT and under its transform, so that a coronal and a sagittal view of the scene show them.
    """
    order = axis_order(volume.geometry.direction)
    grid = order.geometry(volume.geometry)
    nodes = {}
    for view, found in both_radiographs(order.apply(volume.hu), grid).items():
        nodes[view] = _nodes_of(ct_node, found, view, grid)
        state.SetNodeReferenceID(_REFERENCES[view], nodes[view].image.GetID())
    return nodes


def _nodes_of(ct_node: slicer.vtkMRMLScalarVolumeNode, found: Radiograph, view: RayDirection, grid: Geometry) -> RadiographNodes:
    scene, thin = ct_node.GetScene(), thin_grid(grid, view)
    image = add_scalar_volume(scene, _thick(found.water_mm, view), thin, scene.GetUniqueNameByString(_NAMES[view]))
    display = image.GetDisplayNode()
    display.SetWindowLevelMinMax(*found.limits)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    metal = None
    if found.metal.any():
        metal = _metal_node(scene, _thick(found.metal.astype(np.uint8), view), thin, f"{image.GetName()}, metal")
        image.SetNodeReferenceID(_METAL, metal.GetID())
    for node in (image, metal) if metal is not None else (image,):
        set_role(node, _ROLE)
        node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    return RadiographNodes(image, metal)


def thin_grid(grid: Geometry, view: RayDirection) -> Geometry:
    """The grid of a radiograph: that of the CT, axes in order, with one voxel along the rays, as long as all of them together."""
    axis = 2 - view.value
    size, spacing, first = list(grid.size), list(grid.spacing), [0.0, 0.0, 0.0]
    first[axis] = (size[axis] - 1) / 2
    spacing[axis] *= size[axis]
    size[axis] = 1
    x, y, z = grid.to_physical(first)
    return Geometry(
        (size[0], size[1], size[2]), (spacing[0], spacing[1], spacing[2]), (float(x), float(y), float(z)), grid.direction
    )


def _thick(plane: np.ndarray, view: RayDirection) -> np.ndarray:
    return np.expand_dims(plane, view.value)


def _metal_node(scene: slicer.vtkMRMLScene, array: np.ndarray, grid: Geometry, name: str) -> slicer.vtkMRMLLabelMapVolumeNode:
    import vtk

    image = vtk.vtkImageData()
    set_scalars(image, array, full_extent(grid))
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    node.SetIJKToRASMatrix(vtk_matrix(ras_matrix(grid)))
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(_metal_colors(scene).GetID())
    node.SetAndObserveImageData(image)
    return node


def _metal_colors(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    existing = scene.GetFirstNode(_METAL_COLOR_NAME, "vtkMRMLColorTableNode")
    if existing is not None:
        return existing
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", _METAL_COLOR_NAME)
    node.SetTypeToUser()
    node.SetNumberOfColors(2)
    node.SetColor(0, "none", 0.0, 0.0, 0.0, 0.0)
    node.SetColor(1, "metal", *_METAL_COLOR)
    return node


def show_radiograph(
    slice_node: slicer.vtkMRMLSliceNode, composite: slicer.vtkMRMLSliceCompositeNode, nodes: RadiographNodes
) -> None:
    """Show a radiograph alone in a slice view, metal outlined; `fit_radiographs` then brings it into sight."""
    modified = composite.StartModify()
    composite.SetDoPropagateVolumeSelection(False)
    composite.SetBackgroundVolumeID(nodes.image.GetID())
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(nodes.metal.GetID() if nodes.metal is not None else None)
    composite.SetLabelOpacity(1.0)
    composite.EndModify(modified)
    slice_node.SetUseLabelOutline(True)
    slice_node.RotateToVolumePlane(nodes.image)


def fit_radiographs(shown: Sequence[tuple[slicer.vtkMRMLSliceNode, RadiographNodes]]) -> None:
    """Show radiographs as a whole, all at one scale."""
    boxes = [_box_of(nodes.image) for _, nodes in shown]
    scale = max(
        _ROOM * length / pixels
        for (node, _), (_, size) in zip(shown, boxes, strict=True)
        for length, pixels in zip(size, node.GetDimensions(), strict=False)
    )
    for (node, _), (middle, _) in zip(shown, boxes, strict=True):
        aim_slice(node, middle, scale * min(node.GetDimensions()[:2]))


def _box_of(image: slicer.vtkMRMLScalarVolumeNode) -> tuple[Point, tuple[float, float]]:
    """The middle of a radiograph (RAS of the world, mm), and its width and height in mm."""
    bounds = [0.0] * 6
    image.GetRASBounds(bounds)
    low, high = np.reshape(bounds, (3, 2)).T
    middle = (low + high) / 2
    lengths = np.multiply(image.GetImageData().GetDimensions(), image.GetSpacing())
    across = lengths[0] if image.GetImageData().GetDimensions()[1] == 1 else lengths[1]
    return (float(middle[0]), float(middle[1]), float(middle[2])), (float(across), float(lengths[2]))
