"""The files that come with the software: the package's own folder ``Resources``, in a source tree, a wheel and Slicer alike."""

from __future__ import annotations

from pathlib import Path

from .errors import InstallationError

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """The resource folder of that name; it is absent where an installation is incomplete."""
    return _PACKAGE / "Resources" / name


def resource_file(folder: str, name: str) -> Path:
    """A file of a resource folder.

    Raises:
        InstallationError: it did not come along; the installation is incomplete.
    """
    path = resource_folder(folder) / name
    if not path.is_file():
        raise InstallationError(f"Resources/{folder}/{name} is missing from this installation; install MSKSegment again.")
    return path
