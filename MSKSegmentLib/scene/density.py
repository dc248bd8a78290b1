"""Muscle density in three dimensions: fat, composite and lean tissue of chosen segments as a volume rendering."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import StructureTable
from ..case_result import CaseResult
from ..ct.boxes import box_of_labels
from ..ct.volume import Geometry
from ..measurement.density import FAT_BELOW_HU, LEAN_ABOVE_HU
from ..resources import resource_file
from ..results.segmentation_file import ras_matrix
from .density_volume import FULL_OPACITY, LOWEST_DRAWN_HU, masked_copy
from .geometry import full_extent, set_scalars, vtk_matrix
from .own_views import OwnView, view_ids
from .roles import find_node, set_role
from .segment_views import show_in_views
from .slice_legend import Color
from .volume_node import volume_of_node

if TYPE_CHECKING:
    import slicer
    import vtk

_ROLE = "density"
PRESET_NAME = "MSKSegment muscle density"

TRANSPARENT_FROM_HU = 210


@dataclass(frozen=True)
class TissueLook:
    """A tissue class: its RGB colour (0..1) and its opacity per millimetre."""

    color: Color
    opacity: float


@dataclass(frozen=True)
class DensityLook:
    """How density is drawn. `step_hu` is the width of the change from one class to the next; the limits are the table's."""

    fat: TissueLook
    composite: TissueLook
    lean: TissueLook
    step_hu: float
    ambient: float
    diffuse: float
    specular: float
    specular_power: float


def density_look() -> DensityLook:
    """The colours and opacities of ``Resources/TransferFunctions/density.json``; the histogram has the same colours.

    Raises:
        InstallationError: the file did not come along; the installation is incomplete.
    """
    data = json.loads(resource_file("TransferFunctions", "density.json").read_text(encoding="utf-8"))
    fat, composite, lean = (
        TissueLook(tuple(data["bands"][name]["color"]), data["bands"][name]["opacity"]) for name in ("fat", "composite", "lean")
    )
    return DensityLook(fat, composite, lean, data["step_hu"], **data["shading"])


def show_density(
    scene: slicer.vtkMRMLScene,
    ct_node: slicer.vtkMRMLScalarVolumeNode,
    result: CaseResult,
    keys: Iterable[str],
    view: OwnView | None = None,
) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Render the density of the named muscles in all 3D views, in place of what was rendered before.

    With `view` only in that one, beside what all views show.

    The views get a cropped copy of the CT in which all else is transparent. It is hidden from the lists of volumes and
    not saved with the scene. Bones and whatever else has no composition are left out.

    Args:
        scene: where the nodes are made, or found from an earlier call.
        ct_node: the CT, in HU.
        result: what was found in it.
        keys: `Segment.key` of the segments to show.
        view: one that exists.

    Returns:
        The rendered copy, or None when no muscle of that name has a voxel; then nothing is rendered any more.

    Raises:
        InputError: `ct_node` holds no CT.
    """
    volume = volume_of_node(ct_node)
    labels, wanted = result.labels, _muscle_labels(result.table, keys)
    box = box_of_labels(labels, wanted)
    if box is None:
        hide_density(scene, view)
        return None
    lookup = np.zeros(256, dtype=bool)
    lookup[wanted] = True
    array, geometry = masked_copy(volume.hu, lookup[labels[box.slices]], box, volume.geometry, opacities_of(density_look()))
    node = _density_node(scene, view)
    _set_image(node, array, geometry)
    node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())
    node.GetDisplayNode().SetVisibility(True)
    return node


def hide_density(scene: slicer.vtkMRMLScene, view: OwnView | None = None) -> None:
    """Render no density any more, of what `show_density` shows in all views, or in that one alone; the copy of the CT is freed."""
    node = find_node(scene, "vtkMRMLScalarVolumeNode", _role(view))
    if node is not None:
        node.GetDisplayNode().SetVisibility(False)
        node.SetAndObserveImageData(None)


def register_preset(logic: slicer.vtkSlicerVolumeRenderingLogic) -> None:
    """Offer the colours and opacities of the density among the presets of the module Volume Rendering, once."""
    import slicer

    if logic.GetPresetByName(PRESET_NAME) is None:
        preset = slicer.vtkMRMLVolumePropertyNode()
        preset.SetName(PRESET_NAME)
        set_transfer_functions(preset.GetVolumeProperty(), density_look())
        logic.AddPreset(preset)


def set_transfer_functions(volume_property: vtk.vtkVolumeProperty, look: DensityLook) -> None:
    """Colour and opacity over HU as `look` says, with linear interpolation and shading: for a whole CT."""
    import vtk

    opacity = vtk.vtkPiecewiseFunction()
    half = look.step_hu / 2
    # As a preset it meets whole scans: air is no fat.
    opacity.AddPoint(LOWEST_DRAWN_HU - look.step_hu, 0.0)
    opacity.AddPoint(LOWEST_DRAWN_HU, look.fat.opacity)
    for hu, value in opacities_of(look):
        opacity.AddPoint(hu, value)
    opacity.AddPoint(TRANSPARENT_FROM_HU + half, 0.0)
    _set_look(volume_property, look, opacity)


def _set_copy_functions(volume_property: vtk.vtkVolumeProperty, look: DensityLook) -> None:
    """The same colours for `masked_copy`, whose second value is the opacity."""
    import vtk

    opacity = vtk.vtkPiecewiseFunction()
    opacity.AddPoint(0, 0.0)
    opacity.AddPoint(FULL_OPACITY, 1.0)
    volume_property.SetIndependentComponents(False)
    _set_look(volume_property, look, opacity)


def _set_look(volume_property: vtk.vtkVolumeProperty, look: DensityLook, opacity: vtk.vtkPiecewiseFunction) -> None:
    import vtk

    color = vtk.vtkColorTransferFunction()
    for hu, tissue in _tissue_points(look):
        color.AddRGBPoint(hu, *tissue.color)
    volume_property.SetColor(color)
    volume_property.SetScalarOpacity(opacity)
    volume_property.SetInterpolationTypeToLinear()
    volume_property.ShadeOn()
    volume_property.SetAmbient(look.ambient)
    volume_property.SetDiffuse(look.diffuse)
    volume_property.SetSpecular(look.specular)
    volume_property.SetSpecularPower(look.specular_power)


def _tissue_points(look: DensityLook) -> list[tuple[float, TissueLook]]:
    """Where each tissue begins and ends (HU, rising); over `step_hu` one becomes the next."""
    half = look.step_hu / 2
    limits = (LOWEST_DRAWN_HU, FAT_BELOW_HU, LEAN_ABOVE_HU, TRANSPARENT_FROM_HU)
    tissues = zip((look.fat, look.composite, look.lean), limits[:-1], limits[1:], strict=True)
    return [(hu, tissue) for tissue, low, high in tissues for hu in (low + half, high - half)]


def opacities_of(look: DensityLook) -> list[tuple[float, float]]:
    """HU, rising, and opacity per millimetre there, as `masked_copy` takes them."""
    return [(hu, tissue.opacity) for hu, tissue in _tissue_points(look)]


def _muscle_labels(table: StructureTable, keys: Iterable[str]) -> list[int]:
    chosen = set(keys)
    return [s.label for s in table.segments if s.key in chosen and s.structure.has_composition]


def _role(view: OwnView | None) -> str:
    return _ROLE if view is None else f"{_ROLE} {view.name}"


def _density_node(scene: slicer.vtkMRMLScene, view: OwnView | None) -> slicer.vtkMRMLScalarVolumeNode:
    """The scene's node for density, made with its display and property nodes if there is none yet."""
    node = find_node(scene, "vtkMRMLScalarVolumeNode", _role(view))
    if node is not None:
        return node
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MSKSegment density")
    properties = scene.AddNewNodeByClass("vtkMRMLVolumePropertyNode", "MSKSegment density")
    display = scene.AddNewNodeByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode", "MSKSegment density")
    for new_node in (node, properties, display):
        new_node.SetHideFromEditors(True)
        new_node.SetSaveWithScene(False)
    set_role(node, _role(view))
    if view is not None:
        show_in_views(display, view_ids(scene, view))
    _set_copy_functions(properties.GetVolumeProperty(), density_look())
    display.SetAndObserveVolumePropertyNodeID(properties.GetID())
    node.AddAndObserveDisplayNodeID(display.GetID())
    return node


def _set_image(node: slicer.vtkMRMLScalarVolumeNode, array: np.ndarray, geometry: Geometry) -> None:
    import vtk

    image = vtk.vtkImageData()
    set_scalars(image, array, full_extent(geometry))
    node.SetIJKToRASMatrix(vtk_matrix(ras_matrix(geometry)))
    node.SetAndObserveImageData(image)
