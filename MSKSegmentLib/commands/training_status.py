"""How commands that train tell it: in sentences, or as JSON lines for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..engine.progress import JsonLines
from .base import Invocation

if TYPE_CHECKING:
    from ..training.loop import Status


def status_calls(invocation: Invocation, progress: str) -> tuple[Callable[[str], None], Callable[[Status], None]]:
    """What says a sentence, and what tells the status of a training; `progress` is "text", "json" or "none"."""
    lines = JsonLines() if progress == "json" else None
    say = invocation.say if progress == "text" else lambda text: None

    def report(status: Status) -> None:
        if lines:
            lines.write(status.to_json())
        else:
            say(str(status))

    return say, report
