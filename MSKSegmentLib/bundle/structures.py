"""The structures that a bundle's network knows: a built-in table that the manifest names, or ``structures.json`` in the bundle; and
its task."""

from __future__ import annotations

import json
from pathlib import Path

from ..anatomy import StructureTable, table_from_json, table_json
from ..anatomy.built_in import BUILT_IN
from ..errors import BundleError, InputError
from ..tasks import DEFAULT_TASK, Task, load_task, with_table
from .manifest import STRUCTURES_FILE, Manifest, wrong_classes


def structures_file(table: StructureTable | None) -> dict[str, bytes]:
    """The file that carries a table, by its name; none where the bundle has a built-in one."""
    if table is None:
        return {}
    return {STRUCTURES_FILE: (json.dumps(table_json(table), indent=2, ensure_ascii=False) + "\n").encode("utf-8")}


def structures_of(folder: Path, manifest: Manifest) -> StructureTable:
    """The table of the bundle in a folder.

    Raises:
        BundleError: its file is faulty, or its structures are not those of the network.
    """
    if manifest.structures != STRUCTURES_FILE:
        return BUILT_IN[manifest.structures]
    try:
        content = json.loads((folder / STRUCTURES_FILE).read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(folder, f"{STRUCTURES_FILE} is not readable JSON") from error
    try:
        table = table_from_json(content)
    except ValueError as error:
        raise _unusable(folder, f"in its {STRUCTURES_FILE}, {error}") from error
    check_classes(folder, manifest, table)
    return table


def usual_table(manifest: Manifest) -> StructureTable | None:
    """The table of a new bundle for which none is given: that of its task; None where its manifest names a built-in one.

    Raises:
        BundleError: there is no such task here.
    """
    if manifest.task == DEFAULT_TASK:
        return None
    try:
        return load_task(manifest.task).table
    except InputError as error:
        raise BundleError(str(error)) from error


def task_of(folder: Path, manifest: Manifest, table: StructureTable) -> Task:
    """The task of the bundle in a folder, with its structures.

    Raises:
        BundleError: there is no such task here, or its file is faulty.
    """
    try:
        return with_table(load_task(manifest.task), table)
    except InputError as error:
        raise BundleError(f"The model bundle {folder.name} is one of a task that is not at hand. {error}") from error


def check_classes(folder: Path, manifest: Manifest, table: StructureTable) -> None:
    """Refuse a table that has other structures than the network has classes.

    Raises:
        BundleError: it has.
    """
    if manifest.network.classes != table.classes:
        raise _unusable(folder, f"its network has {wrong_classes(manifest.network.classes, table)} of the table {table.name!r}")


def _unusable(folder: Path, problem: str) -> BundleError:
    return BundleError(
        f"The model bundle {folder.name} cannot be used: {problem}; correct the table where it is made, or get a fresh copy."
    )
