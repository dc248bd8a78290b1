"""Names that a NIfTI file holds for its values: a table of labels as XML in a header extension, as TotalSegmentator writes it."""

from __future__ import annotations

import gzip
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from ..ct.reading.images.file import ImageHeader
from ..ct.reading.images.nifti_header import LONGEST_HEADER

_HEADER_LENGTHS = {1: 348, 2: 540}
_MOST_BYTES = 4 << 20


def names_in_nifti(header: ImageHeader) -> dict[int, str]:
    """Value -> name, empty where the file holds no names (or is no NIfTI)."""
    if header.nifti is None or header.nifti.is_pair:
        return {}
    start = _HEADER_LENGTHS[header.nifti.version]
    data = _start_of(header.path, min(header.nifti.begin, _MOST_BYTES))
    # The four bytes after the header say whether extensions follow: each its size and code, then its content.
    if len(data) < start + 12 or not data[start]:
        return {}
    order = "<" if struct.unpack("<i", data[:4])[0] in (348, LONGEST_HEADER) else ">"
    at = start + 4
    found: dict[int, str] = {}
    while at + 8 <= len(data):
        size, _ = struct.unpack(f"{order}2i", data[at : at + 8])
        if size < 16:
            break
        found |= _names_in_xml(data[at + 8 : at + size])
        at += size
    return found


def _start_of(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            return file.read(count)
    except (OSError, EOFError):
        return b""


def _names_in_xml(data: bytes) -> dict[int, str]:
    text = data.rstrip(b"\0 \n")
    # A document type could make a small text large; tables of labels have none.
    if b"LabelTable" not in text or b"<!DOCTYPE" in text:
        return {}
    try:
        labels = ElementTree.fromstring(text).iter("Label")
    except ElementTree.ParseError:
        return {}
    return {
        int(key): name for label in labels if (key := label.get("Key", "")).isdecimal() and (name := (label.text or "").strip())
    }
