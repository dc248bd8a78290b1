"""Which views show the segments of a scene."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from .roles import nodes_of_class

if TYPE_CHECKING:
    import slicer

_VIEW_CLASSES = ("vtkMRMLSliceNode", "vtkMRMLViewNode")


class SegmentsHidden:
    """The segments of a scene are not shown in the views of these names, until `close`.

    For views of something else than the CT in which the segments were found: a radiograph, another scan.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        view_names: Collection[str],
        but: Collection[slicer.vtkMRMLSegmentationNode] = (),
    ) -> None:
        """Hide all segmentations but those in `but`."""
        self._before = []
        views = [node for kind in _VIEW_CLASSES for node in nodes_of_class(scene, kind)]
        shown = {node.GetID() for node in views if node.GetLayoutName() not in view_names}
        for node in nodes_of_class(scene, "vtkMRMLSegmentationNode"):
            display = node.GetDisplayNode()
            if display is None or node in but:
                continue
            before = tuple(display.GetViewNodeIDs() or ())
            self._before.append((display, before))
            show_in_views(display, sorted(shown.intersection(before) if before else shown))

    def close(self) -> None:
        """Show them where they were shown before."""
        for display, before in self._before:
            show_in_views(display, before)
        self._before.clear()


def show_in_views(display: slicer.vtkMRMLDisplayNode, view_ids: Iterable[str]) -> None:
    """Show something in the views of these identifiers; in all views for none."""
    modified = display.StartModify()
    display.RemoveAllViewNodeIDs()
    for view_id in view_ids:
        display.AddViewNodeID(view_id)
    display.EndModify(modified)
