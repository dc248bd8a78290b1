"""The command line ``mskseg``: exit code 0 done, 2 bad input, 3 cancelled, 1 a fault."""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

from ..engine.cancelling import Checkpoint, cancellable
from ..engine.progress import JsonLines
from ..errors import InputError, MSKSegmentError
from ..packages import unusable
from .log import log_to_stderr


def run() -> None:
    """The program ``mskseg``: ends with the exit code of `main`.

    It does not take Python, PyTorch and OpenVINO apart at the end, which took a run a third of a second on an idle machine.
    """
    code, leaving = 1, False

    def leave() -> None:
        nonlocal leaving
        if leaving:
            return
        leaving = True
        # What was registered before the program began, such as coverage by a .pth file and the end of logging, has its turn, too.
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(code)

    try:
        code = main()
    finally:
        # Registered last and so called first, when threads have ended.
        atexit.register(leave)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors are one sentence on stderr (and a JSON line where asked for)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    lines = JsonLines() if _a_program_reads(words) else None
    for stream in (sys.stdout, sys.stderr):
        # Names of patients' folders are not always in the terminal's encoding.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        with cancellable() as checkpoint, log_to_stderr():
            return _call(words, checkpoint)
    except MSKSegmentError as error:
        code, message = error.exit_code, str(error)
    except MemoryError:
        code, message = 1, "The computer's memory is exhausted; close other programs or crop the CT and try again."
    except Exception as error:
        code, message = _fault(error)
    if lines:
        lines.write({"stage": "error", "done": 0, "total": 0, "eta_s": None, "message": message, "exit_code": code})
    print(message, file=sys.stderr)
    return code


def _call(words: list[str], checkpoint: Checkpoint) -> int:
    """Parse and run; a pipe that its reader closed ends the process with code 1 (`click` sees to that).

    Raises:
        InputError: the words are no use of the command line.
    """
    # Not at the top of the file: a missing package becomes a sentence here, and nowhere else.
    import click

    from .base import PROGRAM, Invocation
    from .cli import cli, sentence_of

    try:
        return cli.main(words, PROGRAM, standalone_mode=False, obj=Invocation(checkpoint)) or 0
    except click.ClickException as error:
        raise InputError(sentence_of(error)) from error


def _fault(error: Exception) -> tuple[int, str]:
    """Exit code and sentence for an error that no command foresaw."""
    dependency = unusable(error) if isinstance(error, ImportError) else None
    if dependency:
        return dependency.exit_code, str(dependency)
    traceback.print_exc()
    return 1, f"The program failed unexpectedly ({type(error).__name__}); please report it with the lines above."


def _a_program_reads(words: Sequence[str]) -> bool:
    """Whether JSON is asked for; needed before parsing so that a parse error also reaches the program that reads it."""
    if {"--json", "--progress=json"} & set(words):
        return True
    return any(word == "--progress" and value == "json" for word, value in zip(words, words[1:], strict=False))
