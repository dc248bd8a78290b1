"""The tables of a study, made anew from what is stored of its cases, without reading an image."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ..case_result import Light
from ..output.files import whole_file
from .case_list import AFFECTED, is_affected
from .case_rows import SEGMENT_COLUMNS
from .cross_sections import LEVEL_COLUMNS
from .found_cases import FoundCase
from .gathered import CASE_COLUMN, TEXT_COLUMNS, gathered_cases
from .records import CaseRecord, CaseState
from .source import KNOWN_FACTS
from .study import StudyFolder
from .summary import ReviewEntry, StudySummary, same_voxels
from .table_files import written_table

_CASE_FACTS = (CASE_COLUMN, *KNOWN_FACTS)
_TEXTS = {*_CASE_FACTS, "affected", *TEXT_COLUMNS}
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
    lines = {case.case: _line(case, records[case.case]) for case in cases}
    by_name = {case.case: case for case in cases}
    done = [name for name in lines if records[name].state is CaseState.DONE]
    digests: list[tuple[str, str | None]] = []
    with ExitStack() as stack:
        columns = (*_CASE_FACTS, "affected", *SEGMENT_COLUMNS)
        segments = stack.enter_context(written_table(study.root / "measurements", columns, _TEXTS))
        levels = stack.enter_context(written_table(study.root / "levels", (*_CASE_FACTS, *LEVEL_COLUMNS), _TEXTS))
        for part in gathered_cases(study, done):
            segments.add(_with_affected(_with_facts(part.segments, by_name), by_name))
            levels.add(_with_facts(part.levels, by_name))
            summary.take(by_name, part)
            digests += [(facts["case"], facts["digest"]) for facts in part.facts]
            counted = _lights(part.segments)
            for facts in part.facts:
                lines[facts["case"]] |= _of_result(facts, counted.get(facts["case"], {}))
    again = same_voxels(digests)
    for name, line in lines.items():
        line["same_voxels_as"] = again.get(name, "")
    _write(study, "cases.csv", list(dict.fromkeys(name for line in lines.values() for name in line)), lines.values())
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
        "mask": case.mask,
        "labels": case.labels,
        "scanner": case.scanner,
        **{f"size_{axis}": value for axis, value in zip("xyz", size, strict=True)},
        **{f"spacing_{axis}_mm": value for axis, value in zip("xyz", spacing, strict=True)},
        "attempts": record.attempts,
        "seconds": record.seconds,
        "sentence": record.sentence,
    }


def _of_result(facts: Mapping[str, Any], lights: Mapping[str, int]) -> dict[str, Any]:
    height = facts["height_m"]
    return {
        "height_cm": "" if height is None else f"{100 * height:.10g}",
        **{light.value: lights.get(light.value, 0) for light in Light},
        "warnings": " ".join(facts["warnings"] or ()),
        "segmented_by": facts["segmented_by"] or "",
        "bundle": facts["bundle"],
        "run_date": facts["date"] or "",
    }


def _lights(segments: Any) -> dict[str, dict[str, int]]:
    """Case -> light -> how many of its segments that were found have it."""
    from pyarrow import compute

    found = segments.filter(compute.is_valid(segments["volume_cc"]))
    counted: dict[str, dict[str, int]] = {}
    for row in found.group_by([CASE_COLUMN, "light"]).aggregate([([], "count_all")]).to_pylist():
        counted.setdefault(row[CASE_COLUMN], {})[row["light"]] = row["count_all"]
    return counted


def _with_facts(table: Any, cases: Mapping[str, FoundCase]) -> Any:
    """The table with what is known of each row's case."""
    import pyarrow

    names = table[CASE_COLUMN].combine_chunks().dictionary_encode()
    own = [cases[name] for name in names.dictionary.to_pylist()]
    for fact in KNOWN_FACTS:
        values = pyarrow.array([case.facts.get(fact) or None for case in own], pyarrow.string())
        table = table.append_column(fact, values.take(names.indices))
    return table


def _with_affected(table: Any, cases: Mapping[str, FoundCase]) -> Any:
    """The table with whether a segment lies on the affected side; null where that is not said or means nothing."""
    import pyarrow

    sides = {name: cases[name].facts.get(AFFECTED, "").lower() for name in table[CASE_COLUMN].unique().to_pylist()}
    told = {None: None, True: "yes", False: "no"}
    rows = zip(table[CASE_COLUMN].to_pylist(), table["side"].to_pylist(), strict=True)
    return table.append_column(
        "affected", pyarrow.array([told[is_affected(side, sides[case])] for case, side in rows], pyarrow.string())
    )


def _review(entries: Iterable[ReviewEntry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        values = (entry.case, entry.structure, entry.side, entry.verdict, entry.failure_probability, entry.harm, entry.reasons)
        yield dict(zip(_REVIEW_COLUMNS, values, strict=True))


def _write(study: StudyFolder, name: str, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with whole_file(study.root / name, ".csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
