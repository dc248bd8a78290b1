"""Corrections: the tools on the selected segment, what they do to the review, and the way back.

Voxels are painted on in the scene and measured in the review session; both always hold the same labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ct.bounds import lps_and_ras, touched_box
from ...ct.boxes import Box
from ...review import LabelEdit, ReviewSession, SegmentMask
from ...scene import ensure_segment, take_edit
from ...scene.edits import draw_anew, put_labels, take_from
from . import volume_tools
from .four_views import Views
from .strokes import register_drawing_tools

# A stroke keeps a few thousand voxels, a smoothed muscle a few million.
_UNDO_STEPS = 50
# Room around a segment for tools that make it larger.
_MARGIN_MM = 12.0
_CUT_MARGIN_MM = 60.0


@dataclass(frozen=True)
class ToolSettings:
    """What the page's controls say: diameters and sizes in mm, thresholds in HU, see the state of the same names."""

    brush_mm: float
    brush_sphere: bool
    scissors_mode: str
    scissors_slice: bool
    threshold_low: float
    threshold_high: float
    smooth_mode: str
    smooth_mm: float
    islands_mode: str
    islands_voxels: int


class Editing:
    """The tools of one open case. `on_history` is called when undo or redo become possible or impossible."""

    def __init__(
        self, views: Views, session: ReviewSession, node: Any, ct: Any, on_history: Callable[[], None] = lambda: None
    ) -> None:
        """`node` is the segmentation in the views' scene that holds the session's labels, `ct` the CT's node."""
        from undo_stack import UndoStack

        self._views = views
        self._session = session
        self._node = node
        self._editor = views.app.segmentation_editor
        self._editor.set_active_segmentation(node, ct)
        self._tools = register_drawing_tools(self._editor)
        self._tools.paint.after_stroke = self._tools.erase.after_stroke = self._stroke
        self._tools.scissors.cut = self._cut
        self._cropped_editor: volume_tools.CroppedEditor | None = None
        self._stack = UndoStack(undo_limit=_UNDO_STEPS)
        self._stack.index_changed.connect(lambda *_: on_history())
        self.key = ""
        self.settings: ToolSettings | None = None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._stack.can_undo())

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._stack.can_redo())

    def choose(self, key: str) -> None:
        """Work on a segment, also on one that has no voxel yet."""
        self.key = key
        ensure_segment(self._node, key)
        self._editor.set_active_segment_id(key)

    def activate(self, tool: str, settings: ToolSettings) -> None:
        """Activate a tool; those without a mouse only wait for `apply`. An empty name deactivates all."""
        self.settings = settings
        effect = {
            "paint": self._tools.paint,
            "erase": self._tools.erase,
            "scissors": self._tools.scissors,
        }.get(tool)
        if effect is None:
            self._editor.deactivate_effect()
            return
        self._editor.set_active_effect(effect)
        # The page's stylus is in mm of the patient, not in shares of a screen that the server does not have.
        if tool != "scissors":
            self._set_brush(effect, settings)

    def apply(self, tool: str) -> bool:
        """Run the tool on the whole segment; returns whether it changed anything."""
        settings = self.settings
        assert settings is not None, "a tool is activated before it is applied"
        work = {
            "threshold": volume_tools.threshold(settings.threshold_low, settings.threshold_high),
            "smooth": volume_tools.smooth(settings.smooth_mode, settings.smooth_mm),
            "islands": volume_tools.keep_largest
            if settings.islands_mode == "keep_largest"
            else volume_tools.remove_small(settings.islands_voxels),
        }[tool]
        return self._work(work, _MARGIN_MM, take=False)

    def undo(self) -> None:
        """Take the last step back."""
        self._stack.undo()

    def redo(self) -> None:
        """Do the last step that was taken back again."""
        self._stack.redo()

    def revert(self, key: str) -> None:
        """Bring back what the network drew."""
        mask = self._session.automatic_mask(key) or SegmentMask.empty()
        self._drawn(draw_anew(self._node, self._session, key, mask, lambda: self._session.revert(key)))

    def take(self, key: str, mask: SegmentMask, source: str) -> None:
        """Give a segment the voxels that another result, `source`, gives it."""
        self._drawn(take_from(self._node, self._session, key, mask, source))

    def _drawn(self, edit: LabelEdit | None) -> None:
        """A segment was drawn anew: one step that can be taken back."""
        if edit is not None:
            self._push(edit)
            self._render()

    def close(self) -> None:
        """Put all tools away; the case is closed."""
        self._tools.paint.after_stroke = self._tools.erase.after_stroke = self._tools.scissors.cut = None
        self._editor.deactivate_effect()

    def _set_brush(self, effect: Any, settings: ToolSettings) -> None:
        from trame_slicer.segmentation import BrushDiameterMode

        effect.set_brush_diameter(settings.brush_mm, BrushDiameterMode.Absolute)
        effect.set_use_sphere_brush(settings.brush_sphere)

    def _labels(self, box: Box) -> np.ndarray:
        return self._session.result.labels[box.slices]

    def _stroke(self, bounds: tuple[float, ...]) -> None:
        """The scene has been painted on: tell the session."""
        box = touched_box(lps_and_ras(bounds), self._session.geometry)
        edit = take_edit(self._node, self._session, box) if box else None
        if edit is not None:
            self._push(edit)

    def _cut(self, points: Any, view: Any) -> None:
        settings = self.settings
        if settings is not None:
            work = volume_tools.scissors_cut(points, view, settings.scissors_mode, settings.scissors_slice)
            self._work(work, _CUT_MARGIN_MM, take=True)

    def _work(self, work: Callable[[Any], None], margin_mm: float, take: bool) -> bool:
        """Let a tool change the segment; `take` tells whether it may take voxels from other segments."""
        mask = self._session.mask(self.key)
        if mask is None:
            return False
        box = mask.box.grown_by_mm(margin_mm, self._session.geometry)
        before, label = self._labels(box), self._session.table.segment(self.key).label
        self._cropped_editor = self._cropped_editor or volume_tools.CroppedEditor()
        wanted = self._cropped_editor.run(before == label, self._session.volume, box, work)
        after = before.copy()
        after[before == label] = 0
        after[wanted if take else wanted & np.isin(before, (0, label))] = label
        edit = self._put(box, after)
        if edit is not None:
            self._push(edit)
        return edit is not None

    def _push(self, edit: LabelEdit) -> None:
        """Keep a step that can be taken back."""
        from undo_stack import UndoCommand

        put = self._put

        class Correction(UndoCommand):
            """One step: the labels of a box before and after."""

            def undo(self) -> None:
                """Bring the labels back."""
                put(edit.box, edit.before)

            def redo(self) -> None:
                """Change them again."""
                put(edit.box, edit.after)

        self._stack.push(Correction())

    def _put(self, box: Box, labels: np.ndarray) -> LabelEdit | None:
        """Change the labels of a box in session and scene."""
        edit = put_labels(self._node, self._session, box, labels)
        if edit is not None:
            self._render()
        return edit

    def _render(self) -> None:
        self._node.Modified()
        self._views.render()
