"""The proposed slices of a case from a result that somebody reviewed, in place of drawing them from nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..case_result import ReviewState
from ..ct import read_ct
from ..errors import InputError
from ..evaluation.cases import CaseFiles
from ..results.result_reading import read_case
from ..results.segmentation_file import write_segments_to_draw
from .annotation import DRAWN_FILE, read_proposal


def fill_from_review(files: CaseFiles, result: Path) -> int:
    """Write the labels of a reviewed result in the proposed slices to the case's ``labels.seg.nrrd``; returns the number of slices.

    All other slices stay empty: nobody was asked to look at them.

    Raises:
        InputError: the result is of other structures or of another CT, or a structure that is asked for was not accepted; or the
            case was drawn already.
    """
    case = files.labels.parent
    proposal = read_proposal(case)
    task = proposal.task
    found = read_case(result).result
    if found.table != task.table:
        raise InputError(f"The result {result.name!r} is of other structures than the task {task.name}; leave it out.")
    asked = [report for report in found.reports if report.segment.structure.abbreviation in proposal.structures]
    open_ = [report.segment.name for report in asked if report.state is not ReviewState.ACCEPTED]
    if open_:
        raise InputError(
            f"In the result {result.name!r} {len(open_)} segments are not accepted, such as {open_[0]}; correct the slices "
            "and accept what is right there, or absent."
        )
    volume = read_ct(files.ct)
    if not found.geometry.matches(volume.geometry):
        raise InputError(f"The result {result.name!r} has another grid than the CT of the case {files.name!r}; segment that CT.")
    numbers = [level.number for level in proposal.levels]
    labels = np.zeros_like(found.labels)
    labels[numbers] = np.where(np.isin(found.labels[numbers], [report.segment.label for report in asked]), found.labels[numbers], 0)
    if files.labels.name != DRAWN_FILE:
        raise InputError(
            f"The labels of the case {files.name!r} are {files.labels.name} and not {DRAWN_FILE}; put them away first."
        )
    write_segments_to_draw(case / DRAWN_FILE, labels, volume.geometry, task.table)
    return len(numbers)
