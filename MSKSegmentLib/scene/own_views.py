"""Layouts with views of this project's own: the user's views keep what they show while one of these stands in their place.

A layout is a number with a description in Slicer's XML; the layout logic makes its views when it is first chosen. Their names begin
with "MSKSegment", by which whatever fills all views of a scene leaves them out (`roles.is_own_view`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ct.bounds import Bounds
from .navigation import Point, aim_camera
from .roles import nodes_of_class

if TYPE_CHECKING:
    import slicer

# Beyond the numbers of Slicer's own layouts, which end at 100.
_FIRST_NUMBER = 27300
# Grey, since none of these views stands for one of Slicer's.
_VIEW_COLOR = "#8A8A8A"


@dataclass(frozen=True)
class OwnView:
    """A view: its name, its letters in the bar above, and its orientation, "" for a 3D view."""

    name: str
    letters: str
    orientation: str


@dataclass(frozen=True)
class OwnLayout:
    """A layout: its number, and its views in rows from the top."""

    number: int
    rows: tuple[tuple[OwnView, ...], ...]

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of its slice views."""
        return tuple(view.name for row in self.rows for view in row if view.orientation)

    @property
    def description(self) -> str:
        """The layout in Slicer's XML."""
        rows = (f'<item><layout type="horizontal">{"".join(map(_described, row))}</layout></item>' for row in self.rows)
        return f'<layout type="vertical">{"".join(rows)}</layout>'


FRONT, FROM_RIGHT = (
    OwnView("MSKSegmentFront", "AP", "Coronal"),
    OwnView("MSKSegmentLateral", "LAT", "Sagittal"),
)
RIGHT, LEFT = OwnView("MSKSegmentRight", "R", "Axial"), OwnView("MSKSegmentLeft", "L", "Axial")
RIGHT_3D, LEFT_3D = OwnView("MSKSegmentRight3D", "R", ""), OwnView("MSKSegmentLeft3D", "L", "")
OPEN, OTHER = OwnView("MSKSegmentOpen", "1", "Axial"), OwnView("MSKSegmentOther", "2", "Axial")
EARLIER, CURRENT = OwnView("MSKSegmentBefore", "1", "Axial"), OwnView("MSKSegmentAfter", "2", "Axial")

RADIOGRAPHS = OwnLayout(_FIRST_NUMBER, ((FRONT, FROM_RIGHT),))
# The patient's right on the left, as in every slice.
SIDES = OwnLayout(_FIRST_NUMBER + 1, ((RIGHT, LEFT), (RIGHT_3D, LEFT_3D)))
TWO_DATES = OwnLayout(_FIRST_NUMBER + 2, ((EARLIER, CURRENT),))
TWO_RESULTS = OwnLayout(_FIRST_NUMBER + 3, ((OPEN, OTHER),))


def offer_layouts(layout_node: slicer.vtkMRMLLayoutNode) -> None:
    """Make the layouts known to a scene, once."""
    for layout in (RADIOGRAPHS, SIDES, TWO_DATES, TWO_RESULTS):
        if not layout_node.IsLayoutDescription(layout.number):
            layout_node.AddLayoutDescription(layout.number, layout.description)


def aim_slice(slice_node: slicer.vtkMRMLSliceNode, middle_ras: Point, width_mm: float) -> None:
    """Bring a place into the middle of a slice view, whose shorter edge shows so many millimetres."""
    modified = slice_node.StartModify()
    slice_node.JumpSliceByCentering(*middle_ras)
    slice_node.SetXYZOrigin(0.0, 0.0, 0.0)
    show_width(slice_node, width_mm)
    slice_node.EndModify(modified)


def show_width(slice_node: slicer.vtkMRMLSliceNode, width_mm: float) -> None:
    """Zoom a slice view, so that its shorter edge shows so many millimetres, whatever its size in pixels."""
    x, y, _ = slice_node.GetDimensions()
    shorter = max(min(x, y), 1)
    slice_node.SetFieldOfView(width_mm * x / shorter, width_mm * y / shorter, slice_node.GetFieldOfView()[2])


def shown_width(slice_node: slicer.vtkMRMLSliceNode) -> float:
    """How many millimetres the shorter edge of a slice view shows."""
    return float(min(slice_node.GetFieldOfView()[:2]))


def aim_view(scene: slicer.vtkMRMLScene, view: OwnView, bounds_ras: Bounds) -> None:
    """Show a box in a 3D view of this project, at first from the front."""
    aim_camera(_camera_of(scene, view), bounds_ras)


def view_ids(scene: slicer.vtkMRMLScene, view: OwnView) -> list[str]:
    """The identifier of a 3D view of this project, once a layout with it was chosen."""
    return [node.GetID() for node in nodes_of_class(scene, "vtkMRMLViewNode") if node.GetLayoutName() == view.name]


def equal_boxes(boxes: Iterable[Bounds]) -> list[Bounds]:
    """Boxes (mm) around the same middles, all as large as the largest, so that they are shown at one scale."""
    limits = [np.reshape(box, (3, 2)) for box in boxes]
    half = np.max([np.ptp(one, axis=1) for one in limits], axis=0) / 2
    return [tuple(np.stack([one.mean(axis=1) - half, one.mean(axis=1) + half], axis=1).ravel().tolist()) for one in limits]


def _camera_of(scene: slicer.vtkMRMLScene, view: OwnView) -> slicer.vtkMRMLCameraNode:
    """The camera of a 3D view; Slicer makes it with the view and knows it by the view's name."""
    for node in nodes_of_class(scene, "vtkMRMLCameraNode"):
        if node.GetLayoutName() == view.name:
            return node
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode", view.name)
    camera.SetLayoutName(view.name)
    return camera


def _described(view: OwnView) -> str:
    kind = "vtkMRMLSliceNode" if view.orientation else "vtkMRMLViewNode"
    values = {"orientation": view.orientation, "viewlabel": view.letters, "viewcolor": _VIEW_COLOR}
    properties = "".join(f'<property name="{name}" action="default">{value}</property>' for name, value in values.items() if value)
    return f'<item><view class="{kind}" singletontag="{view.name}">{properties}</view></item>'
