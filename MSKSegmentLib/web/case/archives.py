"""Zipped DICOM: unpacked under names of our own, within limits, so that no archive reaches outside or fills the drive."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from ...ct.reading.dicom.headers import MOST_FILES
from ...errors import InputError

_CHUNK_BYTES = 1 << 20
# Files without the preamble begin with their first group at once.
_STARTS = (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x08\x00\x08\x00")
_PREAMBLE_BYTES = 132
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def unpack_dicom(archive: Path, folder: Path, name: str, most_bytes: int) -> int:
    """Unpack the DICOM files of a zip into `folder` and return how many there were; everything else is passed over.

    The names in the archive are never used. `most_bytes` limits what is unpacked by counting it, whatever the archive says of
    itself; `name` stands in the sentences.

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
