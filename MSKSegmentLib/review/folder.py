"""A review that lives in a result folder: opened as it was left, saved after every stroke.

The state is ``review.npz``, one file that is replaced as a whole; table and ``result.json`` follow it. The segmentation, which
takes seconds to write, is brought up to date by `finish_review`. What the network drew stays in ``automatic.seg.nrrd``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..ct.volume import CTVolume
from ..errors import InputError, shown
from ..output.files import whole_file
from ..results.result_folder import AUTOMATIC, MEASUREMENTS, RESULT, REVIEW, SEGMENTATION, write_content
from ..results.result_reading import read_case, read_content, stored_facts
from ..results.review_file import write_review
from ..results.segmentation_file import write_segmentation
from ..results.tables import write_measurements
from .session import ReviewSession


def open_folder(folder: Path, volume: CTVolume, author: str = "") -> ReviewSession:
    """The review of the case in a result folder, as it was left; `volume` is the CT that it was made from.

    Raises:
        InputError: the folder holds no result, a damaged one, or one of another CT.
    """
    return ReviewSession.of_stored(read_case(folder), volume, author)


def save(session: ReviewSession, folder: Path) -> None:
    """Bring the folder up to date, all but its segmentation: quick enough to be called after every stroke.

    A crash at any moment leaves the review as it was before or after; table and ``result.json`` may then lag by one stroke.

    Raises:
        InputError: the folder is not the session's, or cannot be written.
    """
    result, content = session.result, session.to_json()
    if stored_facts(read_content(folder)).input_digest != result.facts.input_digest:
        raise InputError(f"The folder {shown(folder)!r} holds the result of another scan; choose the folder of this one.")
    if not (folder / AUTOMATIC).is_file():
        # Until the first save the segmentation is what the network drew.
        with whole_file(folder / AUTOMATIC, ".seg.nrrd") as temporary:
            shutil.copyfile(folder / SEGMENTATION, temporary)
    write_review(folder / REVIEW, session.automatic.labels, result.labels, content)
    # The table comes last: it is the one file that another program may have open and thereby keep from being replaced.
    with whole_file(folder / RESULT, ".json") as temporary:
        write_content(temporary, content)
    with whole_file(folder / MEASUREMENTS, ".csv") as temporary:
        write_measurements(temporary, result)


def finish_review(session: ReviewSession, folder: Path) -> None:
    """Save, and write the corrected segmentation for other programs; takes seconds for a large scan.

    Raises:
        InputError: the folder is not the session's, or cannot be written.
    """
    save(session, folder)
    write_segmentation(folder / SEGMENTATION, session.result)
