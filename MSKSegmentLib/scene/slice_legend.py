"""The legend beside a rendered slice: the segments it cuts with their colours, and the uncertainty's colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..results.segmentation_file import REPRESENTATION
from .geometry import array_of_image, array_of_matrix

if TYPE_CHECKING:
    import slicer
    import vtk

Color = tuple[float, float, float]

_MARGIN = 10
_HEADING_SIZE = 15
_FONT_SIZE = 13
_LINE_HEIGHT = 20
_SHARED_BAR_HEIGHT = 150


def add_legend(
    renderer: vtk.vtkRenderer,
    heading: list[str],
    slice_node: slicer.vtkMRMLSliceNode,
    segmentation_node: slicer.vtkMRMLSegmentationNode | None,
    uncertainty_node: slicer.vtkMRMLScalarVolumeNode | None,
) -> None:
    """Draw heading lines, then the visible segments that the slice cuts, then the colour bar, from the top down.

    The renderer must lie in a window whose size is set. With both overlays the bar is kept low.
    """
    _, height = renderer.GetSize()
    top = height - _MARGIN
    for line in heading:
        top -= _LINE_HEIGHT
        add_text(renderer, line, (_MARGIN, top), _HEADING_SIZE)
    entries = [] if segmentation_node is None else cut_segments(segmentation_node, slice_node)
    bottom = _MARGIN if uncertainty_node is None else min(top // 2, _SHARED_BAR_HEIGHT)
    if entries:
        _add_entries(renderer, entries, bottom, top - _MARGIN)
        top = bottom
    if uncertainty_node is not None:
        title_at = top - _MARGIN - _LINE_HEIGHT
        add_text(renderer, uncertainty_node.GetName(), (_MARGIN, title_at), _FONT_SIZE)
        _add_color_bar(renderer, uncertainty_node, _MARGIN, title_at - _MARGIN)


def add_text(renderer: vtk.vtkRenderer, text: str, position: tuple[int, int], font_size: int) -> None:
    """Draw white text with its lower left corner at ``(x, y)`` pixels of the renderer's viewport."""
    import vtk

    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    actor.SetPosition(*position)
    actor.GetTextProperty().SetFontSize(font_size)
    renderer.AddViewProp(actor)


def cut_segments(node: slicer.vtkMRMLSegmentationNode, slice_node: slicer.vtkMRMLSliceNode) -> list[tuple[str, Color]]:
    """Name and colour (0..1) of the visible segments with a voxel in the slice, in the node's order."""
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    positions = _pixel_positions(slice_node, node)
    cut: set[str] = set()
    for layer in range(segmentation.GetNumberOfLayers(REPRESENTATION)):
        values = _values_at(segmentation.GetLayerDataObject(layer, REPRESENTATION), positions)
        keys = segmentation.GetSegmentIDsForLayer(layer, REPRESENTATION)
        cut.update(key for key in keys if segmentation.GetSegment(key).GetLabelValue() in values)
    seen = [key for key in segmentation.GetSegmentIDs() if key in cut and display.GetSegmentVisibility(key)]
    return [(segmentation.GetSegment(key).GetName(), segmentation.GetSegment(key).GetColor()) for key in seen]


def _pixel_positions(slice_node: slicer.vtkMRMLSliceNode, node: slicer.vtkMRMLSegmentationNode) -> np.ndarray:
    """Homogeneous positions ``[4, pixels]`` of the slice's pixels in the frame of the segmentation node."""
    import vtk

    width, height, _ = slice_node.GetDimensions()
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x.ravel(), y.ravel(), np.zeros(x.size), np.ones(x.size)])
    from_world = vtk.vtkMatrix4x4()
    if node.GetParentTransformNode() is not None:
        node.GetParentTransformNode().GetMatrixTransformFromWorld(from_world)
    return array_of_matrix(from_world) @ array_of_matrix(slice_node.GetXYToRAS()) @ pixels


def _values_at(image: slicer.vtkOrientedImageData, positions: np.ndarray) -> set[int]:
    import vtk

    if image.IsEmpty():
        return set()
    to_index = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(to_index)
    array = array_of_image(image)
    start = np.array(image.GetExtent()[0::2])[:, None]
    index = np.rint((array_of_matrix(to_index) @ positions)[:3]).astype(int) - start
    inside = ((index >= 0) & (index < np.array(array.shape[::-1])[:, None])).all(axis=0)
    x, y, z = index[:, inside]
    return {int(value) for value in np.unique(array[z, y, x])}


def _add_entries(renderer: vtk.vtkRenderer, entries: list[tuple[str, Color]], bottom: int, top: int) -> None:
    line = min(_LINE_HEIGHT, (top - bottom) // len(entries))
    for number, (name, color) in enumerate(entries, start=1):
        y = top - number * line
        add_swatch(renderer, color, (_MARGIN, y), max(line - 6, 4))
        add_text(renderer, name, (_MARGIN + _LINE_HEIGHT + 2, y), min(_FONT_SIZE, line))


def add_swatch(renderer: vtk.vtkRenderer, color: Color, corner: tuple[int, int], side: int) -> None:
    """Draw a square of that colour (0..1) and side length, its lower left corner at ``(x, y)`` pixels."""
    import vtk

    square = vtk.vtkPlaneSource()
    x, y = corner
    square.SetOrigin(x, y, 0)
    square.SetPoint1(x + side, y, 0)
    square.SetPoint2(x, y + side, 0)
    mapper = vtk.vtkPolyDataMapper2D()
    mapper.SetInputConnection(square.GetOutputPort())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*color)
    renderer.AddViewProp(actor)


def _add_color_bar(renderer: vtk.vtkRenderer, node: slicer.vtkMRMLScalarVolumeNode, bottom: int, top: int) -> None:
    import vtk

    display = node.GetDisplayNode()
    table = vtk.vtkLookupTable()
    table.DeepCopy(display.GetColorNode().GetLookupTable())
    table.SetRange(display.GetWindowLevelMin(), display.GetWindowLevelMax())
    width, height = renderer.GetSize()
    bar = vtk.vtkScalarBarActor()
    bar.SetLookupTable(table)
    bar.SetLabelFormat("%.2g")
    bar.SetNumberOfLabels(5)
    bar.SetPosition(_MARGIN / width, bottom / height)
    bar.SetWidth(0.4)
    bar.SetHeight((top - bottom) / height)
    bar.SetTextPad(6)
    bar.UnconstrainedFontSizeOn()
    text = bar.GetLabelTextProperty()
    text.SetFontSize(_FONT_SIZE)
    text.ItalicOff()
    text.BoldOff()
    text.ShadowOff()
    renderer.AddViewProp(bar)
