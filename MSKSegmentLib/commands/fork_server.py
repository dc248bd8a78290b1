"""The server's side of `engine.fork_servers`: ``python -m MSKSegmentLib.commands.fork_server``, for other processes of ours."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import select
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from ..inference.devices import wait_without_spinning
from .main import main

# What a segmentation and the measuring of its cross-sections import on their way. None of it starts threads of Python; the one that
# Arrow's allocator starts, it starts again in a fork.
PRELOADED = (
    "torch", "scipy.ndimage", "scipy.interpolate", "skimage.measure", "SimpleITK", "pydicom", "pyarrow.parquet", "pyarrow.csv",
    "MSKSegmentLib.commands.segment", "MSKSegmentLib.commands.slices", "MSKSegmentLib.inference.openvino_backend",
    "MSKSegmentLib.inference.predict", "MSKSegmentLib.pipeline", "MSKSegmentLib.results.result_folder",
    "MSKSegmentLib.cohort.cross_sections",
)  # fmt: skip
# Whoever comes after such a pause can wait for the imports again; meanwhile the memory is of more use to others.
_IDLE_S = 300.0
_REQUEST_BYTES = 1 << 16


def serve_forks(preloaded: Sequence[str] = PRELOADED) -> int:
    """Import `preloaded`, then fork a child per request, one at a time, until the requests end."""
    wait_without_spinning()
    for name in preloaded:
        # What is missing here is missed by the command that needs it, in a sentence.
        with suppress(Exception):
            importlib.import_module(name)
    # The collector of a fork would write to everything that it shares with the server, and so copy it.
    gc.collect()
    gc.freeze()
    waiting = b""
    while True:
        line, found, waiting = waiting.partition(b"\n")
        if not found:
            waiting = line
            read = os.read(0, _REQUEST_BYTES) if select.select([0], [], [], _IDLE_S)[0] else b""
            if not read:
                return 0
            waiting += read
            continue
        request = json.loads(line)
        child = os.fork()
        # Said on both sides, so that neither may act before it is true: who ends the child ends its group.
        with suppress(OSError):
            os.setpgid(child, child)
        if child == 0:
            _run(request)
        _answer({"pid": child})
        _, status = os.waitpid(child, 0)
        _answer({"code": os.waitstatus_to_exitcode(status)})


def _run(request: dict[str, Any]) -> NoReturn:
    # What the server has to clean up is its own concern. PyTorch alone would take back a hundred registrations at each fork's end.
    for finalizer in list(vars(weakref.finalize)["_registry"]):
        finalizer.atexit = False
    os.environ.update(request["environment"])
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, request["lines"], write), (2, request["errors"], write)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    code = 1
    try:
        code = main(request["arguments"])
    finally:
        # An interpreter that takes itself apart touches all that it shares with the server, which costs more than a small case.
        # Temporary folders are removed; nothing else is left to do.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(content: dict[str, int]) -> None:
    # Whoever asked may be gone; the end of the requests then says so.
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(content).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(serve_forks())
