"""What the tables and the report of a study need of one case, gathered from its result folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..results.result_reading import read_content, reviewed_from_json, stored_facts, stored_findings
from ..results.tables import CSV_COLUMNS, table_row
from ..review.queue import Candidate, priorities
from ..two_results.known import source_of
from .cross_sections import LEVEL_COLUMNS

# The queue's verdict on each segment, after the columns of a result's own table.
QUEUE_COLUMNS = ("expected_harm", "asks_for_a_look")
SEGMENT_COLUMNS = (*CSV_COLUMNS, *QUEUE_COLUMNS)


def case_rows(case: str, folder: Path, levels: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """JSON-ready, for `gathered.gathered_cases`: name, columns of segments and of levels by name, and facts of scan and run.

    Args:
        case: its name.
        folder: its result.
        levels: rows of `cross_sections.LEVEL_COLUMNS`.

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
    # Of a segmentation of others the network that judged it.
    bundle = facts.record.get("bundle") or (facts.record.get("rated") or {}).get("bundle") or {}
    return {
        "case": case,
        "segments": _columns(SEGMENT_COLUMNS, segments),
        "levels": _columns(LEVEL_COLUMNS, levels),
        "warnings": [finding.code for finding in stored_findings(content)],
        "height_m": facts.height_m,
        "digest": facts.input_digest,
        "segmented_by": source_of(facts),
        "bundle": f"{bundle.get('name', '')} {bundle.get('version', '')}".strip(),
        "date": facts.date,
    }


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    # JSON knows no other numbers.
    return float(f"{value:.6g}") if math.isfinite(value) else None
