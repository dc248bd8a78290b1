"""The page's logic: what the desk says is shown, and what is clicked is done."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from ..review.redaction import redacted
from .case_page import CasePage
from .desk import Desk
from .opening import Opened
from .page import build_page
from .state import STAGES, initial_state

_LOG = logging.getLogger(__name__)
PRELOAD_AFTER_S = 1.0


class ReviewApp:
    """The page of one server. Everything heavy is imported when the first result is opened."""

    def __init__(self, server: Any, desk: Desk) -> None:
        self._server = server
        self._desk = desk
        self._state = server.state
        self._state.update(initial_state())
        self._case = CasePage(server)
        self._opening: asyncio.Task[None] | None = None
        self._shown: Any = None
        triggers = {
            "open_sample": desk.open_sample,
            "open_result": desk.open,
            "cancel": desk.cancel,
            "dismiss": desk.dismiss,
            "close_case": desk.to_list,
        }
        for name, action in triggers.items():
            server.controller.trigger(name)(action)
        build_page(server)
        self._unsubscribe = desk.subscribe(self._show)
        self._show()
        # By the time that somebody has chosen a scan, what draws it is loaded.
        self._preloading = asyncio.get_running_loop().call_later(PRELOAD_AFTER_S, self._case.pictures.preload)

    def close(self) -> None:
        """The server ends."""
        self._preloading.cancel()
        self._unsubscribe()
        self._case.close()

    def _show(self) -> None:
        desk = self._desk
        if desk.opened is not self._shown:
            self._shown = desk.opened
            if self._opening:
                self._opening.cancel()
            self._case.leave()
            if desk.opened is not None:
                self._opening = asyncio.get_running_loop().create_task(self._open(desk.opened))
        ready = desk.opened is None or self._case.opened is desk.opened
        with self._state as state:
            state.view_page = desk.page if ready else "opening"
            state.problem = desk.problem.sentence if desk.problem else ""
            state.problem_details = desk.problem.details if desk.problem else ""
            state.notice = desk.notice
            state.can_upload, state.can_list = desk.can_upload, desk.can_list
            state.sample_available = desk.sample_available
            state.upload_limit = _size(desk.max_upload_bytes)
            state.upload_name = desk.upload.name if desk.upload else ""
            state.upload_percent = desk.upload.percent if desk.upload else 0.0
            self._show_progress(state)
            if desk.page in ("start", "list"):
                self._show_results(state)

    async def _open(self, opened: Opened) -> None:
        try:
            await self._case.open(opened)
        except Exception as error:
            _LOG.exception("The result cannot be shown")
            sentence = f"The result cannot be shown ({type(error).__name__}); close other programs and try again, or report it."
            with self._state as state:
                state.view_page, state.problem, state.problem_details = "failed", sentence, redacted(traceback.format_exc())
        else:
            self._show()

    def _show_progress(self, state: Any) -> None:
        progress = self._desk.progress
        if progress is None:
            return
        state.run_message, state.run_percent, state.run_eta = progress.message, progress.percent, progress.eta
        names = list(STAGES)
        now = names.index(progress.stage) if progress.stage in names else -1
        state.run_stages = [
            {"name": name, "title": STAGES[name], "state": "done" if number < now else "now" if number == now else ""}
            for number, name in enumerate(names)
        ]

    def _show_results(self, state: Any) -> None:
        if self._desk.can_list:
            state.results = [
                {
                    "name": result.name,
                    "title": result.title,
                    "text": result.text,
                    "light": result.light.value,
                    "date": result.date,
                    "problem": result.problem,
                }
                for result in self._desk.results()
            ]


def _size(count: int) -> str:
    return f"{count / 2**30:.3g} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
