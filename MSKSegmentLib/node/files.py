"""The node's folder. Every name in it is a hash or the node's own: nothing that a sender wrote becomes part of a path.

``studies/<study>/images/<series>/<image>.dcm`` is what was received, ``studies/<study>/jobs/<job>/`` what was made of it, and
``sent/<study>.json`` says, also when those are gone, which images have results in the archive. Together they say how far each study
is, whatever became of the queue.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..errors import InputError
from ..output.files import whole_file
from .queue import Image

QUEUE_FILE = "queue.sqlite"
# Hexadecimal digits of a name, 128 bits: no two UIDs meet by chance or on purpose.
_DIGITS = 32
_NAME = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")
_SHORT = 12


def name_of(uid: str) -> str:
    """The name under which a study, series or image is kept: the beginning of the SHA-256 of its UID."""
    return hashlib.sha256(uid.encode("utf-8", errors="surrogateescape")).hexdigest()[:_DIGITS]


def short(name: str) -> str:
    """What log and status page call it."""
    return name[:_SHORT]


def job_of(images: Collection[str]) -> str:
    """The name of the work on a set of images: the same set is the same work."""
    return name_of("\n".join(sorted(images)))


class FolderFull(Exception):
    """No room for another image; nothing was kept of it."""


class WorkFolder:
    """The files of one node, and how much room they take."""

    def __init__(self, folder: Path, most_bytes: int, reserve_bytes: int) -> None:
        """Make the folder and take its lock.

        Raises:
            InputError: it cannot be written, or another node works in it.
        """
        self.folder, self._most, self._reserve = folder, most_bytes, reserve_bytes
        self._studies, self._incoming, self._sent = (folder / name for name in ("studies", "incoming", "sent"))
        try:
            for place in (folder, self._studies, self._incoming, self._sent):
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = _locked(folder / "lock")
        except OSError as error:
            raise InputError(
                f"The folder that node.folder names cannot be used ({error.strerror}): allow writing to it, or name another one."
            ) from error
        for left in self._incoming.iterdir():
            left.unlink()
        self._room = threading.Lock()
        self._used = 0
        self.measure()

    @property
    def queue_file(self) -> Path:
        """Where the queue is kept."""
        return self.folder / QUEUE_FILE

    @property
    def used_bytes(self) -> int:
        """What the folder held when it was last measured, and what was added since."""
        return self._used

    def close(self) -> None:
        """Give the lock back."""
        self._lock_file.close()

    def measure(self) -> None:
        """Count the bytes anew; the queue's own few megabytes come on top."""
        used = sum(map(_bytes_below, (self._studies, self._incoming, self._sent)))
        with self._room:
            self._used = used

    def has_room(self, needed_bytes: int = 0, for_results: bool = False) -> bool:
        """Whether so much may be added: the folder stays within its size, and the drive has more than that left."""
        most = self._most if for_results else self._most - self._reserve
        with suppress(OSError):
            if shutil.disk_usage(self.folder).free < needed_bytes + (0 if for_results else min(self._reserve, 1 << 30)):
                return False
        return self._used + needed_bytes <= most

    def keep(self, image: Image, content: bytes) -> None:
        """Put a received image in its place; it is on the drive when this returns.

        Raises:
            FolderFull: there is no room.
        """
        with self._room:
            if not self.has_room(len(content)):
                raise FolderFull
            self._used += len(content)
        temporary = self._incoming / f"{uuid.uuid4().hex}.part"
        place = self.images(image.study, image.series)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new = [one for one in (place, *place.parents[:2]) if not one.is_dir()]
            place.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, place / f"{image.id}.dcm")
            # A power cut must not take away the folders either.
            for folder in (place, *(one.parent for one in new)):
                _flush(folder)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            with self._room:
                self._used -= len(content)
            raise FolderFull from error

    def known_images(self) -> Iterator[Image]:
        """All images that are there."""
        for path in self._studies.glob("*/images/*/*.dcm"):
            parts = (path.parents[2].name, path.parent.name, path.stem)
            if all(_NAME.fullmatch(part) for part in parts):
                yield Image(*parts, path.stat().st_size)

    def images(self, study: str, series: str) -> Path:
        """The folder of a series' images."""
        return self._studies / study / "images" / series

    def job(self, study: str, job: str) -> Path:
        """The folder of the work on a set of images."""
        return self._studies / study / "jobs" / job

    def current_job(self, study: str) -> Path:
        """The folder of the work that was begun last.

        Raises:
            FileNotFoundError: none was.
        """
        for folder in (self._studies / study / "jobs").glob("*"):
            return folder
        raise FileNotFoundError

    def begin_job(self, study: str, series: str, images: Collection[str]) -> Path:
        """The folder of a job, with these images in ``ct``, which no later one joins; work on other images is removed."""
        folder = self.job(study, job_of(images))
        for other in folder.parent.glob("*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        ct = folder / "ct"
        if not ct.is_dir():
            partial = folder / "ct.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for image in images:
                _same_file(self.images(study, series) / f"{image}.dcm", partial / f"{image}.dcm")
            partial.rename(ct)
        return folder

    def note_sent(self, study: str, job: str, images: Collection[str]) -> None:
        """Remember that the results of these images are in the archive."""
        with whole_file(self._sent / f"{study}.json", ".json") as path, path.open("w", encoding="utf-8") as file:
            json.dump({"job": job, "images": sorted(images)}, file)
            file.flush()
            os.fsync(file.fileno())

    def was_sent(self, study: str, images: Collection[str]) -> bool:
        """Whether results of these images, or of more of the same study, are in the archive already."""
        try:
            noted = json.loads((self._sent / f"{study}.json").read_text(encoding="utf-8"))
            return set(images) <= set(noted["images"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def remove(self, study: str) -> None:
        """Remove a study's images and results."""
        shutil.rmtree(self._studies / study, ignore_errors=True)
        self.measure()

    def forget_sent(self, before: float) -> None:
        """Remove notes of what was sent that are older."""
        for path in self._sent.glob("*.json"):
            with suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _same_file(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A drive without links.
        shutil.copyfile(source, target)


def _bytes_below(folder: Path) -> int:
    """The bytes of all files, one with several names counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                facts = os.lstat(os.path.join(place, name))
                if facts.st_nlink == 1 or (facts.st_dev, facts.st_ino) not in seen:
                    seen.add((facts.st_dev, facts.st_ino))
                    total += facts.st_size
    return total


def _locked(path: Path) -> IO[bytes]:
    """The file, locked until it is closed or the process ends.

    Raises:
        InputError: another process holds it.
    """
    file = path.open("a+b")
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise InputError(
            "Another node works in the folder that node.folder names: stop that one, or name another folder."
        ) from error
    return file


def _flush(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
