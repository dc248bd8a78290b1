"""Right and left in 3D views of their own, in each of which the other side is not to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .own_views import LEFT_3D, RIGHT_3D, OwnView, view_ids
from .segment_views import SegmentsHidden, show_in_views
from .surfaces import CLOSED_SURFACE, has_own_surfaces, surface_node

if TYPE_CHECKING:
    import slicer

SIDE_VIEWS = (RIGHT_3D, LEFT_3D)


class SidesApart:
    """The views `SIDE_VIEWS`, which exist, show one segment each of a segmentation, until `close`; all others stay as they are.

    What a segmentation displays is shown in all views that it is not kept from. So it is kept from these two, each of which gets a
    display node of its own for the same surfaces.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, node: slicer.vtkMRMLSegmentationNode) -> None:
        """`node` is the segmentation; the surfaces that are to be shown are made by `ensure_closed_surface`, before."""
        self._scene = scene
        self._node = node
        self._displays: dict[OwnView, slicer.vtkMRMLSegmentationDisplayNode] = {}
        self._hidden: SegmentsHidden | None = None
        self._hide()

    def show(self, keys: Mapping[OwnView, str]) -> None:
        """Show the surface of one segment in each view; nothing in a view that is not named."""
        source = self._node if has_own_surfaces(self._node) else surface_node(self._node)
        if source is None:
            return
        if any(source.GetDisplayNode().IsDisplayableInView(one) for view in SIDE_VIEWS for one in view_ids(self._scene, view)):
            # These surfaces were made since.
            self._hide()
        for view in SIDE_VIEWS:
            display = self._displays.get(view) or self._displays.setdefault(view, self._made(source, view))
            modified = display.StartModify()
            for key in source.GetSegmentation().GetSegmentIDs():
                display.SetSegmentVisibility3D(key, key == keys.get(view))
            display.EndModify(modified)

    def close(self) -> None:
        """Take the displays away, and show the segmentations in these views again."""
        for display in self._displays.values():
            self._scene.RemoveNode(display)
        self._displays.clear()
        if self._hidden is not None:
            self._hidden.close()

    def _hide(self) -> None:
        if self._hidden is not None:
            self._hidden.close()
        self._hidden = SegmentsHidden(self._scene, [view.name for view in SIDE_VIEWS])

    def _made(self, source: slicer.vtkMRMLSegmentationNode, view: OwnView) -> slicer.vtkMRMLSegmentationDisplayNode:
        display = self._scene.AddNewNodeByClass("vtkMRMLSegmentationDisplayNode", view.name)
        display.SetHideFromEditors(True)
        display.SetSaveWithScene(False)
        display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
        display.SetVisibility2D(False)
        show_in_views(display, view_ids(self._scene, view))
        source.AddAndObserveDisplayNodeID(display.GetID())
        return display
