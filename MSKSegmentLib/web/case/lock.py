"""One reviewer at a time: whoever opens a result first may change it, everybody else reads.

The lock is the operating system's own on a file in the result folder, so that it ends with its process, however that ends:
there are no stale locks to clean up. The file's text only says who holds it.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import IO

from ...language.catalogue import stated
from ...results.result_folder import LOCK

# Windows locks bytes against reading too, so the text stands before the byte that is locked.
_LOCKED_BYTE = 1 << 20


class ReviewLock:
    """Holds the lock of a result folder from its making until `release`; `reason` is empty for the holder."""

    def __init__(self, folder: Path, who: str = "") -> None:
        """Try to take the lock; never waits. `who` is the reviewer's name for the sentence that others get."""
        self._file: IO[str] | None = None
        self.reason = ""
        self._path = folder / LOCK
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError:
            self.reason = stated(
                f"Read-only: nothing can be written to the folder {folder.name!r}; copy it to where you may write, to make changes."
            )
            return
        file = os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace")
        try:
            taken = _lock(file)
        except OSError:
            file.close()
            self.reason = stated(
                f"Read-only: the drive of the folder {folder.name!r} cannot keep two reviewers apart; copy the folder to a local "
                "drive to make changes."
            )
            return
        if taken:
            self._file = file
            _write_holder(file, who)
            return
        self.reason = _sentence(file)
        file.close()

    @property
    def held(self) -> bool:
        """Whether this process may write."""
        return self._file is not None

    def is_lost(self) -> bool:
        """Whether the folder has been replaced by another one while the lock was held."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except OSError:
            return True

    def release(self) -> None:
        """Let the next one write; releasing twice does no harm.

        The file stays: removing it could take it from under somebody who has just locked it.
        """
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


def _lock(file: IO[str]) -> bool:
    """Whether the lock was free and is ours now.

    Raises:
        OSError: this drive has no locks.
    """
    if os.name == "nt":
        import msvcrt

        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except PermissionError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_holder(file: IO[str], who: str) -> None:
    holder = {"who": who or user_name(), "host": socket.gethostname(), "since": datetime.now().strftime("%H:%M")}
    file.seek(0)
    file.truncate()
    json.dump(holder, file, ensure_ascii=False)
    file.flush()


def _sentence(file: IO[str]) -> str:
    try:
        holder = json.loads(file.read())
        name, since = str(holder["who"])[:60], str(holder["since"])[:5]
        here, host = holder["host"] == socket.gethostname(), str(holder["host"])[:60]
    except (OSError, ValueError, KeyError, TypeError):
        return stated("Read-only: somebody else has this result open; open it again when they have closed it to make changes.")
    if here:
        return stated(
            f"Read-only: {name} has had this result open on this computer since {since}; open it again when they have closed it to "
            "make changes."
        )
    return stated(
        f"Read-only: {name} has had this result open on {host} since {since}; open it again when they have closed it to make "
        "changes."
    )


def user_name() -> str:
    """The name of whoever runs this program."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
