"""Files that come in through the page: judged by their content, held to limits, and never trusted with a path.

A header that names another file as the place of its pixels is refused: it could make the server read any file of this computer.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...ct import SeriesInfo, list_series
from ...ct.modality import CT_MODALITY
from ...ct.reading.dicom.archives import unpack_dicom
from ...errors import InputError
from ...output.names import safe_name
from .lock import ReviewLock
from .result_list import writable_folder

FOLDER = ".uploads"
ACCEPTED = "NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha) or a zip of DICOM files"
# Enough of a file to tell its kind, and enough to hold the longest text header.
_SNIFF_BYTES, _HEAD_BYTES = 4 << 10, 64 << 10
# 2 GB of HU: five whole-body scans. A header may claim anything.
MOST_VOXELS = 1 << 30
# Images in a zip are packed to about a half; a small upload limit must not refuse a scan that is merely well packed.
_LEAST_UNPACKED_BYTES = 1 << 30
# Free space that has to remain for the result.
_SPARE_BYTES = 1 << 30


@dataclass(frozen=True)
class UploadProgress:
    """A file that is arriving: bytes so far and in all (0 when the browser does not say)."""

    name: str
    received: int
    total: int

    @property
    def percent(self) -> float:
        """0..100; 0 when the size is unknown."""
        return min(100.0, 100.0 * self.received / self.total) if self.total else 0.0


@dataclass(frozen=True)
class ArrivedCT:
    """A scan to be segmented: what to read, what to call it, and for an upload the folder to remove afterwards.

    `choices` are the usable series where a zip holds several: one of them has to become `series` first.
    """

    path: Path
    name: str
    folder: Path | None = None
    series: str | None = None
    in_use: ReviewLock | None = None
    choices: tuple[SeriesInfo, ...] = ()

    def discard(self) -> None:
        """Remove an upload; a CT that was there before stays."""
        if self.in_use is not None:
            self.in_use.release()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class Upload:
    """One file being received into a folder of its own; `discard` removes it whatever has happened."""

    def __init__(self, root: Path, name: str, total: int, most_bytes: int, modality: str = CT_MODALITY) -> None:
        """Begin; `total` is the announced size in bytes or 0, `modality` that of the series of a zip that can be used.

        Raises:
            InputError: it is too large, or the drive is too full for it.
        """
        self.name = shown_name(name)
        self.total = total
        self.received = 0
        self._most_bytes, self._modality = most_bytes, modality
        self._head = b""
        self._check_size(total)
        parent = writable_folder(root / FOLDER)
        if shutil.disk_usage(parent).free < 2 * total + _SPARE_BYTES:
            raise InputError("The drive of the results is too full for this file; free space and upload it again.")
        self.folder = Path(tempfile.mkdtemp(prefix="ct-", dir=parent))
        # Another server that starts in the same folder must not take this for a leftover.
        self._in_use = ReviewLock(self.folder)
        self._file: BinaryIO = (self.folder / "received").open("wb")

    @property
    def progress(self) -> UploadProgress:
        """How far it is."""
        return UploadProgress(self.name, self.received, self.total)

    def write(self, chunk: bytes) -> None:
        """Add what has arrived.

        Raises:
            InputError: it has become too large, or its first bytes are of no known kind.
        """
        self.received += len(chunk)
        self._check_size(self.received)
        if len(self._head) < _SNIFF_BYTES:
            self._head += chunk[:_SNIFF_BYTES]
            if len(self._head) >= _SNIFF_BYTES:
                kind_of(self._head, self.name)
        self._file.write(chunk)

    def finish(self) -> ArrivedCT:
        """Check the whole file and make it ready to be read; takes as long as unpacking does.

        Raises:
            InputError: it is empty, cut short, or not a scan of a known kind.
        """
        self._file.close()
        if not self.received:
            raise InputError(f"The file {self.name} is empty; copy or export it again.")
        if self.total and self.received != self.total:
            raise InputError(f"The file {self.name} did not arrive whole; upload it again.")
        received = self.folder / "received"
        with received.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        kind = kind_of(head, self.name)
        _check_pixels_inside(head, kind, self.name)
        if kind == "zip":
            images = self.folder / "dicom"
            unpack_dicom(received, images, self.name, max(4 * self._most_bytes, _LEAST_UNPACKED_BYTES))
            received.unlink()
            usable = tuple(info for info in list_series(images, self._modality) if info.usable)
            choices = usable if len(usable) > 1 else ()
            return ArrivedCT(images, safe_name(self.name), self.folder, in_use=self._in_use, choices=choices)
        path = received.rename(self.folder / f"{safe_name(self.name)}{kind}")
        _check_voxels(path, self.name)
        return ArrivedCT(path, safe_name(self.name), self.folder, in_use=self._in_use)

    def discard(self) -> None:
        """Remove the file and what was unpacked of it."""
        self._file.close()
        self._in_use.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            limit = self._most_bytes / 2**20
            raise InputError(
                f"The file {self.name} is larger than {limit:.0f} MB; crop the scan, or start the review with a higher "
                "--max-upload-mb."
            )


def remove_stale_uploads(root: Path) -> None:
    """Remove what uploads of servers that were killed have left behind; those of running servers stay."""
    for folder in (root / FOLDER).glob("ct-*"):
        left = ReviewLock(folder)
        if left.held:
            left.release()
            shutil.rmtree(folder, ignore_errors=True)


def shown_name(name: str) -> str:
    """A file name as it may stand in a sentence: no path, one line, not long."""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in base if c.isprintable())[:80].strip() or "upload"


def kind_of(head: bytes, name: str) -> str:
    """The kind of a file by its first bytes: the extension under which it can be read, or ``zip``.

    Raises:
        InputError: it is nothing that can be segmented; `name` stands in the sentence.
    """
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:2] == b"\x1f\x8b":
        if _is_nifti(_unzipped(head)):
            return ".nii.gz"
        raise InputError(f"The compressed file {name} is not a NIfTI image; upload {ACCEPTED}.")
    if _is_nifti(head):
        return ".nii"
    if head[:7] == b"NRRD000":
        return ".nrrd"
    if re.match(rb"\s*(ObjectType|Comment|NDims)\s*=", head):
        return ".mha"
    if head[128:132] == b"DICM":
        raise InputError(f"The file {name} is a single DICOM file; zip the folder of the whole series and upload the zip.")
    raise InputError(f"The file {name} is no scan that can be read; upload {ACCEPTED}.")


def _check_pixels_inside(head: bytes, kind: str, name: str) -> None:
    """Refuse a text header that names another file as the place of its pixels."""
    lines = head.replace(b"\r", b"\n")
    if kind == ".nrrd":
        header, blank, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
        inside = bool(blank) and not re.search(rb"^\s*data ?file\s*:", header, re.MULTILINE | re.IGNORECASE)
    elif kind == ".mha":
        place = re.search(rb"^\s*ElementDataFile\b[\s=:]*(\S*)\s*$", lines, re.MULTILINE | re.IGNORECASE)
        inside = place is not None and place.group(1) == b"LOCAL"
    else:
        return
    if not inside:
        raise InputError(f"The file {name} keeps its pixels in another file; save the scan as one {kind} file.")


def _is_nifti(head: bytes) -> bool:
    """A single file with header and pixels; pairs of files have another magic number."""
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _unzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, 1024)
    except zlib.error:
        return b""


def _check_voxels(path: Path, name: str) -> None:
    """Refuse by its header what would not fit into memory."""
    from ...ct.reading.images.file import read_image_header

    header = read_image_header(path)
    voxels = math.prod(header.facts.size) * header.values_per_voxel
    if voxels > MOST_VOXELS:
        raise InputError(f"The scan {name} has {voxels / 1e9:.1f} billion voxels, which is too much; crop it first.")
