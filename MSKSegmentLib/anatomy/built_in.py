"""The tables of structures that come with the software, in ``Resources/Structures``.

Only what is about these structures by nature imports them from here; all else takes the table from a bundle or a result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import InstallationError
from ..resources import resource_file
from .table import StructureTable
from .table_json import table_from_json, table_json


def _shipped(name: str) -> StructureTable:
    path = resource_file("Structures", name)
    try:
        return table_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InstallationError(f"Resources/Structures/{name} is damaged ({error}); install MSKSegment again.") from error


# The 22 structures of Soufi et al. 2025 (Table 2).
HIP_AND_THIGH = _shipped("hip_and_thigh.json")

BUILT_IN: Mapping[str, StructureTable] = {table.name: table for table in (HIP_AND_THIGH,)}


def stored_table(table: StructureTable) -> dict[str, Any] | None:
    """What a result, a scene or a manifest notes of its table; None for the one that needs no note (see `table_of_stored`)."""
    return None if table == HIP_AND_THIGH else table_json(table)


def table_of_stored(data: Any) -> StructureTable:
    """The table behind such a note; without one it is the table that all had before there were several.

    Raises:
        ValueError: the table is faulty, see `table_from_json`.
    """
    return HIP_AND_THIGH if data is None else table_from_json(data)
