"""Segmentations from files, for an evaluation: label maps of any program, or results with what was said of each segment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..anatomy.built_in import stored_table
from ..ct import FORMATS, read_labels
from ..errors import InputError, shown
from ..findings import Finding
from ..results.result_folder import RESULT, SEGMENTATION
from ..results.result_reading import report_from_json, stored_findings, stored_structures
from .cases import LabelledCase, first_file, on_grid
from .run import Reports, Segmenter, file_state


def stored_segmenter(folder: Path) -> Segmenter:
    """Segmentations from files: ``<case>.*``, ``<case>/labels.*`` or result folders ``<case>/`` of ``mskseg segment``.

    Their structures are those that a result in the folder states; of files alone, those of hip and thigh.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {shown(folder)!r}; name the folder that holds a segmentation of each case.")

    results = sorted(folder.glob(f"*/{RESULT}"))
    table = stored_structures(_content(results[0]) if results else {})
    noted = stored_table(table)

    def segment(case: LabelledCase) -> tuple[np.ndarray, Reports, tuple[Finding, ...]]:
        path = _stored(folder, case.name)
        labels, geometry = read_labels(path, table)
        what = f"segmentation of the case {case.name!r}"
        return on_grid(labels, geometry, case.volume.geometry, what), *_stored_reports(path.parent / RESULT, table)

    def key(name: str) -> dict[str, Any]:
        return {"file": file_state(_stored(folder, name)), **({} if noted is None else {"structures": noted})}

    return Segmenter(f"the segmentations in the folder {shown(folder.resolve())}", table, key, segment)


def _stored(folder: Path, name: str) -> Path:
    suffixes = (".seg.nrrd", *FORMATS)
    result = folder / name / SEGMENTATION
    found = result if result.is_file() else first_file(folder, name, suffixes) or first_file(folder / name, "labels", suffixes)
    if found is None:
        raise InputError(
            f"The folder {shown(folder)!r} holds no segmentation of the case {name!r}; add {name}.seg.nrrd or {name}.nii.gz."
        )
    return found


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _stored_reports(path: Path, table: StructureTable) -> tuple[Reports, tuple[Finding, ...]]:
    """What the ``result.json`` beside a segmentation says of each segment, and its findings; nothing without such a file."""
    try:
        content = _content(path)
        return {entry["key"]: report_from_json(entry, table) for entry in content["segments"]}, stored_findings(content)
    except (ValueError, KeyError, TypeError):
        return {}, ()
