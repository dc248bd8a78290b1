"""A segmentation under asyncio: the engine's child process, polled without blocking the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ...engine import EngineEvent, EngineRun, SegmentRequest
from ...engine.progress import FIRST_STAGE, INFERENCE, OTHER_MODEL
from ...language.catalogue import noted as N_
from ...language.catalogue import tr

POLL_S = 0.2
# Where each stage begins on a bar of 100, by what it takes on a CPU: nearly all of a run is inference. Few runs have a first stage;
# its words move, and not the bar.
_BEGINS = {"reading": 0.0, "checks": 2.0, FIRST_STAGE: 4.0, INFERENCE: 4.0}
_BEGINS |= {"segmentation": 90.0, "measurement": 95.0, "writing": 97.0}
_ENDS = dict(zip(_BEGINS, [*list(_BEGINS.values())[1:], 100.0], strict=True))
# A program in place of our network takes its place on the bar, too.
_IN_PLACE_OF = {OTHER_MODEL: INFERENCE}


@dataclass(frozen=True)
class RunProgress:
    """What the page shows of a run: a sentence, 0..100 percent of the whole, and the time left in words (may be empty)."""

    message: str
    percent: float
    eta: str = ""
    stage: str = ""


@dataclass(frozen=True)
class Ending:
    """How a run ended: the engine's exit code, its sentence, and its log, which may hold paths."""

    code: int
    message: str
    details: str


class Segmentation:
    """One run; `run` it in a task, `cancel` it from anywhere in the same loop."""

    def __init__(self, request: SegmentRequest, on_progress: Callable[[RunProgress], None]) -> None:
        self._request = request
        self._on_progress = on_progress
        self._engine: EngineRun | None = None
        self._cancel_asked = False

    async def run(self) -> Ending:
        """Start the engine and follow it to its end. When this task is cancelled the engine is stopped, too."""
        loop = asyncio.get_running_loop()
        self._on_progress(RunProgress(N_("Starting"), 0.0))
        self._engine = engine = EngineRun.segment(self._request)
        try:
            while engine.exit_code is None:
                if self._cancel_asked:
                    self._on_progress(RunProgress(N_("Cancelling"), 100.0, stage="cancelling"))
                    # Waits for the children to end.
                    await loop.run_in_executor(None, engine.cancel)
                    break
                for event in engine.poll()[-1:]:
                    self._on_progress(progress_of(event))
                await asyncio.sleep(POLL_S)
        finally:
            if engine.exit_code is None:
                engine.cancel()
        code = engine.exit_code
        assert code is not None
        return Ending(code, engine.message, engine.details)

    def cancel(self) -> None:
        """Ask for the end; `run` returns when the engine and everything it started are gone."""
        self._cancel_asked = True


def progress_of(event: EngineEvent) -> RunProgress:
    """A progress line of the engine as a share of the whole run."""
    stage = _IN_PLACE_OF.get(event.stage, event.stage)
    begin, end = _BEGINS.get(stage, 0.0), _ENDS.get(stage, 100.0)
    share = event.done / event.total if event.total else 0.0
    eta = time_left(event.eta_s) if event.stage in (INFERENCE, FIRST_STAGE) else ""
    return RunProgress(event.message, begin + share * (end - begin), eta, stage)


def time_left(seconds: float | None) -> str:
    """The time left in words, coarser the longer it is; empty when nothing can be said."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 10:
        return tr("a few seconds left")
    if seconds < 90:
        return tr("about {count} s left").format(count=round(seconds / 10) * 10)
    return tr("about {count} min left").format(count=round(seconds / 60))
