"""What an evaluation keeps of each case, and how it is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..anatomy.built_in import stored_table, table_of_stored
from ..errors import InputError, shown
from ..findings import findings_from_json, findings_json, findings_of_sentences
from ..output.places import check_no_file, check_place, foreign_files, resolved
from .tables import CaseScores, row_from_json, row_json

MARKER, CASES = "evaluation.json", "cases"
# By this file a report on failure detection is known.
REPORT = "quality.csv"


def scores_json(scores: CaseScores) -> dict[str, Any]:
    """The scores of a case, JSON-ready."""
    rows, table = [row_json(row) for row in scores.rows], stored_table(scores.table)
    return {
        **({} if table is None else {"structures": table}),
        "false_muscle_cc": scores.false_muscle_cc,
        "facts": dict(scores.facts),
        "findings": findings_json(scores.findings),
        "rows": rows,
    }


def kept_scores(path: Path, key: dict[str, Any]) -> CaseScores | None:
    """What an earlier run found, if it was asked the same."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        table = table_of_stored(content.get("structures"))
        rows = tuple(row_from_json(row, table) for row in content["rows"])
        facts = dict(content["facts"])
        # Up to version 0.4.0 the sentences stood among the facts.
        before = findings_of_sentences(facts.pop("warnings", ()))
        found = findings_from_json(content["findings"]) if "findings" in content else before
        return CaseScores(path.stem, rows, content["false_muscle_cc"], table, facts, found)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_evaluation(folder: Path) -> bool:
    """Whether ``mskseg evaluate`` wrote this folder."""
    return (folder / MARKER).is_file()


def check_report_folder(folder: Path) -> Path:
    """Refuse, before any work, a folder that cannot take a report on failure detection; returns it resolved.

    It may be new, empty, an evaluation, or hold an earlier report.

    Raises:
        InputError: it holds other files, or nothing can be written there.
    """
    real = resolved(folder)
    check_no_file(real)
    if foreign_files(real) and not (is_evaluation(real) or (real / REPORT).is_file()):
        raise InputError(f"The folder {shown(real)!r} holds other files; name a new or empty folder for the report.")
    check_place(real, (REPORT,))
    return real


def read_evaluation(folder: Path) -> list[tuple[dict[str, Any], CaseScores]]:
    """The finished cases of an evaluation, each with the key of what gave it (see `evaluation_run.Segmenter`).

    Raises:
        InputError: a case's file cannot be read, or there is none.
    """
    found = []
    for path in sorted((folder / CASES).glob("*.json")):
        try:
            key = json.loads(path.read_text(encoding="utf-8"))["key"]
            scores = kept_scores(path, key)
        except (OSError, ValueError, KeyError, TypeError):
            scores = None
        if scores is None:
            raise InputError(f"The evaluation's file {path.name!r} cannot be read; run 'mskseg evaluate' again.")
        found.append((key, scores))
    if not found:
        raise InputError(f"The evaluation {shown(folder)!r} holds no finished case; run 'mskseg evaluate' again.")
    return found
