"""A process between us and another program: it leads the program's process group, and ends it when whoever asked for it has died.

Started as ``python -m MSKSegmentLib.other_models.guard PARENT COMMAND...``; its exit code is the program's, 128 + n after signal n,
and 127 where the program could not be started. Needs no package.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from ..processes import end_tree, lives

NOT_STARTED = 127
# The exit code of a program that a signal ended is this and the signal's number, as in a shell.
SIGNALLED = 128
_POLL_S = 1.0
# How long a program whose parent has died may take to clean up.
_GRACE_S = 3.0


def run_guarded(words: Sequence[str]) -> int:
    """Run the command that follows the number of the parent's process to its end, or to that of the parent."""
    parent, command = int(words[0]), words[1:]
    # What leads to our own library is nothing for a Python of another environment.
    os.environ.pop("PYTHONPATH", None)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(error.strerror or type(error).__name__, file=sys.stderr)
        return NOT_STARTED
    while True:
        try:
            code = child.wait(_POLL_S)
            return code if code >= 0 else SIGNALLED - code
        except subprocess.TimeoutExpired:
            if not lives(parent):
                _end_group(child)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, and this process with them."""
    if os.name == "nt":
        end_tree(child, _GRACE_S)
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(run_guarded(sys.argv[1:]))
