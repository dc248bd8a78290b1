"""The report of a study as one HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..output.files import whole_file
from ..wording.findings import meaning_of
from .pages import rendered_page
from .records import CaseRecord, CaseState, states
from .study import StudyFolder
from .summary import REPORTED_QUANTITIES, SHOWN_AT_ONCE, SHOWN_IN_REPORT, Distribution, StudySummary

_MOST_LISTED = 100


def write_study_report(study: StudyFolder, records: Mapping[str, CaseRecord], summary: StudySummary) -> None:
    """Write ``report.html``: lights per structure, distributions, scanners, cases without result, and what to review first.

    Raises:
        InputError: it cannot be written.
    """
    without = [r for r in records.values() if r.state in (CaseState.FAILED, CaseState.REFUSED, CaseState.DUPLICATE)]
    page = rendered_page(
        "report.html",
        title=study.root.name,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        counts={state.value: number for state, number in states(records.values()).items() if number},
        total=len(records),
        done=summary.cases,
        shares=summary.shares(),
        quantities=[(name, unit, *_bars(summary.distributions(column))) for column, name, unit in REPORTED_QUANTITIES],
        scanners=summary.scanners.most_common(_MOST_LISTED),
        makers=summary.makers.most_common(_MOST_LISTED),
        warnings=[(meaning_of(code) or code, number) for code, number in summary.warnings.most_common()],
        reasons=_reasons(without),
        without=without[:_MOST_LISTED],
        without_more=max(0, len(without) - _MOST_LISTED),
        review=summary.worst(SHOWN_IN_REPORT),
        review_at_once=SHOWN_AT_ONCE,
        review_total=len(summary.review),
    )
    with whole_file(study.report, ".html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _reasons(records: list[CaseRecord]) -> list[tuple[str, str, int]]:
    """(state, sentence, number) of cases without result, the most frequent first."""
    counts = Counter((record.state.value, record.sentence) for record in records)
    return [(state, sentence, number) for (state, sentence), number in counts.most_common(_MOST_LISTED) if number > 1]


def _bars(entries: list[tuple[str, Distribution]]) -> tuple[list[dict[str, Any]], str, str]:
    """Each distribution with the places of its percentiles along one axis for all, in percent of its length, and the axis' ends."""
    if not entries:
        return [], "", ""
    low = min(0.0, min(entry.percentiles[0] for _, entry in entries))
    high = max(entry.percentiles[-1] for _, entry in entries)
    length = (high - low) or 1.0
    bars = [
        {
            "name": structure,
            "count": entry.count,
            "percentiles": entry.percentiles,
            "at": [round(100 * (value - low) / length, 2) for value in entry.percentiles],
        }
        for structure, entry in entries
    ]
    digits = 0 if length >= 10 else 2
    return bars, f"{low:.{digits}f}", f"{high:.{digits}f}"
