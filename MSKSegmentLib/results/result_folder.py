"""A result folder: what it may replace, and how it is written."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..anatomy.built_in import stored_table
from ..case_result import CaseResult, HistoryEvent, Measurements, SegmentReport
from ..errors import InputError, shown
from ..findings import findings_json
from ..output.digests import sha256_of_file
from ..output.filling import recover, whole_folder
from ..output.places import check_no_file, check_place, check_space, foreign_files, resolved
from ..tasks import stored_task
from ..timing import time_logged
from .review_file import write_review
from .segmentation_file import write_segmentation, write_uncertainty
from .tables import write_measurements

_LOG = logging.getLogger(__name__)
SEGMENTATION, UNCERTAINTY, CT = "segmentation.seg.nrrd", "uncertainty.nrrd", "ct.nrrd"
MEASUREMENTS, RESULT, SCENE = "measurements.csv", "result.json", "scene.mrb"
# Only in the folder of a reviewed case: what the network drew, and the review itself.
AUTOMATIC, REVIEW = "automatic.seg.nrrd", "review.npz"
# Only in the folder of a judged mask: the slices worth a look.
SLICES_TO_LOOK_AT = "slices_to_look_at.csv"
# What people read; made on request, and removed with the result that it describes.
REPORT_HTML, REPORT_PDF = "report.html", "report.pdf"
# Labels of another program that are no structure of the table; only of an imported segmentation that has some.
OTHER_LABELS = "other_labels.seg.nrrd"
# Who has it open; replacing a result takes the lock away, by which a reviewer's page notices.
LOCK = ".review.lock"
RESULT_FORMAT, RESULT_FORMAT_VERSION = "mskseg-result", 1
# In result.json: the digest of every file of the run, the table of structures unless that is the one of hip and thigh, and the
# task.
FILES, STRUCTURES_ENTRY, TASK_ENTRY = "files", "structures", "task"
# The files of this software in a result folder; all others belong to the user and stay.
_OWNED = (
    LOCK,
    SEGMENTATION,
    UNCERTAINTY,
    CT,
    OTHER_LABELS,
    MEASUREMENTS,
    SCENE,
    AUTOMATIC,
    REVIEW,
    SLICES_TO_LOOK_AT,
    REPORT_HTML,
    REPORT_PDF,
    RESULT,
)
# Per voxel: noise hardly compresses, but the uncertainty is zero outside the body; a scene holds it unrounded. Labels take hardly
# any space.
_UNCERTAINTY_BYTES, _CT_BYTES, _TABLES_BYTES = 2.0, 1.5, 2 << 20


def check_output(folder: Path) -> Path:
    """Refuse an output folder before any work is done; returns it resolved.

    A folder may be new, empty, or an earlier result, whose files are replaced. Anything else might hold somebody's data, and so
    does a result that somebody has corrected or accepted, here or with another program. What a crash interrupted is ended first.

    Raises:
        InputError: the folder cannot be used, or its drive has not even space for the tables.
    """
    real = resolved(folder)
    check_no_file(real)
    recover(real)
    _check_content(real)
    check_place(real, _OWNED)
    check_space(real, _TABLES_BYTES)
    return real


def bytes_of_result(voxels: int, keep_ct: bool = False, scene: bool = False) -> int:
    """The space in bytes that a result may need: its images compressed as little as noise lets them be."""
    per_voxel = _UNCERTAINTY_BYTES + (_CT_BYTES if keep_ct else 0) + (_UNCERTAINTY_BYTES + _CT_BYTES if scene else 0)
    return _TABLES_BYTES + round(per_voxel * voxels)


@time_logged(_LOG, "Writing the result")
def write_result(
    folder: Path,
    result: CaseResult,
    source: str | None = None,
    extra: Callable[[Path], None] | None = None,
    *,
    history: Iterable[HistoryEvent] = (),
    automatic: CaseResult | None = None,
) -> None:
    """Write segmentation, uncertainty, table and ``result.json``; `extra` may add files to the folder it is given.

    `source` is the input's path, recorded only when the user asked for it. After a review, `automatic` is the case as the
    network left it and `history` what was done to it: both are kept, so that the review can go on from the folder.
    The folder appears whole or not at all.

    Raises:
        InputError: the folder holds other files, or cannot be written.
    """
    check_output(folder)
    with whole_folder(folder, "result", RESULT, _OWNED, _check_content) as partial:
        with ThreadPoolExecutor(1) as pool:
            # Compressing takes most of the time, and does not hold Python up.
            labels = pool.submit(write_segmentation, partial / SEGMENTATION, result)
            if result.uncertainty is not None:
                write_uncertainty(partial / UNCERTAINTY, result)
            labels.result()
        if extra:
            extra(partial)
        content = result_json(result, source, history, automatic.reports if automatic else None)
        if automatic is not None:
            write_segmentation(partial / AUTOMATIC, automatic)
            write_review(partial / REVIEW, automatic.labels, result.labels, content)
        write_measurements(partial / MEASUREMENTS, result)
        write_content(partial / RESULT, content | {FILES: _digests(partial)})


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write what `result_json` made."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def result_json(
    result: CaseResult,
    source: str | None = None,
    history: Iterable[HistoryEvent] = (),
    automatic: Sequence[SegmentReport] | None = None,
) -> dict[str, Any]:
    """Everything but the arrays, JSON-ready; `result_reading.reviewed_from_json` reads it.

    `automatic` are the reports of before a review, of which those are kept that differ; None when there was no review.
    """
    content: dict[str, Any] = {
        "format": RESULT_FORMAT,
        "format_version": RESULT_FORMAT_VERSION,
        "notice": RESEARCH_USE_ONLY,
        TASK_ENTRY: stored_task(result.task),
        "provenance": (replace(result.facts, source=source) if source else result.facts).to_json(),
        "warnings": list(result.warnings),
        "findings": findings_json(result.findings),
        "segments": [report_json(report) for report in result.reports],
        "history": [asdict(event) for event in history],
    }
    table = stored_table(result.table)
    if table is not None:
        content[STRUCTURES_ENTRY] = table
    if automatic is not None:
        pairs = zip(automatic, result.reports, strict=True)
        content["automatic"] = [report_json(before) for before, now in pairs if before != now]
    return content


def report_json(report: SegmentReport) -> dict[str, Any]:
    """A report, JSON-ready; `result_reading.report_from_json` reads it."""
    return {
        "key": report.segment.key,
        "label": report.segment.label,
        "structure": report.segment.structure.name,
        "side": report.segment.side.value,
        "light": report.light.value,
        "reasons": list(report.reasons),
        "state": report.state.value,
        "uncertainty": report.uncertainty,
        "usual_uncertainty": report.usual_uncertainty,
        "predicted_dice": report.predicted_dice,
        "dice_interval": report.dice_interval,
        "dice_limits": report.dice_limits and asdict(report.dice_limits),
        "volume_interval_cc": report.volume_interval_cc,
        "mean_hu_interval": report.mean_hu_interval,
        "failure_probability": report.failure_probability,
        "paper_light": report.paper_light and report.paper_light.value,
        "part_light": report.part_light and report.part_light.value,
        "dice_to_automatic": report.dice_to_automatic,
        "asymmetry_percent": report.asymmetry_percent,
        "measurements": report.measurements and _measurements_json(report.measurements),
        "scores": report.scores and asdict(report.scores),
    }


def _measurements_json(found: Measurements) -> dict[str, Any]:
    """Without the entries that only scans without Hounsfield units, or further measurements, fill where they are empty."""
    return {name: value for name, value in asdict(found).items() if name not in ("mean_intensity", "further") or value}


def _is_result(folder: Path) -> bool:
    return _content(folder).get("format") == RESULT_FORMAT


def _content(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _check_content(real: Path) -> None:
    """Refuse a folder whose content must not be replaced.

    Raises:
        InputError: it holds other files, or somebody's work.
    """
    if foreign_files(real) and not _is_result(real):
        raise InputError(f"The folder {shown(real)!r} holds other files; name a new or empty folder with -o.")
    if (real / REVIEW).exists():
        raise InputError(f"The result in {shown(real)!r} has been reviewed; name another folder with -o, or remove this one.")
    changed = _changed_since(real)
    if changed:
        raise InputError(
            f"{changed[0]} in {shown(real)!r} has been changed since the run that wrote it; name another folder with -o, or move "
            "that file away."
        )


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file: it reveals a file that was changed with another program."""
    return {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}


def _changed_since(real: Path) -> list[str]:
    """Files that are no longer as the run left them; those of results without digests count as unchanged."""
    digests = _content(real).get(FILES)
    if not isinstance(digests, dict):
        return []
    return [name for name in _OWNED if name in digests and (real / name).is_file() and sha256_of_file(real / name) != digests[name]]
