"""What a study command found, as files: a CSV per table, a page, figures, and ``analysis.json`` with what it rests on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import RESEARCH_USE_ONLY, __version__
from ..errors import InputError, shown
from ..evaluation.plots import DOTS_PER_INCH
from ..output.filling import whole_folder
from ..output.places import check_no_file, check_place, foreign_files, resolved
from ..packages import require
from .inputs import Evaluated
from .published import published_source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ANALYSIS_FORMAT, ANALYSIS_FILE = "mskseg-analysis", "analysis.json"
NEEDED = ("matplotlib", "scipy", "statsmodels")


@dataclass(frozen=True)
class AnalysisColumn:
    """A column of a table; on the page it has the head `head` and shows ``show(line)``, without `show` it is in the CSV alone."""

    key: str
    head: str = ""
    show: Callable[[Mapping[str, Any]], str] | None = None


@dataclass(frozen=True)
class AnalysisTable:
    """A table: ``<name>.csv`` holds all lines, the page those for which `on_page` is true."""

    name: str
    title: str
    columns: Sequence[AnalysisColumn]
    lines: Sequence[Mapping[str, Any]]
    on_page: Callable[[Mapping[str, Any]], bool] = lambda line: True


@dataclass(frozen=True)
class Analysis:
    """The result of a study command: `name` is the command, `facts` what it rests on (inputs, seeds, options), JSON-ready.

    `notes` are sentences under the tables, `figures` by file name with their captions.
    """

    name: str
    title: str
    tables: Sequence[AnalysisTable]
    notes: Sequence[str]
    facts: Mapping[str, Any]
    figures: Mapping[str, tuple[Figure, str]] = field(default_factory=dict)


def check_analysis_folder(folder: Path, name: str, markers: Sequence[str] = ()) -> Path:
    """Refuse, before any work, a folder that cannot take the analysis `name`; returns it resolved.

    It may be new, empty, or hold an earlier one, which also the files `markers` tell.

    Raises:
        InputError: it holds something else, or nothing can be written there.
        DependencyError: a package is missing.
    """
    require(*NEEDED, purpose="A study", extra="study")
    real = resolved(folder)
    check_no_file(real)
    earlier = _earlier(real)
    if earlier not in (None, name):
        raise InputError(f"The folder {shown(real)!r} holds the study {earlier!r}; name another folder with -o.")
    if earlier is None and foreign_files(real) and not any((real / marker).exists() for marker in markers):
        raise InputError(f"The folder {shown(real)!r} holds other files; name a new or empty folder with -o.")
    check_place(real, (ANALYSIS_FILE, f"{name}.md"))
    return real


def write_analysis(folder: Path, analysis: Analysis, evaluations: Sequence[Evaluated] = ()) -> None:
    """Write all files of an analysis; an earlier one of the same command is replaced as a whole.

    Raises:
        InputError: it cannot be written.
    """
    files = [f"{table.name}.csv" for table in analysis.tables] + [f"{analysis.name}.md", *analysis.figures]
    facts = {
        "format": ANALYSIS_FORMAT,
        "analysis": analysis.name,
        "version": __version__,
        "evaluations": [evaluation.facts for evaluation in evaluations],
        **analysis.facts,
        "files": files,
    }
    with whole_folder(folder, "study", ANALYSIS_FILE, _files_of(folder)) as staging:
        for table in analysis.tables:
            (staging / f"{table.name}.csv").write_text(_csv_text(table), encoding="utf-8", newline="")
        (staging / f"{analysis.name}.md").write_text(_page(analysis, evaluations), encoding="utf-8")
        for name, (figure, _) in analysis.figures.items():
            figure.savefig(staging / name, dpi=DOTS_PER_INCH)
        (staging / ANALYSIS_FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _earlier(folder: Path) -> str | None:
    """The name of the analysis that a folder holds."""
    name = _content(folder).get("analysis")
    return name if isinstance(name, str) else None


def _files_of(folder: Path) -> list[str]:
    """The files of an earlier analysis in the folder."""
    files = _content(folder).get("files", [])
    return [name for name in files if isinstance(name, str) and Path(name).name == name] if isinstance(files, list) else []


def _content(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / ANALYSIS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and content.get("format") == ANALYSIS_FORMAT else {}


def _csv_text(table: AnalysisTable) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.key for column in table.columns])
    for line in table.lines:
        writer.writerow([_cell(line.get(column.key)) for column in table.columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value


def _page(analysis: Analysis, evaluations: Sequence[Evaluated]) -> str:
    lines = [f"# {analysis.title}", ""]
    for evaluation in evaluations:
        lines.append(f"- {_of(evaluation)}")
    lines += ["", f"MSKSegment {__version__}. {RESEARCH_USE_ONLY}", ""]
    for name, (_, caption) in analysis.figures.items():
        lines += [f"![{caption}]({name})", "", f"*{caption}*", ""]
    for table in analysis.tables:
        lines += [f"## {table.title}", "", *_markdown(table), ""]
    lines += [*(f"- {note}" for note in analysis.notes), f"- Published numbers: {published_source()}"]
    return "\n".join(lines) + "\n"


def _of(evaluation: Evaluated) -> str:
    cases = f"{len(evaluation.cases)} case{'' if len(evaluation.cases) == 1 else 's'}"
    if evaluation.bundle is None:
        return f"**{evaluation.name}**: {cases}, given segmentations."
    passes = f"{evaluation.passes} dropout pass{'' if evaluation.passes == 1 else 'es'}"
    return f"**{evaluation.name}**: {cases}, bundle {evaluation.bundle[:12]}, {passes}, seed {evaluation.seed}."


def _markdown(table: AnalysisTable) -> list[str]:
    shown_columns = [(column.head, column.show) for column in table.columns if column.show is not None]
    lines = [f"| {' | '.join(head for head, _ in shown_columns)} |", "|---|" + "---:|" * (len(shown_columns) - 1)]
    chosen = [line for line in table.lines if table.on_page(line)]
    return [*lines, *(f"| {' | '.join(show(line) for _, show in shown_columns)} |" for line in chosen)]
