"""A study is run: what waits goes to the workers, what failed is tried once more alone, and what ended is stored as it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..engine.cancelling import Checkpoint
from ..errors import Cancelled
from ..settings import Settings
from .case_run import CaseJob
from .found_cases import FoundCase
from .limits import RunLimits
from .progress import StudyProgress
from .records import CaseRecord, CaseState, current_record, write_record
from .study import StudyFolder, write_json
from .workers import WorkerPlan, local_client, remote_client, run_on_worker

_POLL_S = 0.05
_LOST = "Its worker was lost again and again while it ran, perhaps for lack of memory; run it on a larger computer."


@dataclass(frozen=True)
class RunOptions:
    """How cases are run: settings that all share, limits, where, and whether CTs are kept and failed cases run again.

    Without `scheduler`, the address of a Dask scheduler, `plan` says how this computer is shared. `python` starts the children;
    without `processes` the workers of this computer are threads of this process. `forked` children are spared their imports, see
    `engine.fork_servers`.
    """

    settings: Settings
    limits: RunLimits
    plan: WorkerPlan
    scheduler: str | None = None
    keep_ct: bool = False
    retry_failed: bool = False
    python: str = sys.executable
    processes: bool = True
    forked: bool = False


def run_cases(
    study: StudyFolder,
    cases: Sequence[FoundCase],
    options: RunOptions,
    tell: Callable[[StudyProgress], None] = lambda progress: None,
    checkpoint: Checkpoint = lambda: None,
) -> StudyProgress:
    """Run all cases that wait, and those that failed once more, one at a time.

    The caller holds the study's lock. Every case is stored as it ends; whoever ends this function ends the children too, and a
    later call goes on. `tell` is called after each case.

    Raises:
        Cancelled: `checkpoint` said so.
        InputError: no scheduler answers, or a record cannot be written.
    """
    write_json(study.found, {"cases": [case.to_json() for case in cases]})
    records = {case.case: current_record(study, case, options.retry_failed) for case in cases}
    progress = StudyProgress(study, records, options.plan.workers)
    progress.write_page()
    waiting = [case for case in cases if records[case.case].state is CaseState.WAITING]
    if waiting or any(record.wants_retry for record in records.values()):
        with _client(options) as client:
            loop = _Loop(client, progress, tell, checkpoint, None if options.scheduler else options.plan)
            loop.run([_job(study, case, options, 1) for case in waiting])
            for case in cases:
                # Alone: a neighbour that took the memory, or a drive that was busy, is not met again.
                if progress.records[case.case].wants_retry:
                    loop.run([_job(study, case, options, progress.records[case.case].attempts + 1)])
    for case in cases:
        if progress.records[case.case].state is not CaseState.WAITING:
            study.running(case.case).unlink(missing_ok=True)
    progress.write_page(running=False)
    return progress


def _client(options: RunOptions) -> AbstractContextManager[Any]:
    return remote_client(options.scheduler) if options.scheduler else local_client(options.plan, options.processes)


def _job(study: StudyFolder, case: FoundCase, options: RunOptions, attempt: int) -> CaseJob:
    height = options.settings.height_m if case.height_cm is None else case.height_cm / 100
    settings = replace(options.settings, height_m=height, series=case.series)
    path = str(Path(case.path))
    how = (options.limits, attempt, options.keep_ct, options.python, options.forked)
    return CaseJob(str(study.root), case.case, path, settings, case.signature, *how, mask=case.mask, labels=case.labels)


@dataclass
class _Loop:
    """Sends jobs to the workers and takes what comes back."""

    client: Any
    progress: StudyProgress
    tell: Callable[[StudyProgress], None]
    checkpoint: Checkpoint
    plan: WorkerPlan | None

    def run(self, jobs: list[CaseJob]) -> None:
        from distributed import as_completed

        if not jobs:
            return
        by_key = {}
        for job in jobs:
            # Not a pure function: the same case may be run again.
            future = self.client.submit(run_on_worker, job, self.plan, key=f"{job.case}-{job.attempt}-{time.time_ns()}", pure=False)
            by_key[future.key] = (future, job)
        completed = as_completed([future for future, _ in by_key.values()])
        try:
            while not completed.is_empty():
                self.checkpoint()
                batch = completed.next_batch(block=False) if completed.has_ready() else ()
                for future in batch:
                    self.progress.take(self._ended(*by_key.pop(future.key)))
                    self.tell(self.progress)
                if not batch:
                    time.sleep(_POLL_S)
        except BaseException:
            self.client.cancel([future for future, _ in by_key.values()], force=True)
            raise

    def _ended(self, future: Any, job: CaseJob) -> CaseRecord:
        """The record that the worker stored; the worker may have been lost, or a child of it ended by somebody."""
        from distributed import KilledWorker

        if future.status == "finished":
            record: CaseRecord = future.result()
            return record
        error = future.exception() if future.status == "error" else None
        if error is not None and not isinstance(error, (KilledWorker, Cancelled)):
            raise error
        sentence = "Its run was ended from outside." if isinstance(error, Cancelled) else _LOST
        record = CaseRecord(job.case, CaseState.FAILED, sentence, job.attempt, 0.0, job.signature)
        write_record(self.progress.study, record)
        return record
