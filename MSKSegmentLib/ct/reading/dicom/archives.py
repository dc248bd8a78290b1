"""Zipped DICOM: unpacked under generated names and within limits, so that no archive writes elsewhere or fills the drive."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....errors import InputError, shown
from .headers import MOST_FILES

# Larger than any unpacked scan of one body.
_MOST_UNPACKED_BYTES = 16 << 30
# Space that must stay free on the drive of temporary files.
_SPARE_BYTES = 256 << 20

_CHUNK_BYTES = 1 << 20
# Files without the preamble begin with their first data element.
_STARTS = (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x08\x00\x08\x00")
_PREAMBLE_BYTES = 132
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip, whatever its name."""
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


@contextmanager
def as_folder(place: Path) -> Iterator[Path]:
    """A folder with the DICOM files of a zip, for the duration of the block; any other path is passed on unchanged.

    Raises:
        InputError: the zip cannot be unpacked.
    """
    if not (place.is_file() and is_zip(place)):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="msk-zip-") as temporary:
        folder = Path(temporary, "dicom")
        room = shutil.disk_usage(temporary).free - _SPARE_BYTES
        try:
            unpack_dicom(place, folder, shown(place), max(0, min(_MOST_UNPACKED_BYTES, room)))
        except OSError as error:
            raise InputError(
                f"The zip {shown(place)} could not be unpacked ({error.strerror or type(error).__name__}); free space on the drive "
                "of temporary files, or unpack it yourself and give the folder."
            ) from error
        yield folder


def unpack_dicom(archive: Path, folder: Path, name: str, most_bytes: int) -> int:
    """Unpack the DICOM files of a zip into `folder` and return their number; all other files are skipped.

    The names in the archive are never used. `most_bytes` limits the unpacked bytes, which are counted, whatever sizes the archive
    states; `name` is used in messages.

    Raises:
        InputError: the zip is damaged, encrypted, too large, or holds no DICOM files.
    """
    folder.mkdir()
    left, count = most_bytes, 0
    try:
        with zipfile.ZipFile(archive) as source:
            entries = [entry for entry in source.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise InputError(f"The zip {name} holds more than {MOST_FILES} files; zip the folder of the one scan.")
            for entry in entries:
                if entry.compress_type not in _COMPRESSIONS:
                    raise NotImplementedError
                if entry.flag_bits & 0x1:
                    raise InputError(f"The zip {name} is encrypted; zip the folder again without a password.")
                used = _unpack(source, entry, folder / f"{count:06d}.dcm", left)
                count += bool(used)
                left -= used
                if left < 0:
                    raise InputError(
                        f"The zip {name} unpacks to more than {most_bytes / 2**20:.0f} MB; zip only the folder of the one scan."
                    )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise InputError(f"The zip {name} is damaged or packed in an unusual way; zip the folder again.") from error
    if not count:
        raise InputError(f"The zip {name} holds no DICOM images; zip the folder of the CT series.")
    return count


def _unpack(source: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one entry if it is DICOM and return the bytes that count against the limit, 0 for other files."""
    with source.open(entry) as packed:
        chunk = packed.read(_PREAMBLE_BYTES)
        if chunk[128:] != b"DICM" and chunk[:4] not in _STARTS:
            return 0
        used = 0
        with target.open("wb") as file:
            while chunk and used <= left:
                used += len(chunk)
                file.write(chunk)
                chunk = packed.read(_CHUNK_BYTES)
    return used
