"""The hidden folders in which a result is made, and how those of killed processes are distinguished from those of running ones."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import time
import uuid
from pathlib import Path

from ..processes import lives

# A front end gives its child a name by this variable, to find what a kill left behind.
RUN_VARIABLE = "MSKSEG_RUN"
PARTIAL, READY = "partial", "ready"
_NAME = re.compile(r"\.mskseg-(?P<here>[0-9a-f]{8})-(?P<pid>\d+)-(?P<run>\w+)\.\w+")
# Writing takes seconds to minutes; what another computer left on a shared drive is no longer written after this time.
_OLD_S = 86_400.0


def hidden_name(kind: str) -> str:
    """A name for a hidden folder of this process: short, whatever the folder that it is for is called."""
    return f".mskseg-{_here()}-{os.getpid()}-{os.environ.get(RUN_VARIABLE) or uuid.uuid4().hex[:8]}.{kind}"


def is_hidden(name: str) -> bool:
    """Whether `hidden_name` gave this name, in whatever process."""
    return _NAME.fullmatch(name) is not None


def ready_folders(place: Path) -> list[Path]:
    """The hidden folders in a folder whose content counts, the oldest first; empty where it cannot be looked into."""
    return [path for path in _hidden_folders(place) if path.suffix == f".{READY}"]


def remove_run(place: Path, run: str) -> None:
    """Remove what the killed run of that name (see `RUN_VARIABLE`) was writing in a folder."""
    for path, match in _unfinished(place):
        if match["run"] == run:
            shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(place: Path) -> None:
    """Remove what processes that no longer live were writing in a folder."""
    for path, match in _unfinished(place):
        if _died(match["here"], int(match["pid"])) or _is_old(path):
            shutil.rmtree(path, ignore_errors=True)


def _hidden_folders(place: Path) -> list[Path]:
    try:
        found = [Path(entry.path) for entry in os.scandir(place) if is_hidden(entry.name)]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)
    except OSError:
        return []


def _unfinished(place: Path) -> list[tuple[Path, re.Match[str]]]:
    found = ((path, _NAME.fullmatch(path.name)) for path in _hidden_folders(place))
    return [(path, match) for path, match in found if match and path.suffix != f".{READY}"]


def _died(here: str, pid: int) -> bool:
    return here == _here() and not lives(pid)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _OLD_S
    except OSError:
        return False


def _here() -> str:
    """Identifies this computer: process numbers are only valid here, not in another container."""
    try:
        numbering = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbering = ""
    return hashlib.sha256(f"{socket.gethostname()} {numbering}".encode()).hexdigest()[:8]
