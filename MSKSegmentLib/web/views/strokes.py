"""trame-slicer's tools that are drawn with in the views, made to tell where they have drawn.

Their modules need ``slicer``, so the classes are made by a function that is called when views exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import vtk


@dataclass
class DrawingTools:
    """The three tools, as trame-slicer's editor has made them; the callbacks are set by whoever uses them."""

    paint: Any
    erase: Any
    scissors: Any


def register_drawing_tools(editor: Any) -> DrawingTools:
    """Add the tools to a trame-slicer SegmentationEditor. They work in slice views only: in 3D the mouse goes on turning.

    After a stroke, `paint` and `erase` call their `after_stroke` with the bounds ``(x0, x1, y0, y1, z0, z1)`` in RAS mm that
    it lies in. The scissors change nothing themselves: they call their `cut` with the drawn points and the view.
    """
    import slicer
    from trame_slicer.segmentation import SegmentationEffectErase, SegmentationEffectPaint, SegmentationEffectScissors

    class SliceOnly:
        """No drawing in 3D, and no brush there, which would draw the 3D view anew with every move of the mouse."""

        def _create_pipeline(self, view_node: Any, parameter: Any) -> Any:
            is_slice = isinstance(view_node, slicer.vtkMRMLSliceNode)
            return super()._create_pipeline(view_node, parameter) if is_slice else None  # type: ignore[misc]

        def _create_model_node(self, name: str) -> Any:
            node = super()._create_model_node(name)  # type: ignore[misc]
            node.GetDisplayNode().SetVisibility3D(False)
            return node

    class Telling(SliceOnly):
        """A brush that reports where it was drawn."""

        after_stroke: Callable[[tuple[float, ...]], None] | None = None

        def paint_glyph_at_world_coordinates(self, polydata: vtk.vtkPolyData, points: vtk.vtkPoints) -> None:
            """Draw, then report."""
            bounds = stroke_bounds(polydata, points)
            super().paint_glyph_at_world_coordinates(polydata, points)  # type: ignore[misc]
            if self.after_stroke:
                self.after_stroke(bounds)

    class Paint(Telling, SegmentationEffectPaint):
        """The brush."""

    class Erase(Telling, SegmentationEffectErase):
        """The rubber."""

    class Scissors(SliceOnly, SegmentationEffectScissors):
        """Scissors that hand over what was drawn: on a whole scan trame-slicer's own take many seconds."""

        cut: Callable[[vtk.vtkPoints, Any], None] | None = None

        def apply_points_display_coordinates(self, points_display: vtk.vtkPoints, view: Any) -> None:
            """Hand the drawn line over."""
            if self.cut:
                self.cut(points_display, view)

    return DrawingTools(*(editor.get_effect(kind) for kind in (Paint, Erase, Scissors)))


def stroke_bounds(brush: vtk.vtkPolyData, points: vtk.vtkPoints) -> tuple[float, ...]:
    """Bounds in RAS mm of a brush, given around the origin, moved along the points."""
    return tuple(a + b for a, b in zip(brush.GetBounds(), points.GetBounds(), strict=True))
