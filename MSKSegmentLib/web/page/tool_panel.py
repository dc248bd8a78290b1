"""The correction tools' part of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import MSKSegmentError
from ...language.catalogue import stated
from ...language.forms import told
from ...review import ReviewSession
from ...review.masks import SegmentMask
from .picture_panel import PicturePanel

if TYPE_CHECKING:
    from ..views.editing import Editing, ToolSettings

_SETTINGS = (
    "brush_mm",
    "brush_sphere",
    "scissors_mode",
    "scissors_slice",
    "threshold_low",
    "threshold_high",
    "smooth_mode",
    "smooth_mm",
    "islands_mode",
    "islands_voxels",
)
_DRAWN_WITH = ("paint", "erase", "scissors")
_TOOLS = (*_DRAWN_WITH, "threshold", "smooth", "islands")
_NO_CHANGE = stated("The tool changed nothing; choose other settings.")


class ToolPanel:
    """Which tool is in use on the selected segment; `report` shows a sentence."""

    def __init__(self, server: Any, pictures: PicturePanel, report: Callable[[str], None]) -> None:
        self._server = server
        self._state = server.state
        self._pictures = pictures
        self._report = report
        self._editing: Editing | None = None
        controller = server.controller
        for name, action in {
            "edit": self.toggle,
            "tool": self.use,
            "apply": self.apply,
            "undo": self.undo,
            "redo": self.redo,
        }.items():
            controller.trigger(name)(action)
        self._state.change(*_SETTINGS)(lambda **_: self._activate())

    def open(self, session: ReviewSession, read_only: bool) -> None:
        """A case is in the views."""
        from ..views.editing import Editing

        scene = self._pictures.scene
        assert self._pictures.views and scene, "the views are made before the tools"
        if not read_only:
            self._editing = Editing(self._pictures.views, session, scene.segmentation, scene.ct, self._show_history)
        # Twice the largest voxel is the least that smoothing can do.
        self._state.smooth_mm = round(2 * max(session.geometry.spacing) * 2) / 2
        self._show_history()

    def leave(self) -> None:
        """The case is closed."""
        if self._editing:
            self._editing.close()
        self._editing = None
        self._state.editing, self._state.active_tool = False, ""

    def keys(self) -> dict[str, Callable[[], None]]:
        """What single keys do."""
        return {
            "e": self.toggle,
            "Escape": lambda: self.use(""),
            "p": lambda: self._start("paint"),
            "x": lambda: self._start("erase"),
            "z": self.undo,
            "y": self.redo,
        }

    def choose(self, key: str) -> None:
        """A segment has been selected."""
        if self._editing:
            self._editing.choose(key)

    def toggle(self) -> None:
        """Begin or end to correct."""
        if self._editing is None or not self._state.selected:
            return
        with self._state as state:
            state.editing = not state.editing
        self.use("paint" if self._state.editing else "")

    def use(self, tool: str) -> None:
        """Take a tool, or none."""
        with self._state as state:
            state.active_tool = tool if state.editing and tool in _TOOLS else ""
        self._activate()

    def apply(self) -> None:
        """Run a tool that needs no mouse."""
        if self._editing is None or self._state.active_tool in ("", *_DRAWN_WITH):
            return
        with self._state as state:
            state.busy_tool, state.notice = True, ""
        asyncio.get_running_loop().create_task(self._apply())

    def undo(self) -> None:
        """Take a correction back."""
        if self._editing and self._editing.can_undo:
            self._editing.undo()

    def redo(self) -> None:
        """Do it again."""
        if self._editing and self._editing.can_redo:
            self._editing.redo()

    def revert(self, key: str) -> None:
        """Bring back what the network drew."""
        if self._editing:
            self._editing.revert(key)

    def take(self, key: str, mask: SegmentMask, source: str) -> None:
        """Give a segment the voxels that another result, `source`, gives it."""
        if self._editing:
            self._editing.take(key, mask, source)

    async def _apply(self) -> None:
        # Let the page show that it is busy.
        await asyncio.sleep(0.02)
        try:
            changed = self._editing is not None and self._editing.apply(self._state.active_tool)
        except MSKSegmentError as error:
            changed = True
            self._report(str(error))
        with self._state as state:
            state.busy_tool = False
            state.notice = "" if changed else told(_NO_CHANGE)

    def _start(self, tool: str) -> None:
        if not self._state.editing:
            self.toggle()
        self.use(tool)

    def _activate(self) -> None:
        if self._editing is None:
            return
        try:
            self._editing.activate(self._state.active_tool, self._settings())
        except (TypeError, ValueError):
            # A number field that is being typed in holds no number for a moment.
            return

    def _settings(self) -> ToolSettings:
        from ..views.editing import ToolSettings

        values = {name: self._state[name] for name in _SETTINGS}
        for name, value in values.items():
            if not name.endswith(("mode", "sphere", "slice")):
                values[name] = float(value)
        return ToolSettings(**{**values, "islands_voxels": int(values["islands_voxels"])})

    def _show_history(self) -> None:
        with self._state as state:
            state.can_undo = self._editing is not None and self._editing.can_undo
            state.can_redo = self._editing is not None and self._editing.can_redo
