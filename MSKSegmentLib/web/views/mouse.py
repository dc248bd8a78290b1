"""What the left button does in a slice view while no tool draws there: a drag changes the window, a click is a point to go to.

The rest is VTK's own: the wheel scrolls, with Ctrl it zooms, as a drag with the right button does; a drag with the middle button,
or with Shift, moves the picture; while the mouse is moved with Shift, the other views follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trame_slicer.views import SliceView

Window = tuple[float, float]
# So many pixels a hand may tremble during a click.
_CLICK_PX = 4
# A drag across the whole view makes the window so many times wider.
_WIDER = 6.0
_WINDOWS_HU, _LEVELS_HU = (10.0, 6000.0), (-1024.0, 3071.0)


@dataclass(frozen=True)
class MouseActions:
    """What `follow_mouse` calls.

    Whether the left button is free; the present window and level (HU); a new one; a point in RAS mm to go to.
    """

    is_free: Callable[[], bool]
    window: Callable[[], Window]
    set_window: Callable[[Window], None]
    go_to: Callable[[tuple[float, float, float]], None]


def dragged_window(before: Window, across: float, up: float) -> Window:
    """Window and level (HU) after a drag, in shares of the view's width and height: to the right wider, upwards brighter.

    >>> dragged_window((400.0, 40.0), 0.0, 0.5)
    (400.0, -160.0)
    """
    window, level = before
    wider = min(max(window * _WIDER**across, _WINDOWS_HU[0]), _WINDOWS_HU[1])
    return float(round(wider)), float(round(min(max(level - up * window, _LEVELS_HU[0]), _LEVELS_HU[1])))


def follow_mouse(view: SliceView, actions: MouseActions) -> None:
    """Let the left button work in a view from now on."""
    _LeftButton(view, actions)


class _LeftButton:
    """One view's left button between press and release; the interactor keeps it alive."""

    def __init__(self, view: SliceView, actions: MouseActions) -> None:
        self._view, self._actions = view, actions
        self._pressed: tuple[int, int] | None = None
        self._before: Window = (1.0, 0.0)
        self._dragging = False
        interactor = view.interactor()
        # Before VTK's own answers, which may keep an event to themselves.
        interactor.AddObserver("LeftButtonPressEvent", self._press, 1.0)
        interactor.AddObserver("MouseMoveEvent", self._move, 1.0)
        interactor.AddObserver("LeftButtonReleaseEvent", self._release, 1.0)

    def _press(self, interactor: Any, *_: Any) -> None:
        held = interactor.GetShiftKey() or interactor.GetControlKey() or interactor.GetAltKey()
        self._pressed = None if held or not self._actions.is_free() else interactor.GetEventPosition()
        self._before, self._dragging = self._actions.window(), False

    def _move(self, interactor: Any, *_: Any) -> None:
        if self._pressed is None:
            return
        across, up = (now - then for now, then in zip(interactor.GetEventPosition(), self._pressed, strict=True))
        self._dragging = self._dragging or max(abs(across), abs(up)) > _CLICK_PX
        if self._dragging:
            width, height = (max(size, 1) for size in self._view.render_window().GetSize())
            self._actions.set_window(dragged_window(self._before, across / width, up / height))

    def _release(self, interactor: Any, *_: Any) -> None:
        # Fast hands release before the server has seen a move.
        self._move(interactor)
        pressed, self._pressed = self._pressed, None
        if pressed is None or self._dragging:
            return
        x, y = interactor.GetEventPosition()
        r, a, s, _w = self._view.get_view_node().GetXYToRAS().MultiplyPoint((x, y, 0.0, 1.0))
        self._actions.go_to((r, a, s))
