"""Tables of labels as CSV, as users write them: one line per value or name."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import Side, StructureTable
from ..errors import InputError
from .merged import merged_structures
from .segment_names import side_of_word

_COLUMNS = ("value", "name", "structure", "side", "part")


@dataclass(frozen=True)
class TableRow:
    """One line; `structure` is a key, None where the line names what is not measured."""

    value: int | None
    name: str
    structure: str | None
    side: Side | None
    part: str


def read_rows(path: Path, structures: StructureTable | None) -> list[TableRow]:
    """The lines of a table of labels.

    Its first line names the columns, in any order: ``value`` (in the label map) or ``name`` (of the segment or file) or both,
    ``structure`` (key or name of a structure of `structures`, or of a merged one; empty for what is kept and not measured),
    and where it is of use ``side`` (right or left; empty where the program does not tell sides) and ``part`` (of a structure that
    several lines are merged into). Columns are separated by commas, semicolons or tabs. Without `structures`, as for those that
    come along, structures must be keys and are not looked up.

    Raises:
        InputError: the file cannot be read or used; the sentence names the line.
    """
    if not path.is_file():
        raise InputError(f"There is no table {path.name}; check the path.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The table {path.name} cannot be read; save it as CSV in UTF-8.") from error
    lines = text.splitlines()
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)
    columns = [name.strip().casefold() for name in next(csv.reader([first], delimiter=separator), [])]
    if "structure" not in columns or not {"value", "name"} & set(columns):
        raise InputError(
            f"The table {path.name} lacks a column: its first line must name 'structure' and 'value' or 'name' (others: "
            "'side', 'part')."
        )
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        raise InputError(f"The table {path.name} has the unknown column {unknown[0]!r}; known are {', '.join(_COLUMNS)}.")
    known = None if structures is None else _known(structures)
    rows = [
        _row(dict(zip(columns, (cell.strip() for cell in cells), strict=False)), f"Line {number} of {path.name}", known)
        for number, cells in enumerate(csv.reader(lines[1:], delimiter=separator), start=2)
        if any(cell.strip() for cell in cells)
    ]
    _check_once(rows, path.name)
    return rows


def _known(structures: StructureTable) -> dict[str, str]:
    """Key or name, in lower case -> key."""
    every = [*structures.structures, *(merged.structure for merged in merged_structures())]
    return {text.casefold(): structure.abbreviation for structure in every for text in (structure.abbreviation, structure.name)}


def _row(cells: Mapping[str, str], where: str, known: Mapping[str, str] | None) -> TableRow:
    value, name = cells.get("value", ""), cells.get("name", "")
    if not value and not name:
        raise InputError(f"{where} has neither a value nor a name; give one.")
    try:
        number = int(value) if value else None
    except ValueError as error:
        raise InputError(f"{where} has the value {value!r}, which is no whole number.") from error
    structure = cells.get("structure", "")
    if structure and known is not None:
        if structure.casefold() not in known:
            keys = ", ".join(dict.fromkeys(known.values()))
            raise InputError(f"{where} has the unknown structure {structure!r}; known are {keys}.")
        structure = known[structure.casefold()]
    word = cells.get("side", "")
    side = side_of_word(word)
    if word and side is None:
        raise InputError(f"{where} has the side {word!r}; say right or left, or leave it empty.")
    return TableRow(number, name, structure or None, side, cells.get("part", ""))


def _check_once(rows: list[TableRow], name: str) -> None:
    if not any(row.structure for row in rows):
        raise InputError(f"The table {name} names no structure; fill in its column 'structure'.")
    for what, given in (("value", [row.value for row in rows]), ("name", [row.name.casefold() or None for row in rows])):
        present = [entry for entry in given if entry is not None]
        twice = next((entry for entry in present if present.count(entry) > 1), None)
        if twice is not None:
            raise InputError(f"The table {name} has the {what} {twice} twice; keep one line of it.")
