"""Pictures of slices as Slicer draws them, rendered offscreen: CT with segments or with the uncertainty over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError
from ..output.files import whole_file
from .offscreen import nodes_removed_afterwards, png_of
from .roles import nodes_of_class
from .slice_legend import add_legend, add_text

if TYPE_CHECKING:
    import slicer
    import vtk

# What lies at the image's left, right, top and bottom in Slicer's slice orientations.
_EDGE_LETTERS = {
    "Axial": ("R", "L", "A", "P"),
    "Sagittal": ("A", "P", "S", "I"),
    "Coronal": ("R", "L", "S", "I"),
}
_LEGEND_WIDTH = 300
_RAS_AXIS = {"Axial": 2, "Sagittal": 0, "Coronal": 1}
_MARGIN = 8
_LETTER_SIZE = 18


@dataclass(frozen=True)
class SliceView:
    """Which slice to draw, and how large.

    `orientation` is "Axial", "Sagittal" or "Coronal", `position_mm` the slice's RAS coordinate along its normal (axial:
    S, the same as LPS z; sagittal: R; coronal: A). `size` is ``(width, height)`` of the slice in pixels, without the
    legend. `title` is printed above the legend, `foreground_opacity` (0..1) is that of the uncertainty.

    Raises:
        InputError: there is no such orientation.
    """

    orientation: str = "Axial"
    position_mm: float = 0.0
    size: tuple[int, int] = (640, 512)
    title: str = ""
    foreground_opacity: float = 0.6

    def __post_init__(self) -> None:
        """Check the orientation."""
        if self.orientation not in _EDGE_LETTERS:
            raise InputError(f"There is no slice orientation {self.orientation!r}: choose {', '.join(_EDGE_LETTERS)}.")


def render_slice_png(
    path: str | os.PathLike[str],
    application_logic: slicer.vtkMRMLApplicationLogic,
    ct_node: slicer.vtkMRMLScalarVolumeNode,
    view: SliceView,
    segmentation_node: slicer.vtkMRMLSegmentationNode | None = None,
    uncertainty_node: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> None:
    """Draw one slice of the CT to a PNG, fitted to the view, with a legend of what is seen beside it.

    Segments are drawn as their display node says (fill and outline) and listed in the legend where the slice cuts them;
    other segmentations of the scene stay hidden. The uncertainty is blended over the CT and explained by a colour bar.
    The patient's right is on the image's left. The scene must belong to an application with slice views
    (`HeadlessApplication(views=True)`); it is left as it was.

    Raises:
        InputError: the file cannot be written there.
    """
    picture = _render(application_logic, ct_node, view, segmentation_node, uncertainty_node)
    with whole_file(path, ".png") as temporary:
        temporary.write_bytes(picture)


def _render(
    application_logic: slicer.vtkMRMLApplicationLogic,
    ct_node: slicer.vtkMRMLScalarVolumeNode,
    view: SliceView,
    segmentation_node: slicer.vtkMRMLSegmentationNode | None,
    uncertainty_node: slicer.vtkMRMLScalarVolumeNode | None,
) -> bytes:
    import slicer
    import vtk

    scene = ct_node.GetScene()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    # Without an interactor the displayable managers crash.
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    with nodes_removed_afterwards(scene), _shown_alone(scene, segmentation_node):
        slice_logic = slicer.vtkMRMLSliceLogic()
        slice_logic.SetMRMLApplicationLogic(application_logic)
        slice_logic.SetMRMLScene(scene)
        slice_node = slice_logic.AddSliceNode("MSKSegmentPicture")
        managers = slicer.vtkMRMLDisplayableManagerGroup()
        try:
            _aim(slice_logic, ct_node, uncertainty_node, view)
            image_renderer, legend_renderer = _split_window(window, view.size)
            _add_slice_image(image_renderer, slice_logic)
            managers.Initialize(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), image_renderer)
            managers.SetMRMLDisplayableNode(slice_node)
            _add_edge_letters(image_renderer, view)
            heading = [line for line in (view.title, f"{view.orientation}, {view.position_mm:.1f} mm") if line]
            add_legend(legend_renderer, heading, slice_node, segmentation_node, uncertainty_node)
            window.Render()
            return png_of(window)
        finally:
            managers.SetMRMLDisplayableNode(None)
            window.Finalize()
            slice_logic.SetMRMLScene(None)


@contextmanager
def _shown_alone(scene: slicer.vtkMRMLScene, shown: slicer.vtkMRMLSegmentationNode | None) -> Iterator[None]:
    """Show one segmentation and no colour legend of the scene, whose place beside the slice this module's own takes."""
    displays = [node.GetDisplayNode() for node in nodes_of_class(scene, "vtkMRMLSegmentationNode")]
    legends = nodes_of_class(scene, "vtkMRMLColorLegendDisplayNode")
    before = [(display, display.GetVisibility()) for display in (*displays, *legends) if display is not None]
    for display, _ in before:
        display.SetVisibility(shown is not None and display is shown.GetDisplayNode())
    try:
        yield
    finally:
        for display, visible in before:
            display.SetVisibility(visible)


def _aim(
    slice_logic: slicer.vtkMRMLSliceLogic,
    ct_node: slicer.vtkMRMLScalarVolumeNode,
    uncertainty_node: slicer.vtkMRMLScalarVolumeNode | None,
    view: SliceView,
) -> None:
    width, height = view.size
    composite, slice_node = slice_logic.GetSliceCompositeNode(), slice_logic.GetSliceNode()
    composite.SetBackgroundVolumeID(ct_node.GetID())
    if uncertainty_node is not None:
        composite.SetForegroundVolumeID(uncertainty_node.GetID())
        composite.SetForegroundOpacity(view.foreground_opacity)
    slice_node.SetOrientation(view.orientation)
    slice_node.SetDimensions(width, height, 1)
    slice_logic.FitSliceToVolume(ct_node, width, height)
    # Not the slice offset, whose sign differs from the RAS coordinate in sagittal slices.
    point = [0.0, 0.0, 0.0]
    point[_RAS_AXIS[view.orientation]] = view.position_mm
    slice_node.JumpSliceByOffsetting(*point)
    slice_logic.UpdatePipeline()


def _split_window(window: vtk.vtkRenderWindow, size: tuple[int, int]) -> tuple[vtk.vtkRenderer, vtk.vtkRenderer]:
    import vtk

    width, height = size
    window.SetSize(width + _LEGEND_WIDTH, height)
    border = width / (width + _LEGEND_WIDTH)
    image_renderer, legend_renderer = vtk.vtkRenderer(), vtk.vtkRenderer()
    image_renderer.SetViewport(0, 0, border, 1)
    legend_renderer.SetViewport(border, 0, 1, 1)
    legend_renderer.SetBackground(0.08, 0.08, 0.08)
    for renderer in (image_renderer, legend_renderer):
        window.AddRenderer(renderer)
    return image_renderer, legend_renderer


def _add_slice_image(renderer: vtk.vtkRenderer, slice_logic: slicer.vtkMRMLSliceLogic) -> None:
    import vtk

    mapper = vtk.vtkImageMapper()
    # The slice logic delivers finished 8-bit colours: this window shows them unchanged.
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(slice_logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    renderer.AddViewProp(actor)


def _add_edge_letters(renderer: vtk.vtkRenderer, view: SliceView) -> None:
    width, height = view.size
    left, right, top, bottom = _EDGE_LETTERS[view.orientation]
    far = _MARGIN + _LETTER_SIZE
    add_text(renderer, left, (_MARGIN, height // 2), _LETTER_SIZE)
    add_text(renderer, right, (width - far, height // 2), _LETTER_SIZE)
    add_text(renderer, top, (width // 2, height - far), _LETTER_SIZE)
    add_text(renderer, bottom, (width // 2, _MARGIN), _LETTER_SIZE)
