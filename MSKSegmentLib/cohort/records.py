"""How the run of each case ended, as it is stored in the study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum

from .found_cases import FoundCase
from .study import StudyFolder, read_json, write_json

MOST_ATTEMPTS = 2


class CaseState(str, Enum):
    """What is known of a case."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class CaseRecord:
    """The end of a case's run: its sentence where it is not done, attempts, and wall time in seconds.

    `signature` is that of the case which was run, `result_stamp` that of the result which its tables were made of.
    """

    case: str
    state: CaseState
    sentence: str = ""
    attempts: int = 0
    seconds: float = 0.0
    signature: str = ""
    result_stamp: str = ""

    @property
    def wants_retry(self) -> bool:
        """Whether it failed for a reason that a second run may not meet."""
        return self.state is CaseState.FAILED and self.attempts < MOST_ATTEMPTS


def write_record(study: StudyFolder, record: CaseRecord) -> None:
    """Store the end of a case's run.

    Raises:
        InputError: it cannot be written.
    """
    write_json(study.record(record.case), asdict(record))


def read_record(study: StudyFolder, case: str) -> CaseRecord | None:
    """How the last run of a case ended, None where there was none."""
    content = read_json(study.record(case))
    try:
        return CaseRecord(**{**content, "state": CaseState(content["state"])})
    except (KeyError, TypeError, ValueError):
        return None


def current_record(study: StudyFolder, case: FoundCase, again: bool = False) -> CaseRecord:
    """How a case stands: refused or a repetition, as its last run ended, or waiting for a run.

    A case waits when it is new, has changed, or its result was corrected since its tables were made; with `again` also when it
    failed.
    """
    if case.problem:
        return CaseRecord(case.case, CaseState.REFUSED, case.problem)
    if case.same_as:
        return CaseRecord(
            case.case, CaseState.DUPLICATE, f"It holds the same images as the case {case.same_as}, which stands for it."
        )
    record = read_record(study, case.case)
    if record is None or record.signature != case.signature:
        return CaseRecord(case.case, CaseState.WAITING, signature=case.signature)
    stale = record.state is CaseState.DONE and record.result_stamp != study.result_stamp(case.case)
    if stale or (again and record.state in (CaseState.FAILED, CaseState.REFUSED)):
        return CaseRecord(case.case, CaseState.WAITING, signature=case.signature)
    return record


def states(records: Iterable[CaseRecord]) -> dict[CaseState, int]:
    """How many cases are in each state."""
    counts = dict.fromkeys(CaseState, 0)
    for record in records:
        counts[record.state] += 1
    return counts
