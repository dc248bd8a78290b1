"""The folder of a learning: its stages in order, each of which marks itself done, so that a run that was killed goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from ..output.files import whole_file
from ..output.places import check_no_file, check_place, foreign_files, resolved

LEARNING_MARKER, _STAGES = "learning.json", "stages"
_FORMAT = "mskseg-learning"


class LearningFolder:
    """Where a learning keeps its cases, its training and its report; `say` gets a line per stage."""

    def __init__(self, root: Path, request: str, say: Callable[[str], None]) -> None:
        """Open or make the folder of the learning with that request (see `plan.request_digest`).

        Raises:
            InputError: it holds another learning or other files, or nothing can be written there.
        """
        self.root = resolved(root)
        self._say = say
        self._began = time.monotonic()
        check_no_file(self.root)
        marker = self.root / LEARNING_MARKER
        if foreign_files(self.root) and not marker.is_file():
            raise InputError(f"The folder {shown(self.root)!r} holds other files; name another bundle with -o.")
        check_place(self.root, (LEARNING_MARKER,))
        if marker.is_file() and _read(marker).get("request") != request:
            raise InputError(
                f"The folder {shown(self.root)!r} holds a learning from other corrections or with other options; name another "
                "bundle with -o, or remove that folder."
            )
        (self.root / _STAGES).mkdir(parents=True, exist_ok=True)
        self.write(marker, {"format": _FORMAT, "request": request})

    def place(self, *names: str) -> Path:
        """A file or folder of the learning."""
        return self.root.joinpath(*names)

    def done(self, stage: str) -> dict[str, Any] | None:
        """What a stage noted at its end; None while it is not done."""
        path = self.root / _STAGES / f"{stage}.json"
        return _read(path) if path.is_file() else None

    def run(self, stage: str, words: str, work: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """Do a stage unless it is done; returns what it noted. Stages go on by themselves where they were stopped."""
        noted = self.done(stage)
        if noted is not None:
            self._say(f"{words}: done before.")
            return noted
        self._say(f"{words} ...")
        began = time.monotonic()
        noted = {**(work() or {}), "seconds": round(time.monotonic() - began, 1)}
        self.write(self.root / _STAGES / f"{stage}.json", noted)
        return noted

    def seconds(self, *stages: str) -> float:
        """How long stages took that are done."""
        return sum(float((self.done(stage) or {}).get("seconds", 0.0)) for stage in stages)

    @property
    def elapsed(self) -> float:
        """Seconds of this run so far."""
        return time.monotonic() - self._began

    @staticmethod
    def write(path: Path, content: dict[str, Any]) -> None:
        """Write a JSON file that appears whole."""
        with whole_file(path, ".json") as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path.name!r} of the learning cannot be read; remove its folder and start again.") from error
    return content if isinstance(content, dict) else {}
