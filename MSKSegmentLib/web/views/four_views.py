"""Three slice views and a 3D view on one MRML scene, drawn on this computer and sent to the page as pictures."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

from ...ct.bounds import Bounds
from ...ct.volume import Vector
from ...language.catalogue import noted as N_
from ...scene.ct_window import BONE, SOFT_TISSUE
from ...scene.roles import nodes_of_class
from ...scene.segmentation import OUTLINE_THICKNESS_2D

if TYPE_CHECKING:
    import slicer
    import vtk
    from trame_slicer.core import SlicerApp
    from trame_slicer.views import SliceView, ThreeDView

AXIAL, CORONAL, SAGITTAL, THREE_D = "Red", "Green", "Yellow", "ThreeD"
SLICES = (AXIAL, CORONAL, SAGITTAL)

# Title, window and level (HU) of the presets.
WINDOWS: dict[str, tuple[str, float, float]] = {
    "soft": (N_("Soft tissue"), *SOFT_TISSUE),
    "bone": (N_("Bone"), *BONE),
}

Size = tuple[float, float]

# What lies at the left, right, top and bottom of each view.
LETTERS = {AXIAL: "RLAP", CORONAL: "RLSI", SAGITTAL: "APSI"}
VIEW_NAMES = {AXIAL: N_("Axial"), CORONAL: N_("Coronal"), SAGITTAL: N_("Sagittal")}
# The RAS axis along which each view moves, and the letters of its two directions.
_AXES = {AXIAL: (2, "SI"), CORONAL: (1, "AP"), SAGITTAL: (0, "RL")}
# The RAS axes across and up.
_PLANES = {AXIAL: (0, 1), CORONAL: (0, 2), SAGITTAL: (1, 2)}
_ROOM = 1.06
# The shorter edge of the largest slice view, in pixels, for each pixel of an outline.
_EDGE_PER_PIXEL = 420
_BACKGROUND = "#12161c", "#2a323d"
_EVENT_THROTTLE_S = 0.02
_INTERACTIVE_QUALITY = 75


class Views:
    """The four views of one server, and the scene that they show; there may be one such object in a process."""

    def __init__(self, server: Any) -> None:
        """Make scene and views, and register their templates on the server; call it inside the event loop."""
        _choose_offscreen_window()
        from trame_slicer.core import SlicerApp
        from trame_slicer.rca_view.rca_view_factory import RemoteSliceViewFactory, RemoteThreeDViewFactory
        from trame_slicer.views import ViewLayoutDefinition
        from vtkmodules.vtkCommonCore import vtkObject

        self._state = server.state
        # What each slice view was fitted to, and its field of view (mm) then.
        self._fitted: dict[str, tuple[Bounds, Size]] = {}
        self.app: SlicerApp = SlicerApp()
        manager = self.app.view_manager
        options = {"rca_event_throttle_s": _EVENT_THROTTLE_S, "interactive_quality": _INTERACTIVE_QUALITY}
        manager.register_factory(RemoteSliceViewFactory(server, **options))
        manager.register_factory(RemoteThreeDViewFactory(server, **options))
        definitions = (
            ViewLayoutDefinition.axial_view(AXIAL),
            ViewLayoutDefinition.coronal_view(CORONAL),
            ViewLayoutDefinition.sagittal_view(SAGITTAL),
            ViewLayoutDefinition.threed_view(name=THREE_D, background_color=_BACKGROUND),
        )
        for definition in definitions:
            # trame-slicer listens to an event that VTK 9.6 warns about, and does without it as well.
            vtkObject.SetGlobalWarningDisplay(0)
            view = manager.create_view(definition)
            if definition.singleton_tag in SLICES:
                # Before trame-slicer's own answer to a new size.
                name = definition.singleton_tag
                view.interactor().AddObserver("WindowResizeEvent", lambda *_, name=name: self._resized(name), 1.0)
            vtkObject.SetGlobalWarningDisplay(1)
            # Multisampling doubles what the processor has to draw and shows in no slice.
            view.render_window().SetMultiSamples(0)
        manager.set_current_view_ids([definition.singleton_tag for definition in definitions])
        for name in SLICES:
            view = self.slice_view(name)
            view.modified.connect(lambda changed, name=name: self._show_place(name, changed))
            server.state.change(f"offset_{name}")(lambda name=name, **state: self._move(name, state[f"offset_{name}"]))
        self.three_d.renderer().SetUseFXAA(True)
        # Peeling draws the bones several times over, which takes a processor most of a second.
        self.three_d.renderer().SetUseDepthPeeling(False)
        self.three_d.renderer().SetUseDepthPeelingForVolumes(False)

    @property
    def scene(self) -> slicer.vtkMRMLScene:
        """The scene that all views show."""
        return self.app.scene

    @property
    def three_d(self) -> ThreeDView:
        """The 3D view."""
        return self.app.view_manager.get_view(THREE_D)

    def slice_view(self, name: str) -> SliceView:
        """One of `SLICES`."""
        return self.app.view_manager.get_view(name)

    def show_volume(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Show a CT in all slice views, or nothing."""
        self.app.display_manager.show_volume_in_slice_background(node)
        for name in SLICES:
            _draw_image_first(self.slice_view(name))

    def show_overlay(self, node: slicer.vtkMRMLScalarVolumeNode | None, opacity: float) -> None:
        """Show a volume over the CT (opacity 0..1), or none."""
        for name in SLICES:
            view = self.slice_view(name)
            view.set_foreground_volume_id(node.GetID() if node is not None else None)
            view.set_foreground_opacity(opacity if node is not None else 0.0)

    def fit(self, bounds_ras: Bounds) -> None:
        """Fill the slice views with a box ``(r0, r1, a0, a1, s0, s1)`` in mm, also after they change their size.

        A view that somebody zooms or moves keeps that.
        """
        self._fitted = {name: (bounds_ras, self._fit_slice(name, bounds_ras)) for name in SLICES}
        self.render()

    def face_patient(self) -> None:
        """Look from the front in 3D."""
        from trame_slicer.views.threed_view import ViewDirection

        self.three_d.rotate_to_view_direction(ViewDirection.ANTERIOR)

    def jump(self, point_lps: Vector, node: slicer.vtkMRMLTransformableNode) -> None:
        """Move the slice views through a point of a node (LPS, mm)."""
        from ...scene import ras_of_lps

        self.go_to(ras_of_lps(point_lps, node))

    def go_to(self, point_ras: Vector) -> None:
        """Move the slice views, and the cross-hair, through a point in RAS mm."""
        from ...scene import jump_to

        jump_to(self.scene, point_ras)
        self.render()

    def step(self, name: str, by: int) -> None:
        """Move one of `SLICES` by so many slices, upwards, forwards or to the right; it stays inside the scan."""
        view = self.slice_view(name)
        low, high = view.get_slice_range()
        view.set_slice_value(min(max(view.get_slice_value() + by * view.get_slice_step(), low), high))

    def show_crosshair(self, visible: bool) -> None:
        """Show or hide the lines through the point that all slice views were brought to."""
        node = self.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        node.SetCrosshairMode(node.ShowBasic if visible else node.NoCrosshair)
        for prop in self.three_d.renderer().GetViewProps():
            if prop.IsA("vtkPointHandleRepresentation3D"):
                # As thin as in the slices, where it is one pixel.
                prop.GetProperty().SetLineWidth(1)
        self.render()

    def render(self) -> None:
        """Draw all views soon."""
        for view in self.app.view_manager.get_views():
            view.schedule_render()

    def close(self) -> None:
        """Free the views' windows, which other applications of this process may need."""
        for view in self.app.view_manager.get_views():
            view.finalize()

    def _fit_slice(self, name: str, bounds: Bounds) -> Size:
        """Fit one view; returns its field of view in mm."""
        view = self.slice_view(name)
        node, (width, height) = view.get_view_node(), view.render_window().GetSize()
        extent = [high - low for low, high in zip(bounds[0::2], bounds[1::2], strict=True)]
        across, up = (extent[axis] for axis in _PLANES[name])
        mm_per_pixel = _ROOM * max(across / max(width, 1), up / max(height, 1))
        node.SetDimensions(width, height, 1)
        node.SetFieldOfView(width * mm_per_pixel, height * mm_per_pixel, node.GetFieldOfView()[2])
        # Where somebody has moved the picture to.
        node.SetXYZOrigin(0, 0, 0)
        middle = [(low + high) / 2 for low, high in zip(bounds[0::2], bounds[1::2], strict=True)]
        # The slice itself stays where it is.
        axis, _ = _AXES[name]
        matrix = node.GetSliceToRAS()
        middle[axis] = matrix.GetElement(axis, 3)
        for row in range(3):
            matrix.SetElement(row, 3, middle[row])
        node.UpdateMatrices()
        return node.GetFieldOfView()[:2]

    def scale_outlines(self) -> None:
        """Draw segments with lines that can be seen on a large screen, where pixels are many and small."""
        edge = max(min(self.slice_view(name).render_window().GetSize()) for name in SLICES)
        pixels = max(OUTLINE_THICKNESS_2D, round(edge / _EDGE_PER_PIXEL))
        for display in nodes_of_class(self.scene, "vtkMRMLSegmentationDisplayNode"):
            display.SetSliceIntersectionThickness(pixels)

    def _resized(self, name: str) -> None:
        self.scale_outlines()
        if name not in self._fitted:
            return
        bounds, size = self._fitted[name]
        node = self.slice_view(name).get_view_node()
        now = node.GetFieldOfView()[:2]
        if not any(node.GetXYZOrigin()[:2]) and all(
            math.isclose(size_before, other, rel_tol=1e-3) for size_before, other in zip(size, now, strict=True)
        ):
            self._fitted[name] = bounds, self._fit_slice(name, bounds)

    def _move(self, name: str, offset: float | None) -> None:
        view = self.slice_view(name)
        if offset is not None and abs(view.get_slice_value() - float(offset)) > 1e-3:
            view.set_slice_value(float(offset))

    def _show_place(self, name: str, view: SliceView) -> None:
        low, high = view.get_slice_range()
        value = view.get_slice_value()
        axis, letters = _AXES[name]
        with self._state:
            self._state[f"slice_{name}"] = {
                "low": low,
                "high": high,
                "step": view.get_slice_step(),
                "text": f"{letters[0] if value >= 0 else letters[1]} {abs(value):.0f} mm",
            }
            self._state[f"offset_{name}"] = value


def set_window(node: slicer.vtkMRMLScalarVolumeNode, preset: str) -> None:
    """Show a CT with one of `WINDOWS`."""
    _, window, level = WINDOWS[preset]
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(window, level)


def _draw_image_first(view: SliceView) -> None:
    """Bring the slice's image to the front of what is drawn.

    trame-slicer gives it the largest depth and adds it last: where a segment has been drawn already it would be left out,
    and the segment's translucent fill would lie on black.
    """
    from vtkmodules.vtkRenderingCore import vtkImageMapper

    props = view.renderer().GetViewProps()
    for prop in [props.GetItemAsObject(number) for number in range(props.GetNumberOfItems())]:
        if prop.IsA("vtkActor2D") and isinstance(prop.GetMapper(), vtkImageMapper) and _is_background(prop):
            props.RemoveItem(prop)
            props.InsertItem(-1, prop)


def _is_background(actor: vtk.vtkActor2D) -> bool:
    return actor.GetProperty().GetDisplayLocation() == 0


def _choose_offscreen_window() -> None:
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        # VTK would try X first and warn before it falls back to this class.
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
