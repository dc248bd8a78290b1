"""A step of the work as a child process with bounds on its time and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ..engine import EngineRun
from ..memory import tree_bytes
from .config import GIB

_POLL_S = 0.25
# Exit codes with a sentence: a fault, and bad input.
_TOLD = (1, 2)


@dataclass(frozen=True)
class Limits:
    """What a child may take."""

    seconds: float
    memory_bytes: float


@dataclass(frozen=True)
class ChildEnding:
    """How a child ended: exit code, its sentence, and whether a limit or the node's own end stopped it."""

    code: int
    message: str
    over_limit: bool = False
    stopped: bool = False


def run_child(
    arguments: Sequence[str],
    output: Path,
    limits: Limits,
    stop: Event,
    python: str = sys.executable,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ChildEnding:
    """Run ``mskseg`` with `arguments` to its end, a limit, or `stop`; nothing of it is left running or half written."""
    run = EngineRun(arguments, output, python)
    end = time.monotonic() + limits.seconds
    try:
        while run.exit_code is None:
            for event in run.poll()[-1:]:
                on_progress(event.done, event.total)
            if time.monotonic() > end:
                run.cancel()
                return ChildEnding(1, f"It took longer than segment.minutes allows ({limits.seconds / 60:g}).", over_limit=True)
            if tree_bytes(run.pid) > limits.memory_bytes:
                run.cancel()
                return ChildEnding(
                    1, f"It needed more memory than segment.memory_gb allows ({limits.memory_bytes / GIB:g}).", over_limit=True
                )
            if stop.wait(_POLL_S):
                run.cancel()
                return ChildEnding(3, "The node was stopped.", stopped=True)
    finally:
        if run.exit_code is None:
            run.cancel()
    code = run.exit_code
    assert code is not None
    return ChildEnding(code, _sentence(run) if code else run.message)


def _sentence(run: EngineRun) -> str:
    """What went wrong: every command ends its error output with the sentence, also one without JSON lines."""
    lines = [line for line in map(str.strip, run.details.splitlines()) if line]
    return lines[-1] if lines and run.exit_code in _TOLD else run.message
