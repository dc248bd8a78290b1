"""What the page can ask of this computer: results, uploads, runs, and the one result that is open.

It knows no page: it changes its public attributes and calls whoever has subscribed. Everything happens in one asyncio loop;
what takes long happens in threads or in the engine's process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...ct import SeriesInfo
from ...errors import InstallationError, MSKSegmentError
from ...language.catalogue import noted as N_
from ...language.catalogue import stated
from ...output.names import safe_name
from ...resources import resource_file
from ...tasks import HIP_THIGH_CT
from .documents import DocumentMaker
from .opening import Opened, open_result
from .options import ReviewOptions, Target
from .problems import Problem, problem_of
from .result_list import ListedResult, find_result, list_results
from .run import RunProgress
from .scan_run import ScanRun
from .uploads import ArrivedCT, Upload, UploadProgress, remove_stale_uploads

_LOG = logging.getLogger(__name__)
Callback = Callable[[], None]
_SAMPLE = "SampleCT", "sample_ct.nii.gz"
_FIRST_WORDS = {"running": N_("Starting"), "opening": N_("Opening the result"), "closing": N_("Saving the result")}
_BUSY = stated("Another scan or result is open or under way; finish or close it before you upload a file.")
_CLOSING_S = 20.0


class ReviewService:
    """The state of one server, see the module. `page` is start, list, choosing, running, opening, case or closing."""

    def __init__(self, options: ReviewOptions) -> None:
        self.options = options
        self.task = options.task
        self.page = "start" if options.kind is Target.NOTHING else "list"
        self.progress: RunProgress | None = None
        self.upload: UploadProgress | None = None
        self.problem: Problem | None = None
        self.notice = ""
        self.opened: Opened | None = None
        self.documents = DocumentMaker(options, self._changed)
        self._home = self.page
        self._scan: ScanRun | None = None
        self._waiting: ArrivedCT | None = None
        self._cancel_asked = False
        self._callbacks: list[Callback] = []
        self._tasks: set[asyncio.Task[None]] = set()
        if not options.single:
            remove_stale_uploads(options.folder)

    @property
    def max_upload_bytes(self) -> int:
        """The largest file that is taken."""
        return self.options.max_upload_mb * 2**20

    @property
    def can_upload(self) -> bool:
        """Whether new scans can be segmented here: not when one given result is reviewed."""
        return not self.options.single

    @property
    def can_list(self) -> bool:
        """Whether there are other results to go back to."""
        return not self.options.single

    @property
    def sample_available(self) -> bool:
        """Whether the sample CT came with the installation, and is what new scans are segmented for."""
        return self.can_upload and self.task == HIP_THIGH_CT and _sample_ct() is not None

    def results(self) -> tuple[ListedResult, ...]:
        """The results in the chosen folder, worst first, or in the order of a given list."""
        return list_results(self.options.folder, self.options.order)

    def subscribe(self, callback: Callback) -> Callback:
        """Call `callback` after every change; returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def start(self) -> None:
        """Begin with what the command line asked for."""
        kind, options = self.options.kind, self.options
        if kind is Target.RESULT:
            self.open(".")
        elif kind is Target.CT:
            assert options.target is not None
            self._home = "start"
            ct = ArrivedCT(options.target, safe_name(options.target.resolve().name), series=options.settings.series)
            self._begin(self._segment(ct), "running")

    def open(self, name: str) -> None:
        """Open a listed result."""
        folder = find_result(self.options.folder, name)
        if folder is None:
            self._show(problem=Problem("This result is no longer there; choose another one from the list."))
        else:
            self._begin(self._open(folder), "opening")

    def open_sample(self) -> None:
        """Segment the sample CT, or open its result when there is one."""
        path = _sample_ct()
        if not self.can_upload or path is None:
            self._show(problem=Problem("The sample CT is not part of this installation; upload a CT instead."))
        else:
            self._begin(self._segment(ArrivedCT(path, safe_name(path.name))), "running")

    @property
    def series(self) -> tuple[SeriesInfo, ...]:
        """The series of an uploaded zip, one of which is to be chosen."""
        return self._waiting.choices if self._waiting else ()

    def choose_series(self, uid: str) -> None:
        """Segment one of `series`."""
        if self._waiting is not None and any(info.uid == uid for info in self.series):
            chosen, self._waiting = replace(self._waiting, series=uid, choices=()), None
            self._begin(self._segment(chosen), "running")

    def choose_task(self, name: str) -> None:
        """Segment the next scans for another one of the tasks that the options offer; while a file arrives nothing changes."""
        if self.upload is None:
            self.task = next((task for task in self.options.tasks if task.name == name), self.task)
        self._changed()

    def cancel(self) -> None:
        """Stop the run, or give up the choice of a series."""
        self._cancel_asked = True
        if self._scan is not None:
            self._scan.cancel()
        if self._waiting is not None:
            self._forget_waiting()
            self._go_home(None, stated("No series was chosen; the uploaded file has been removed."))

    def to_list(self) -> None:
        """Close the open result and show the others."""
        if self.can_list and self.opened is not None:
            self._begin(self._leave(), "closing")

    def dismiss(self) -> None:
        """Put away the problem or notice."""
        self._show()

    def begin_upload(self, name: str, total: int) -> Upload:
        """Room for a file that is about to arrive.

        Raises:
            MSKSegmentError: uploads are not possible now, or not of this size.
        """
        if not self.can_upload or self.upload is not None or self._is_busy():
            raise MSKSegmentError(_BUSY)
        self.problem, self.notice = None, ""
        upload = Upload(self.options.folder, name, total, self.max_upload_bytes, self.task.modality)
        self.show_upload(upload.progress)
        return upload

    def show_upload(self, progress: UploadProgress | None) -> None:
        """Show how far an upload is; None when it is over."""
        self.upload = progress
        self._changed()

    def refuse(self, sentence: str) -> None:
        """Say why something could not be done, without disturbing what is under way."""
        self.problem = Problem(sentence)
        self._changed()

    def take(self, arrived: ArrivedCT) -> None:
        """Segment an uploaded CT."""
        if self._is_busy():
            arrived.discard()
            self.refuse(_BUSY)
        else:
            self._take(arrived)

    def _take(self, arrived: ArrivedCT) -> None:
        if arrived.choices:
            self._waiting, self.page = arrived, "choosing"
            self._show()
        else:
            self._begin(self._segment(arrived), "running")

    def _forget_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.discard()
            self._waiting = None

    async def close(self) -> None:
        """Stop a run and close what is open; the server ends."""
        self.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING_S)
        self._forget_waiting()
        await self._shut()

    def _is_busy(self) -> bool:
        return self.page not in ("start", "list") or bool(self._tasks)

    def _begin(self, work: Coroutine[Any, Any, None], page: str) -> None:
        if self._tasks:
            work.close()
            return
        self._forget_waiting()
        _LOG.info("The review goes on to: %s", page)
        self.page, self.progress = page, RunProgress(_FIRST_WORDS[page], 0.0)
        self.problem, self.notice, self._cancel_asked = None, "", False
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._changed()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._shut()
        except MSKSegmentError as error:
            # Nothing is closed before it is saved.
            work.close()
            self.page, self.progress = "case", None
            self._show(Problem(str(error)))
            return
        try:
            await work
        except Exception as error:
            if not isinstance(error, MSKSegmentError | MemoryError):
                _LOG.exception("The review failed")
            self._go_home(problem_of(error))

    async def _open(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        o = self.options
        how = folder, o.ct, o.settings.series, o.author, o.settings.assume_orientation
        self.opened = await loop.run_in_executor(None, open_result, *how)
        self.opened.autosave(self.refuse)
        self.page, self.progress = "case", None
        self._changed()

    async def _segment(self, ct: ArrivedCT) -> None:
        self._scan = scan = ScanRun(self.options, self.task, self._show_progress)
        if self._cancel_asked:
            scan.cancel()
        try:
            ended = await scan.result_of(ct)
        finally:
            self._scan = None
            ct.discard()
        if ended.folder is None:
            self._go_home(ended.problem, ended.notice)
            return
        self.notice = ended.notice
        self._show_progress(RunProgress("Opening the result", 100.0))
        await self._open(ended.folder)

    def _show_progress(self, progress: RunProgress) -> None:
        self.progress = progress
        self._changed()

    def _go_home(self, problem: Problem | None, notice: str = "") -> None:
        if problem is not None:
            _LOG.info("The work ended with a problem, which the page says")
        self.page, self.progress = self._home, None
        self._show(problem, notice)

    def _show(self, problem: Problem | None = None, notice: str = "") -> None:
        self.problem, self.notice = problem, notice
        self._changed()

    async def _leave(self) -> None:
        self._home = "list"
        self._go_home(None)

    async def _shut(self) -> None:
        """Close the open result, whole on the drive before the next reviewer may write."""
        if self.opened is None:
            return
        await self.opened.write_segmentation()
        closing, self.opened = self.opened, None
        self._changed()
        closing.release()

    def _changed(self) -> None:
        for callback in tuple(self._callbacks):
            callback()


def _sample_ct() -> Path | None:
    try:
        return resource_file(*_SAMPLE)
    except InstallationError:
        return None
