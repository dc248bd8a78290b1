"""A folder of long work in stages, each of which marks itself done, so that a run that was killed goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from .files import whole_file
from .places import check_no_file, check_place, foreign_files, resolved

_STAGES = "stages"


@dataclass(frozen=True)
class StagedWork:
    """A kind of work in stages: the `marker` file of its folder with the `format` that it states, and its words in sentences.

    `what` is the work ("learning"), `made_from` what it starts from ("corrections"), `named_by` what names its folder.
    """

    marker: str
    format: str
    what: str
    made_from: str
    named_by: str


class StageFolder:
    """Where work in stages keeps what it makes; `say` gets a line per stage."""

    def __init__(self, root: Path, work: StagedWork, request: str, say: Callable[[str], None]) -> None:
        """Open or make the folder of the work with that request, a digest of all that its outcome rests on.

        Raises:
            InputError: it holds other work or other files, or nothing can be written there.
        """
        self.root = resolved(root)
        self._work, self._say = work, say
        self._began = time.monotonic()
        check_no_file(self.root)
        marker = self.root / work.marker
        if foreign_files(self.root) and not marker.is_file():
            raise InputError(f"The folder {shown(self.root)!r} holds other files; name another {work.named_by} with -o.")
        check_place(self.root, (work.marker,))
        if marker.is_file() and self._read(marker).get("request") != request:
            raise InputError(
                f"The folder {shown(self.root)!r} holds a {work.what} from other {work.made_from} or with other options; name "
                f"another {work.named_by} with -o, or remove that folder."
            )
        (self.root / _STAGES).mkdir(parents=True, exist_ok=True)
        self.write(marker, {"format": work.format, "request": request})

    def place(self, *names: str) -> Path:
        """A file or folder of the work."""
        return self.root.joinpath(*names)

    def done(self, stage: str) -> dict[str, Any] | None:
        """What a stage noted at its end; None while it is not done."""
        path = self.root / _STAGES / f"{stage}.json"
        return self._read(path) if path.is_file() else None

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

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"The file {path.name!r} of the {self._work.what} cannot be read; remove its folder and start again."
            ) from error
        return content if isinstance(content, dict) else {}
