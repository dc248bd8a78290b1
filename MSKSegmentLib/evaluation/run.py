"""An evaluation as a folder: each case is segmented, compared and kept, so that a run that was stopped goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import RESEARCH_USE_ONLY, __version__
from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle import ModelBundle
from ..case_result import SegmentReport
from ..ct.modality import CT_MODALITY
from ..errors import Cancelled, InputError, shown
from ..findings import Finding
from ..output.files import whole_file
from ..output.places import check_no_file, check_place, foreign_files, resolved
from ..packages import FOR_TRAINING, require
from ..pipeline import segment_case
from ..settings import Settings
from .agreement import Summary, judged, spread, summarise
from .cases import (
    LabelledCase,
    find_true_cases,
    only_slices_with_labels,
    read_labelled_case,
    read_pair,
)
from .disputed import with_undisputed
from .folder import CASES, MARKER, kept_scores, scores_json
from .metrics import (
    Outcome,
    Scope,
    evaluate_labels,
    false_muscle_cc,
    whole_reports,
    with_centroids,
    with_reports,
    within,
    without_densities,
)
from .plots import write_plots
from .tables import CaseScores, evaluation_csv, summary_csv, summary_markdown

FORMAT = "mskseg-evaluation"
ROWS_FILE, SUMMARY_FILE, CARD_FILE = "evaluation.csv", "summary.csv", "summary.md"

Reports = Mapping[str, SegmentReport]


@dataclass(frozen=True)
class EvaluatedCase:
    """A case to be evaluated: its files, which tell whether it changed, and how to read it.

    With `labelled_slices_only` slices count only where the truth holds a label.
    """

    name: str
    files: tuple[Path, ...]
    read: Callable[[], LabelledCase]
    labelled_slices_only: bool = False


@dataclass(frozen=True)
class Segmenter:
    """Where segmentations come from.

    `what` describes it for readers. `key` identifies what it gives for a case of that name, JSON-ready. `segment` returns
    uint8 ``[z, y, x]`` with sides on the case's grid, what was said of each segment, by its key, and the findings of the run.
    `table` are the structures that the labels stand for; the truth must be one of the same.
    """

    what: str
    table: StructureTable
    key: Callable[[str], dict[str, Any]]
    segment: Callable[[LabelledCase], tuple[np.ndarray, Reports, tuple[Finding, ...]]]


def folder_tasks(data: Path, table: StructureTable, labelled_slices_only: bool = False) -> list[EvaluatedCase]:
    """The cases of a folder (see `cases`), with labels of `table`.

    Raises:
        InputError: there is none, or one holds pseudo-labels.
    """
    return [
        EvaluatedCase(
            files.name,
            files.truth_files,
            partial(read_labelled_case, files, table),
            labelled_slices_only,
        )
        for files in find_true_cases(data)
    ]


def pair_task(ct: Path, labels: Path, table: StructureTable, labelled_slices_only: bool = False) -> EvaluatedCase:
    """One CT with a label map of `table` on any grid (see `cases.read_pair`)."""
    return EvaluatedCase(ct.resolve().name.split(".")[0], (ct, labels), partial(read_pair, ct, labels, table), labelled_slices_only)


def network_segmenter(
    bundle: ModelBundle, device: str, passes: int | None, seed: int, checkpoint: Callable[[], None], int8: bool = False
) -> Segmenter:
    """Segmentations by a bundle's network, with its own passes or so many of every slice; the same seed for every case.

    With `int8` it computes in 8-bit integers.
    """
    manifest = bundle.manifest
    auto = passes is None and manifest.auto_passes
    most = manifest.passes if passes is None else passes
    differs = {name: True for name, value in (("auto_passes", auto), ("int8", int8)) if value}
    key = {"bundle": bundle.digest, "passes": most, "seed": seed, **differs}

    def segment(case: LabelledCase) -> tuple[np.ndarray, Reports, tuple[Finding, ...]]:
        settings = Settings(device, most, seed, auto_passes=auto, int8=int8)
        result = segment_case(case.volume, bundle, settings, checkpoint=checkpoint)
        return result.labels, {report.segment.key: report for report in result.reports}, result.findings

    what = f"the model bundle {manifest.name} {manifest.version} (SHA-256 {bundle.digest[:12]}), {most} dropout passes"
    if auto:
        what += " at most, fewer of slices that have settled"
    if int8:
        what += ", in 8-bit integers"
    return Segmenter(what, bundle.table, lambda name: key, segment)


def evaluate(
    tasks: Sequence[EvaluatedCase],
    segmenter: Segmenter,
    folder: Path,
    checkpoint: Callable[[], None] = lambda: None,
    report: Callable[[str], None] = print,
    undisputed: bool = False,
    left_out: dict[str, InputError] | None = None,
) -> list[Summary]:
    """Evaluate the tasks into `folder` and write its tables and plots; cases that are there unchanged are not done again.

    With `undisputed` the rows also say the Dice coefficient without borders that atlases of hip and thigh draw differently. Where
    `left_out` is given, a case that cannot be used is noted there with the reason, and the others are evaluated; the tables say so.

    Raises:
        InputError: a case or a segmentation cannot be used (with `left_out`: none can), no case holds a structure, or the folder
            holds other files.
        DependencyError: a package is missing.
        Cancelled: `checkpoint` or a signal raised it; finished cases are kept.
    """
    require(*FOR_TRAINING, purpose="mskseg evaluate")
    if undisputed and segmenter.table != HIP_AND_THIGH:
        raise InputError("Disputed borders are known for hip and thigh alone; leave out --undisputed.")
    folder = resolved(folder)
    _prepare(folder, segmenter.what)
    cases: list[CaseScores] = []
    for task in tasks:
        path, began = folder / CASES / f"{task.name}.json", time.perf_counter()
        try:
            key = _key(task, segmenter, undisputed)
            kept = kept_scores(path, key)
            if kept is None:
                checkpoint()
            scores = kept or _evaluated(task, segmenter, undisputed)
        except InputError as error:
            if left_out is None:
                raise
            left_out[task.name] = error
            # What an earlier run found answers another question.
            path.unlink(missing_ok=True)
            report(f"{task.name}: left out")
            continue
        except Cancelled as error:
            done = f"{len(cases)} of {len(tasks)} cases are done"
            raise Cancelled(f"The evaluation was cancelled; {done}, and the same command goes on after them.") from error
        if kept is None:
            _write(path, json.dumps({"key": key, **scores_json(scores)}, indent=1))
        cases.append(scores)
        report(f"{_line(scores)} ({f'{time.perf_counter() - began:.0f} s' if kept is None else 'there already'})")
    if left_out and not cases:
        raise next(iter(left_out.values()))
    return _write_tables(folder, cases, segmenter, left_out or ())


def _write_tables(folder: Path, cases: list[CaseScores], segmenter: Segmenter, left_out: Iterable[str]) -> list[Summary]:
    summaries = summarise({case.name: case.rows for case in cases}, segmenter.table)
    if not summaries:
        raise InputError("Neither truth nor segmentations hold any structure; check the label maps.")
    many = f"{len(cases)} cases" if len(cases) != 1 else "1 case"
    without = f" Left out, as they could not be evaluated: {', '.join(left_out)}." if left_out else ""
    sentence = f"Evaluated on {many}: {segmenter.what}.{without} MSKSegment {__version__}. {RESEARCH_USE_ONLY}"
    for name, text in (
        (ROWS_FILE, evaluation_csv(cases)),
        (SUMMARY_FILE, summary_csv(summaries)),
        (CARD_FILE, summary_markdown(cases, summaries, sentence)),
    ):
        _write(folder / name, text)
    write_plots(folder, [row for case in cases for row in case.rows], segmenter.table)
    return summaries


def _key(task: EvaluatedCase, segmenter: Segmenter, undisputed: bool) -> dict[str, Any]:
    """All that the scores of a case depend on, JSON-ready."""
    settings: dict[str, Any] = {"version": __version__, "labelled_slices_only": task.labelled_slices_only}
    if undisputed:
        settings["undisputed"] = True
    return {**settings, **segmenter.key(task.name), "files": [file_state(path) for path in task.files]}


def _evaluated(task: EvaluatedCase, segmenter: Segmenter, undisputed: bool) -> CaseScores:
    try:
        case = only_slices_with_labels(task.read()) if task.labelled_slices_only else task.read()
        labels, reports, findings = segmenter.segment(case)
    except InputError as error:
        raise InputError(f"The case {task.name!r} cannot be evaluated: {error}") from error
    scope = Scope.of(case)
    geometry = case.volume.geometry
    rows = evaluate_labels(case.truth, labels, geometry, case.volume.hu, scope)
    if undisputed:
        rows = with_undisputed(rows, case.truth, labels, geometry, case.volume.hu, scope)
    if case.volume.modality != CT_MODALITY:
        rows = without_densities(rows)
    false_cc = false_muscle_cc(case.truth, labels, geometry, scope)
    rows = with_reports(rows, whole_reports(reports, labels, scope))
    rows = with_centroids(rows, within(case.truth, scope), within(labels, scope), geometry)
    return CaseScores(task.name, tuple(rows), false_cc, case.table, case.facts, findings)


def _line(scores: CaseScores) -> str:
    rows = judged(scores.rows)
    missed = sum(row.outcome is Outcome.MISSED for row in rows)
    dice, asd = spread(row.dice for row in rows).mean, spread(row.asd_mm for row in rows).mean
    parts = [f"{len(rows)} segments", f"{missed} missed", f"{scores.false_muscle_cc:.1f} cc false"]
    if dice is not None:
        parts.insert(0, f"mean Dice {dice:.3f}")
    if asd is not None:
        parts.insert(1, f"ASD {asd:.2f} mm")
    return f"{scores.name}: {', '.join(parts)}"


def _prepare(folder: Path, what: str) -> None:
    """Make the folder, or accept an earlier evaluation; anything else might hold somebody's data."""
    check_no_file(folder)
    if foreign_files(folder) and not (folder / MARKER).is_file():
        raise InputError(f"The folder {shown(folder)!r} holds other files; name a new or empty folder with -o.")
    check_place(folder, (ROWS_FILE, SUMMARY_FILE, CARD_FILE))
    (folder / CASES).mkdir(parents=True, exist_ok=True)
    _write(folder / MARKER, json.dumps({"format": FORMAT, "version": __version__, "segmentations": what}, indent=1))


def _write(path: Path, text: str) -> None:
    with whole_file(path, path.suffix) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def file_state(path: Path) -> list[Any]:
    """Name, size and time of a file; of a folder, those of its files together.

    Raises:
        InputError: there is none.
    """
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
        states = [os.stat(file) for file in files]
    except OSError as error:
        raise InputError(f"There is no file or folder {shown(path)}; check the path.") from error
    return [path.name, sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=0)]
