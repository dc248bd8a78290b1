"""What of the library's log reaches the terminal. The library's modules log through `logging`; only programs show or store it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LIBRARY = logging.getLogger(__package__.partition(".")[0])


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at that moment: a progress bar puts itself there to keep lines apart from its own."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            self.handleError(record)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Show warnings and errors of the library's log on the error stream, until the end of the block."""
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    before = _LIBRARY.level
    _LIBRARY.addHandler(handler)
    _LIBRARY.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _LIBRARY.removeHandler(handler)
        _LIBRARY.setLevel(before)


def show_everything() -> None:
    """Let decisions and times through as well."""
    _LIBRARY.setLevel(logging.DEBUG)


def show_errors_alone() -> None:
    """Hold back warnings."""
    _LIBRARY.setLevel(logging.ERROR)
