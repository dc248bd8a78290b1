"""Checks of a result folder before the run: what would fail at the end is refused at the beginning."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ..errors import InputError, shown
from .names import advice, cause
from .staging import hidden_name, is_hidden

# Files that systems and file managers put into folders; they are no user data.
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "lost+found", ".Trashes", "$RECYCLE.BIN"})
# As long as any file that is written into a result folder.
_LONGEST_NAME = "a-file-with-a-long-name.seg.nrrd"


def resolved(folder: Path) -> Path:
    """The absolute path of a folder that need not exist, with every link followed.

    Raises:
        InputError: links lead in a circle.
    """
    real = Path(os.path.realpath(folder))
    if os.path.islink(real):
        raise InputError(f"The link {shown(folder)!r} leads in a circle; name a folder with -o.")
    return real


def foreign_files(folder: Path, owned: Collection[str] = ()) -> list[str]:
    """Names in a folder that are neither `owned` nor left there by a system, sorted; empty where there is no such folder.

    Raises:
        InputError: the folder cannot be looked into.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"The folder {shown(folder)!r} cannot be looked into ({cause(error)}); {advice(error)}.") from error
    return [
        name for name in names if name not in owned and name not in LITTER and not name.startswith(".nfs") and not is_hidden(name)
    ]


def check_new_folder(folder: Path, owned: Collection[str] = ()) -> Path:
    """Refuse a place that does not take a new folder, or whose folder holds something; returns it resolved.

    Raises:
        InputError: it is a file or a folder with files in it, or nothing can be written there.
    """
    real = resolved(folder)
    check_no_file(real)
    if foreign_files(real):
        raise InputError(f"The folder {shown(real)!r} exists already and holds files; name a new or empty folder with -o.")
    check_place(real, owned)
    return real


def check_no_file(real: Path) -> None:
    """Refuse a file where a folder is to be.

    Raises:
        InputError: it is one, or its path leads through one.
    """
    for place in (real, *real.parents):
        if os.path.isdir(place):
            return
        if os.path.lexists(place):
            what = f"The output {shown(real)!r} is a file" if place == real else f"{shown(place)!r} on the way to it is a file"
            raise InputError(f"{what}; name a folder with -o.")


def check_place(real: Path, owned: Collection[str] = ()) -> None:
    """Try whether a folder can be made there and filled; nothing of the trial stays.

    The trial does what the end of a run does: it finds missing permissions, read-only drives, names and paths that are too long
    or have signs that the drive refuses, and files of the names `owned` that cannot be replaced.

    Raises:
        InputError: it cannot.
    """
    new_folders, trials = missing_folders(real), [real / hidden_name("trial"), real / hidden_name("tried")]

    def clean_up() -> None:
        for place in trials:
            shutil.rmtree(place, ignore_errors=True)
        remove_empty(new_folders)

    try:
        try:
            make_missing(real)
            _try(trials)
            check_replaceable(real, owned)
        finally:
            clean_up()
    except OSError as error:
        raise InputError(
            f"Nothing can be written to the folder {shown(real)!r} ({cause(error)}); {advice(error)}: name another folder with -o."
        ) from error
    except BaseException:
        # Whoever cancels does so once, perhaps while this was being cleaned up.
        clean_up()
        raise


def check_space(folder: Path, needed_bytes: int) -> None:
    """Refuse a drive that has less space than a result needs.

    Raises:
        InputError: it has less.
    """
    real = resolved(folder)
    free = shutil.disk_usage(nearest_existing(real)).free
    if free < needed_bytes:
        raise InputError(
            f"The drive of {shown(real)!r} has {free / 2**20:.0f} MB left and the result may need {needed_bytes / 2**20:.0f} MB; "
            "free space or name a folder on another drive with -o."
        )


def nearest_existing(real: Path) -> Path:
    """The folder itself or the nearest one above it that exists."""
    return next((place for place in (real, *real.parents) if os.path.isdir(place)), Path(real.anchor))


def check_replaceable(real: Path, owned: Collection[str]) -> None:
    """Raise the OSError that replacing one of these files in a folder would end in."""
    folder = os.stat(real)
    # In a folder with the sticky bit only the owner of a file may replace it.
    sticky = bool(folder.st_mode & stat.S_ISVTX) and hasattr(os, "geteuid") and os.geteuid() not in (0, folder.st_uid)
    for name in owned:
        path = real / name
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder", name)
        if sticky and found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, f"{name} belongs to somebody else", name)
        if os.name == "nt":
            # Windows refuses even this while another program has the file open.
            try:
                os.rename(path, path)
            except PermissionError as error:
                raise PermissionError(error.errno, f"{name} is open in another program", name) from error


def missing_folders(real: Path) -> list[Path]:
    """A folder and those above it that do not exist, the innermost first."""
    return [place for place in (real, *real.parents) if not os.path.isdir(place)]


def make_missing(real: Path) -> list[Path]:
    """Make a folder with those above it; returns what was made, the innermost first."""
    new_folders = missing_folders(real)
    try:
        for place in reversed(new_folders):
            place.mkdir(exist_ok=True)
    except BaseException:
        remove_empty(new_folders)
        raise
    return new_folders


def _try(trials: list[Path]) -> None:
    trials[0].mkdir()
    (trials[0] / _LONGEST_NAME).write_bytes(b"trial")
    # As what is written beside the folder's content is put into its place.
    trials[0].rename(trials[1])
    os.replace(trials[1] / _LONGEST_NAME, trials[1] / "replaced")


def remove_empty(folders: list[Path]) -> None:
    """Remove folders in that order, but none that holds something: another run may have filled it meanwhile."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
