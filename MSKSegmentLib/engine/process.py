"""The parent's side of a run: start the child, read its lines, cancel its whole process tree."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import Cancelled
from ..export.result_folder import remove_partial
from .cancelling import PARENT_VARIABLE

# How long a child may take to clean up after being asked to stop, before it is killed.
GRACE_S = 5.0


@dataclass(frozen=True)
class SegmentRequest:
    """What to segment and how; None leaves the choice to the bundle or the CT's header."""

    ct: Path
    output: Path
    bundle: str | None = None
    passes: int | None = None
    device: str = "auto"
    height_cm: float | None = None
    seed: int | None = None
    series: str | None = None
    scene: bool = False

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        options = {
            "--bundle": self.bundle,
            "--samples": self.passes,
            "--device": self.device,
            "--height-cm": self.height_cm,
            "--seed": self.seed,
            "--series": self.series,
        }
        chosen = [str(item) for pair in options.items() if pair[1] is not None for item in pair]
        return [
            "segment", str(self.ct), "-o", str(self.output), *chosen,
            *(["--scene"] if self.scene else []), "--progress", "json",
        ]  # fmt: skip


@dataclass(frozen=True)
class EngineEvent:
    """A progress line: `done` of `total` steps of `stage`; `eta_s` is None when nothing can be said yet."""

    stage: str
    done: int
    total: int
    eta_s: float | None
    message: str


class EngineRun:
    """One run of the engine in a child process; poll it from a timer or a loop."""

    def __init__(self, arguments: Sequence[str], output: Path | None = None, python: str = sys.executable) -> None:
        """Start ``python -m MSKSegmentLib`` with `arguments`; `output` is the result folder that a kill must leave clean."""
        self._output = output
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: list[str] = []
        self._message = ""
        self._cancelled = False
        self._process = subprocess.Popen(
            [python, "-m", "MSKSegmentLib", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            encoding="utf-8",
            errors="replace",
            # A Ctrl-C in the parent's terminal is the parent's to pass on.
            start_new_session=os.name == "posix",
        )
        assert self._process.stdout and self._process.stderr
        self._readers = [
            _reader(self._process.stdout, self._lines.put),
            _reader(self._process.stderr, self._errors.append),
        ]

    @classmethod
    def segment(cls, request: SegmentRequest, python: str = sys.executable) -> EngineRun:
        """Start a segmentation."""
        return cls(request.arguments(), request.output, python)

    def poll(self) -> list[EngineEvent]:
        """Progress since the last call, without waiting."""
        events: list[EngineEvent] = []
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return events
            event = self._parsed(line)
            if event:
                events.append(event)

    @property
    def exit_code(self) -> int | None:
        """None while running, then 0 done, 2 bad input, 3 cancelled, 1 or any other number a fault."""
        code = self._process.poll()
        if code is None or any(reader.is_alive() for reader in self._readers):
            return None
        return Cancelled.exit_code if self._cancelled and code != 0 else code

    @property
    def message(self) -> str:
        """The sentence to show at the end: what was done or what went wrong; empty while running."""
        code = self.exit_code
        if code is None:
            return ""
        self.poll()
        if code == Cancelled.exit_code:
            return "The run was cancelled; nothing was written."
        if self._message:
            return self._message
        if code < 0 or code > 3:
            return (
                f"The engine stopped unexpectedly (code {code}), perhaps for lack of memory; close other programs or crop the CT "
                "and try again."
            )
        return "The engine failed before it could say why; see the details." if code else "Done."

    @property
    def details(self) -> str:
        """The child's error output, for a report to the developers; it may hold paths."""
        return "".join(self._errors)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout_s`.
        """
        self._process.wait(timeout_s)
        for reader in self._readers:
            reader.join()
        code = self.exit_code
        assert code is not None
        return code

    def cancel(self) -> int:
        """Stop the run and everything it started, and remove what was half written; returns the exit code.

        A result that was whole already stays.
        """
        import psutil

        self._cancelled = self._process.poll() is None
        try:
            below = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            below = []
        self._process.terminate()
        for process in below:
            _ignore_gone(process.terminate)
        # The child is waited for by its own handle: psutil would collect its exit code, which would then be lost.
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        _, alive = psutil.wait_procs(below, timeout=GRACE_S)
        for process in alive:
            _ignore_gone(process.kill)
        code = self.wait()
        if self._output is not None:
            remove_partial(self._output, self._process.pid)
        return code

    def _parsed(self, line: str) -> EngineEvent | None:
        try:
            data = json.loads(line)
            if data["stage"] in ("done", "error"):
                self._message = str(data["message"])
                return None
            return EngineEvent(data["stage"], data["done"], data["total"], data["eta_s"], data["message"])
        except (ValueError, KeyError, TypeError):
            # Something printed by a library is no progress line; it belongs to the details.
            self._errors.append(line)
            return None


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # Paths added to sys.path while running are not inherited by a child, so the library's own place is passed on.
    return {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", PARENT_VARIABLE: str(os.getpid())}


def _reader(stream: IO[str], put) -> threading.Thread:  # type: ignore[no-untyped-def]
    def read() -> None:
        with stream:
            for line in stream:
                put(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _ignore_gone(action) -> None:  # type: ignore[no-untyped-def]
    import psutil

    try:
        action()
    except psutil.NoSuchProcess:
        return
