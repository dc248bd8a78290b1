"""A folder that is filled as a whole, where nothing was or in the place of an earlier content.

What is new is written to a hidden folder on the same drive. A new folder is that one, renamed. An existing folder stays what it is,
be it a mount point, somebody's working folder or the end of a link, and gets the new files one by one, the marker (such as
``result.json``) last. Renaming the hidden folder to ``.ready`` is the moment from which the new content counts: whoever uses the
folder next ends what a crash interrupted after it, and removes what a crash left before it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Cancelled, InputError, MSKSegmentError, shown
from .names import advice, cause, fresh_path, with_ending
from .places import check_replaceable, make_missing, nearest_existing, remove_empty, resolved
from .staging import PARTIAL, READY, hidden_name, ready_folders, remove_leftovers, remove_run

_PLAN = ".plan.json"
Check = Callable[[Path], None]


@contextmanager
def whole_folder(
    folder: Path,
    what: str,
    marker: str,
    owned: Collection[str] = (),
    check: Check = lambda real: None,
) -> Iterator[Path]:
    """A folder to write files to, which become the content of `folder` when all went well and vanish otherwise.

    `what` names the content in sentences; `marker` is the file by which it is known; files of the names `owned` are replaced or,
    where the new content lacks them, removed. All else in the folder stays. `check` gets the resolved folder when all is written
    and raises an InputError where it must not be replaced after all. What is written whole and cannot be put in place is kept
    under another name, which the sentence says.

    Raises:
        InputError: it cannot be written, or not there.
    """
    real = resolved(folder)
    recover(real)
    # Inside of a folder that exists, which may be all that can be written and a drive of its own; else above it.
    staging = nearest_existing(real) / hidden_name(PARTIAL)
    try:
        remove_leftovers(staging.parent)
        staging.mkdir()
        yield staging
        _settle(staging)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise InputError(
            f"The {what} could not be written to {shown(real)!r} ({cause(error)}); {advice(error)}, or name another folder with -o."
        ) from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _deliver(staging, real, what, marker, owned, check)


def recover(folder: Path) -> bool:
    """End what a crash interrupted while the content of a folder was replaced; whether there was anything to end.

    Raises:
        InputError: it cannot be ended.
    """
    interrupted = ready_folders(folder)
    for ready in interrupted:
        try:
            _put_in_place(ready)
        except OSError as error:
            raise InputError(
                f"The folder {shown(folder.resolve())!r} was being filled when its run was stopped, and this cannot be ended "
                f"({cause(error)}); allow writing to it, or copy it to where you may write."
            ) from error
    return bool(interrupted)


def clean_up(folder: Path, run: str) -> None:
    """After the run of that name (see `staging.RUN_VARIABLE`) was killed: leave its folder whole, and nothing beside it."""
    real = resolved(folder)
    for place in (real, *real.parents):
        remove_run(place, run)
    with suppress(MSKSegmentError):
        recover(real)


def _deliver(staging: Path, real: Path, what: str, marker: str, owned: Collection[str], check: Check) -> None:
    try:
        _commit(staging, real, marker, owned, check)
    except (OSError, InputError) as error:
        if not staging.exists():
            raise InputError(
                f"The {what} is written, but not all of it could be put into {shown(real)!r} ({_why(error)}); it is put there when "
                "the folder is used again."
            ) from error
        kept = _set_aside(staging, real)
        raise InputError(f"The {what} is whole in {kept!r}, not in {real.name!r}: {_why(error)}.") from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _commit(staging: Path, real: Path, marker: str, owned: Collection[str], check: Check) -> None:
    ready = real / hidden_name(READY)
    new_folders: list[Path] = []
    try:
        if not real.exists():
            new_folders = make_missing(real.parent)
            # Where another run was quicker, its folder is filled.
            if not real.exists():
                staging.rename(real)
        if staging.exists():
            check(real)
            check_replaceable(real, {*owned, *os.listdir(staging)})
            _plan(staging, real, marker, owned)
            staging.rename(ready)
            _put_in_place(ready)
    except BaseException as error:
        if staging.exists():
            remove_empty(new_folders)
            raise
        if isinstance(error, OSError):
            raise
        # A signal came when the new content counted already: the exchange is ended, and cancelling came too late.
        if ready.exists():
            _put_in_place(ready)
        if not isinstance(error, Cancelled):
            raise


def _plan(staging: Path, real: Path, marker: str, owned: Collection[str]) -> None:
    new = set(os.listdir(staging))
    surplus = sorted(name for name in owned if name not in new and os.path.lexists(real / name))
    plan = staging / _PLAN
    plan.write_text(json.dumps({"marker": marker, "remove": surplus}), encoding="utf-8")
    _flush(plan)


def _put_in_place(ready: Path) -> None:
    """Exchange the files; may be stopped anywhere, and be done again, also by two at the same time."""
    real = ready.parent
    try:
        plan = json.loads((ready / _PLAN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        # Stopped right before the end, or somebody else has come to it.
        plan = {"marker": "", "remove": []}
    with suppress(FileNotFoundError):
        new = sorted(set(os.listdir(ready)) - {_PLAN}, key=lambda name: (name == plan["marker"], name))
        for name in plan["remove"]:
            (real / name).unlink(missing_ok=True)
        for name in new:
            with suppress(FileNotFoundError):
                os.replace(ready / name, real / name)
        (ready / _PLAN).unlink(missing_ok=True)
        ready.rmdir()
    _flush(real)


def _set_aside(staging: Path, real: Path) -> str:
    """Give what is written whole a name that can be found, as near to its place as can be; returns the name."""
    (staging / _PLAN).unlink(missing_ok=True)
    for kept in (fresh_path(real), fresh_path(real / with_ending(real.name, "-2"))):
        with suppress(OSError):
            staging.rename(kept)
            return os.path.relpath(kept, real.parent)
    return os.path.relpath(staging, real.parent)


def _why(error: OSError | InputError) -> str:
    if isinstance(error, OSError):
        return f"{cause(error)}; {advice(error)}"
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


def _settle(folder: Path) -> None:
    """Have the drive keep what was written, so that a power cut after the exchange leaves no empty files."""
    for path in folder.iterdir():
        _flush(path)
    _flush(folder)


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if path.is_file() and os.access(path, os.W_OK) else os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
