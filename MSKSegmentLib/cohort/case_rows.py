"""What the tables and the report of a study need of one case, gathered from its result folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..results.result_reading import read_content, reviewed_from_json, stored_facts, stored_findings
from ..results.tables import CSV_COLUMNS, table_row
from ..review.queue import Candidate, priorities

# The queue's verdict on each segment, after the columns of a result's own table.
QUEUE_COLUMNS = ("expected_harm", "asks_for_a_look")
SEGMENT_COLUMNS = (*CSV_COLUMNS, *QUEUE_COLUMNS)


def case_rows(folder: Path, levels: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """JSON-ready: a row of `SEGMENT_COLUMNS` per segment, rows of `cross_sections.LEVEL_COLUMNS`, and facts of scan and run.

    Raises:
        InputError: the folder holds no result.
    """
    content = read_content(folder)
    reports, automatic, _ = reviewed_from_json(content)
    facts, queue = stored_facts(content), priorities(Candidate.of_report(report) for report in automatic)
    segments = []
    for report in reports:
        priority = queue[report.segment.key]
        row = table_row(report)
        segments.append([*(_short(row[name]) for name in CSV_COLUMNS), _short(priority.harm), "yes" if priority.flagged else None])
    bundle = facts.record.get("bundle") or {}
    return {
        "segments": segments,
        "levels": [list(row) for row in levels],
        "warnings": [finding.code for finding in stored_findings(content)],
        "height_m": facts.height_m,
        "digest": facts.input_digest,
        "bundle": f"{bundle.get('name', '')} {bundle.get('version', '')}".strip(),
        "date": facts.date,
    }


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
