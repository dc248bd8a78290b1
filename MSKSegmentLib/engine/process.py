"""The parent's side of a run: start the child, read its lines, cancel its whole process tree."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Cancelled
from ..output.filling import clean_up
from ..output.places import missing_folders, remove_empty
from ..output.staging import RUN_VARIABLE
from ..processes import end_tree
from .cancelling import PARENT_VARIABLE
from .children import ChildStart, StartChild, start_interpreter
from .requests import DevicesRequest, SegmentRequest

_LOG = logging.getLogger(__name__)
# How long a child may take to clean up after being asked to stop, before it is killed.
GRACE_S = 5.0


@dataclass(frozen=True)
class EngineEvent:
    """A progress line: `done` of `total` steps of `stage`; `eta_s` is None when nothing can be said yet."""

    stage: str
    done: int
    total: int
    eta_s: float | None
    message: str


class EngineRun:
    """One run of the engine in a child process; poll it from a timer or a loop.

    The child writes to temporary files that `poll` reads. Nothing here needs a thread, which an application with an event loop
    of its own (as 3D Slicer) may not let run, and no pipe can fill up and stop the child.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        output: Path | None = None,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        start: StartChild = start_interpreter,
    ) -> None:
        """Start ``python -m MSKSegmentLib`` with `arguments`; `output` is the result folder that a kill must leave clean.

        `python` may be a launcher that starts the interpreter as a child of its own, as PythonSlicer does. `environment` is the
        one to start from (default: this process's); inside Slicer pass ``slicer.util.startupEnvironment()``. `start` may
        be another way to such a child, as `fork_servers` has it.
        """
        self._output = output
        # Made on the way to a result, they are to go again where there is none.
        self._new_folders = [] if output is None else missing_folders(Path(os.path.realpath(output)))
        self._run = uuid.uuid4().hex[:12]
        self._errors: list[str] = []
        self._message = ""
        self._answer: dict[str, Any] = {}
        self._cancelled = False
        folder = tempfile.mkdtemp(prefix="msk-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        streams = [Path(folder) / name for name in ("lines", "errors")]
        for stream in streams:
            # A child that was forked opens them only when it begins.
            stream.touch()
        whole = _environment(os.environ if environment is None else environment, self._run)
        self._process = start(ChildStart(arguments, python, whole, *streams))
        self._lines, self._stderr = (_Tail(stream) for stream in streams)
        self._told_end = False
        _LOG.info("The engine was started: %s, process %d", arguments[0], self._process.pid)

    @classmethod
    def segment(
        cls, request: SegmentRequest, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> EngineRun:
        """Start a segmentation."""
        return cls(request.arguments(), request.output, python, environment)

    @classmethod
    def devices(
        cls, request: DevicesRequest, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> EngineRun:
        """Start asking for the device and an estimate; at the end they are in `answer`, in words in `message`."""
        return cls(request.arguments(), None, python, environment)

    @property
    def pid(self) -> int:
        """The child's process number; those that it started are below it."""
        return self._process.pid

    def poll(self) -> list[EngineEvent]:
        """Progress since the last call, without waiting."""
        code = self._process.poll()
        ended = code is not None
        if ended and not self._told_end:
            self._told_end = True
            _LOG.info("The engine has ended: process %d, code %d", self._process.pid, code)
        self._errors += self._stderr.read(ended)
        events = (self._parsed(line) for line in self._lines.read(ended))
        return [event for event in events if event]

    @property
    def exit_code(self) -> int | None:
        """None while running, then 0 done, 2 bad input, 3 cancelled, 1 or any other number a fault."""
        code = self._process.poll()
        return Cancelled.exit_code if self._cancelled and code else code

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
    def answer(self) -> dict[str, Any]:
        """What a command with ``--json`` answered, a JSON object; empty while running, after an error and for other commands."""
        self.poll()
        return self._answer

    @property
    def details(self) -> str:
        """The child's error output, for a report to the developers; it may hold paths."""
        self._errors += self._stderr.read(self._process.poll() is not None)
        return "".join(self._errors)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout_s`.
        """
        self._process.wait(timeout_s)
        code = self.exit_code
        assert code is not None
        return code

    def cancel(self) -> int:
        """Stop the run and everything it started, and remove what was half written; returns the exit code.

        A result that was whole already stays.
        """
        self._cancelled = self._process.poll() is None
        if self._cancelled:
            end_tree(self._process, GRACE_S)
        code = self.wait()
        if self._output is not None:
            clean_up(self._output, self._run)
            remove_empty(self._new_folders)
        return code

    def _parsed(self, line: str) -> EngineEvent | None:
        try:
            data = json.loads(line)
            if "stage" not in data:
                self._answer, self._message = data, str(data["message"])
                return None
            if data["stage"] in ("done", "error"):
                self._message = str(data["message"])
                return None
            return EngineEvent(data["stage"], data["done"], data["total"], data["eta_s"], data["message"])
        except (ValueError, KeyError, TypeError):
            # Something printed by a library is no progress line; it belongs to the details.
            self._errors.append(line)
            return None


class _Tail:
    """Reads a file that another process is still writing, by whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self, ended: bool) -> list[str]:
        """Lines that were completed since the last call, and the rest once the writer has `ended`."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        if not ended:
            data = data[: data.rfind(b"\n") + 1]
        self._position += len(data)
        return data.decode("utf-8", errors="replace").splitlines(keepends=True)


def _environment(base: Mapping[str, str], run: str) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, base.get("PYTHONPATH"))))
    # Paths added to sys.path while running are not inherited by a child, so the library's own place is passed on.
    return {**base, "PYTHONPATH": path, "PYTHONUTF8": "1", PARENT_VARIABLE: str(os.getpid()), RUN_VARIABLE: run}
