"""The CT that belongs to a result folder: in the folder itself, where its path was recorded, or given by the user."""

from __future__ import annotations

from pathlib import Path

from ..ct import read_ct
from ..ct.reading.images.file import is_image_file
from ..ct.volume import CTVolume
from ..errors import InputError, MSKSegmentError, shown
from ..provenance import input_digest
from ..results.result_folder import CT
from ..results.result_reading import read_content, stored_facts, task_of_result


def locate_ct(folder: Path, given: Path | None) -> Path | None:
    """The CT of a result: the given one, the one in the folder, or the one whose path was recorded; None without any of them.

    Raises:
        InputError: there is no file or folder of the given name.
    """
    if given is not None:
        if not given.exists():
            raise InputError(f"There is no file or folder {shown(given)}; check the path after --ct.")
        return given
    if (folder / CT).is_file():
        return folder / CT
    recorded = stored_facts(read_content(folder)).source
    return Path(recorded) if recorded is not None and Path(recorded).exists() else None


def find_ct(folder: Path, given: Path | None) -> Path:
    """The CT of a result as `locate_ct` looks for it.

    Raises:
        InputError: there is none.
    """
    found = locate_ct(folder, given)
    if found is None:
        scan = task_of_result(read_content(folder)).words.scan
        raise InputError(
            f"The result {shown(folder.resolve())!r} holds no {scan}; name the scan that was segmented with --ct, or segment it "
            f"again "
            "with --keep-ct."
        )
    return found


def read_own_ct(folder: Path, given: Path | None, series: str | None, assume_orientation: str | None) -> CTVolume:
    """The CT that the result was made from, not just one on the same grid.

    Raises:
        InputError: there is none, it cannot be read, or it is another one.
    """
    path = find_ct(folder, given)
    task = task_of_result(read_content(folder))
    volume = read_ct(path, None if is_image_file(path) else series, assume_orientation, task.modality)
    expected = input_of(folder)
    if path != folder / CT and expected is not None and input_digest(volume) != expected:
        raise InputError(
            f"The {task.words.scan} {shown(path)} is not the one that {shown(folder.resolve())!r} was made from; choose the scan "
            f"that was "
            "segmented."
        )
    return volume


def own_ct_at_hand(folder: Path) -> CTVolume | None:
    """The CT that the result was made from; None where it is not at hand or another one, for what can do without it."""
    try:
        return None if locate_ct(folder, None) is None else read_own_ct(folder, None, None, None)
    except MSKSegmentError:
        return None


def input_of(folder: Path) -> str | None:
    """The digest of the CT that a result was made from; None when it cannot be told."""
    try:
        return stored_facts(read_content(folder)).input_digest
    except MSKSegmentError:
        return None
