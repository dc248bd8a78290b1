"""The page's logic: what the service says is shown, and what is clicked is done."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from ...ct import SeriesInfo
from ...engine.progress import FIRST_STAGE
from ...language.catalogue import languages, nearest_language, speak, spoken, stated, tr
from ...language.forms import told
from ...review.redaction import redacted
from ..case.opening import Opened
from ..case.service import ReviewService
from .case_page import CasePage
from .markup import build_page
from .state import STAGE_TITLES, initial_state, opening_words, page_words

_LOG = logging.getLogger(__name__)
PRELOAD_AFTER_S = 1.0


class ReviewApp:
    """The page of one server. Everything heavy is imported when the first result is opened."""

    def __init__(self, server: Any, service: ReviewService) -> None:
        self._server = server
        self._service = service
        self._state = server.state
        self._state.update(initial_state())
        self._case = CasePage(server, service.options)
        self._opening: asyncio.Task[None] | None = None
        self._shown: Any = None
        self._language_known = False
        triggers = {
            "open_sample": service.open_sample,
            "open_result": service.open,
            "cancel": service.cancel,
            "choose_series": service.choose_series,
            "choose_task": service.choose_task,
            "dismiss": service.dismiss,
            "speak": self._speak,
            "first_language": self._speak_first,
            "close_case": service.to_list,
        }
        for name, action in triggers.items():
            server.controller.trigger(name)(action)
        build_page(server)
        self._unsubscribe = service.subscribe(self._show)
        self._show()
        # The drawing libraries load while the user chooses a scan.
        self._preloading = asyncio.get_running_loop().call_later(PRELOAD_AFTER_S, self._case.pictures.preload)

    def close(self) -> None:
        """The server ends."""
        self._preloading.cancel()
        self._unsubscribe()
        self._case.close()

    def _speak_first(self, wanted: str) -> None:
        """The language that a browser asks for when it opens the page: taken from the first one, unless one was chosen."""
        if not self._language_known:
            self._speak(nearest_language(str(wanted)))

    def _speak(self, code: str) -> None:
        """Another language for the page; all browsers see the same."""
        self._language_known = True
        if code not in languages() or code == spoken():
            return
        speak(code)
        with self._state as state:
            state.update(page_words())
            self._case.speak()
        self._show()

    def _show(self) -> None:
        service = self._service
        if service.opened is not self._shown:
            self._shown = service.opened
            if self._opening:
                self._opening.cancel()
            self._case.leave()
            if service.opened is not None:
                self._opening = asyncio.get_running_loop().create_task(self._open(service.opened))
        ready = service.opened is None or self._case.opened is service.opened
        with self._state as state:
            state.view_page = service.page if ready else "opening"
            state.problem = told(service.problem.sentence) if service.problem else ""
            state.problem_details = service.problem.details if service.problem else ""
            state.notice, state.making = told(service.notice), service.documents.making
            state.can_upload, state.can_list = service.can_upload, service.can_list
            state.sample_available = service.sample_available
            state.update(opening_words(service.task, service.options.tasks))
            state.series = [_series(info) for info in service.series]
            state.upload_limit = _size(service.max_upload_bytes)
            state.upload_name = service.upload.name if service.upload else ""
            state.upload_percent = service.upload.percent if service.upload else 0.0
            self._show_progress(state)
            if service.page in ("start", "list"):
                self._show_results(state)

    async def _open(self, opened: Opened) -> None:
        try:
            await self._case.open(opened)
        except Exception as error:
            _LOG.exception("The result cannot be shown")
            sentence = told(
                stated(f"The result cannot be shown ({type(error).__name__}); close other programs and try again, or report it.")
            )
            with self._state as state:
                state.view_page, state.problem, state.problem_details = "failed", sentence, redacted(traceback.format_exc())
        else:
            self._show()

    def _show_progress(self, state: Any) -> None:
        progress = self._service.progress
        if progress is None:
            return
        state.run_message, state.run_percent, state.run_eta = told(progress.message), progress.percent, progress.eta
        names = list(STAGE_TITLES)
        # The few runs that have a first stage show it as the network's.
        stage = "inference" if progress.stage == FIRST_STAGE else progress.stage
        now = names.index(stage) if stage in names else -1
        state.run_stages = [
            {"name": name, "title": tr(STAGE_TITLES[name]), "state": "done" if number < now else "now" if number == now else ""}
            for number, name in enumerate(names)
        ]

    def _show_results(self, state: Any) -> None:
        if self._service.can_list:
            state.results = [
                {
                    "name": result.name,
                    "title": result.title,
                    "text": result.text,
                    "light": result.mark,
                    "date": result.date,
                    "problem": result.problem,
                }
                for result in self._service.results()
            ]


def _size(count: int) -> str:
    return f"{count / 2**30:.3g} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"


def _series(info: SeriesInfo) -> dict[str, str]:
    spacing = "" if info.spacing is None else " × ".join(f"{mm:.2f}" for mm in info.spacing) + " mm"
    thickness = "" if info.thickness is None else f"{info.thickness:.2f} mm"
    title = info.description or tr("without description")
    return {
        "uid": info.uid,
        "number": info.number,
        "title": title,
        "slices": str(info.slices),
        "spacing": spacing,
        "thick": thickness,
    }
