"""A result folder, written beside its place and renamed into it when whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..case_result import CaseResult, HistoryEvent, SegmentReport
from ..errors import InputError
from ..findings import findings_json
from .review_file import write_review
from .segmentation_file import write_segmentation, write_uncertainty
from .tables import write_measurements

SEGMENTATION, UNCERTAINTY, CT = "segmentation.seg.nrrd", "uncertainty.nrrd", "ct.nrrd"
MEASUREMENTS, RESULT, SCENE = "measurements.csv", "result.json", "scene.mrb"
# Only in the folder of a reviewed case: what the network drew, and the review itself.
AUTOMATIC, REVIEW = "automatic.seg.nrrd", "review.npz"
FORMAT, FORMAT_VERSION = "mskseg-result", 1


def check_output(folder: Path, keep_review: bool = False) -> None:
    """Refuse an output folder before any work is done.

    A folder may be new, empty, or an earlier result, which is replaced; anything else might hold somebody's data. With
    `keep_review` a result that somebody has corrected or accepted is not replaced either.

    Raises:
        InputError: the folder cannot be used.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output {folder.name!r} is a file; name a folder with -o.")
    if folder.is_dir() and any(folder.iterdir()) and not _is_result(folder):
        raise InputError(f"The folder {folder.name!r} holds other files; name a new or empty folder with -o.")
    if keep_review and (folder / REVIEW).exists():
        raise InputError(f"The result in {folder.name!r} has been reviewed; name another folder with -o, or remove this one.")
    parent = next(place for place in folder.absolute().parents if place.exists())
    if not os.access(parent, os.W_OK):
        raise InputError(f"Nothing can be written beside {folder.name!r}; name a folder with -o where you may write.")


def partial_folder(folder: Path) -> Path:
    """Where a result is written before it is whole; one per process, so that two runs do not meet."""
    return folder.absolute().parent / f".{folder.name}.{os.getpid()}.partial"


def remove_partial(folder: Path, process: int) -> None:
    """Remove what the process of that number left behind when it was killed."""
    shutil.rmtree(folder.absolute().parent / f".{folder.name}.{process}.partial", ignore_errors=True)


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
    with whole_folder(folder, "result") as partial:
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
        write_content(partial / RESULT, content)


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write what `result_json` made."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


@contextmanager
def whole_folder(folder: Path, what: str) -> Iterator[Path]:
    """A folder to write to, which replaces `folder` when all went well and vanishes otherwise.

    `what` names the content in the sentence for the user.

    Raises:
        InputError: it cannot be written.
    """
    partial = partial_folder(folder)
    try:
        partial.mkdir(parents=True)
        yield partial
        _swap_in(partial, folder.absolute())
    except OSError as error:
        raise InputError(
            f"The {what} could not be written to {folder.name!r} ({error.strerror or 'write error'}); free space or name "
            "another folder with -o."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "notice": RESEARCH_USE_ONLY,
        "provenance": (replace(result.facts, source=source) if source else result.facts).to_json(),
        "warnings": list(result.warnings),
        "findings": findings_json(result.findings),
        "segments": [report_json(report) for report in result.reports],
        "history": [asdict(event) for event in history],
    }
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
        "predicted_dice": report.predicted_dice,
        "dice_interval": report.dice_interval,
        "volume_interval_cc": report.volume_interval_cc,
        "mean_hu_interval": report.mean_hu_interval,
        "failure_probability": report.failure_probability,
        "paper_light": report.paper_light and report.paper_light.value,
        "dice_to_automatic": report.dice_to_automatic,
        "asymmetry_percent": report.asymmetry_percent,
        "measurements": report.measurements and asdict(report.measurements),
        "scores": report.scores and asdict(report.scores),
    }


def _is_result(folder: Path) -> bool:
    try:
        return json.loads((folder / RESULT).read_text(encoding="utf-8")).get("format") == FORMAT
    except (OSError, ValueError, AttributeError):
        return False


def _swap_in(partial: Path, folder: Path) -> None:
    """Put the whole folder in its place; an earlier result stays until the new one is there."""
    if not folder.exists():
        partial.rename(folder)
        return
    old = partial.with_suffix(".old")
    folder.rename(old)
    try:
        partial.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
