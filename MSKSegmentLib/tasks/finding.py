"""Which tasks there are: those that come with the software, and those of the folders that a variable names."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..anatomy import StructureTable, table_from_json
from ..errors import InputError, InstallationError, shown
from ..resources import resource_folder
from .task import Task
from .task_json import structures_entry, task_from_json, task_json

TASKS_VARIABLE = "MSKSEG_TASKS"
# What everything is of that does not name its task: bundles and results of before there were several.
DEFAULT_TASK = "hip-thigh-ct"


def task_files() -> dict[str, Path]:
    """The file of each task by name: the default first, then the others that come with the software, then those of
    ``MSKSEG_TASKS`` (folders, separated by `os.pathsep`); a user's file does not stand for a task that comes with the software."""
    folders = [resource_folder("Tasks")]
    folders += [Path(entry) for entry in os.environ.get(TASKS_VARIABLE, "").split(os.pathsep) if entry]
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            # A table of structures may lie beside its task.
            if _is_task(path):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items(), key=lambda item: item[0] != DEFAULT_TASK))


def task_names() -> tuple[str, ...]:
    """The names of the tasks at hand, the default first."""
    return tuple(task_files())


def load_task(name: str = DEFAULT_TASK) -> Task:
    """The task of that name.

    Raises:
        InputError: there is none, or its file or that of its structures is faulty; the sentence says how.
    """
    if name == DEFAULT_TASK:
        return HIP_THIGH_CT
    files = task_files()
    if name not in files:
        raise InputError(
            f"There is no task {name!r}; choose one of {', '.join(files)}, or name the folder of its file in {TASKS_VARIABLE}."
        )
    return read_task(files[name])


def read_task(path: Path) -> Task:
    """The task in a file, whose name is the task's with ``.json``; its structures lie beside it or come with the software.

    Raises:
        InputError: one of the files is missing or faulty.
    """
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path.resolve(), stamp)


@cache
def _read(path: Path, _stamp: int) -> Task:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        task = task_from_json(content, _table(path.parent, structures_entry(content)))
        if task.name != path.stem:
            raise ValueError(f"its name is {task.name!r}, which is not that of its file")
    except (OSError, ValueError) as error:
        raise InputError(f"The task {shown(path)} cannot be used: {error}; correct the file.") from error
    return task


def _table(folder: Path, name: str) -> StructureTable:
    beside = folder / name
    path = beside if beside.is_file() else resource_folder("Structures") / name
    if not path.is_file():
        raise ValueError(f"its structures {name} lie neither beside it nor with the software")
    try:
        return table_from_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"in {name}, {error}") from error


def _is_task(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Named nevertheless, so that whoever asks for it is told what is wrong.
        return True
    return isinstance(content, dict) and content.get("format") != "mskseg-structures"


def stored_task(task: Task) -> str | dict[str, Any]:
    """What a result notes of its task: all of it, so that it opens where the file is missing; of the default one its name."""
    return task.name if task.name == DEFAULT_TASK else task_json(task)


def task_of_stored(data: Any, table: StructureTable) -> Task:
    """The task behind such a note, with the structures of the result; without one the default, as before there were several.

    Raises:
        ValueError: the note is faulty, see `task_from_json`.
    """
    return with_table(HIP_THIGH_CT, table) if data is None or data == DEFAULT_TASK else task_from_json(data, table)


def with_table(task: Task, table: StructureTable) -> Task:
    """The task with the structures of a bundle or a result."""
    return task if table == task.table else replace(task, table=table)


def _usual() -> Task:
    try:
        return read_task(resource_folder("Tasks") / f"{DEFAULT_TASK}.json")
    except InputError as error:
        raise InstallationError(f"{error} Install MSKSegment again.") from error


HIP_THIGH_CT = _usual()
