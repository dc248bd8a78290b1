"""Another program at work: started, watched, ended with all that it started; what it said becomes one sentence."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..engine.cancelling import Checkpoint
from ..processes import end_tree, start_options
from .guard import NOT_STARTED, SIGNALLED

_LOG = logging.getLogger(__name__)
_POLL_S, _TELL_S = 0.05, 1.0
# How long it may take to clean up after being asked to stop: shorter than `engine.process.GRACE_S`, within which we must end it.
_GRACE_S = 2.0
# The end of the log that progress is read from, and that is searched for a sentence.
_END_BYTES = 8192
_PERCENT = re.compile(r"(\d{1,3})%\|")
_MOST_CHARACTERS = 240


def run_program(
    command: Sequence[str],
    variables: Mapping[str, str],
    log: Path,
    tell: Callable[[int], None],
    checkpoint: Checkpoint = lambda: None,
) -> int:
    """Run a program to its end and return its exit code; all that it prints goes to the file `log`.

    `tell` is called about every second with the percentage that its newest progress bar (of the kind of ``tqdm``) shows, 0 without
    one. `checkpoint` ends it by raising; whatever ends us ends it, too, with all that it has started.
    """
    began = told = time.monotonic()
    tell(0)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.guard", str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**variables, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            **start_options(),
        )
    try:
        while process.poll() is None:
            checkpoint()
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                tell(percent_of(log))
            time.sleep(_POLL_S)
    finally:
        # Also after its end: helpers that it left behind go with it.
        end_tree(process, _GRACE_S)
    code = process.returncode
    _LOG.info("The program %s has ended after %.1f s, code %d", Path(command[0]).name, time.monotonic() - began, code)
    return code


def percent_of(log: Path) -> int:
    """The percentage of the newest progress bar in a log; 0 where there is none."""
    found = _PERCENT.findall(end_of(log))
    return min(100, int(found[-1])) if found else 0


def why_it_failed(code: int, log: Path) -> str:
    """What a program that ended with an exit code other than 0 said last, or what the code itself tells."""
    last = last_words(log)
    if code == NOT_STARTED:
        return f"it could not be started ({last or 'no reason is known'})"
    if code > SIGNALLED or code < 0:
        return f"it was stopped (signal {code - SIGNALLED if code > 0 else -code}), perhaps for lack of memory"
    return f"it says: {last}" if last else f"it ended with code {code} and said nothing"


def last_words(log: Path) -> str:
    """The last line that a program printed and that is no progress bar, shortened; empty where it printed nothing."""
    lines = (" ".join(line.split()) for line in re.split(r"[\r\n]+", end_of(log)))
    said = [line for line in lines if line and not _PERCENT.search(line) and set(line) - set("-=*# ")]
    if not said:
        return ""
    text = said[-1].rstrip(".")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def end_of(log: Path) -> str:
    """The last lines of a log."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _END_BYTES))
        return file.read().decode("utf-8", errors="replace")
