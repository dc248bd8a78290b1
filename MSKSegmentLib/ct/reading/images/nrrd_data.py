"""The voxel files of a NRRD image whose header lists several: the toolkit does not report which one is wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ....errors import InputError
from .nrrd import NrrdHeader

_LIST = re.compile(rb"^data ?file: *LIST[^\n]*\n", re.IGNORECASE | re.MULTILINE)


def names_several(data_file: str) -> bool:
    """Whether the content of a field "data file" means a list of files or a numbered series of files."""
    words = data_file.split()
    return bool(words) and (words[0].upper() == "LIST" or (len(words) >= 4 and "%" in words[0]))


def check_files(path: Path, header: NrrdHeader) -> None:
    """Refuse the header `path` if the number of listed files is wrong, or one is missing.

    Raises:
        InputError: the number is wrong, or a file is missing.
    """
    words = header.fields.get("datafile", "").split()
    try:
        names, axes = _of_list(path, words[1:]) if words[0].upper() == "LIST" else _of_pattern(words)
        sizes = [int(size) for size in header.items("sizes")]
    except (TypeError, ValueError) as error:
        raise InputError(f"The header of {path.name} does not say plainly which files hold its voxels; export it again.") from error
    wanted = math.prod(sizes[len(sizes) - 1 if axes is None else axes :])
    if len(names) != wanted:
        raise InputError(
            f"The header of {path.name} lists {len(names)} files with voxels where it needs {wanted}; correct its list or export "
            "it again."
        )
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"The file {Path(missing[0]).name}{more}, which {path.name} lists as holding its voxels, "
            f"{'are' if more else 'is'} missing; put all into one folder."
        )


def _of_list(path: Path, words: list[str]) -> tuple[list[str], int | None]:
    """The names below the line "LIST", which is the header's last, and the number of axes in each file where it is stated."""
    data = path.read_bytes()
    found = _LIST.search(data.replace(b"\r\n", b"\n"))
    rest = data.replace(b"\r\n", b"\n")[found.end() :] if found else b""
    names = [line.strip() for line in rest.decode("utf-8", "replace").rstrip().splitlines()]
    if "" in names:
        raise InputError(f"The list of files with voxels in {path.name} has an empty line; delete it.")
    return names, int(words[0]) if words else None


def _of_pattern(words: list[str]) -> tuple[list[str], int | None]:
    first, last, step = (int(word) for word in words[1:4])
    numbers = range(first, last + (1 if step > 0 else -1), step)
    return [words[0] % number for number in numbers], int(words[4]) if len(words) > 4 else None
