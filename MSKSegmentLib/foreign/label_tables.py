"""What the values and names of other programs stand for: tables that come along (``Resources/LabelTables``), and those of users."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..anatomy import Side, StructureTable
from ..errors import InputError, InstallationError
from ..resources import resource_file
from .csv_tables import read_rows
from .segment_names import split_name

_FOLDER, _LIST, _FORMAT = "LabelTables", "tables.json", "mskseg-label-tables"
OURS, NAMES = "ours", "names"


@dataclass(frozen=True)
class LabelEntry:
    """One line of a table: what a value, or a structure of one of these names, is.

    `structure` is the key of a structure of our table or of a merged one, None for what has no counterpart. `side` is None where
    the program does not tell sides. Structures of several parts (long and short head) are merged from entries whose `part` names
    them.
    """

    value: int | None
    names: tuple[str, ...]
    structure: str | None
    side: Side | None = None
    part: str = ""


@dataclass(frozen=True)
class Convention:
    """A way in which a program draws differently; of one structure, or of all where `structure` is None."""

    sentence: str
    structure: str | None = None


@dataclass(frozen=True)
class LabelTable:
    """The labels of a program. `title` is its name for sentences; `version` and `source` say where the table comes from.

    `values_tell` means that its values are so unlike those of others that they alone show whose they are.
    """

    name: str
    title: str
    entries: tuple[LabelEntry, ...]
    version: str = ""
    source: str = ""
    values_tell: bool = False
    conventions: tuple[Convention, ...] = ()

    def of_value(self, value: int) -> LabelEntry | None:
        """The entry of a value in a label map."""
        return self._by_value.get(value)

    def of_literal(self, text: str) -> LabelEntry | None:
        """The entry with that very name, in any case of letters."""
        return self._by_literal.get(text.strip().casefold())

    def of_name(self, text: str) -> LabelEntry | None:
        """The entry of a name however it is written; its side is that of the name."""
        found = self.of_literal(text)
        if found is not None:
            return found
        words, side = split_name(text)
        entry = self._by_words.get((words, side)) or self._by_words.get((words, None))
        if entry is None and side is None:
            # A name without its side is that of either side's entry.
            entry = next((self._by_words[key] for other in Side if (key := (words, other)) in self._by_words), None)
        return None if entry is None else replace(entry, side=side)

    @cached_property
    def structures(self) -> frozenset[str]:
        """The keys of all structures that it has."""
        return frozenset(entry.structure for entry in self.entries if entry.structure)

    @cached_property
    def _by_value(self) -> dict[int, LabelEntry]:
        return {entry.value: entry for entry in self.entries if entry.value is not None}

    @cached_property
    def _by_literal(self) -> dict[str, LabelEntry]:
        return {name.casefold(): entry for entry in self.entries for name in entry.names}

    @cached_property
    def _by_words(self) -> dict[tuple[str, Side | None], LabelEntry]:
        found: dict[tuple[str, Side | None], LabelEntry] = {}
        for entry in self.entries:
            for name in entry.names:
                words, side = split_name(name)
                found.setdefault((words, entry.side or side), entry)
        return found


@cache
def shipped_tables() -> tuple[LabelTable, ...]:
    """The tables that come along.

    Raises:
        InstallationError: a file is missing or damaged.
    """
    path = resource_file(_FOLDER, _LIST)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ValueError("another format")
        return tuple(_shipped(entry) for entry in data["tables"])
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise InstallationError(f"Resources/{_FOLDER} is damaged ({error}); install MSKSegment again.") from error


def own_table(structures: StructureTable) -> LabelTable:
    """The labels of this software itself, by value, key and name."""
    entries = tuple(
        LabelEntry(s.label, (s.key, s.name), s.structure.abbreviation, s.side if s.structure.paired else None)
        for s in structures.segments
    )
    # One structure, both sides: names without a side.
    both = tuple(LabelEntry(None, (s.abbreviation, s.name), s.abbreviation) for s in structures.structures if s.paired)
    return LabelTable(OURS, "MSKSegment", (*entries, *both), version=structures.name)


def known_tables(structures: StructureTable) -> tuple[LabelTable, ...]:
    """This software's own table, and those that come along."""
    return (own_table(structures), *shipped_tables())


def find_label_table(name: str, structures: StructureTable) -> LabelTable:
    """The table of that name, or the one in a CSV file (its columns: see `csv_tables.read_rows`).

    Raises:
        InputError: there is none, or the file cannot be used.
    """
    known = {table.name: table for table in known_tables(structures)}
    if name.casefold() in known:
        return known[name.casefold()]
    path = Path(name)
    if path.suffix.casefold() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"There is no table of labels called {name!r}; say {', '.join(known)}, or name a .csv file.")
    return LabelTable(path.name, path.name, _entries(path, structures))


def _shipped(entry: dict[str, Any]) -> LabelTable:
    conventions = tuple(Convention(one["sentence"], one.get("structure")) for one in entry["conventions"])
    entries = _entries(resource_file(_FOLDER, entry["file"]), None)
    return LabelTable(
        entry["name"], entry["title"], entries, entry["version"], entry["source"], bool(entry["values_tell"]), conventions
    )


def _entries(path: Path, structures: StructureTable | None) -> tuple[LabelEntry, ...]:
    rows = read_rows(path, structures)
    return tuple(LabelEntry(row.value, (row.name,) if row.name else (), row.structure, row.side, row.part) for row in rows)
