"""The tables of a study, made anew from what is stored of its cases, without reading an image."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ..case_result import Light
from ..output.files import whole_file
from .case_list import AFFECTED, is_affected
from .case_rows import QUEUE_COLUMNS, SEGMENT_COLUMNS
from .cross_sections import LEVEL_COLUMNS
from .found_cases import FoundCase
from .records import CaseRecord, CaseState
from .source import KNOWN_FACTS
from .study import StudyFolder, read_json
from .summary import ReviewEntry, StudySummary, same_voxels
from .table_files import written_table

_CASE_FACTS = ("case", *KNOWN_FACTS)
_TEXTS = {
    *_CASE_FACTS, "affected", "abbreviation", "structure", "light", "likely_wrong", "paper_light", "truncated_by", "state",
    "reasons", QUEUE_COLUMNS[1], "level", "level_side", "side",
}  # fmt: skip
_LIGHT, _SIDE, _VOLUME = (SEGMENT_COLUMNS.index(name) for name in ("light", "side", "volume_cc"))
_FAILURE_COLUMNS = ("case", "state", "sentence", "attempts")
_REVIEW_COLUMNS = ("case", "structure", "side", "verdict", "failure_probability", "expected_harm", "reasons")


def write_tables(study: StudyFolder, cases: Sequence[FoundCase], records: Mapping[str, CaseRecord]) -> StudySummary:
    """Write ``measurements`` and ``levels`` (Parquet and CSV), ``cases.csv``, ``failures.csv`` and ``review.csv``.

    Returns:
        What the report says of them.

    Raises:
        InputError: a file cannot be written.
    """
    summary = StudySummary()
    lines: list[dict[str, Any]] = []
    digests: list[tuple[str, str | None]] = []
    with ExitStack() as stack:
        columns = (*_CASE_FACTS, "affected", *SEGMENT_COLUMNS)
        segments = stack.enter_context(written_table(study.root / "measurements", columns, _TEXTS))
        levels = stack.enter_context(written_table(study.root / "levels", (*_CASE_FACTS, *LEVEL_COLUMNS), _TEXTS))
        for case in cases:
            record = records[case.case]
            rows = read_json(study.rows(case.case)) if record.state is CaseState.DONE else {}
            line = _line(case, record)
            if rows:
                facts = [case.case, *(case.facts.get(name) or None for name in KNOWN_FACTS)]
                segments.add([*facts, _affected(case, row[_SIDE]), *row] for row in rows["segments"])
                levels.add([*facts, *row] for row in rows["levels"])
                summary.take(case, rows)
                digests.append((case.case, rows["digest"]))
                line |= _of_result(rows)
            lines.append(line)
    again = same_voxels(digests)
    for line in lines:
        line["same_voxels_as"] = again.get(line["case"], "")
    _write(study, "cases.csv", list(dict.fromkeys(name for line in lines for name in line)), lines)
    failed = (r for r in records.values() if r.state in (CaseState.FAILED, CaseState.REFUSED, CaseState.DUPLICATE))
    failures = ((r.case, r.state.value, r.sentence, r.attempts) for r in failed)
    _write(study, "failures.csv", _FAILURE_COLUMNS, (dict(zip(_FAILURE_COLUMNS, row, strict=True)) for row in failures))
    _write(study, "review.csv", _REVIEW_COLUMNS, _review(summary.worst()))
    return summary


def _line(case: FoundCase, record: CaseRecord) -> dict[str, Any]:
    size, spacing = case.size or ("", "", ""), case.spacing or ("", "", "")
    return {
        "case": case.case,
        "state": record.state.value,
        **{name: case.facts.get(name, "") for name in KNOWN_FACTS},
        **{name: value for name, value in case.facts.items() if name not in KNOWN_FACTS},
        "path": case.path,
        "series": case.series or "",
        "scanner": case.scanner,
        **{f"size_{axis}": value for axis, value in zip("xyz", size, strict=True)},
        **{f"spacing_{axis}_mm": value for axis, value in zip("xyz", spacing, strict=True)},
        "attempts": record.attempts,
        "seconds": record.seconds,
        "sentence": record.sentence,
    }


def _of_result(rows: Mapping[str, Any]) -> dict[str, Any]:
    lights = Counter(row[_LIGHT] for row in rows["segments"] if row[_VOLUME] is not None)
    height = rows["height_m"]
    return {
        "height_cm": "" if height is None else f"{100 * height:.10g}",
        **{light.value: lights[light.value] for light in Light},
        "warnings": " ".join(rows["warnings"]),
        "bundle": rows["bundle"],
        "run_date": rows["date"] or "",
    }


def _affected(case: FoundCase, side: str) -> str | None:
    """Whether a segment lies on the affected side; None where that is not said or means nothing."""
    affected = is_affected(side, case.facts.get(AFFECTED, "").lower())
    return None if affected is None else "yes" if affected else "no"


def _review(entries: Iterable[ReviewEntry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        values = (entry.case, entry.structure, entry.side, entry.verdict, entry.failure_probability, entry.harm, entry.reasons)
        yield dict(zip(_REVIEW_COLUMNS, values, strict=True))


def _write(study: StudyFolder, name: str, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with whole_file(study.root / name, ".csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
