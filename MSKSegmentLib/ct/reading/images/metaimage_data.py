"""Check that the voxels of a MetaImage are complete: the toolkit returns uninitialised memory for missing ones.

It does so, without an error, for compressed data that are damaged, end early or have no stated length, and for lists of files that
are too short.
"""

from __future__ import annotations

import math
import re
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ....errors import InputError
from ..hounsfield import read_image

if TYPE_CHECKING:
    import SimpleITK as sitk

_LONGEST_HEADER = 1 << 16
_CHUNK_BYTES = 1 << 16
# Bytes of one value, as the format's own library stores them on every machine.
_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
# Character codes that occur in numbers written as text.
_OF_NUMBERS = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.eEnaifNAIF \t\r\n\v\f", np.uint8))
_LAST_LINE = re.compile(rb"ElementDataFile[^\n]*\n")


def check_voxels(path: Path, fields: Mapping[str, str]) -> None:
    """Refuse a file with `fields` (of `parse_metaimage`) whose voxels are incomplete.

    Raises:
        InputError: it does not list one file per slice, a file is missing, or compressed data are damaged, have no stated length,
        or another length than the header announces.
    """
    try:
        files, per_file = _listed_files(path, fields, [int(float(word)) for word in fields["DimSize"].split()])
        wanted = _value_bytes(fields) * math.prod(per_file)
        skipped = max(0, int(fields.get("HeaderSize", "0")))
    except (TypeError, ValueError) as error:
        raise InputError(f"The header of {path.name} does not say in numbers where its voxels lie; export it again.") from error
    for file in files:
        if not file.is_file():
            raise InputError(f"The file {file.name}, which holds voxels of {path.name}, is missing; put all into one folder.")
    if not wanted or fields.get("CompressedData", "")[:1].lower() not in ("t", "y", "1"):
        return
    packed = _packed_bytes(fields)
    if packed is None and len(files) < 2:
        raise InputError(
            f"The header of {path.name} does not state how many bytes its packed voxels take (CompressedDataSize), so that they "
            "cannot be read; save it unpacked."
        )
    for file in files or [path]:
        with file.open("rb") as stream:
            stream.seek(_begin(path, fields) if file == path else skipped)
            if _unpacked_bytes(stream, packed if len(files) < 2 else None) != wanted:
                raise InputError(
                    f"The packed voxels of {file.name} are damaged, cut short, or not as many as the header announces; copy or "
                    "export it again."
                )


def is_text(fields: Mapping[str, str]) -> bool:
    """Whether the voxels are written as text, in the file itself or in one other file."""
    named = fields.get("ElementDataFile", "")
    several = named.split()[:1] == ["LIST"] or "%" in named
    return fields.get("BinaryData", "True")[:1].lower() not in ("t", "y", "1") and not several


def read_text(path: Path, fields: Mapping[str, str]) -> sitk.Image | None:
    """A MetaImage whose voxels are text (`is_text`), or None when it cannot be read.

    The toolkit needs a line break after the last number; without one it reads a copy that has it.

    Raises:
        InputError: there are fewer numbers than voxels, or other text than numbers.
    """
    named = fields["ElementDataFile"]
    inside = named.upper() == "LOCAL"
    text = path.read_bytes()[_begin(path, fields) :] if inside else (path.parent / named).read_bytes()
    signs = np.frombuffer(text, np.uint8)
    blank = signs <= ord(" ")
    found = int(np.count_nonzero(~blank[1:] & blank[:-1])) + int(bool(signs.size) and not blank[0])
    wanted = math.prod(int(float(word)) for word in fields["DimSize"].split()) * int(fields.get("ElementNumberOfChannels", "1"))
    if found < wanted:
        raise InputError(
            f"The file {path.name} is cut short: it has {found:,} numbers for the {wanted:,} voxels that its header announces; "
            "copy or export it again."
        )
    if not _OF_NUMBERS[signs].all():
        raise InputError(f"The voxels of {path.name} are to be text, but not all of it is numbers; copy or export it again.")
    if blank[-1]:
        return read_image(path)
    header = "".join(f"{key} = {value}\n" for key, value in fields.items() if key != "ElementDataFile")
    with tempfile.TemporaryDirectory() as folder:
        ended = Path(folder) / "ended.mha"
        ended.write_bytes(header.encode() + b"ElementDataFile = LOCAL\n" + text + b"\n")
        return read_image(ended)


def _listed_files(path: Path, fields: Mapping[str, str], sizes: list[int]) -> tuple[list[Path], list[int]]:
    """The files with voxels other than `path` itself, and the axes (in voxels) that each of them holds."""
    words = fields.get("ElementDataFile", "").split()
    if not words or words[0].upper() == "LOCAL":
        return [], sizes
    if words[0].upper() == "LIST":
        axes = int(words[1]) if len(words) > 1 and words[1].isdecimal() else len(sizes) - 1
        names = _lines_after_header(path)
    elif "%" in words[0]:
        axes = len(sizes) - 1
        first, last, step = (int(word) for word in (*words[1:4], *("1", str(sizes[-1]), "1")[len(words[1:4]) :]))
        names = [words[0] % number for number in range(first, last + 1, max(1, step))]
    else:
        return [path.parent / fields["ElementDataFile"]], sizes
    wanted = math.prod(sizes[axes:])
    if len(names) != wanted:
        raise InputError(
            f"The file {path.name} names {len(names)} files for its {wanted} slices; correct its list or export it again."
        )
    return [path.parent / name for name in names], sizes[:axes]


def _value_bytes(fields: Mapping[str, str]) -> int:
    """Bytes of one voxel; 0 for a type that only the toolkit knows."""
    kind = re.sub(r"^MET_U?|_ARRAY$", "", fields.get("ElementType", "").upper())
    return _BYTES.get(kind, 0) * int(fields.get("ElementNumberOfChannels", "1"))


def _lines_after_header(path: Path) -> list[str]:
    text = path.read_bytes()
    end = _LAST_LINE.search(text)
    rest = text[end.end() :] if end else b""
    return [line.strip() for line in rest.decode("utf-8", "replace").splitlines() if line.strip()]


def _begin(path: Path, fields: Mapping[str, str]) -> int:
    with path.open("rb") as stream:
        end = _LAST_LINE.search(stream.read(_LONGEST_HEADER))
    return end.end() if end else 0


def _packed_bytes(fields: Mapping[str, str]) -> int | None:
    """The number of bytes of the compressed voxels, if the header states it: the toolkit reads no more."""
    text = fields.get("CompressedDataSize", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _unpacked_bytes(stream: BinaryIO, packed: int | None) -> int | None:
    """The number of bytes after decompression, None if the data are damaged or end early."""
    unpacker, count = zlib.decompressobj(), 0
    try:
        for chunk in _chunks(stream, packed):
            count += len(unpacker.decompress(chunk))
        count += len(unpacker.flush())
    except zlib.error:
        return None
    return count if unpacker.eof else None


def _chunks(stream: BinaryIO, limit: int | None) -> Iterator[bytes]:
    left = limit
    while chunk := stream.read(_CHUNK_BYTES if left is None else min(_CHUNK_BYTES, left)):
        left = None if left is None else left - len(chunk)
        yield chunk
