"""A child process under limits of time and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..engine import EngineRun
from ..memory import tree_bytes

_POLL_S = 0.02
_MEMORY_POLL_S = 0.5


@dataclass(frozen=True)
class RunLimits:
    """The most that a child may take: wall time in seconds, and memory in bytes, its own and of all that it starts (None: any)."""

    seconds: float
    memory_bytes: int | None = None


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended: its exit code (as `EngineRun.exit_code`), and the sentence where that is not 0."""

    code: int
    sentence: str


def run_within(run: EngineRun, limits: RunLimits) -> ChildEnd:
    """Wait for a child's end, or end it where it exceeds a limit."""
    began = memory_seen = time.monotonic()
    try:
        while run.exit_code is None:
            now = time.monotonic()
            if now - began > limits.seconds:
                run.cancel()
                minutes = limits.seconds / 60
                return ChildEnd(1, f"It took more than {minutes:.3g} minutes and was ended; give it more with --time-limit.")
            if limits.memory_bytes is not None and now - memory_seen > _MEMORY_POLL_S:
                memory_seen = now
                if tree_bytes(run.pid) > limits.memory_bytes:
                    run.cancel()
                    gigabytes = limits.memory_bytes / 2**30
                    return ChildEnd(
                        1, f"It took more than {gigabytes:.3g} GB of memory and was ended; give it more with --memory-limit."
                    )
            time.sleep(_POLL_S)
    except BaseException:
        run.cancel()
        raise
    code = run.exit_code
    return ChildEnd(code, run.message if code else "")
