"""A result folder read back, with the review that may have followed the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import Segment, StructureTable
from ..anatomy.built_in import table_of_stored
from ..case_result import (
    COMPOSITION,
    SCORE_NAMES,
    CaseResult,
    DiceLimits,
    HistoryEvent,
    Light,
    Measurements,
    ReviewState,
    Scores,
    SegmentReport,
)
from ..ct.label_grid import match_voxels, place_labels
from ..ct.reading.hounsfield import read_image
from ..ct.reading.label_maps import read_labels
from ..ct.volume import Geometry
from ..errors import InputError, shown
from ..findings import Finding, findings_from_json, findings_of_sentences
from ..output.filling import recover
from ..run_facts import RunFacts, facts_from_json
from ..tasks import Task, task_of_stored
from .result_folder import (
    AUTOMATIC,
    RESULT,
    RESULT_FORMAT,
    RESULT_FORMAT_VERSION,
    REVIEW,
    SEGMENTATION,
    STRUCTURES_ENTRY,
    TASK_ENTRY,
    UNCERTAINTY,
)
from .review_file import read_review

_UNREADABLE = f"The {RESULT} of this result cannot be read; run the segmentation again."


@dataclass(frozen=True)
class StoredCase:
    """What a result folder holds: the case as reviewed, the case as the network left it, and the history between them.

    Where no voxel was corrected both share one label map.
    """

    result: CaseResult
    automatic: CaseResult
    history: tuple[HistoryEvent, ...]


def read_result(folder: Path) -> tuple[CaseResult, tuple[HistoryEvent, ...]]:
    """The case in a result folder as it stands, corrections included, and what was done to it.

    Raises:
        InputError: the folder holds no result, or a damaged one.
    """
    case = read_case(folder)
    return case.result, case.history


def read_case(folder: Path) -> StoredCase:
    """The case in a result folder with its automatic version.

    Raises:
        InputError: the folder holds no result, or a damaged one.
    """
    content = read_content(folder)
    stored = folder / (AUTOMATIC if (folder / AUTOMATIC).is_file() else SEGMENTATION)
    uncertainty, grid = _read_uncertainty(folder / UNCERTAINTY)
    labels, geometry = _read_labels(stored, stored_structures(content), grid)
    reviewed = labels
    if (folder / REVIEW).is_file():
        reviewed, content = read_review(folder / REVIEW, labels)
    reports, automatic, history = reviewed_from_json(content)
    table = stored_structures(content)
    found, facts = stored_findings(content), stored_facts(content)
    result = CaseResult(reviewed, geometry, reports, uncertainty, found, facts, table, task_of_result(content))
    return StoredCase(result, replace(result, labels=labels, reports=automatic), history)


def reviewed_from_json(
    content: Mapping[str, Any],
) -> tuple[tuple[SegmentReport, ...], tuple[SegmentReport, ...], tuple[HistoryEvent, ...]]:
    """The reports as reviewed, the automatic ones, and the history, from what `result_folder.result_json` made.

    Raises:
        InputError: entries are missing or of the wrong kind.
    """
    try:
        if content["format"] != RESULT_FORMAT or content["format_version"] != RESULT_FORMAT_VERSION:
            raise ValueError("another format")
        table = stored_structures(content)
        reports = tuple(report_from_json(entry, table) for entry in content["segments"])
        if tuple(report.segment for report in reports) != table.segments:
            raise ValueError("other segments")
        before = {entry["key"]: report_from_json(entry, table) for entry in content.get("automatic", [])}
        history = tuple(event_from_json(entry) for entry in content.get("history", []))
        stored_facts(content)
        stored_findings(content)
        task_of_result(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(_UNREADABLE) from error
    return reports, tuple(before.get(report.segment.key, report) for report in reports), history


def stored_structures(content: Mapping[str, Any]) -> StructureTable:
    """The table of structures of what `result_folder.result_json` made, also by versions that knew one only.

    Raises:
        InputError: it is faulty.
    """
    try:
        return table_of_stored(content.get(STRUCTURES_ENTRY))
    except ValueError as error:
        raise InputError(_UNREADABLE) from error


def task_of_result(content: Mapping[str, Any]) -> Task:
    """The task of what `result_folder.result_json` made, also by versions that knew one only.

    Raises:
        InputError: it is faulty.
    """
    try:
        return task_of_stored(content.get(TASK_ENTRY), stored_structures(content))
    except ValueError as error:
        raise InputError(_UNREADABLE) from error


def stored_facts(content: Mapping[str, Any]) -> RunFacts:
    """How the result came about, in what `result_folder.result_json` made, also by earlier versions.

    Raises:
        InputError: it is missing or of the wrong kind.
    """
    try:
        return facts_from_json(content["provenance"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(_UNREADABLE) from error


def stored_findings(content: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings in what `result_folder.result_json` made, also by a version that stored them as sentences only.

    Raises:
        KeyError, TypeError, ValueError: they are missing or of the wrong kind.
    """
    if "findings" in content:
        return findings_from_json(content["findings"])
    if not isinstance(content["warnings"], list):
        raise ValueError("no warnings")
    return findings_of_sentences(content["warnings"])


def report_from_json(data: Mapping[str, Any], table: StructureTable) -> SegmentReport:
    """What `result_folder.report_json` wrote of a segment of `table`.

    Entries that older results lack are None, those of newer ones are passed over.

    Raises:
        KeyError, TypeError, ValueError: entries are missing or of the wrong kind.
    """
    segment = table.segment(data["key"])
    return SegmentReport(
        segment=segment,
        light=Light(data["light"]),
        reasons=tuple(str(reason) for reason in data["reasons"]),
        measurements=None if data["measurements"] is None else _measurements(data["measurements"], segment),
        uncertainty=_optional(float, data["uncertainty"]),
        usual_uncertainty=_optional(_interval, data.get("usual_uncertainty")),
        asymmetry_percent=_optional(float, data["asymmetry_percent"]),
        predicted_dice=_optional(float, data["predicted_dice"]),
        dice_interval=_optional(_interval, data["dice_interval"]),
        dice_limits=_optional(_dice_limits, data.get("dice_limits")),
        volume_interval_cc=_optional(_interval, data.get("volume_interval_cc")),
        mean_hu_interval=_optional(_interval, data.get("mean_hu_interval")),
        failure_probability=_optional(float, data.get("failure_probability")),
        scores=_optional(_scores, data.get("scores")),
        paper_light=_optional(Light, data.get("paper_light")),
        part_light=_optional(Light, data.get("part_light")),
        state=ReviewState(data["state"]),
        dice_to_automatic=_optional(float, data.get("dice_to_automatic")),
    )


def event_from_json(data: Mapping[str, Any]) -> HistoryEvent:
    """An event as `result_folder.result_json` wrote it.

    Raises:
        KeyError, TypeError: entries are missing or of the wrong kind.
    """
    return HistoryEvent(str(data["when"]), str(data["who"]), str(data["what"]), data["key"], dict(data["details"]))


def _optional(kind: Any, value: Any) -> Any:
    return None if value is None else kind(value)


def _interval(data: list[float]) -> tuple[float, float]:
    low, high = data
    return float(low), float(high)


def _dice_limits(data: Mapping[str, Any]) -> DiceLimits:
    return DiceLimits(_optional(float, data["good_from"]), float(data["failed_below"]))


def _measurements(data: Mapping[str, Any], segment: Segment) -> Measurements:
    sequences = {"histogram": tuple(int(n) for n in data["histogram"]), "truncated_by": tuple(data["truncated_by"])}
    # Results of before 0.5 hold shares of tissue for bones, too.
    none = {} if segment.structure.has_composition else dict.fromkeys(COMPOSITION)
    return Measurements(**{**data, **sequences, **none})


def _scores(data: Mapping[str, Any]) -> Scores:
    counts = {"stray_components"}
    return Scores(**{name: _optional(int if name in counts else float, data.get(name)) for name in SCORE_NAMES})


def read_content(folder: Path) -> dict[str, Any]:
    """The ``result.json`` of a folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    recover(folder)
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"There is no result in the folder {shown(folder)!r}; choose a folder that a run has written.") from error
    except ValueError as error:
        raise InputError(f"The {RESULT} in {shown(folder)!r} is damaged; run the segmentation again.") from error
    if not isinstance(content, dict) or content.get("format") != RESULT_FORMAT:
        raise InputError(f"The folder {shown(folder)!r} holds no result of this program; choose a folder that a run has written.")
    return content


def _read_uncertainty(path: Path) -> tuple[np.ndarray | None, Geometry | None]:
    """float32 ``[z, y, x]`` and its grid; None where the labels were only measured."""
    import SimpleITK as sitk

    if not path.is_file():
        return None, None
    image = read_image(path)
    if image is None or image.GetDimension() != 3:
        raise InputError(f"The file {shown(path)} of this result is damaged; run the segmentation again.")
    return sitk.GetArrayFromImage(image).astype(np.float32, copy=False), Geometry.of_image(image)


def _read_labels(path: Path, table: StructureTable, grid: Geometry | None) -> tuple[np.ndarray, Geometry]:
    """The label map, on the uncertainty's grid where there is one: 3D Slicer saves segmentations cropped to their segments."""
    labels, geometry = read_labels(path, table)
    if grid is None or geometry.matches(grid):
        return labels, grid or geometry
    if match_voxels(geometry, grid) is None:
        raise InputError(f"The files {path.name} and {UNCERTAINTY} are of different scans; run the segmentation again.")
    return place_labels(labels, geometry, grid).labels, grid
