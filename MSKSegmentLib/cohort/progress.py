"""How far a study is, in a line and as a page that refreshes itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..output.files import whole_file
from .found_cases import found_case_from_json
from .pages import rendered_page
from .records import CaseRecord, CaseState, current_record, states
from .study import StudyFolder, read_json

_PAGE_EVERY_S = 5.0
_REFRESH_S = 10
_LAST_FAILURES = 20


@dataclass
class StudyProgress:
    """The cases of a study by name, as they stand while it runs; `workers` at once."""

    study: StudyFolder
    records: dict[str, CaseRecord]
    workers: int = 1
    began: float = field(default_factory=time.monotonic)
    _ended: int = 0
    _written: float = 0.0

    def take(self, record: CaseRecord) -> None:
        """A case has ended."""
        self.records[record.case] = record
        self._ended += 1
        if time.monotonic() - self._written > _PAGE_EVERY_S:
            self.write_page()

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last case, from the rate of this run; None before its first case has ended."""
        left = sum(record.state is CaseState.WAITING or record.wants_retry for record in self.records.values())
        return left * (time.monotonic() - self.began) / self._ended if self._ended else None

    @property
    def line(self) -> str:
        """The progress in one line."""
        eta = self.eta_s
        return counts_line(self.records) + (f"; {duration(eta)} left" if eta else "")

    def write_page(self, running: bool = True) -> None:
        """Replace the page; at the end it no longer refreshes."""
        self._written = time.monotonic()
        failures = [r for r in self.records.values() if r.state in (CaseState.FAILED, CaseState.REFUSED)]
        page = rendered_page(
            "progress.html",
            refresh=_REFRESH_S if running else None,
            counts={state.value: number for state, number in states(self.records.values()).items()},
            total=len(self.records),
            eta=None if self.eta_s is None else duration(self.eta_s),
            workers=self.workers,
            failures=failures[-_LAST_FAILURES:],
            more=max(0, len(failures) - _LAST_FAILURES),
            now=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        with whole_file(self.study.progress, ".html") as temporary:
            temporary.write_text(page, encoding="utf-8")


def counts_line(records: Mapping[str, CaseRecord]) -> str:
    """How many cases are in each state, in words."""
    counts = states(records.values())
    words = [f"{counts[state]} {state.value}" for state in CaseState if counts[state] or state is CaseState.DONE]
    return f"{len(records)} cases: {', '.join(words)}"


def status_line(study: StudyFolder) -> str:
    """How far a study is by what is stored, whoever runs it; also which cases run now, or did when a run was killed."""
    cases = [found_case_from_json(case) for case in read_json(study.found).get("cases", ())]
    records = {case.case: current_record(study, case) for case in cases}
    running = sorted(path.stem for path in study.running("").parent.glob("*.json"))
    return counts_line(records) + (f"; begun: {', '.join(running)}" if running else "")


def duration(seconds: float) -> str:
    """A duration in words, rounded as an estimate is."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours" if seconds < 172_800 else f"about {seconds / 86_400:.1f} days"
