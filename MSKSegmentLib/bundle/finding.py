"""Which model bundles there are, and the one that a user names."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from ..errors import BundleError, InputError
from ..resources import resource_folder
from ..tasks import Task, load_task, task_names
from ..timing import time_logged
from .store import MANIFEST_FILE, ModelBundle, load_bundle, read_manifest

_LOG = logging.getLogger(__name__)
SEARCH_VARIABLE = "MSKSEG_BUNDLES"


def find_bundles() -> tuple[Path, ...]:
    """Folders of the bundles at hand: those that come with the software by name, then those of ``MSKSEG_BUNDLES``.

    The variable lists folders separated by `os.pathsep`, each a bundle or a folder of bundles. Nothing is verified.
    """
    roots = [resource_folder("Models")]
    roots += [Path(entry) for entry in os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep) if entry]
    found: dict[Path, Path] = {}
    for root in roots:
        for folder in [root, *subfolders(root)]:
            if (folder / MANIFEST_FILE).is_file():
                found.setdefault(folder.resolve(), folder)
    return tuple(found.values())


def bundle_folder(name_or_path: str | Path | None = None) -> Path:
    """The folder of a bundle given by path, by its folder's name or by its own name; None is the first found.

    Raises:
        BundleError: there is no such bundle, or more than one; the sentence lists the names to choose from.
    """
    found = find_bundles()
    if name_or_path is None:
        if not found:
            raise BundleError(f"No model bundle is installed; name a bundle's folder or set {SEARCH_VARIABLE}.")
        return found[0]
    path = Path(name_or_path)
    if (path / MANIFEST_FILE).is_file():
        return path
    name = str(name_or_path)
    matches = [folder for folder in found if folder.name == name] or [f for f in found if _name_of(f) == name]
    if len(matches) == 1:
        return matches[0]
    available = ", ".join(sorted({folder.name for folder in found})) or "none"
    if matches:
        raise BundleError(f"{len(matches)} model bundles are called {name}; give the path of one of them.")
    raise BundleError(f"There is no model bundle {path.name}; give its folder or one of the installed: {available}.")


def resolve_bundle(name_or_path: str | Path | None = None, task: str | None = None) -> ModelBundle:
    """The verified bundle that `bundle_folder` finds; None is the first of the `task`, or, without a task, of all.

    Raises:
        BundleError: there is no such bundle, it fails verification, or it is one of another task than the one that is asked for.
    """
    with time_logged(_LOG, "Reading and verifying the bundle"):
        folder = bundle_of_task(task) if name_or_path is None and task is not None else bundle_folder(name_or_path)
        bundle = load_bundle(folder)
    if task is not None and bundle.manifest.task != task:
        raise BundleError(
            f"The model bundle {folder.name} is one of the task {bundle.manifest.task}, not of {task}; leave --task out, or choose "
            "another bundle."
        )
    _LOG.info("The bundle is %s %s", bundle.manifest.name, bundle.manifest.version)
    return bundle


def asked_task(name_or_path: str | Path | None = None, task: str | None = None) -> Task:
    """The task of a run by its settings alone: the one that is named, or that of the bundle; nothing is verified.

    Where there is no such bundle it is the default one: the run itself says what is wrong.

    Raises:
        InputError: there is no such task.
    """
    if task is not None:
        return load_task(task)
    try:
        return load_task(read_manifest(bundle_folder(name_or_path)).task)
    except BundleError:
        return load_task()


def bundle_of_task(task: str) -> Path:
    """The folder of the first bundle found that does a task.

    Raises:
        BundleError: none does.
    """
    for folder in find_bundles():
        try:
            if read_manifest(folder).task == task:
                return folder
        except BundleError:
            continue
    raise BundleError(
        f"No model bundle of the task {task} is installed: none comes along for it, so train one on cases of your own and name its "
        f"folder with --bundle or in {SEARCH_VARIABLE}."
    )


def tasks_at_hand() -> tuple[Task, ...]:
    """The tasks that a bundle at hand does, the default first; nothing is verified, and faulty ones are left out."""
    done = set()
    for folder in find_bundles():
        with contextlib.suppress(BundleError):
            done.add(read_manifest(folder).task)
    found = []
    for name in task_names():
        if name in done:
            with contextlib.suppress(InputError):
                found.append(load_task(name))
    return tuple(found)


def subfolders(root: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; empty where it cannot be looked into."""
    try:
        # Names with a leading dot are bundles still being written.
        return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def _name_of(folder: Path) -> str | None:
    try:
        return read_manifest(folder).name
    except BundleError:
        return None
