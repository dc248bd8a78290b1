"""Progress of a run: JSON lines for programs, a bar for people; both from the same calls."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol, TextIO

from ..language.catalogue import noted as N_
from ..language.catalogue import stated

# The stage in which another program segments; it is counted in per cent of that program's present progress bar.
OTHER_MODEL = "other_model"
# The stages in which our network looks at slices: to label them, or to judge the labels that others gave.
INFERENCE, JUDGING = "inference", "judging"
# A line of a program that says something of its work, without progress.
SAID = "said"
# The stage of a cascade before its second network.
FIRST_STAGE = "first_stage"
STAGES = {
    "reading": N_("Reading the scan"),
    "checks": N_("Checking the CT"),
    FIRST_STAGE: N_("Looking for what the network is to see"),
    INFERENCE: N_("Segmenting"),
    JUDGING: N_("Comparing the segmentation with the network"),
    OTHER_MODEL: N_("Waiting for the other model"),
    "segmentation": N_("Cleaning up and telling right from left"),
    "measurement": N_("Measuring"),
    "writing": N_("Writing the result"),
}


class Reporter(Protocol):
    """Whatever shows progress."""

    def step(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are finished."""

    def close(self) -> None:
        """Nothing more will come."""


class Silent:
    """Shows nothing."""

    def step(self, stage: str, done: int, total: int) -> None:
        """Ignore the step."""

    def close(self) -> None:
        """Nothing to close."""


class JsonLines:
    """One JSON object per line: ``stage``, ``done``, ``total``, ``eta_s`` of this stage (null at its start), ``message``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._stage = ""
        self._began = 0.0

    def step(self, stage: str, done: int, total: int) -> None:
        """Write the step as a line."""
        if stage != self._stage:
            self._stage, self._began = stage, time.monotonic()
        elapsed = time.monotonic() - self._began
        eta = round(elapsed / done * (total - done), 1) if done else None
        message = STAGES.get(stage, stage)
        if stage in (INFERENCE, JUDGING, FIRST_STAGE) and done:
            message = stated(f"{message}: slice {done} of {total}")
        elif stage == OTHER_MODEL and done:
            message = stated(f"{message}: {done} % of its present step")
        self.write({"stage": stage, "done": done, "total": total, "eta_s": eta, "message": message})

    def say(self, message: str) -> None:
        """Write a sentence on the work as a line."""
        self.write({"stage": SAID, "done": 0, "total": 0, "eta_s": None, "message": message})

    def end(self, message: str) -> None:
        """Write what was done, as the last line."""
        self.write({"stage": "done", "done": 1, "total": 1, "eta_s": 0, "message": message})

    def write(self, line: dict[str, Any]) -> None:
        """Write one line at once."""
        self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to close."""


class Bar:
    """A progress bar on the terminal's error stream."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}
        self._progress.start()

    def step(self, stage: str, done: int, total: int) -> None:
        """Advance the stage's bar."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(STAGES.get(stage, stage), total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


def make_reporter(kind: str) -> Reporter:
    """The reporter called ``bar``, ``json`` or ``none``."""
    if kind == "json":
        return JsonLines()
    return Bar() if kind == "bar" else Silent()
