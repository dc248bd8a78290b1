"""The folder of a scan that somebody annotates: CT, a segmentation to draw in, the slices that are asked for, and what was drawn.

``ct.nrrd`` or ``mr.nrrd``, ``labels.seg.nrrd`` (all segments of the task, empty), ``proposed.json`` and ``labelled.json``,
which calls no slice labelled until `take_annotations` found labels there. So a slice that nobody drew is never learned as
background.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import Side, StructureTable
from ..ct import CTVolume, read_ct, read_labels
from ..errors import InputError
from ..evaluation.cases import CaseFiles, on_grid
from ..output.files import whole_file
from ..output.filling import whole_folder
from ..output.places import check_new_folder
from ..results.segmentation_file import write_ct, write_segments_to_draw
from ..tasks import Task, load_task
from ..virtual.cases import LABELLED_FILE
from .levels import SliceLevel

DRAWN_FILE, PROPOSED_FILE = "labels.seg.nrrd", "proposed.json"
_FORMAT = "mskseg-proposed-slices"


@dataclass(frozen=True)
class Proposal:
    """The slices of a case that are asked for, the task, and the structures that are drawn in them (abbreviations)."""

    levels: tuple[SliceLevel, ...]
    structures: tuple[str, ...]
    task: Task


@dataclass(frozen=True)
class Annotations:
    """What was found in the segmentation of a case.

    `drawn` and `pending` are the proposed slices with and without labels, `half` those of which only one side was drawn.
    `structures` are the abbreviations that occur.
    """

    name: str
    drawn: tuple[SliceLevel, ...]
    pending: tuple[SliceLevel, ...]
    half: tuple[SliceLevel, ...]
    structures: frozenset[str]


def write_annotation_case(folder: Path, volume: CTVolume, proposal: Proposal) -> None:
    """Write a new folder for annotating a CT.

    Raises:
        InputError: the folder holds other files, or cannot be written.
    """
    # By its name a case is known to be one of CT or of MR.
    scan_file = f"{volume.modality.lower()}.nrrd"
    files = (scan_file, DRAWN_FILE, LABELLED_FILE, PROPOSED_FILE)
    check_new_folder(folder)
    content = {
        "format": _FORMAT,
        "task": proposal.task.name,
        "structures": list(proposal.structures),
        "slices": [asdict(level) for level in proposal.levels],
    }
    with whole_folder(folder, "case", PROPOSED_FILE, files) as partial:
        write_ct(partial / scan_file, volume)
        nothing = np.zeros(volume.geometry.shape, np.uint8)
        write_segments_to_draw(partial / DRAWN_FILE, nothing, volume.geometry, proposal.task.table)
        (partial / LABELLED_FILE).write_text(json.dumps({"slices": []}), encoding="utf-8")
        (partial / PROPOSED_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_proposal(case: Path) -> Proposal:
    """Read what `write_annotation_case` wrote.

    Raises:
        InputError: the folder has no ``proposed.json``, or it cannot be used, for example because its task is unknown here.
    """
    path = case / PROPOSED_FILE
    if not path.is_file():
        raise InputError(f"The case {case.name!r} has no {PROPOSED_FILE}; let 'mskseg sparse propose' make its folder.")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError("another format")
        levels = tuple(SliceLevel(str(one["name"]), int(one["number"]), float(one["position_mm"])) for one in content["slices"])
        structures, task = tuple(map(str, content["structures"])), load_task(str(content["task"]))
        if not levels or not all(any(known.abbreviation == one for known in task.table.structures) for one in structures):
            raise ValueError("no slices, or structures of another task")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The {PROPOSED_FILE} of the case {case.name!r} cannot be used ({error}); propose slices in a new folder."
        ) from error
    return Proposal(levels, structures, task)


def take_annotations(files: CaseFiles, all_drawn: bool = False) -> Annotations:
    """Look which slices of a case were drawn, and say so in its ``labelled.json``.

    A side without a label in a slice counts as not drawn there. With `all_drawn` slices beyond the proposed ones count too.

    Raises:
        InputError: there are labels in slices that were not proposed, or of structures that were not asked for; a file cannot be
            used. ``labelled.json`` then stays as it was.
    """
    case = files.labels.parent
    proposal = read_proposal(case)
    table = proposal.task.table
    volume = read_ct(files.ct)
    labels = on_grid(*read_labels(files.labels, table), volume.geometry, f"labels of the case {files.name!r}")
    levels = _with_others(proposal.levels, labels, files.name, all_drawn)
    asked = [table.structure(name).index for name in proposal.structures]
    others = set(np.unique(labels).tolist()) - {0} - {s.label for s in table.segments if s.structure.index in asked}
    if others:
        segment = table.segment_of_label(min(others))
        raise InputError(
            f"The case {files.name!r} holds {segment.name if segment else min(others)}, which was not asked for: it may have been "
            f"drawn in some slices only; erase it, or add it to the structures in {PROPOSED_FILE}."
        )
    sides = {level: _sides_of(labels[level.number], table) for level in levels}
    drawn = tuple(level for level in levels if sides[level])
    # A table without pairs has one side, the middle.
    whole = {Side.RIGHT, Side.LEFT} if any(table.structure(name).paired for name in proposal.structures) else set()
    half = tuple(level for level in drawn if not whole <= sides[level])
    content = _by_segment(drawn, sides, proposal, table) if half else _by_slice(drawn, proposal, table)
    path, text = case / LABELLED_FILE, json.dumps(content)
    # A training that was stopped goes on where no file of its cases is newer.
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with whole_file(path, ".json") as temporary:
            temporary.write_text(text, encoding="utf-8")
    found = {segment.structure.abbreviation for segment in table.segments if (labels == segment.label).any()}
    pending = tuple(level for level in levels if not sides[level])
    return Annotations(files.name, drawn, pending, half, frozenset(found))


def _with_others(levels: tuple[SliceLevel, ...], labels: np.ndarray, name: str, all_drawn: bool) -> tuple[SliceLevel, ...]:
    """The proposed slices and, with `all_drawn`, those drawn besides."""
    outside = [level.name for level in levels if not 0 <= level.number < len(labels)]
    if outside:
        raise InputError(f"The case {name!r} has no slice for the level {outside[0]}; propose slices anew in a new folder.")
    beyond = sorted(set(np.flatnonzero(labels.any(axis=(1, 2))).tolist()) - {level.number for level in levels})
    if beyond and not all_drawn:
        raise InputError(
            f"The case {name!r} holds labels in slice {beyond[0]}{_more(beyond)}, which was not proposed: a brush that draws in "
            "neighbouring slices leaves half-drawn ones; erase them, or take all slices that hold labels with --all-drawn."
        )
    return (*levels, *(SliceLevel(f"slice {number}", number, float("nan")) for number in beyond))


def _more(numbers: Sequence[int]) -> str:
    return f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""


def _sides_of(plane: np.ndarray, table: StructureTable) -> set[Side]:
    present = set(np.unique(plane).tolist())
    return {segment.side for segment in table.segments if segment.label in present}


def _by_slice(drawn: Collection[SliceLevel], proposal: Proposal, table: StructureTable) -> dict[str, Any]:
    content: dict[str, Any] = {"slices": sorted(level.number for level in drawn)}
    if len(proposal.structures) < len(table.structures):
        content["structures"] = list(proposal.structures)
    return content


def _by_segment(
    drawn: Collection[SliceLevel], sides: dict[SliceLevel, set[Side]], proposal: Proposal, table: StructureTable
) -> dict[str, Any]:
    """What stands in the middle counts as drawn wherever anything was."""
    known = {
        segment.key: sorted(level.number for level in drawn if segment.side is Side.MIDLINE or segment.side in sides[level])
        for segment in table.segments
        if segment.structure.abbreviation in proposal.structures
    }
    return {"segments": {key: slices for key, slices in known.items() if slices}}
