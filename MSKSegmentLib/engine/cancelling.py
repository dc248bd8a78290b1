"""The child's side of cancelling: signals and the death of the parent end a run cleanly."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import Cancelled
from ..processes import lives

# Called often by long work; raises `Cancelled` when the work is to end.
Checkpoint = Callable[[], None]

PARENT_VARIABLE = "MSKSEG_PARENT_PID"
_MESSAGE = "The run was cancelled; nothing was written."


@contextmanager
def cancellable() -> Iterator[Callable[[], None]]:
    """Turn SIGINT and SIGTERM, and the end of the process named in ``MSKSEG_PARENT_PID``, into `Cancelled`.

    Gives a function to call often: it raises when a signal came while an exception could not be delivered. Further signals
    are ignored, so that cleaning up is not interrupted. Works in the main thread only.
    """
    cancelled = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not cancelled.is_set():
            cancelled.set()
            raise Cancelled(_MESSAGE)

    def checkpoint() -> None:
        if cancelled.is_set():
            raise Cancelled(_MESSAGE)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    over = threading.Event()
    _watch_parent(over)
    try:
        yield checkpoint
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_parent(over: threading.Event) -> None:
    """Ends the run when its front end has died, so that it does not go on for minutes; watches until the run is `over`."""
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent.isdigit():
        return

    def watch(pid: int) -> None:
        while lives(pid):
            if over.wait(1.0):
                return
        if not over.is_set():
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, args=(int(parent),), daemon=True).start()
