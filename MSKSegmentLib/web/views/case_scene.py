"""One open result in the scene of the views: CT, segments, uncertainty, surfaces, density."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ct.bounds import Bounds, bounds_of_box, lps_and_ras
from ...ct.boxes import Box, union_box
from ...review import ReviewSession
from ...scene import (
    add_ct,
    add_segmentation,
    add_uncertainty,
    ensure_closed_surface,
    hide_density,
    look_at,
    show_density,
    show_only_3d,
)
from ...scene.ct_window import usual_window
from ...scene.differences import hide_differences, show_differences
from ...scene.surfaces import surface_node
from ...wording.uncertainty import uncertainty_text
from .four_views import Views, set_window

# The selected segment stands out; the others stay to be seen against.
_SELECTED_FILL, _OTHER_FILL = 1.0, 0.12
_OTHER_OUTLINE = 0.75
_CONTEXT_OPACITY = 0.22

_MARGIN_MM = 15.0
_CLOSER = 0.2


class CaseScene:
    """The nodes of one case; `close` it before another one is opened in the same views."""

    def __init__(self, views: Views, session: ReviewSession) -> None:
        self._views = views
        self._session = session
        self.ct = add_ct(views.scene, session.volume)
        self.segmentation = add_segmentation(views.scene, session.result, self.ct)
        self._uncertainty: Any = None
        views.show_volume(self.ct)
        views.scale_outlines()
        self.fit()

    def set_window(self, preset: str) -> None:
        """Choose one of the window presets; MR has one only."""
        if self._session.task.in_hounsfield:
            set_window(self.ct, preset)
        else:
            self.set_window_level(*usual_window(self._session.volume))

    @property
    def window(self) -> tuple[float, float]:
        """Window and level of the CT in HU."""
        display = self.ct.GetDisplayNode()
        return display.GetWindow(), display.GetLevel()

    def set_window_level(self, window: float, level: float) -> None:
        """Choose any window (HU)."""
        self.ct.GetDisplayNode().SetWindowLevel(window, level)

    def show_uncertainty(self, opacity: float) -> str:
        """Lay the uncertainty over the CT (opacity 0..1; 0 hides it); returns the top of its range as text."""
        if opacity <= 0:
            self._views.show_overlay(None, 0.0)
            return ""
        if self._uncertainty is None:
            # A quarter of the memory of a whole case: made only when it is shown.
            self._uncertainty = add_uncertainty(self._views.scene, self._session.result, reference_volume_node=self.ct)
        self._views.show_overlay(self._uncertainty, opacity)
        return uncertainty_text(self._uncertainty.GetDisplayNode().GetWindowLevelMax())

    def show_segments(self, visible: bool) -> None:
        """Show the segments in the slice views, or the bare CT."""
        self.segmentation.GetDisplayNode().SetVisibility2D(visible)

    def show_differences(self, kinds: np.ndarray | None) -> None:
        """Lay over the slices where another result differs (`two_results.differences`); None takes it away."""
        if kinds is None:
            hide_differences(self._views.scene)
        else:
            show_differences(self._views.scene, kinds, self.ct)
        self._views.render()

    def emphasize(self, key: str) -> None:
        """Fill the selected segment, and draw the others as outlines with a hint of their colour."""
        display = self.segmentation.GetDisplayNode()
        modified = display.StartModify()
        for other in self.segmentation.GetSegmentation().GetSegmentIDs():
            display.SetSegmentOpacity2DFill(other, _SELECTED_FILL if other == key else _OTHER_FILL)
            display.SetSegmentOpacity2DOutline(other, 1.0 if other == key else _OTHER_OUTLINE)
        display.EndModify(modified)

    def missing_surfaces(self, mode: str, key: str) -> list[str]:
        """The segments whose surfaces a 3D mode ("segment", "density" or "all") needs and that were never made."""
        surfaces = surface_node(self.segmentation)
        present_keys = set(surfaces.GetSegmentation().GetSegmentIDs()) if surfaces else set()
        return [wanted for wanted in [*self._solid(mode, key), *self._context(mode, key)] if wanted not in present_keys]

    def make_surface(self, key: str) -> None:
        """Make a surface ahead of its being shown."""
        ensure_closed_surface(self.segmentation, [key])

    def show_three_d(self, mode: str, key: str) -> bool:
        """Show the segment among translucent bones, its density, or all segments; returns whether there is anything to show."""
        solid, context = self._solid(mode, key), self._context(mode, key)
        show_only_3d(self.segmentation, [*solid, *context])
        if surfaces := surface_node(self.segmentation):
            for shown in (*solid, *context):
                surfaces.GetDisplayNode().SetSegmentOpacity3D(shown, 1.0 if shown in solid else _CONTEXT_OPACITY)
        if mode != "density":
            hide_density(self._views.scene)
            return bool(solid)
        return show_density(self._views.scene, self.ct, self._session.result, [key]) is not None

    def fit(self) -> None:
        """Fill the slice views with the part of the scan that has segments, or with all of it."""
        self._views.fit(_bounds_ras(self._session, [row.key for row in self._session.rows()]))

    def fit_three_d(self) -> None:
        """Look at the whole patient from where the viewer stands."""
        self._look_at([row.key for row in self._session.rows()])

    def look_at_segment(self, key: str) -> None:
        """Look at one segment from where the viewer stands."""
        self._look_at([key])

    def _look_at(self, keys: list[str]) -> None:
        look_at(self._views.scene, _bounds_ras(self._session, keys))
        # The sphere around a box leaves much room beside what is longer than wide.
        self._views.three_d.zoom(_CLOSER)

    def close(self) -> None:
        """Take the case out of the scene."""
        hide_density(self._views.scene)
        hide_differences(self._views.scene)
        self._views.show_overlay(None, 0.0)
        self._views.show_volume(None)
        for node in (surface_node(self.segmentation), self.segmentation, self._uncertainty, self.ct):
            if node is not None:
                self._views.scene.RemoveNode(node)

    def _solid(self, mode: str, key: str) -> list[str]:
        if mode == "all":
            return [row.key for row in self._session.rows() if row.found]
        return [key] if mode == "segment" and key and self._session.row(key).found else []

    def _context(self, mode: str, key: str) -> list[str]:
        if mode != "segment":
            return []
        bones = (segment.key for segment in self._session.table.segments if segment.structure.is_bone)
        return [bone for bone in bones if bone != key and self._session.row(bone).found]


def _bounds_ras(session: ReviewSession, keys: list[str]) -> Bounds:
    """A box in mm (RAS) around these segments, with a margin; around the scan when there is none of them."""
    box = union_box(mask.box for key in keys if (mask := session.mask(key)))
    return lps_and_ras(bounds_of_box(box or Box.whole(session.geometry.size), session.geometry, _MARGIN_MM))
