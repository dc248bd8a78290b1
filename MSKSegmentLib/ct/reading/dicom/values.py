"""Elements of a DICOM header as text and numbers, also from writers that violate the standard.

Elements are read from their bytes: the toolkit's own conversion gives up on a decimal comma and trusts the stated value
representation where two are allowed.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "US or SS": "H"}
_AROUND = " \0\t\r\n[]()"


def text_of(data: Any, name: str) -> str:
    """The element as one line of text, empty where it is absent or cannot be decoded."""
    try:
        value = data.get(name)
        return "" if value is None else str(value).strip("\0 ")
    # The toolkit raises nearly anything for a damaged value.
    except Exception:
        return ""


def clean(text: str) -> str:
    """One short line without control characters or quotes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).replace('"', "'").split())[:60].rstrip(" .")


def words_of(data: Any, name: str) -> tuple[str, ...]:
    """The parts of a multi-valued code string in capitals."""
    raw = _bytes(data, name)
    if raw is None:
        return ()
    return tuple(part.strip(_AROUND).upper() for part in raw[0].decode("latin-1").split("\\"))


def numbers_of(data: Any, name: str, count: int) -> tuple[float, ...] | None:
    """The element's `count` finite numbers, or None if it does not hold exactly these. A decimal comma counts as a point."""
    values = _numbers(data, name)
    return values if values is not None and len(values) == count and all(map(math.isfinite, values)) else None


def number_of(data: Any, name: str) -> float | None:
    """The element's first number, or None where there is none."""
    values = _numbers(data, name)
    return values[0] if values and math.isfinite(values[0]) else None


def whole_of(data: Any, name: str) -> int | None:
    """The element's first number if it is an integer, else None."""
    value = number_of(data, name)
    return int(value) if value is not None and value == int(value) else None


def bits_of(data: Any, name: str) -> tuple[int, int] | None:
    """(unsigned number, bits) of an element that is US or SS like the pixels, whatever its stated representation."""
    raw = _bytes(data, name)
    if raw is None:
        return None
    content, representation, order = raw
    if representation in ("IS", "DS", "LO", "SH") or len(content) not in (2, 4):
        value = whole_of(data, name)
        return None if value is None else (value % (1 << 16), 16) if -(1 << 15) <= value < 1 << 16 else (value % (1 << 32), 32)
    bits = 8 * len(content)
    return struct.unpack(order + ("H" if bits == 16 else "I"), content)[0], bits


def _bytes(data: Any, name: str) -> tuple[bytes, str, str] | None:
    """(content, value representation, byte order as in `struct`) of an element, None where it is absent or empty."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(name)
    if tag is None:
        return None
    element = data.get_item(tag)
    content = getattr(element, "value", None)
    if not isinstance(content, bytes) or not content or element is None:
        return None
    return content, element.VR or dictionary_VR(tag), "<" if element.is_little_endian else ">"


def _numbers(data: Any, name: str) -> tuple[float, ...] | None:
    raw = _bytes(data, name)
    if raw is None:
        return None
    content, representation, order = raw
    if representation in _BINARY:
        kind = _BINARY[representation]
        size = struct.calcsize(kind)
        count = len(content) // size
        return tuple(map(float, struct.unpack(f"{order}{count}{kind}", content[: count * size]))) or None
    parts = content.decode("latin-1").strip(_AROUND).split("\\")
    if len(parts) == 1 and "." in parts[0] and len(re.split(r"\s*[,;]\s*|\s+", parts[0])) > 1:
        # A list that was written as text: 3.0, 3.0
        parts = re.split(r"\s*[,;]\s*|\s+", parts[0])
    try:
        return tuple(float(part.strip(_AROUND).replace(",", ".")) for part in parts)
    except ValueError:
        return None
