"""Children that need not import anything: forks of a process that has imported what a run needs, and waits for requests.

Imports take seconds, a fork takes milliseconds. The process forks while it has one thread and has computed nothing, so that the
child is what a fresh interpreter would be after its imports. Each server runs one child at a time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..output.staging import RUN_VARIABLE
from ..processes import Child, start_options
from .cancelling import PARENT_VARIABLE
from .children import ChildStart, start_interpreter

SERVER_MODULE = "MSKSegmentLib.commands.fork_server"
# What differs from child to child; all else of the environment is the server's.
OWN_VARIABLES = (PARENT_VARIABLE, RUN_VARIABLE)
_ANSWER_BYTES = 4096
# A server that has to import first may need as long as a machine that is busy takes for it.
_START_S = 300.0


def can_fork() -> bool:
    """Whether children may be forked here: macOS and Windows cannot fork a process with such libraries safely, or at all."""
    return sys.platform.startswith("linux")


class ForkServers:
    """The servers of this process, started as they are needed; `start` is a `StartChild`."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, frozenset[tuple[str, str]]], list[_Server]] = {}

    def start(self, start: ChildStart) -> Child:
        """Fork a child of a server with this interpreter and environment; where none answers, start an interpreter for it."""
        shared = frozenset((name, value) for name, value in start.environment.items() if name not in OWN_VARIABLES)
        idle = self._idle.setdefault((start.python, shared), [])
        # One that waited long has ended by itself; a new one is tried once.
        for server in (*(idle.pop() for _ in range(len(idle)) if idle), None):
            with suppress(OSError, ValueError, KeyError):
                server = server or _Server(start)
                return _ForkedChild(server, server.fork(start), idle)
        return start_interpreter(start)

    def close(self) -> None:
        """End the servers that wait."""
        for servers in self._idle.values():
            while servers:
                servers.pop().close()


class _Server:
    """The pipes of one server."""

    def __init__(self, start: ChildStart) -> None:
        environment = {name: value for name, value in start.environment.items() if name not in OWN_VARIABLES}
        command = [start.python, "-m", SERVER_MODULE]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, bufsize=0, **start_options()
        )
        self._read = b""

    def fork(self, start: ChildStart) -> int:
        """Ask for a child and return its process number.

        Raises:
            OSError, ValueError, KeyError: the server has ended or does not answer.
        """
        own = {name: start.environment[name] for name in OWN_VARIABLES if name in start.environment}
        request = {
            "arguments": list(start.arguments), "environment": own, "lines": str(start.lines), "errors": str(start.errors)
        }  # fmt: skip
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            answer = self.answer(_START_S)
            if answer is None:
                raise ValueError("the server does not answer")
            return int(answer["pid"])
        except BaseException:
            self._process.kill()
            self.close()
            raise

    def answer(self, seconds: float | None) -> dict[str, Any] | None:
        """The next answer within so many seconds (None: any), None where there is none yet.

        Raises:
            ValueError: the server has ended.
        """
        assert self._process.stdout is not None
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._read:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            read = os.read(self._process.stdout.fileno(), _ANSWER_BYTES)
            if not read:
                raise ValueError("the server has ended")
            self._read += read
        line, _, self._read = self._read.partition(b"\n")
        content: dict[str, Any] = json.loads(line)
        return content

    def close(self) -> None:
        """Let the server end: it reads the end of its requests."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()


@dataclass
class _ForkedChild:
    """A child that the server waits for."""

    server: _Server
    pid: int
    idle: list[_Server]
    code: int | None = field(default=None, init=False)

    def poll(self) -> int | None:
        """Its exit code, None while it runs; below 0 the signal that ended it."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        if self.code is not None:
            return self.code
        try:
            answer = self.server.answer(seconds)
        except ValueError:
            # Nobody can tell any more how the child ends, so it must not go on.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self.server.close()
            self.code = -signal.SIGKILL
            return self.code
        if answer is not None:
            self.code = int(answer["code"])
            self.idle.append(self.server)
        return self.code
