"""What ``mskseg task list|show`` print about tasks, and which bundles do them. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from ..anatomy import StructureTable
from ..errors import BundleError, InputError
from ..tasks import Task, load_task, task_names
from ..tasks.vocabulary import KNOWN_CHECKS, KNOWN_MEASUREMENTS
from .finding import find_bundles
from .manifest import NetworkSpec, Preprocessing
from .store import read_manifest


def defaults_of(task: Task) -> tuple[NetworkSpec, Preprocessing]:
    """The network and the preprocessing of a bundle of this task where whoever makes it states none.

    Raises:
        InputError: the task's file names entries that they do not have.
    """
    network = _known(task, NetworkSpec, {"classes": task.table.classes, **task.network}, "network")
    return NetworkSpec(**network), Preprocessing(**_known(task, Preprocessing, task.preprocessing, "preprocessing"))


def describe_tasks() -> str:
    """A table of the tasks at hand: name, modality, number of structures, bundles, title. The first one is the default."""
    rows: list[Sequence[str]] = [("TASK", "SCAN", "STRUCTURES", "BUNDLES", "TITLE")]
    bundles = _bundles()
    for name in task_names():
        try:
            task = load_task(name)
        except InputError:
            rows.append((name, "-", "-", "-", "(unreadable)"))
            continue
        rows.append((name, task.modality, _count(task.table), ", ".join(bundles.get(name, ())) or "none", task.title))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def describe_task(name: str) -> str:
    """A task in full.

    Raises:
        InputError: there is no such task, or its file is faulty.
    """
    task = load_task(name)
    network, preprocessing = defaults_of(task)
    rows = [
        ("Name", task.name),
        ("Title", task.title),
        ("Description", task.description),
        ("Scan", f"{task.modality}, called {task.words.scan}"),
        ("Structures", f"{_count(task.table)}, table {task.table.name!r}"),
        *(("", f"{group.name}: {_listed(task.table, group.key)}") for group in task.table.groups),
        *_named("Checks", [(check, KNOWN_CHECKS[check].says) for check in task.checks]),
        *_named("Measurements", [(one, KNOWN_MEASUREMENTS[one].says) for one in task.measurements]),
        ("Network", _values(network)),
        ("Preprocessing", _values(preprocessing)),
        ("Bundles", ", ".join(_bundles().get(name, ())) or "none: train one on cases of your own"),
        *(("Note", note) for note in task.words.notes),
    ]
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(f"{label:<{width}}{text}" for label, text in rows)


def _known(task: Task, kind: Any, entries: Any, what: str) -> dict[str, Any]:
    unknown = sorted(set(entries) - {entry.name for entry in fields(kind)})
    if unknown:
        raise InputError(f"The task {task.name} cannot be used: its {what} has the unknown entry {unknown[0]!r}; correct the file.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entries.items()}


def _bundles() -> dict[str, list[str]]:
    """Task -> names of the folders of its bundles; unreadable ones are left out."""
    found: dict[str, list[str]] = {}
    for folder in find_bundles():
        try:
            found.setdefault(read_manifest(folder).task, []).append(folder.name)
        except BundleError:
            continue
    return found


def _count(table: StructureTable) -> str:
    sides = f", {len(table.segments)} with sides" if len(table.segments) > len(table.structures) else ""
    return f"{len(table.structures)}{sides}"


def _listed(table: StructureTable, group: str) -> str:
    return ", ".join(structure.name for structure in table.structures if structure.group.key == group)


def _named(label: str, entries: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    texts = [f"{name}: {says}" for name, says in entries]
    return [(label if not number else "", text) for number, text in enumerate(texts)] or [(label, "none")]


def _values(record: Any) -> str:
    return ", ".join(f"{entry.name} {getattr(record, entry.name)}" for entry in fields(record))
