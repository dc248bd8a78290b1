"""Where the files lie that come with the software: beside the package in a source tree and in Slicer, or inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_folders(name: str) -> tuple[Path, ...]:
    """The places where the resource folder of that name may be, in the order of their precedence; they may not exist."""
    return tuple(root / "Resources" / name for root in (_PACKAGE.parent, _PACKAGE))


def resource_file(folder: str, name: str) -> Path:
    """A file of a resource folder.

    Raises:
        FileNotFoundError: it did not come along; the installation is incomplete.
    """
    for place in resource_folders(folder):
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"Resources/{folder}/{name} is missing from this installation")
