"""A table of structures as JSON: how bundles, results and this software's own tables store it, and what can be wrong with it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .table import MOST_STRUCTURES, RGB, Code, Group, Landmark, Structure, StructureTable, Tissue

FORMAT, FORMAT_VERSION = "mskseg-structures", 1

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}")
# They separate the parts of Slicer's terminology and tags.
_SEPARATORS = "~^|"
_TABLE = {"format", "format_version", "name", "groups", "structures"}
_GROUP = {"key", "name", "tissue", "composition", "height_normalised"}
_STRUCTURE = {"label", "key", "name", "group", "paired", "color", "code"}
_OPTIONAL = {"color_left", "landmark", "largest_cc", "place_cm"}


def table_json(table: StructureTable) -> dict[str, Any]:
    """A table, JSON-ready; `table_from_json` reads it."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": table.name,
        "groups": [_group_json(group) for group in table.groups],
        "structures": [_structure_json(structure) for structure in table.structures],
    }


def table_from_json(data: Any) -> StructureTable:
    """Read what `table_json` wrote, or what somebody wrote by hand.

    Raises:
        ValueError: the table is faulty; its text says how, as the end of a sentence ("two structures have the key FEMUR").
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ValueError(f"it is no table of structures (it lacks the format {FORMAT!r})")
    if data.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"it has format version {data.get('format_version')!r}, and this software reads {FORMAT_VERSION}")
    _check_entries(data, _TABLE, set(), "the table")
    groups = tuple(_group(entry) for entry in _list(data["groups"], "groups"))
    _check_unique((group.key for group in groups), "groups", "key")
    by_key = {group.key: group for group in groups}
    structures = tuple(_structure(entry, by_key) for entry in _list(data["structures"], "structures"))
    _check_structures(structures)
    table = StructureTable(_text(data["name"], "the table's name"), groups, structures)
    _check_segments(table)
    return table


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "tissue": group.tissue.value,
        "composition": group.composition,
        "height_normalised": group.height_normalised,
    }


def _structure_json(structure: Structure) -> dict[str, Any]:
    optional = {
        "color_left": list(structure.color_left) if structure.paired else None,
        "landmark": structure.landmark and structure.landmark.value,
        "largest_cc": structure.largest_cc,
        "place_cm": structure.place_cm and list(structure.place_cm),
    }
    return {
        "label": structure.index,
        "key": structure.abbreviation,
        "name": structure.name,
        "group": structure.group.key,
        "paired": structure.paired,
        "color": list(structure.color_right),
        "code": [structure.code.scheme, structure.code.value, structure.code.meaning],
        **{name: value for name, value in optional.items() if value is not None},
    }


def _group(data: Any) -> Group:
    _check_entries(data, _GROUP, set(), "a group")
    key = _key(data["key"], "a group")
    where = f"the group {key}"
    return Group(
        key,
        _text(data["name"], f"the name of {where}"),
        _one_of(Tissue, data["tissue"], f"the tissue of {where}"),
        _truth(data["composition"], f"composition of {where}"),
        _truth(data["height_normalised"], f"height_normalised of {where}"),
    )


def _structure(data: Any, groups: Mapping[str, Group]) -> Structure:
    _check_entries(data, _STRUCTURE, _OPTIONAL, "a structure")
    key = _key(data["key"], "a structure")
    group, paired = data["group"], _truth(data["paired"], f"paired of {key}")
    if not isinstance(group, str) or group not in groups:
        raise ValueError(f"{key} is in the group {group!r}, which the table does not describe")
    if paired != ("color_left" in data):
        raise ValueError(f"{key} is {'paired and needs' if paired else 'not paired and cannot have'} a color_left")
    color = _color(data["color"], f"the color of {key}")
    landmark, place, largest = (data.get(name) for name in ("landmark", "place_cm", "largest_cc"))
    return Structure(
        index=_label(data["label"], key),
        abbreviation=key,
        name=_text(data["name"], f"the name of {key}"),
        group=groups[group],
        paired=paired,
        color_right=color,
        color_left=_color(data["color_left"], f"the color_left of {key}") if paired else color,
        code=_code(data["code"], key),
        landmark=None if landmark is None else _one_of(Landmark, landmark, f"the landmark of {key}"),
        largest_cc=None if largest is None else _positive(largest, f"largest_cc of {key}"),
        place_cm=None if place is None else _place(place, key),
    )


def _check_structures(structures: Sequence[Structure]) -> None:
    """What can be wrong between structures.

    Raises:
        ValueError: something is.
    """
    if not 1 <= len(structures) <= MOST_STRUCTURES:
        raise ValueError(f"it has {len(structures)} structures, and 1 to {MOST_STRUCTURES} are possible")
    _check_unique((structure.abbreviation for structure in structures), "structures", "key")
    _check_unique((str(structure.index) for structure in structures), "structures", "label")
    for number, structure in enumerate(structures, start=1):
        if structure.index != number:
            raise ValueError(
                f"{structure.abbreviation} has the label {structure.index} but is number {number} in the list: labels are the "
                "network's classes and count from 1 in the order of the list"
            )
    marks = [(structure, structure.landmark) for structure in structures if structure.landmark]
    _check_unique((landmark.value for _, landmark in marks), "structures", "landmark")
    for structure, landmark in marks:
        if structure.paired == (landmark is Landmark.SACRUM):
            wrong = "paired" if structure.paired else "not paired"
            raise ValueError(f"{structure.abbreviation} is {wrong} and cannot be the landmark {landmark.value}")


def _check_segments(table: StructureTable) -> None:
    """Segments are recognised in files by key or by name, in any case of letters.

    Raises:
        ValueError: two of them could not be told apart.
    """
    known: dict[str, str] = {}
    for segment in table.segments:
        for text in {segment.key.casefold(), segment.name.casefold()}:
            other = known.setdefault(text, segment.structure.abbreviation)
            if other != segment.structure.abbreviation:
                raise ValueError(f"{other} and {segment.structure.abbreviation} are both called {text!r}")


def _check_unique(values: Iterable[str], what: str, field: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"two {what} have the {field} {twice[0]}")


def _check_entries(data: Any, needed: set[str], optional: set[str], where: str) -> None:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} is not an object with entries")
    called = f"{where} ({data['key']})" if isinstance(data.get("key"), str) else where
    missing, unknown = sorted(needed - set(data)), sorted(set(data) - needed - optional)
    if missing:
        raise ValueError(f"{called} lacks the entry {missing[0]!r}")
    if unknown:
        raise ValueError(f"{called} has the unknown entry {unknown[0]!r}")


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"its {what} are not a list")
    return value


def _key(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise ValueError(f"{where} has the key {value!r}; keys are letters and digits, 32 at most, and begin with a letter")
    return value


def _label(value: Any, key: str) -> int:
    if type(value) is not int or value == 0:
        what = "0, which is background" if value == 0 else f"{value!r}, which is no whole number"
        raise ValueError(f"{key} has the label {what}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or set(value) & set(_SEPARATORS):
        raise ValueError(f"{what} is {value!r}; it must be one line of text without {' '.join(_SEPARATORS)}")
    return value


def _truth(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{what} is {value!r} instead of true or false")
    return value


def _one_of(kind: Any, value: Any, what: str) -> Any:
    known = [entry.value for entry in kind]
    if value not in known:
        raise ValueError(f"{what} is {value!r}; possible are {', '.join(known)}")
    return kind(value)


def _color(value: Any, what: str) -> RGB:
    if not isinstance(value, list) or len(value) != 3 or not all(type(part) is int and 0 <= part <= 255 for part in value):
        raise ValueError(f"{what} is {value!r}; a color is three whole numbers from 0 to 255 (red, green, blue)")
    red, green, blue = value
    return red, green, blue


def _code(value: Any, key: str) -> Code:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"the code of {key} is {value!r}; a code is a list of scheme, value and meaning")
    scheme, code, meaning = (_text(part, f"a part of the code of {key}") for part in value)
    return Code(scheme, code, meaning)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _positive(value: Any, what: str) -> float:
    if not _number(value) or value <= 0:
        raise ValueError(f"{what} is {value!r} instead of a number above 0")
    return float(value)


def _place(value: Any, key: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(_number, value)):
        raise ValueError(f"place_cm of {key} is {value!r}; it is two numbers in cm, to medial and to anterior of the femur")
    return float(value[0]), float(value[1])
