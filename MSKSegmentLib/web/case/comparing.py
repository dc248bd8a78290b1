"""Another result of the open one's CT: which there are, and one of them held beside it."""

from __future__ import annotations

from pathlib import Path

from ...results.result_reading import StoredCase
from ...review import ReviewSession
from ...review.source_ct import input_of
from ...two_results.beside import HeldBeside, hold_beside, read_of_same_ct
from .opening import Opened
from .options import ReviewOptions
from .result_list import list_results


def others_of(opened: Opened, options: ReviewOptions) -> dict[str, Path]:
    """The folders of the results that may be held beside the open one, by their names: those of the same CT.

    Where only one given result is reviewed, that is the one that the command line named. Reads a file of every listed result.
    """
    if options.single:
        return {options.other.resolve().name: options.other} if options.other is not None else {}
    digest = input_of(opened.folder)
    if digest is None:
        return {}
    listed = ((result.title, options.folder / result.name) for result in list_results(options.folder) if not result.problem)
    own = opened.folder.resolve()
    return {title: folder for title, folder in listed if folder.resolve() != own and input_of(folder) == digest}


def compare_with(first: StoredCase, session: ReviewSession, name: str, folder: Path) -> HeldBeside:
    """Hold the result in a folder beside the open one, which was taken by `two_results.beside.snapshot_of`.

    Raises:
        InputError: it cannot be read, is of another scan, or has no structure in common.
    """
    return hold_beside(first, read_of_same_ct(folder, first.result.facts), session.volume, name)
