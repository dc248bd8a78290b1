"""How a child process of the engine comes into being, and what `EngineRun` asks of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..processes import Child, start_options


@dataclass(frozen=True)
class ChildStart:
    """What a child is started with: the arguments of ``mskseg``, the interpreter, all of its environment, and its output files."""

    arguments: Sequence[str]
    python: str
    environment: Mapping[str, str]
    lines: Path
    errors: Path


StartChild = Callable[[ChildStart], Child]


def start_interpreter(start: ChildStart) -> Child:
    """Start an interpreter of its own for the child."""
    with start.lines.open("wb") as lines, start.errors.open("wb") as errors:
        return subprocess.Popen(
            [start.python, "-m", "MSKSegmentLib", *start.arguments],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=errors,
            env=dict(start.environment),
            **start_options(),
        )
