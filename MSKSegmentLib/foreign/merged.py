"""Structures that other programs have as one and ours as several, such as the iliopsoas: measured as one where they come as one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache

from ..anatomy import Structure, StructureTable, table_from_json, table_json
from ..anatomy.built_in import HIP_AND_THIGH
from ..errors import InstallationError
from ..resources import resource_file

_FILE, _FORMAT = "merged.json", "mskseg-merged-structures"


@dataclass(frozen=True)
class MergedStructure:
    """A structure, and the keys of those that it is made of."""

    structure: Structure
    parts: tuple[str, ...]


@cache
def merged_structures() -> tuple[MergedStructure, ...]:
    """Those of ``Resources/Structures/merged.json``, of which the built-in table has the parts.

    Raises:
        InstallationError: the file is missing or damaged.
    """
    path = resource_file("Structures", _FILE)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ValueError("another format")
        whole = table_json(HIP_AND_THIGH)
        start = len(whole["structures"]) + 1
        whole["structures"] += [
            {"label": number, **entry["structure"]} for number, entry in enumerate(data["structures"], start=start)
        ]
        # Held to the rules of a table, with keys, names and codes that no other structure has.
        added = table_from_json(whole).structures[start - 1 :]
        parts = [tuple(map(str, entry["parts"])) for entry in data["structures"]]
        for key in (key for keys in parts for key in keys):
            HIP_AND_THIGH.structure(key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallationError(f"Resources/Structures/{_FILE} is damaged ({error}); install MSKSegment again.") from error
    return tuple(MergedStructure(structure, keys) for structure, keys in zip(added, parts, strict=True))


def with_merged(table: StructureTable, keys: Collection[str]) -> StructureTable:
    """The table with the merged structures of these keys at its end, so that all others keep their labels.

    Those whose parts or group the table lacks are left out.
    """
    own = {structure.abbreviation for structure in table.structures}
    groups = {group.key: group for group in table.groups}
    wanted = [
        merged.structure
        for merged in merged_structures()
        if merged.structure.abbreviation in keys
        and merged.structure.abbreviation not in own
        and own >= set(merged.parts)
        and merged.structure.group.key in groups
    ]
    if not wanted:
        return table
    first = len(table.structures) + 1
    added = tuple(replace(one, index=number, group=groups[one.group.key]) for number, one in enumerate(wanted, start=first))
    name = f"{table.name}, with {' and '.join(one.name.lower() for one in wanted)}"
    return StructureTable(name, table.groups, (*table.structures, *added))


def is_part_of(part: str, keys: Collection[str]) -> bool:
    """Whether a structure is a part of one of the merged structures among `keys`."""
    return any(part in one.parts and one.structure.abbreviation in keys for one in merged_structures())
