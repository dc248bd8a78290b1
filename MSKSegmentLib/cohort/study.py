"""The folder of a study: what lies where, the settings that all its cases share, and the lock of the run that fills it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..engine.requests import arguments_of
from ..errors import InputError, shown
from ..output.files import whole_file
from ..output.names import advice, cause
from ..output.places import check_no_file, check_place, foreign_files, resolved
from ..results.result_folder import RESULT
from ..settings import Settings

STUDY_FORMAT, STUDY_FORMAT_VERSION = "mskseg-study", 2
_MARKER, _LOCK = "study.json", ".study.lock"


@dataclass(frozen=True)
class StudyFolder:
    """The places of a study.

    A case has its result in ``results/<case>``, its cross-sections in ``slices.parquet/<case>.parquet`` (a folder that programs
    read as one table), what is gathered from both in ``rows/<case>.json``, and last how its run ended in ``records/<case>.json``.
    ``running/<case>.json`` is there while it runs, and after a run that was killed.
    """

    root: Path

    @property
    def results(self) -> Path:
        """The folder of results, which ``mskseg review`` opens."""
        return self.root / "results"

    @property
    def report(self) -> Path:
        """The page at the end."""
        return self.root / "report.html"

    @property
    def progress(self) -> Path:
        """The page meanwhile."""
        return self.root / "progress.html"

    @property
    def found(self) -> Path:
        """The cases as they were found last."""
        return self.root / "found.json"

    def result(self, case: str) -> Path:
        """The result folder of a case."""
        return self.results / case

    def slices(self, case: str) -> Path:
        """The cross-sections of a case."""
        return self.root / "slices.parquet" / f"{case}.parquet"

    def rows(self, case: str) -> Path:
        """What the tables need of a case."""
        return self.root / "rows" / f"{case}.json"

    def record(self, case: str) -> Path:
        """How the run of a case ended."""
        return self.root / "records" / f"{case}.json"

    def running(self, case: str) -> Path:
        """Says that a case runs."""
        return self.root / "running" / f"{case}.json"

    def result_stamp(self, case: str) -> str:
        """Changes when a result is corrected; empty where there is none."""
        try:
            facts = (self.result(case) / RESULT).stat()
        except OSError:
            return ""
        return f"{facts.st_size} {facts.st_mtime_ns}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study for this process, until the block or the process ends.

        Raises:
            InputError: another process holds it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(
                f"Another run fills the study {shown(self.root)!r}; wait for it, look at it with --status, or name another folder."
            ) from error
        try:
            yield
        finally:
            lock.release()


def open_study(folder: Path, settings: Settings) -> StudyFolder:
    """A new or an earlier study of these settings, with its folders.

    Raises:
        InputError: the folder holds something else or a study with other settings, or nothing can be written there.
    """
    real = resolved(folder)
    check_no_file(real)
    study = StudyFolder(real)
    stated = arguments_of(settings)
    if (real / _MARKER).exists():
        earlier = _content(real)["settings"]
        if earlier != stated:
            raise InputError(
                f"The study {shown(real)!r} was begun with {_options(earlier)} and not with {_options(stated)}; say the same, "
                "or name another folder with -o."
            )
    elif foreign_files(real):
        raise InputError(f"The folder {shown(real)!r} holds other files; name a new or empty folder with -o.")
    check_place(real)
    try:
        for place in (
            study.results,
            study.slices("").parent,
            study.rows("").parent,
            study.record("").parent,
            study.running("").parent,
        ):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The study {shown(real)!r} cannot be written ({cause(error)}); {advice(error)} with -o.") from error
    if not (real / _MARKER).exists():
        began = datetime.now(timezone.utc).isoformat(timespec="seconds")
        content = {"format": STUDY_FORMAT, "format_version": STUDY_FORMAT_VERSION, "version": __version__, "began": began}
        write_json(real / _MARKER, {**content, "settings": stated})
    return study


def existing_study(folder: Path) -> StudyFolder:
    """An earlier study, as it is.

    Raises:
        InputError: the folder holds none.
    """
    real = resolved(folder)
    _content(real)
    return StudyFolder(real)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that appears whole.

    Raises:
        InputError: it cannot be written.
    """
    with whole_file(path, ".json") as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote; empty where there is nothing that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _content(real: Path) -> dict[str, Any]:
    content = read_json(real / _MARKER)
    if content.get("format") != STUDY_FORMAT or content.get("format_version") != STUDY_FORMAT_VERSION:
        raise InputError(f"The folder {shown(real)!r} holds no study of this version; name the folder that was given with -o.")
    return content


def _options(words: list[str]) -> str:
    return " ".join(words) or "no options"
