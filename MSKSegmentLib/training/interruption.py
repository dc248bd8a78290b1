"""Signals during training: a step is always completed, so that the weights reached so far can be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import Cancelled

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
MESSAGE = "The training was cancelled; start it again with the same folder to go on from where it stopped."


@contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """Inside the block SIGINT and SIGTERM are only recorded; the yielded function raises `Cancelled` after one of them.

    An exception in the middle of an optimiser's step would leave weights of two iterations. Outside the main thread, where
    signals cannot be handled, the function never raises.
    """
    noted = threading.Event()

    def between_steps() -> None:
        if noted.is_set():
            raise Cancelled(MESSAGE)

    if threading.current_thread() is not threading.main_thread():
        yield between_steps
        return
    before = {number: signal.signal(number, lambda *_: noted.set()) for number in _SIGNALS}
    try:
        yield between_steps
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals(*_: object) -> None:
    """For worker processes: Ctrl-C reaches them too, but the main process ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
