"""A result that is open: its lock, its CT, its review as it was left, saved after every change."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...ct import read_ct
from ...errors import InputError, MSKSegmentError, shown
from ...language.catalogue import stated
from ...provenance import input_digest
from ...results.result_folder import REVIEW, SEGMENTATION
from ...results.result_reading import read_content, stored_facts, task_of_result
from ...results.segmentation_file import write_segmentation
from ...review import ReviewSession
from ...review.folder import open_folder, save
from ...review.source_ct import input_of, read_own_ct
from ...tasks import HIP_THIGH_CT, Task
from .lock import ReviewLock, user_name
from .result_list import list_results

# How long nothing may have changed before the segmentation file, which takes seconds, follows by itself.
QUIET_S = 20.0
# How soon a save that failed is tried again.
RETRY_S = 5.0
_REPLACED = stated(
    "Read-only: another run has replaced this result while it was open, so that changes can no longer be saved; close it and open "
    "it again."
)


@dataclass
class Opened:
    """One open result. `read_only` is empty, or the sentence that says why nothing may be changed.

    With `autosave` on, every change of `session` is in the folder as soon as the event that made it is dealt with; only the
    segmentation file follows later: after `QUIET_S`, and before it is downloaded or the result is closed.
    """

    folder: Path
    name: str
    session: ReviewSession
    read_only: str
    _lock: ReviewLock
    _on_problem: Callable[[str], None] = lambda sentence: None
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)
    _unsaved: bool = False
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _task: asyncio.Task[None] | None = None

    def autosave(self, on_problem: Callable[[str], None]) -> None:
        """Save from now on; a sentence goes to `on_problem` when that fails. Call it in the event loop."""
        self._on_problem = on_problem
        if not self.read_only:
            self.session.subscribe(self._changed)
            if self._is_stale():
                # A server that was killed has left the segmentation of before the last strokes.
                self._later(QUIET_S, self._write_quietly)

    def save_now(self) -> bool:
        """Save what has changed since the last save; whether nothing is left unsaved. A save that fails is tried again."""
        if not self._unsaved or self.read_only:
            return True
        if self._lock.is_lost():
            self.read_only = _REPLACED
            self._on_problem(_REPLACED)
            return True
        try:
            save(self.session, self.folder)
        except (MSKSegmentError, OSError) as error:
            reason = str(error)
            if not isinstance(error, MSKSegmentError):
                reason = stated(f"The change could not be saved ({error.strerror}).")
            self._later(RETRY_S, self.save_now)
            self._on_problem(stated(f"{reason} Until then it is kept on this page only, and saving is tried again."))
            return False
        self._unsaved = False
        self._later(QUIET_S, self._write_quietly)
        return True

    async def write_segmentation(self) -> None:
        """Bring the segmentation file up to date, without blocking the page; nothing to do when it is.

        Raises:
            InputError: it cannot be written.
        """
        if not self.save_now():
            raise InputError(
                f"The last changes could not be saved to {shown(self.folder)!r}; free space on its drive and try again."
            )
        self._end_timers()
        async with self._writing:
            if self.read_only or not self._is_stale():
                return
            result = self.session.result
            # The session goes on changing its labels while the file is written.
            snapshot = replace(result, labels=result.labels.copy())
            await asyncio.get_running_loop().run_in_executor(None, write_segmentation, self.folder / SEGMENTATION, snapshot)

    def release(self) -> None:
        """Let others change the result."""
        self._end_timers()
        self._lock.release()

    def _changed(self, keys: tuple[str, ...]) -> None:
        self._unsaved = True
        # Once for all that a single stroke changes: a second call finds nothing left to save.
        asyncio.get_running_loop().call_soon(self.save_now)

    def _is_stale(self) -> bool:
        review, segmentation = self.folder / REVIEW, self.folder / SEGMENTATION
        return review.is_file() and review.stat().st_mtime_ns > segmentation.stat().st_mtime_ns

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do one thing after a while, unless something else is to be done later by then."""
        self._end_timers()
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _write_quietly(self) -> None:
        async def write() -> None:
            try:
                await self.write_segmentation()
            except MSKSegmentError as error:
                self._on_problem(str(error))

        self._task = asyncio.get_running_loop().create_task(write())

    def _end_timers(self) -> None:
        while self._timers:
            self._timers.pop().cancel()


def open_result(
    folder: Path, ct: Path | None = None, series: str | None = None, author: str = "", assume_orientation: str | None = None
) -> Opened:
    """Open a result folder; takes seconds for a large scan.

    `ct`, `series` and `assume_orientation` say what its CT is and how to read it where the folder does not hold it.

    Raises:
        InputError: the result is damaged, or its CT is missing or another one.
    """
    lock = ReviewLock(folder, author)
    try:
        volume = read_own_ct(folder, ct, series, assume_orientation)
        session = open_folder(folder, volume, author or user_name())
    except BaseException:
        lock.release()
        raise
    return Opened(folder, folder.resolve().name, session, lock.reason, lock)


def earlier_result(
    root: Path, name: str, ct: Path, series: str | None, assume_orientation: str | None = None, task: Task = HIP_THIGH_CT
) -> Path | None:
    """A full result of a task below `root` of the very same voxels, in a folder of that name or one that was numbered after it.

    Raises:
        InputError: the CT cannot be read, which is only tried where there is such a folder.
    """
    named = [
        root / r.name
        for r in list_results(root)
        if re.fullmatch(rf"{re.escape(name)}(-\d+)?", r.name) and not r.problem and _is_full(root / r.name, task)
    ]
    if not named:
        return None
    digest = input_digest(read_ct(ct, series, assume_orientation, task.modality))
    return {input_of(folder): folder for folder in named}.get(digest)


def _is_full(folder: Path, task: Task) -> bool:
    """Whether it is no preview, and of that task."""
    try:
        content = read_content(folder)
        return not stored_facts(content).preview and task_of_result(content).name == task.name
    except MSKSegmentError:
        return False
