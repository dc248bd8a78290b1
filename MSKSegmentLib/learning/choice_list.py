"""The list of what is worth an annotator's time: a CSV file that people read and ``mskseg review`` opens in its order."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..ct.boxes import label_boxes
from ..errors import InputError, MSKSegmentError, shown
from ..output.files import whole_file
from ..results.result_reading import read_case, read_content, reviewed_from_json
from ..review import SegmentMask
from ..review.worst_slices import WorstSlice, worst_slices
from .choosing import Choice, WorthSeeing, choose_segments, worth_seeing
from .gathering import result_folders

_SLICES = 3
_COLUMNS = (
    "result", "segment", "structure", "slices", "minutes", "until_minutes", "light", "predicted_dice", "uncertainty", "value",
)  # fmt: skip


def read_choices(
    results: Sequence[Path], hours: float, checkpoint: Callable[[], None] = lambda: None
) -> tuple[list[Choice], list[str]]:
    """What to look at within so many hours in these results, and what was left out with the reason.

    Raises:
        InputError: the hours are impossible, a folder holds no result, or everything is reviewed.
    """
    if not 0 < hours < 10_000:
        raise InputError(f"{hours:g} hours are no time to review; give a number above 0.")
    candidates: list[WorthSeeing] = []
    left_out = []
    for folder in result_folders(results):
        checkpoint()
        try:
            reports, _, _ = reviewed_from_json(read_content(folder))
        except MSKSegmentError as error:
            left_out.append(str(error))
            continue
        candidates += worth_seeing(folder, reports)
    chosen = choose_segments(candidates, hours)
    if not chosen:
        raise InputError(
            "Nothing in these results is left to review within that time; segment further scans, or give more --hours."
        )
    return chosen, left_out


def write_choices(path: Path, chosen: Sequence[Choice], checkpoint: Callable[[], None] = lambda: None) -> None:
    """Write the list: results in the order of their most useful segment, and in each the segments in that order.

    The column `result` leads to the folder from that of the file; `slices` are the most uncertain ones, counted from 0 along the
    CT's axis nearest to superior-inferior.

    Raises:
        InputError: a result cannot be read, or the file not be written.
    """
    rows = []
    for folder in dict.fromkeys(choice.what.folder for choice in chosen):
        checkpoint()
        mine = [choice for choice in chosen if choice.what.folder == folder]
        slices = _slices(folder, mine)
        where = os.path.relpath(folder.resolve(), path.resolve().parent)
        rows += [_row(choice, where, slices[choice.what.segment.key]) for choice in mine]
    with whole_file(path, ".csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(rows)


def read_choice_list(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder that the results of a list lie in, and their names in its order, each once.

    Raises:
        InputError: the file is no such list, or its results lie in several folders.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = [(path.resolve().parent / row["result"]).resolve() for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"The file {shown(path)!r} is no list of 'mskseg choose': it has no column result.") from error
    folders = {folder.parent for folder in found}
    if len(folders) != 1:
        where = "several folders" if folders else "no folder"
        raise InputError(f"The results of the list {shown(path)!r} lie in {where}; review a list of results of one folder.")
    return folders.pop(), tuple(dict.fromkeys(folder.name for folder in found))


def _slices(folder: Path, chosen: Sequence[Choice]) -> dict[str, str]:
    """The worst slices of each chosen segment, by its key, in words."""
    result = read_case(folder).result
    boxes = label_boxes(result.labels)
    found = {}
    for choice in chosen:
        segment = choice.what.segment
        box = boxes.get(segment.label)
        worst: tuple[WorstSlice, ...] = ()
        if box is not None:
            mask = SegmentMask(box, result.labels[box.slices] == segment.label)
            worst = worst_slices(mask, result.uncertainty, result.geometry, _SLICES)
        found[segment.key] = " ".join(str(one.index) for one in worst)
    return found


def _row(choice: Choice, where: str, slices: str) -> tuple[str, ...]:
    one, report = choice.what, choice.what.report
    dice = "" if report.predicted_dice is None else f"{report.predicted_dice:.3f}"
    uncertain = "" if one.uncertainty is None else f"{one.uncertainty:.3g}"
    return (
        where, report.segment.key, report.segment.name, slices, f"{one.minutes:.1f}", f"{choice.until_minutes:.1f}", report.verdict,
        dice, uncertain, f"{choice.value:.4f}",
    )  # fmt: skip
