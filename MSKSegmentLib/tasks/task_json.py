"""Tasks as JSON: the files of ``Resources/Tasks`` and those of users, and what a result notes of its task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..anatomy import StructureTable
from ..ct.modality import MODALITIES
from .task import Task, TaskWords
from .vocabulary import KNOWN_CHECKS, KNOWN_MEASUREMENTS, CheckKind, MeasurementKind

FORMAT, FORMAT_VERSION = "mskseg-task", 1
_ENTRIES = {
    *("format", "format_version", "name", "title", "description", "modality", "structures", "checks", "measurements"),
    *("preprocessing", "network", "words"),
}
_WORDS, _OPTIONAL_WORDS = {"scan", "region", "report"}, {"notes"}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def task_from_json(data: Any, table: StructureTable) -> Task:
    """The task that a file describes, with the table that its entry ``structures`` names.

    Raises:
        ValueError: the task is faulty; its text says how, as the end of a sentence.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ValueError(f"it is no task (it lacks the format {FORMAT!r})")
    if data.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"it has format version {data.get('format_version')!r}, and this software reads {FORMAT_VERSION}")
    _check_entries(data, _ENTRIES, set(), "it")
    name, modality = _text(data["name"], "name"), data["modality"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"its name is {name!r}; names are lower-case letters and digits, joined by hyphens")
    if modality not in MODALITIES:
        raise ValueError(f"its modality is {modality!r}; possible are {', '.join(MODALITIES)}")
    return Task(
        name=name,
        title=_text(data["title"], "title"),
        description=_text(data["description"], "description"),
        modality=modality,
        table=table,
        checks=_names(data["checks"], "check", KNOWN_CHECKS, modality),
        measurements=_names(data["measurements"], "measurement", KNOWN_MEASUREMENTS, modality),
        words=_words(data["words"]),
        preprocessing=_object(data["preprocessing"], "preprocessing"),
        network=_object(data["network"], "network"),
    )


def task_json(task: Task) -> dict[str, Any]:
    """What `task_from_json` reads; ``structures`` is the name of the table, which is stored apart."""
    words = {"scan": task.words.scan, "region": task.words.region, "report": task.words.report, "notes": list(task.words.notes)}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": task.name,
        "title": task.title,
        "description": task.description,
        "modality": task.modality,
        "structures": task.table.name,
        "checks": list(task.checks),
        "measurements": list(task.measurements),
        "preprocessing": dict(task.preprocessing),
        "network": dict(task.network),
        "words": words,
    }


def structures_entry(data: Any) -> str:
    """The name of the file of structures in the content of a task's file.

    Raises:
        ValueError: it has none, or it names a path.
    """
    name = data.get("structures") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or not re.fullmatch(r"[\w][\w. -]*\.json", name):
        raise ValueError(f"its structures are {name!r}; it must be the name of a JSON file without a folder")
    return name


def _words(data: Any) -> TaskWords:
    words = _object(data, "words")
    _check_entries(words, _WORDS, _OPTIONAL_WORDS, "the object 'words'")
    notes = words.get("notes", [])
    if not isinstance(notes, list):
        raise ValueError("its notes are not a list")
    scan, region, report = (_text(words[name], f"entry {name} of words") for name in ("scan", "region", "report"))
    return TaskWords(scan, region, report, tuple(_text(note, "note") for note in notes))


def _names(data: Any, what: str, known: Mapping[str, CheckKind] | Mapping[str, MeasurementKind], modality: str) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise ValueError(f"its {what}s are not a list of names")
    if len(set(data)) < len(data):
        raise ValueError(f"it names a {what} twice")
    for name in data:
        if name not in known:
            raise ValueError(f"it names the {what} {name!r}; known are {', '.join(known)}")
        if modality not in known[name].modalities:
            raise ValueError(f"the {what} {name!r} means nothing in {modality}")
    return tuple(data)


def _check_entries(data: Mapping[str, Any], needed: set[str], optional: set[str], where: str) -> None:
    missing, unknown = sorted(needed - set(data)), sorted(set(data) - needed - optional)
    if missing:
        raise ValueError(f"{where} lacks the entry {missing[0]!r}")
    if unknown:
        raise ValueError(f"{where} has the unknown entry {unknown[0]!r}")


def _object(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise ValueError(f"its {what} is not an object with entries")
    return dict(data)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"its {what} is {value!r} instead of one line of text")
    return value
