"""Names that every file system takes, and names that are not taken yet."""

from __future__ import annotations

import errno
import itertools
import os
import re
from pathlib import Path

# The limit of nearly all file systems; in bytes of UTF-8 on most, in characters on the others.
MOST_BYTES = 255
# Room for a number, and for endings of a few words.
_STEM_BYTES = 180


def safe_name(name: str) -> str:
    """A file name reduced to a short folder name: no path, no extension, no sign that a file system might refuse.

    >>> safe_name("scans/Hip CT: left.nii.gz")
    'Hip_CT_left'
    """
    stem = re.split(r"[/\\]", name)[-1]
    stem = re.sub(r"\.(nii\.gz|nii|nrrd|mha|zip|dcm|gz)$", "", stem, flags=re.IGNORECASE)
    stem = shortened(re.sub(r"[^\w.\-]+", "_", stem).strip("._-")[:60], _STEM_BYTES).rstrip("._-")
    # Windows reserves these names with any extension.
    reserved = re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", stem, re.IGNORECASE)
    return f"ct_{stem}" if reserved else stem or "ct"


def shortened(text: str, most_bytes: int) -> str:
    """The beginning of a text that takes at most so many bytes in UTF-8."""
    return text.encode("utf-8", errors="surrogateescape")[:most_bytes].decode("utf-8", errors="ignore")


def with_ending(name: str, ending: str) -> str:
    """A name with an ending; the name loses its last characters where both together would be too long."""
    return shortened(name, MOST_BYTES - len(ending.encode())) + ending


def fresh_path(path: Path) -> Path:
    """The path itself where nothing lies there, else the first of ``name-2``, ``name-3`` and so on; extensions stay behind."""
    if not os.path.lexists(path):
        return path
    stem, dot, extensions = path.name.partition(".")
    if not stem:
        stem, dot, extensions = path.name, "", ""
    for number in itertools.count(2):
        candidate = path.with_name(with_ending(stem, f"-{number}{dot}{extensions}"))
        if not os.path.lexists(candidate):
            return candidate
    raise AssertionError("counting has no end")


def advice(error: OSError) -> str:
    """What the user can do about a refusal of the system, as half a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free space there"
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if error.errno == errno.EROFS:
        return "choose a drive that is not read-only"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "choose a place where you may write"
    return "choose another place"


def cause(error: OSError) -> str:
    """The system's own words for what went wrong."""
    return error.strerror or type(error).__name__
