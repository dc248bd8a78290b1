"""Pictures of the views that the test host has but does not draw: rendered offscreen with Slicer's own displayable managers."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (0.1, 0.1, 0.12)
LETTER_SIZE = 18
_EDGES = {"Axial": "RLAP", "Sagittal": "APSI", "Coronal": "RLSI"}


def slice_picture(widget: Any, size: tuple[int, int], orientation: str = "") -> Image.Image:
    """What a slice view of this size would show; the orientation adds the letters at its edges."""
    import slicer
    import vtk

    logic = widget.sliceLogic()
    # As Slicer's view does when its window gets this size.
    logic.ResizeSliceNode(*size)
    logic.UpdatePipeline()
    window, renderer = _window(size)
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    renderer.AddViewProp(actor)
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    picture = _drawn(window, renderer, factory, logic.GetSliceNode())
    if orientation:
        _letters(picture, _EDGES[orientation])
    return picture


def three_d_picture(widget: Any, size: tuple[int, int]) -> Image.Image:
    """What a 3D view of this size would show."""
    import slicer

    view = widget.mrmlViewNode()
    view.SetBoxVisible(False)
    view.SetAxisLabelsVisible(False)
    view.SetBackgroundColor(*BACKGROUND)
    view.SetBackgroundColor2(*BACKGROUND)
    view.SetVolumeRenderingSurfaceSmoothing(True)
    window, renderer = _window(size)
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    return _drawn(window, renderer, factory, view)


def grid_of_pictures(rows: list[list[Image.Image]], gap: int = 2) -> Image.Image:
    """Pictures of one size in rows, with a thin line between."""
    width, height = rows[0][0].size
    across, down = len(rows[0]), len(rows)
    whole = Image.new("RGB", (across * width + (across - 1) * gap, down * height + (down - 1) * gap), "#555")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            whole.paste(picture, (x * (width + gap), y * (height + gap)))
    return whole


def _window(size: tuple[int, int]) -> tuple[Any, Any]:
    import vtk

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(*size)
    # Without an interactor the displayable managers crash.
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    return window, renderer


def _drawn(window: Any, renderer: Any, factory: Any, node: Any) -> Image.Image:
    import slicer

    from MSKSegmentLib.scene.offscreen import png_of

    managers = slicer.vtkMRMLDisplayableManagerGroup()
    try:
        managers.Initialize(factory, renderer)
        managers.SetMRMLDisplayableNode(node)
        renderer.ResetCameraClippingRange()
        window.Render()
        return Image.open(io.BytesIO(png_of(window))).convert("RGB")
    finally:
        managers.SetMRMLDisplayableNode(None)
        window.Finalize()


def _letters(picture: Image.Image, letters: str) -> None:
    width, height = picture.size
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER_SIZE)
    places = (14, height // 2), (width - 14, height // 2), (width // 2, 16), (width // 2, height - 16)
    for letter, place in zip(letters, places, strict=True):
        draw.text(place, letter, fill="#ffffff", font=font, anchor="mm")
