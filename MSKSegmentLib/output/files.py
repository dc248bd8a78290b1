"""Single files that are replaced as a whole."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .names import advice, cause, fresh_path


@contextmanager
def whole_file(path: str | os.PathLike[str], suffix: str) -> Iterator[Path]:
    """A temporary name beside `path`, with `suffix`, that takes the place of `path` when the block ends well.

    A reader thus never meets half a file, and an older file survives a failed write. Where `path` is a link, the file that it
    leads to is replaced, and the link stays.

    Raises:
        InputError: the block or the replacement failed with an OSError or a RuntimeError (as writers of SimpleITK do).
    """
    target = Path(os.path.realpath(path))
    # Short and ASCII, because some writers cannot cope with long or other names.
    temporary = target.parent / f"msk-{uuid.uuid4().hex[:8]}{suffix}"
    try:
        yield temporary
        _replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"{target.name} could not be written ({cause(error)}): check that its folder exists, is writable and has space left, "
            f"or {advice(error)}."
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"{target.name} could not be written: check that its folder exists, is writable and has space left."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _replace(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except PermissionError as error:
        if not target.is_file():
            raise
        # Windows keeps a file that a program such as Excel has open; its owner may be the only one who may replace it.
        raise InputError(
            f"{target.name} could not be written, because it is open in another program or belongs to somebody else: close it "
            f"there, or choose another name, such as {fresh_path(target).name}."
        ) from error
