"""The views' part of the page: window, overlay, 3D, layout."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...ct.volume import Vector
from ...language.catalogue import noted as N_
from ...language.catalogue import tr
from ...review import ReviewSession
from ..views.four_views import SLICES, WINDOWS
from .pictures import density_bands

if TYPE_CHECKING:
    from ..views.case_scene import CaseScene
    from ..views.four_views import Views

_LOG = logging.getLogger(__name__)
# The 3D view follows when the numbers and the slices are on their way to the page.
_THREE_D_DELAY_S = 0.08
# While somebody paints, it waits for a pause.
_THREE_D_PAUSE_S = 0.7
# Of a case that has just been opened the slices come first.
_THREE_D_OPENING_S = 1.2
# A scheduled picture comes after a thirtieth of a second; who waits longer than that goes on when it is drawn.
_DRAWN_S = 0.1
# When a page that has been opened may have its views in place, to draw them for it.
_NEWCOMER_S = (0.5, 2.0)
_NO_DENSITY = N_("No density to show: choose a muscle that was found.")
_NOT_FOUND = N_("This segment was not found.")


class PicturePanel:
    """Views and what is in them. The views are made once, when the first result is opened."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._state = server.state
        self.views: Views | None = None
        self.scene: CaseScene | None = None
        self._session: ReviewSession | None = None
        self._three_d: asyncio.Task[None] | None = None
        # The 3D mode and segment that the 3D view was aimed at; None before it was aimed at all.
        self._close_up: tuple[str, str] | None = None
        self._loaded: asyncio.Future[None] | None = None
        # The window that the last selection has chosen; while it is in use, the next one may choose another.
        self._chosen_window = "soft"
        server.controller.trigger("window")(self.set_window)
        server.controller.trigger("slice")(self.step)
        server.controller.trigger("reset_views")(self.fit)
        self._state.change("overlay_on", "overlay_opacity")(lambda **_: self._show_overlay())
        self._state.change("segments_on")(lambda **_: self._show_segments())
        self._state.change("crosshair_on")(lambda **_: self._show_crosshair())
        self._state.change("threed_mode")(lambda **_: self._show_three_d())
        self._state.change("layout")(lambda **_: self._draw_again())
        server.controller.on_client_connected.add(self._draw_for_newcomer)

    async def open(self, session: ReviewSession) -> None:
        """Bring a case into the views."""
        if self.views is None:
            # Closing the case meanwhile ends the waiting, not the loading.
            await asyncio.shield(self.preload())
            from ..views.four_views import Views

            self.views = Views(self._server)
            self._follow_mouse(self.views)
        from ..views.case_scene import CaseScene

        self.scene, self._session, self._close_up = CaseScene(self.views, session), session, None
        with self._state as state:
            state.overlay_on, state.threed_mode = False, "segment"
            state.segments_on = True
            state.overlay_possible = session.result.uncertainty is not None
        self._choose_window("soft")
        self._show_crosshair()

    def speak(self) -> None:
        """The page has another language."""
        self._show_window(self._state.window_preset)
        self._show_three_d()

    def preload(self) -> asyncio.Future[None]:
        """Load what draws the views in a thread; seconds of imports, while the page stays alive."""
        self._loaded = self._loaded or asyncio.get_running_loop().run_in_executor(None, _import_views)
        return self._loaded

    def leave(self) -> None:
        """Take the case out of the views."""
        if self._three_d:
            self._three_d.cancel()
        if self.scene:
            self.scene.close()
        self.scene = self._session = None

    def close(self) -> None:
        """The server ends."""
        if self.views:
            self.views.close()

    def keys(self) -> dict[str, Callable[[], None]]:
        """What single keys do."""
        return {
            "s": self._toggle_segments,
            "u": self._toggle_overlay,
            "c": self._toggle_crosshair,
            "d": self._toggle_density,
            "r": self.fit,
            "1": lambda: self.set_window("soft"),
            "2": lambda: self.set_window("bone"),
        }

    def select(self, key: str) -> None:
        """A segment has been selected."""
        if self.scene and self._session:
            self.scene.emphasize(key)
            if self._state.window_preset == self._chosen_window:
                self._choose_window("bone" if self._session.table.segment(key).structure.is_bone and self._unit else "soft")
        self._show_three_d()

    def changed(self) -> None:
        """Segments have new voxels or a new state."""
        self._show_three_d(_THREE_D_PAUSE_S)

    def jump(self, point_lps: Vector) -> None:
        """Move all slices through a point."""
        if self.views and self.scene:
            self.views.jump(point_lps, self.scene.ct)

    def fit(self) -> None:
        """Show the whole scan."""
        if self.views and self.scene:
            self.scene.fit()
            self.views.face_patient()
            self.scene.fit_three_d()

    def step(self, name: str, by: int) -> None:
        """Move a slice view by so many slices."""
        if self.views and self.scene and name in SLICES:
            self.views.step(name, int(by))

    def set_window(self, preset: str) -> None:
        """Choose a window."""
        if self.scene and preset in WINDOWS:
            self.scene.set_window(preset)
            self._show_window(preset)

    def _choose_window(self, preset: str) -> None:
        self._chosen_window = preset
        self.set_window(preset)

    def _show_window(self, preset: str) -> None:
        if self.scene:
            window, level = self.scene.window
            with self._state as state:
                state.window_preset, state.window_text = preset, _window_text(window, level, self._unit)

    def _follow_mouse(self, views: Views) -> None:
        from ..views.mouse import MouseActions, Window, follow_mouse

        def set_window(window: Window) -> None:
            if self.scene:
                self.scene.set_window_level(*window)
                self._show_window("")

        actions = MouseActions(
            is_free=lambda: self.scene is not None and not self._state.active_tool,
            window=lambda: self.scene.window if self.scene else (1.0, 0.0),
            set_window=set_window,
            go_to=views.go_to,
        )
        for name in SLICES:
            follow_mouse(views.slice_view(name), actions)

    def _toggle_crosshair(self) -> None:
        self._state.crosshair_on = not self._state.crosshair_on

    def _show_crosshair(self) -> None:
        if self.views:
            self.views.show_crosshair(bool(self._state.crosshair_on))

    def _toggle_segments(self) -> None:
        self._state.segments_on = not self._state.segments_on

    def _show_segments(self) -> None:
        if self.scene:
            self.scene.show_segments(bool(self._state.segments_on))

    def _toggle_overlay(self) -> None:
        if self._state.overlay_possible:
            self._state.overlay_on = not self._state.overlay_on

    @property
    def _unit(self) -> str:
        """What stands behind values of the scan; MR has no unit."""
        return " HU" if self._session is None or self._session.task.in_hounsfield else ""

    def _toggle_density(self) -> None:
        if all(mode["name"] != "density" for mode in self._state.threed_modes):
            return
        self._state.threed_mode = "segment" if self._state.threed_mode == "density" else "density"

    def _draw_again(self) -> None:
        if self.views:
            self.views.render()

    def _draw_for_newcomer(self, *_: object, **__: object) -> None:
        """A page that has just been opened has no pictures; one that only watches cannot ask for them either."""
        for delay_s in _NEWCOMER_S:
            asyncio.get_running_loop().call_later(delay_s, self._draw_again)

    def _show_overlay(self) -> None:
        if self.scene is None:
            return
        from ...scene.uncertainty import uncertainty_colors

        on = self._state.overlay_on and self._state.overlay_possible
        top = self.scene.show_uncertainty(self._state.overlay_opacity / 100 if on else 0.0)
        with self._state as state:
            state.overlay_top = top
            if not state.overlay_ramp:
                steps = (uncertainty_colors()[::15] * 255).round().astype(int).tolist()
                state.overlay_ramp = "linear-gradient(90deg, {})".format(", ".join("rgb({} {} {})".format(*step) for step in steps))

    def _show_three_d(self, delay_s: float = _THREE_D_DELAY_S) -> None:
        if self.scene is None:
            return
        if self._close_up is None:
            delay_s = max(delay_s, _THREE_D_OPENING_S)
        if self._three_d:
            self._three_d.cancel()
        self._three_d = asyncio.get_running_loop().create_task(self._update_three_d(delay_s))

    async def _update_three_d(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        scene, views, session, state = self.scene, self.views, self._session, self._state
        if scene is None or views is None or session is None:
            return
        key, mode = state.selected, state.threed_mode
        if self._close_up is None:
            # Before the first surface, which would else be drawn from wherever the camera stands.
            self._aim(scene, views, ("", ""))
        waiting = scene.missing_surfaces(mode, key)
        for number, missing in enumerate(waiting):
            if len(waiting) > 1:
                with state:
                    state.threed_note = tr("Drawing {number} of {all}").format(number=number + 1, all=len(waiting))
            # The page stays usable between two surfaces.
            await asyncio.sleep(0.05)
            scene.make_surface(missing)
        if mode == "density":
            # Without a graphics card it takes seconds, in which the page shows the picture before.
            with state:
                state.threed_note = tr("Drawing ...")
            await asyncio.sleep(0.05)
        found = scene.show_three_d(mode, key)
        note = "" if found or not key else tr(_NO_DENSITY if mode == "density" else _NOT_FOUND)
        self._aim(scene, views, (mode, key) if mode == "density" and found else ("", ""))
        views.three_d.schedule_render()
        if mode == "density":
            await asyncio.sleep(_DRAWN_S)
        with state:
            state.threed_note = note
            state.density_bands = density_bands() if mode == "density" and not note else []

    def _aim(self, scene: CaseScene, views: Views, close_up: tuple[str, str]) -> None:
        """Turn the 3D view to a muscle whose density is shown, and back to the patient; otherwise leave it as it was turned."""
        if self._close_up is None:
            views.face_patient()
        if self._close_up != close_up:
            if close_up[1]:
                scene.look_at_segment(close_up[1])
            else:
                scene.fit_three_d()
        self._close_up = close_up


def _window_text(window: float, level: float, unit: str) -> str:
    return tr("{window} / {level}").format(window=f"{window:.0f}", level=f"{level:.0f}") + unit


def _import_views() -> None:
    import slicer  # noqa: F401
    import trame_slicer.rca_view  # noqa: F401
