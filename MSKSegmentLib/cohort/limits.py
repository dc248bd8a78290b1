"""A child process under limits of time and memory."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from ..engine import EngineRun
from ..memory import tree_bytes

_LOOK_S = 0.5


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
    end = time.monotonic() + limits.seconds
    try:
        while True:
            # Returns as soon as the child ends: a pause between looks would cost every case such pauses.
            with suppress(subprocess.TimeoutExpired):
                run.wait(max(0.0, min(_LOOK_S, end - time.monotonic())))
                break
            if time.monotonic() > end:
                run.cancel()
                minutes = limits.seconds / 60
                return ChildEnd(1, f"It took more than {minutes:.3g} minutes and was ended; give it more with --time-limit.")
            if limits.memory_bytes is not None and tree_bytes(run.pid) > limits.memory_bytes:
                run.cancel()
                gigabytes = limits.memory_bytes / 2**30
                return ChildEnd(
                    1, f"It took more than {gigabytes:.3g} GB of memory and was ended; give it more with --memory-limit."
                )
    except BaseException:
        run.cancel()
        raise
    code = run.exit_code
    assert code is not None, "it was waited for"
    return ChildEnd(code, run.message if code else "")
