"""A scan on its way to a result: one of the same voxels that is there already, or one that a run makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...engine import SegmentRequest
from ...errors import Cancelled
from ...language.catalogue import stated
from ...review.redaction import redacted
from ...tasks import Task
from .opening import earlier_result
from .options import ReviewOptions
from .problems import Problem
from .result_list import claim_folder, is_result
from .run import RunProgress, Segmentation
from .uploads import ArrivedCT

_CANCELLED = stated("The run was cancelled; nothing was written.")
_KNOWN = stated("This scan was segmented before; its result has been opened.")


@dataclass(frozen=True)
class ScanEnding:
    """The result folder, or None with what went wrong (None when somebody cancelled); `notice` says what else is to be known."""

    folder: Path | None
    notice: str = ""
    problem: Problem | None = None


class ScanRun:
    """One scan, segmented for a task; await `result_of` once, `cancel` from anywhere in the same loop."""

    def __init__(self, options: ReviewOptions, task: Task, on_progress: Callable[[RunProgress], None]) -> None:
        self._options, self._task, self._on_progress = options, task, on_progress
        self._run: Segmentation | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Ask for the end."""
        self._cancelled = True
        if self._run is not None:
            self._run.cancel()

    async def result_of(self, ct: ArrivedCT) -> ScanEnding:
        """The scan's result.

        Raises:
            MSKSegmentError: the scan cannot be read.
        """
        options = self._options
        if options.reuses_results:
            how = options.folder, ct.name, ct.path, ct.series, options.settings.assume_orientation, self._task
            finished = await asyncio.get_running_loop().run_in_executor(None, earlier_result, *how)
            if finished is not None:
                return ScanEnding(finished, _KNOWN)
        return ScanEnding(None, _CANCELLED) if self._cancelled else await self._segment(ct)

    async def _segment(self, ct: ArrivedCT) -> ScanEnding:
        options, folder = self._options, claim_folder(self._options.folder, ct.name)
        settings = replace(options.settings, series=ct.series)
        if self._task != options.task:
            settings = replace(settings, task=self._task.name)
        self._run = Segmentation(SegmentRequest(ct.path, folder, settings, keep_ct=True), self._on_progress)
        try:
            ending = await self._run.run()
        finally:
            self._run = None
            if not is_result(folder):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if ending.code == 0:
            return ScanEnding(folder)
        if ending.code == Cancelled.exit_code:
            return ScanEnding(None, ending.message)
        return ScanEnding(None, problem=Problem(ending.message, redacted(ending.details, [ct.path])))
