"""The header of a NRRD file and what it states about the grid.

Source: "Definition of NRRD File Format", https://teem.sourceforge.net/nrrd/format.html. Voxels are read by the toolkit; it
takes a missing spacing for 1 mm, a missing space for LPS, and every unit for mm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....findings import Finding, findings_from_json
from .facts import ImageFacts, Stated, by, in_millimetres

# A private key in copies of a CT: it keeps the findings on the original file.
FINDINGS_KEY = "MSKSegment.findings"
_LONGEST_HEADER = 1 << 20
_FRAMES = {
    "left-posterior-superior": "LPS", "right-anterior-superior": "RAS", "left-anterior-superior": "LAS",
    "lps": "LPS", "ras": "RAS", "las": "LAS",
}  # fmt: skip
_SPACES = {
    *_FRAMES, *(f"{frame}-time" for frame in _FRAMES if "-" in frame), "rast", "last", "lpst", "scanner-xyz", "scanner-xyz-time",
    "3d-right-handed", "3d-right-handed-time", "3d-left-handed", "3d-left-handed-time",
}  # fmt: skip
_UNITS_MM = {
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "m": 1000.0, "meter": 1000.0, "metre": 1000.0, "cm": 10.0, "centimeter": 10.0,
    "centimetre": 10.0, "um": 0.001, "\u00b5m": 0.001, "\u03bcm": 0.001, "micron": 0.001, "micrometer": 0.001, "micrometre": 0.001,
}  # fmt: skip
_READABLE_ENCODINGS = {"raw", "gzip", "gz", "txt", "text", "ascii", "hex"}
_SPATIAL_KINDS = {"domain", "space", "???", "none"}


@dataclass(frozen=True)
class NrrdHeader:
    """The fields of a NRRD header, names in small letters without spaces ("spacedirections"), and its keys and values."""

    fields: Mapping[str, str]
    keys: Mapping[str, str]

    def items(self, field: str) -> list[str]:
        """The entries of a field: words, vectors in parentheses, or strings in quotation marks; empty where it is absent."""
        found = re.findall(r'"[^"]*"|\([^)]*\)|[^\s()"]+', self.fields.get(field, ""))
        return [item.strip('"').strip() for item in found]


def parse_nrrd(path: Path) -> NrrdHeader:
    """The header of a ``.nrrd`` or ``.nhdr`` file.

    Raises:
        InputError: it is not an NRRD header, or states a field twice.
    """
    with path.open("rb") as file:
        data = file.read(_LONGEST_HEADER)
    if not data.startswith(b"NRRD000"):
        raise InputError(f"The file {path.name} is not a NRRD image; copy or export it again.")
    text = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0].decode("utf-8", "replace")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        field = re.match(r"([^:=#][^:]*): (.*)", line)
        key = re.match(r"([^#][^:]*):=(.*)", line)
        if key and (field is None or len(key[1]) < len(field[1])):
            keys[key[1]] = key[2]
        elif field:
            name = _known_name(field[1])
            if name in fields and fields[name] != field[2].strip():
                raise InputError(f"The header of {path.name} states its {field[1]} twice; delete the wrong line.")
            fields[name] = field[2].strip()
    return NrrdHeader(fields, keys)


def nrrd_facts(header: NrrdHeader, name: str) -> ImageFacts:
    """The facts of a NRRD header; `name` is the file's, for messages.

    Raises:
        InputError: it does not state its voxel spacing, states it twice, or in invalid units; or its voxels are stored in a way
        that cannot be read.
    """
    _check_storage(header, name)
    axes = _spatial_axes(header, name)
    sizes = [_whole(text, name) for text in header.items("sizes")]
    size = (sizes[axes[0]], sizes[axes[1]], sizes[axes[2]])
    directions, spacings = header.items("spacedirections"), header.items("spacings") or _of_bounds(header, sizes)
    if not directions:
        if len(spacings) <= max(axes) or not all(np.isfinite(_number(spacings[axis], name)) for axis in axes):
            raise InputError(f"The image {name} does not state its voxel spacing; export it again with its spacing.")
        lengths = np.array([_number(spacings[axis], name) for axis in axes])
        factor, unit = _one_unit([header.items("units")[axis] for axis in axes] if header.items("units") else [], "units", name)
        if lengths.min() <= 0:
            raise InputError(f"The image {name} has a voxel spacing of zero or less; export it again with its spacing.")
        return ImageFacts(
            size, Stated(np.diag(lengths * factor), "spacings"), None, None, "it has spacings but no space directions", None, unit,
            in_millimetres(lengths, unit, name),
        )  # fmt: skip
    _check_space(header, name)
    steps = np.column_stack([_vector(directions[axis], name) for axis in axes])
    _check_stated_once(header, steps, axes, name)
    factor, unit = _one_unit(header.items("spaceunits")[:3], "space units", name)
    space = header.fields.get("space", "")
    frame = _FRAMES.get(space.lower().removesuffix("-time")) or _FRAMES.get(space.lower()[:3] if len(space) == 4 else "")
    problem = f"its space is {space!r}, which says nothing about the body" if space else "it names no space"
    origin = header.items("spaceorigin")
    position = _vector(origin[0], name) * factor if origin else None
    findings = _kept_findings(header) + in_millimetres(np.linalg.norm(steps, axis=0), unit, name)
    return ImageFacts(
        size, Stated(steps * factor, "space directions"),
        None if position is None or np.isnan(position).all() else Stated(position, "space origin"),
        Stated(frame, "space") if frame else None, "" if frame else problem, None, unit, findings,
    )  # fmt: skip


def _known_name(text: str) -> str:
    name = re.sub(r"\s", "", text).lower()
    return {"centers": "centerings", "datafile": "datafile"}.get(name, name)


def _check_storage(header: NrrdHeader, name: str) -> None:
    """Refuse, with the reason, a storage that the toolkit cannot read."""
    for field in ("dimension", "sizes", "type", "encoding"):
        if field not in header.fields:
            raise InputError(f"The header of {name} lacks the field {field!r} or is cut short; copy or export it again.")
    encoding = header.fields["encoding"].lower()
    if encoding not in _READABLE_ENCODINGS:
        raise InputError(f"The voxels of {name} are stored with the encoding {encoding}, which cannot be read; save it with gzip.")
    one_byte = re.fullmatch(r"(un)?signed char|u?char|u?int8(_t)?", header.fields["type"].lower())
    if encoding in ("raw", "gzip", "gz") and "endian" not in header.fields and not one_byte:
        raise InputError(f"The header of {name} does not state the byte order of its voxels (endian); export it again.")


def _check_space(header: NrrdHeader, name: str) -> None:
    """Refuse directions without a valid space in the header; the toolkit would refuse them without a reason."""
    space, dimension = header.fields.get("space", ""), header.fields.get("spacedimension", "")
    if not space and not dimension:
        raise InputError(
            f"The image {name} gives space directions without the space that they lie in; export it again, or add a line such as "
            "'space: left-posterior-superior' to its header if you know it."
        )
    if space and space.lower() not in _SPACES:
        raise InputError(
            f"The image {name} gives its space as {space!r}, which the format does not know; write for example "
            "left-posterior-superior."
        )
    if space and dimension:
        raise InputError(f"The header of {name} states both a space and its space dimension, which the format forbids; delete one.")


def _spatial_axes(header: NrrdHeader, name: str) -> tuple[int, int, int]:
    """The three spatial axes; the others are time points, channels or layers."""
    count = len(header.items("sizes"))
    axes = list(range(count))
    directions, kinds = header.items("spacedirections"), header.items("kinds")
    if len(directions) == count:
        axes = [axis for axis in axes if directions[axis].lower() != "none"]
    if len(axes) > 3 and len(kinds) == count:
        axes = [axis for axis in axes if kinds[axis].lower() in _SPATIAL_KINDS]
    if len(axes) > 3 and all(n == "1" for n in header.items("sizes")[3:]):
        axes = axes[:3]
    if len(axes) != 3 or (directions and len(directions) != count):
        raise InputError(
            f"The image {name} has {len(axes)} dimensions in space, where a single volume with 3 is needed; choose such a volume."
        )
    return axes[0], axes[1], axes[2]


def _of_bounds(header: NrrdHeader, sizes: list[int]) -> list[str]:
    """Spacings implied by the bounds of the axes; bounds refer to voxels ("cell") or to their centres ("node")."""
    low, high, centres = (header.items(field) for field in ("axismins", "axismaxs", "centerings"))
    if not len(low) == len(high) == len(centres) == len(sizes):
        return []
    steps = [n if centre.lower() in ("cell", "element") else n - 1 for n, centre in zip(sizes, centres, strict=True)]
    return [str((float(b) - float(a)) / max(1, n)) for a, b, n in zip(low, high, steps, strict=True)]


def _check_stated_once(header: NrrdHeader, steps: np.ndarray, axes: tuple[int, int, int], name: str) -> None:
    """The format allows spacings or units of an axis only where it has no direction; the toolkit refuses both together."""
    spacings = header.items("spacings")
    if len(spacings) > max(axes) and any(not np.isnan(_number(spacings[axis], name)) for axis in axes):
        stated = np.array([_number(spacings[axis], name) for axis in axes])
        raise InputError(
            f"The image {name} states its voxel size twice, {by(np.linalg.norm(steps, axis=0))} in its space directions and "
            f"{by(stated)} in its spacings, which the format forbids; delete the wrong line from its header."
        )
    if header.items("units"):
        raise InputError(
            f"The image {name} gives units for axes with directions, which the format forbids; state them as space units instead."
        )


def _one_unit(words: list[str], field: str, name: str) -> tuple[float, Stated[float] | None]:
    """The unit of all axes in mm; without a stated unit it is mm."""
    stated_units = {re.sub(r"s$", "", word.strip().lower()) if len(word) > 2 else word.strip().lower() for word in words} - {
        "",
        "???",
    }
    if not stated_units:
        return 1.0, None
    factors = {_UNITS_MM.get(word) for word in stated_units}
    factor = factors.pop()
    if factor is None or factors:
        listed = ", ".join(sorted(stated_units))
        raise InputError(f"The image {name} gives its lengths in {listed}, which cannot be read as one unit; save it in mm.")
    return factor, Stated(factor, field)


def _kept_findings(header: NrrdHeader) -> tuple[Finding, ...]:
    try:
        return findings_from_json(json.loads(header.keys.get(FINDINGS_KEY, "[]")))
    except (KeyError, TypeError, ValueError):
        # Another program has changed the entry, which is only a note and not part of the image.
        return ()


def _vector(text: str, name: str) -> np.ndarray:
    numbers = [_number(part, name) for part in text.strip("()").split(",")]
    if len(numbers) < 3:
        raise InputError(f"The header of {name} holds the vector {text}, which has not 3 numbers; export it again.")
    return np.array(numbers[:3])


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"The header of {name} holds {text!r} in place of a number; export it again.") from error


def _whole(text: str, name: str) -> int:
    number = _number(text, name)
    if not np.isfinite(number) or number != int(number) or number < 1:
        raise InputError(f"The header of {name} announces an axis of {text} voxels; export it again.")
    return int(number)
