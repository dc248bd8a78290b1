"""A result folder judged: read with its CT, and written back with the review that it may hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from ..foreign import Imported, write_imported
from ..output.files import whole_file
from ..output.places import check_place, resolved
from ..results.result_folder import (
    CT,
    MEASUREMENTS,
    OTHER_LABELS,
    RESULT,
    REVIEW,
    SLICES_TO_LOOK_AT,
    UNCERTAINTY,
    check_output,
    result_json,
    write_content,
    write_result,
)
from ..results.result_reading import read_case
from ..results.review_file import write_review
from ..results.segmentation_file import write_uncertainty
from ..results.tables import write_measurements
from ..review.session import ReviewSession
from .look_here import write_slices_to_look_at
from .rate import EVENT, Rated, check_to_rate, rated_event


@dataclass(frozen=True)
class CaseToRate:
    """A result in a folder: the session of its review, and whether there was one."""

    folder: Path
    session: ReviewSession
    reviewed: bool

    @property
    def result(self) -> CaseResult:
        """The case as it stands."""
        return self.session.result


def check_places(folder: Path, output: Path | None) -> None:
    """Refuse places that cannot be written before any work is done.

    Raises:
        InputError: the result may not be replaced, or a folder cannot be written.
    """
    if output is not None and resolved(output) != resolved(folder):
        check_output(output)
    elif (folder / REVIEW).is_file():
        check_place(resolved(folder), (RESULT, REVIEW, MEASUREMENTS))
    elif (folder / RESULT).is_file():
        check_output(folder)


def case_to_rate(folder: Path, volume: CTVolume) -> CaseToRate:
    """The case in a folder, with its CT; what another program changed in it is measured again.

    Raises:
        InputError: the folder holds no result, a damaged one, one of another CT, or one in which nothing is to be judged.
    """
    session = ReviewSession.of_stored(read_case(folder), volume)
    check_to_rate(session.result)
    by_people = any(event.what != EVENT for event in session.history)
    return CaseToRate(folder, session, (folder / REVIEW).is_file() or by_people)


def write_rated(case: CaseToRate, rated: Rated, output: Path | None = None) -> Path:
    """Write the judged case, in its own folder or in a new one, with its CT and review; returns the folder.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = case.folder if output is None else output
    if case.reviewed and resolved(folder) == resolved(case.folder):
        _update_review(case, rated)
        return folder
    session = case.session
    history, automatic = (*session.history, rated_event(rated)), session.automatic if case.reviewed else None
    write_result(folder, rated.result, None, _others(case, rated), history=history, automatic=automatic)
    return folder


def write_rated_import(
    folder: Path, imported: Imported, rated: Rated, source: str | None = None, volume: CTVolume | None = None
) -> None:
    """Write a mask that was imported and judged at once, as `foreign.write_imported` does, with the slices worth a look.

    Raises:
        InputError: the folder holds other files, or cannot be written.
    """

    def slices(partial: Path) -> None:
        write_slices_to_look_at(partial / SLICES_TO_LOOK_AT, rated.slices, rated.result.table)

    judged = replace(imported, result=rated.result, history=(rated_event(rated),))
    write_imported(folder, judged, source, volume, slices)


def _update_review(case: CaseToRate, rated: Rated) -> None:
    """The review with the new reports; its voxels stay, and so do all other files."""
    session, folder = case.session, case.folder
    history = (*session.history, rated_event(rated))
    content = result_json(rated.result, None, history, session.automatic.reports)
    write_review(folder / REVIEW, session.automatic.labels, rated.result.labels, content)
    with whole_file(folder / RESULT, ".json") as temporary:
        write_content(temporary, content)
    if session.result.uncertainty is None:
        with whole_file(folder / UNCERTAINTY, ".nrrd") as temporary:
            write_uncertainty(temporary, rated.result)
    with whole_file(folder / SLICES_TO_LOOK_AT, ".csv") as temporary:
        write_slices_to_look_at(temporary, rated.slices, rated.result.table)
    with whole_file(folder / MEASUREMENTS, ".csv") as temporary:
        write_measurements(temporary, rated.result)


def _others(case: CaseToRate, rated: Rated) -> Callable[[Path], None]:
    """What adds the slices, and the files of the judged folder that are not made anew, such as the CT."""

    def extra(partial: Path) -> None:
        write_slices_to_look_at(partial / SLICES_TO_LOOK_AT, rated.slices, rated.result.table)
        for name in files_that_go_on(case.folder):
            shutil.copyfile(case.folder / name, partial / name)

    return extra


def files_that_go_on(folder: Path) -> list[str]:
    """The files of a result folder that go on with it: its CT, and labels of another program that are no structure of the table."""
    return [name for name in (CT, OTHER_LABELS) if (folder / name).is_file()]
