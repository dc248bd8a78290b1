"""Pictures of the 3D view as Slicer draws it, rendered offscreen: surfaces, density, or both."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..ct.bounds import Bounds
from ..errors import InputError
from ..output.files import whole_file
from .offscreen import nodes_removed_afterwards, png_of
from .slice_legend import Color, add_swatch, add_text

if TYPE_CHECKING:
    import slicer
    import vtk

# Where the viewer stands, in RAS.
_FROM = {
    "anterior": (0, 1, 0),
    "posterior": (0, -1, 0),
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
}
_UP = {"superior": (0, 1, 0), "inferior": (0, 1, 0)}
_BACKGROUND = (0.08, 0.08, 0.08)
_MARGIN = 10
_LINE_HEIGHT = 26
_TITLE_SIZE = 18
_LEGEND_SIZE = 14
_ROOM = 1.05


@dataclass(frozen=True)
class ThreeDView:
    """From where to look, and how large the picture is.

    `viewed_from` is "anterior", "posterior", "right", "left", "superior" or "inferior" (of the patient); `bounds_ras` the box
    in mm that fills the picture, None what is visible; `size` ``(width, height)`` in pixels; `title` and, below it, `legend`
    (words and their RGB colours 0..1) are written above the view.

    Raises:
        InputError: there is no such side.
    """

    viewed_from: str = "anterior"
    bounds_ras: Bounds | None = None
    size: tuple[int, int] = (640, 640)
    title: str = ""
    legend: tuple[tuple[str, Color], ...] = ()

    def __post_init__(self) -> None:
        """Check the side."""
        if self.viewed_from not in _FROM:
            raise InputError(f"There is no side {self.viewed_from!r} to look from: choose {', '.join(_FROM)}.")


def render_3d_png(
    path: str | os.PathLike[str],
    application_logic: slicer.vtkMRMLApplicationLogic,
    scene: slicer.vtkMRMLScene,
    view: ThreeDView,
) -> None:
    """Draw what the scene shows in 3D to a PNG, in parallel projection, with Slicer's own displayable managers.

    Segment surfaces are drawn that `show_only_3d` shows, and the density of `show_density`. The scene must belong to an
    application with views (`HeadlessApplication(views=True)`); it is left as it was.

    Raises:
        InputError: the file cannot be written there.
    """
    picture = _render(application_logic, scene, view)
    with whole_file(path, ".png") as temporary:
        temporary.write_bytes(picture)


def _render(application_logic: slicer.vtkMRMLApplicationLogic, scene: slicer.vtkMRMLScene, view: ThreeDView) -> bytes:
    import slicer
    import vtk

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(*view.size)
    # Without an interactor the displayable managers crash.
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    renderer, words = _split_window(window, view)
    with nodes_removed_afterwards(scene):
        view_logic = slicer.vtkMRMLViewLogic()
        view_logic.SetMRMLApplicationLogic(application_logic)
        view_logic.SetMRMLScene(scene)
        view_node = view_logic.AddViewNode("MSKSegmentPicture")
        view_node.SetBoxVisible(False)
        view_node.SetAxisLabelsVisible(False)
        view_node.SetVolumeRenderingSurfaceSmoothing(True)
        view_node.SetBackgroundColor(*_BACKGROUND)
        view_node.SetBackgroundColor2(*_BACKGROUND)
        managers = slicer.vtkMRMLDisplayableManagerGroup()
        try:
            managers.Initialize(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), renderer)
            managers.SetMRMLDisplayableNode(view_node)
            _aim(renderer, view)
            _add_words(words, view)
            window.Render()
            return png_of(window)
        finally:
            managers.SetMRMLDisplayableNode(None)
            window.Finalize()
            view_logic.SetMRMLScene(None)


def _split_window(window: vtk.vtkRenderWindow, view: ThreeDView) -> tuple[vtk.vtkRenderer, vtk.vtkRenderer]:
    """Renderers of the 3D view and of the strip above it that holds the words."""
    import vtk

    lines = bool(view.title) + bool(view.legend)
    border = 1 - (lines * _LINE_HEIGHT + 2 * _MARGIN) / view.size[1] if lines else 1.0
    renderer, words = vtk.vtkRenderer(), vtk.vtkRenderer()
    renderer.SetViewport(0, 0, 1, border)
    words.SetViewport(0, border, 1, 1)
    words.SetBackground(*_BACKGROUND)
    for each in (renderer, words):
        window.AddRenderer(each)
    return renderer, words


def _aim(renderer: vtk.vtkRenderer, view: ThreeDView) -> None:
    bounds = view.bounds_ras or renderer.ComputeVisiblePropBounds()
    limits = np.reshape(bounds, (3, 2))
    middle, extent = limits.mean(axis=1), limits[:, 1] - limits[:, 0]
    towards, up = np.array(_FROM[view.viewed_from]), np.array(_UP.get(view.viewed_from, (0, 0, 1)))
    across = np.cross(up, towards)
    width, height = renderer.GetSize()
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle + towards * 2 * np.linalg.norm(extent)))
    camera.SetViewUp(*up)
    camera.SetParallelScale(_ROOM / 2 * max(abs(extent @ up), abs(extent @ across) * height / width))
    renderer.ResetCameraClippingRange()


def _add_words(renderer: vtk.vtkRenderer, view: ThreeDView) -> None:
    width, height = renderer.GetSize()
    if view.title:
        add_text(renderer, view.title, (_MARGIN, height - _MARGIN - _TITLE_SIZE), _TITLE_SIZE)
    for number, (name, color) in enumerate(view.legend):
        x = _MARGIN + number * (width - 2 * _MARGIN) // len(view.legend)
        add_swatch(renderer, color, (x, _MARGIN), _LEGEND_SIZE)
        add_text(renderer, name, (x + _LINE_HEIGHT, _MARGIN), _LEGEND_SIZE)
