"""The run of one case, wherever a worker is: child processes for network and cross-sections, and the record of the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..engine import EngineRun, ImportRequest, SegmentRequest
from ..engine.children import start_interpreter
from ..engine.fork_servers import ForkServers
from ..errors import Cancelled, MSKSegmentError
from ..results.result_folder import RESULT
from ..settings import Settings
from .case_rows import case_rows
from .limits import ChildEnd, RunLimits, run_within
from .records import CaseRecord, CaseState, write_record
from .study import StudyFolder, read_json, write_json

_BAD_INPUT = 2
# Of this worker: they end with it, or after a while without cases.
_SERVERS = ForkServers()


@dataclass(frozen=True)
class CaseJob:
    """What a worker gets: a case of the study in `root`, how to run it, and within which limits. A `mask` is imported and judged,
    read as `labels` says.

    `attempt` counts from 1. `python` starts the children (see `EngineRun`), `environment` is added to the worker's own. With
    `forked` they come from `engine.fork_servers`.
    """

    root: str
    case: str
    path: str
    settings: Settings
    signature: str
    limits: RunLimits
    attempt: int = 1
    keep_ct: bool = False
    python: str = sys.executable
    forked: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    mask: str = ""
    labels: str = ""


def run_case(job: CaseJob) -> CaseRecord:
    """Run a case and store how it ended; what a killed run of the same case had finished is not done again.

    Raises:
        Cancelled: somebody asked the child to end; nothing is stored, so that the case is run later.
    """
    study = StudyFolder(Path(job.root))
    began = time.monotonic()
    mark = study.running(job.case)
    whole = _result_is_whole(study, job)
    if not whole:
        write_json(mark, {"signature": job.signature, "before": study.result_stamp(job.case)})
    end = ChildEnd(0, "") if whole else _child(_request(study, job).arguments(), study.result(job.case), job)[0]
    if end.code == 0:
        end = _gather(study, job)
    if end.code == Cancelled.exit_code:
        raise Cancelled("The run of the case was cancelled.")
    state = CaseState.DONE if end.code == 0 else CaseState.REFUSED if end.code == _BAD_INPUT else CaseState.FAILED
    stamp = study.result_stamp(job.case) if end.code == 0 else ""
    seconds = round(time.monotonic() - began, 2)
    record = CaseRecord(job.case, state, end.sentence, job.attempt, seconds, job.signature, stamp)
    write_record(study, record)
    mark.unlink(missing_ok=True)
    return record


def _result_is_whole(study: StudyFolder, job: CaseJob) -> bool:
    """Whether the result of this very case is there: from a run that was killed after it, or corrected since its record."""
    if not (study.result(job.case) / RESULT).is_file():
        return False
    mark, record = read_json(study.running(job.case)), read_json(study.record(job.case))
    # A result that was there before the killed run began may be that of other settings of the case.
    finished = mark.get("signature") == job.signature and mark.get("before") != study.result_stamp(job.case)
    return finished or (not mark and record.get("signature") == job.signature and record.get("state") == CaseState.DONE.value)


def _request(study: StudyFolder, job: CaseJob) -> SegmentRequest | ImportRequest:
    # The path is recorded so that a review finds the CT.
    if job.mask:
        place = Path(job.path), Path(job.mask), study.result(job.case)
        return ImportRequest(*place, job.settings, job.labels or None, job.keep_ct, record_path=True)
    return SegmentRequest(Path(job.path), study.result(job.case), job.settings, keep_ct=job.keep_ct, record_path=True)


def _gather(study: StudyFolder, job: CaseJob) -> ChildEnd:
    """Measure the cross-sections and put together what the tables need."""
    words = [
        "slices",
        str(study.result(job.case)),
        "--ct",
        job.path,
        "-o",
        str(study.slices(job.case)),
        "--case",
        job.case,
        "--json",
    ]
    settings = job.settings
    for name, value in (("--series", settings.series), ("--assume-orientation", settings.assume_orientation)):
        words += [name, value] if value is not None else []
    end, run = _child(words, None, job)
    if end.code:
        return end
    try:
        write_json(study.rows(job.case), case_rows(job.case, study.result(job.case), run.answer.get("rows", ())))
    except MSKSegmentError as error:
        return ChildEnd(error.exit_code, str(error))
    return end


def _child(words: list[str], output: Path | None, job: CaseJob) -> tuple[ChildEnd, EngineRun]:
    start = _SERVERS.start if job.forked else start_interpreter
    run = EngineRun(words, output, job.python, {**os.environ, **job.environment}, start)
    end = run_within(run, job.limits)
    if end.code not in (0, Cancelled.exit_code):
        details = run.details
        with suppress(OSError):
            log = Path(job.root) / "logs" / f"{job.case}.txt"
            log.parent.mkdir(exist_ok=True)
            log.write_text(f"{end.sentence}\n{details}", encoding="utf-8")
    return end, run
