"""Processes of this computer: their cores, whether one lives, and how one is ended with all it started. Needs no package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

_POLL_S = 0.02


class Child(Protocol):
    """What is asked of a child process; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """Its process number."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code."""

    def kill(self) -> None:
        """End it at once."""


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lives(pid: int) -> bool:
    """Whether a process still does something: in a container nobody may collect the dead, which then stay as zombies."""
    if os.name == "nt":
        return _lives_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It lives, and is somebody else's.
        return True
    return _state_and_group(pid)[0] not in ("Z", "X")


def start_options() -> dict[str, Any]:
    """What `subprocess.Popen` needs for a child that `end_tree` is to end."""
    return {
        # A group of its own; a Ctrl-C in the parent's terminal is then the parent's to pass on.
        "start_new_session": os.name == "posix",
        # Windows would show a console.
        "creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0),
    }


def end_tree(child: Child, grace_s: float) -> None:
    """End a child that was started with `start_options`, with all that it started; returns when they are gone.

    They are asked first and killed after `grace_s`. Windows has no way to ask: there they are killed at once.
    """
    if os.name == "nt":
        _kill_tree_on_windows(child)
        return
    _signal_group(child.pid, signal.SIGTERM)
    # Whoever is stopped could not hear.
    _signal_group(child.pid, signal.SIGCONT)
    if not _wait(child, grace_s):
        _signal_group(child.pid, signal.SIGKILL)
        _wait(child, grace_s)
    child.wait()


def _wait(child: Child, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        # The child is waited for by its own handle: its exit code would be lost to anybody else.
        if child.poll() is not None and not _group_lives(child.pid):
            return True
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS says the latter of a group of zombies.
        return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not sys.platform.startswith("linux"):
        return True
    states = (_state_and_group(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return any(of == group and state not in ("Z", "X") for state, of in states)


def _state_and_group(pid: int) -> tuple[str, int]:
    """State letter and process group from Linux's /proc; nothing to go by elsewhere."""
    try:
        # The name in brackets may hold anything, brackets too.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[2])
    except (OSError, IndexError, ValueError):
        return "", -1


def _kill_tree_on_windows(child: Child) -> None:
    command = ["taskkill", "/PID", str(child.pid), "/T", "/F"]
    try:
        subprocess.run(command, capture_output=True, check=False, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
    except OSError:
        # The child at least: those below it watch their parent and end by themselves.
        child.kill()
    child.wait()


def _lives_on_windows(pid: int) -> bool:
    import ctypes

    synchronize, timed_out = 0x00100000, 0x00000102
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        # Access is denied (5) to a process that lives; without one the parameter is wrong.
        return bool(kernel.GetLastError() == 5)
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
    finally:
        kernel.CloseHandle(handle)
