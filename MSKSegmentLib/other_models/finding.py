"""Which models of other programs there are, and the one that a user names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..bundle.finding import find_bundles, subfolders
from ..bundle.store import MANIFEST_FILE, read_manifest
from ..errors import BundleError, InputError, MSKSegmentError, shown
from ..settings import OtherModel
from .adapter import Adapter
from .environments import Environment, environment_at
from .monai_bundle import find_monai_bundle, is_monai_bundle
from .musclemap import find_musclemap
from .nnunet import find_nnunet, is_trained_folder
from .totalsegmentator import find_totalsegmentator

# Folders of trained models, or folders of such, separated by `os.pathsep`.
MODELS_VARIABLE = "MSKSEG_MODELS"
# Programs that bring their models along, by the name that a user gives.
PROGRAMS: Mapping[str, Callable[[Environment, bool], Adapter]] = {
    "musclemap": find_musclemap,
    "totalsegmentator": find_totalsegmentator,
}
_TITLES = {"musclemap": "MuscleMap", "totalsegmentator": "TotalSegmentator"}


@dataclass(frozen=True)
class ListedModel:
    """A model for a list: what a user calls it (`name`), what it is, its version, and why it cannot be used, empty where it can.

    `folder` is that of a bundle or trained model, None for a program that brings its model along; `is_bundle` says that it is a
    bundle of this software.
    """

    name: str
    title: str
    version: str
    reason: str = ""
    folder: Path | None = None
    is_bundle: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be used."""
        return not self.reason


def find_other_model(chosen: OtherModel) -> Adapter:
    """The model of another program that a user names: a program, the folder of a trained model, or that folder's name.

    Raises:
        InputError: there is no such model, or it cannot be used for a CT.
        DependencyError: its program is not installed, or its weights are not there.
    """
    environment = environment_at(chosen.environment)
    program = PROGRAMS.get(chosen.name.casefold())
    if program is not None:
        return program(environment, chosen.may_download)
    folder = _named_folder(chosen.name)
    return _finder(folder)(folder, environment, chosen.may_download)


def list_models(environment_folder: str | Path | None = None) -> Iterator[ListedModel]:
    """All models at hand: bundles of this software, then those of other programs, each with the reason where it is not usable.

    Programs are looked for in the environment in that folder, None for PATH. Each is asked by itself, which takes a moment.

    Raises:
        InputError: there is no environment in that folder.
    """
    environment = environment_at(environment_folder)
    yield from map(_listed_bundle, find_bundles())
    for name, find in PROGRAMS.items():
        yield _listed(name, _TITLES[name], None, lambda find=find: find(environment, False))  # type: ignore[misc]
    for folder in trained_folders():
        kind = "nnU-Net" if is_trained_folder(folder) else "MONAI bundle"
        yield _listed(folder.name, kind, folder, lambda folder=folder: _finder(folder)(folder, environment, False))  # type: ignore[misc]


def trained_folders() -> tuple[Path, ...]:
    """The folders of trained models that ``MSKSEG_MODELS`` names, each itself or as a folder of several."""
    roots = [Path(entry) for entry in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if entry]
    found = (folder for root in roots for folder in (root, *subfolders(root)) if is_trained_model(folder))
    return tuple(dict.fromkeys(found))


def is_trained_model(folder: Path) -> bool:
    """Whether a folder looks like a trained model of nnU-Net v2 or a MONAI bundle."""
    return is_trained_folder(folder) or is_monai_bundle(folder)


def _finder(folder: Path) -> Callable[[Path, Environment, bool], Adapter]:
    return find_nnunet if is_trained_folder(folder) else find_monai_bundle


def _named_folder(name: str) -> Path:
    path = Path(name).expanduser()
    if is_trained_model(path):
        return path
    matches = [folder for folder in trained_folders() if folder.name == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(f"{len(matches)} models are called {name}; give the path of one of them.")
    if (path / MANIFEST_FILE).is_file() or any(folder.name == name for folder in find_bundles()):
        raise InputError(f"{shown(path)} is a model bundle of this software; name it with --bundle instead of --model.")
    inside = sorted(folder.name for folder in subfolders(path) if is_trained_model(folder))
    if inside:
        raise InputError(f"The folder {shown(path)!r} holds several trained models; name one of them: {', '.join(inside)}.")
    known = ", ".join([*PROGRAMS, *sorted({folder.name for folder in trained_folders()})])
    raise InputError(
        f"There is no model {shown(path)}; give {known}, or the folder of a model of nnU-Net v2 (dataset.json, plans.json) or of a "
        "MONAI bundle (configs/metadata.json)."
    )


def _listed_bundle(folder: Path) -> ListedModel:
    try:
        manifest = read_manifest(folder)
    except BundleError as error:
        return ListedModel(folder.name, "bundle", "", str(error), folder, is_bundle=True)
    return ListedModel(manifest.name, "bundle", manifest.version, "", folder, is_bundle=True)


def _listed(name: str, title: str, folder: Path | None, find: Callable[[], Adapter]) -> ListedModel:
    try:
        facts = find().facts
    except MSKSegmentError as error:
        return ListedModel(name, title, "", str(error), folder)
    model = " ".join(filter(None, (facts.model, facts.model_version)))
    return ListedModel(name, title, f"{facts.version or 'unknown version'}, model {model}", "", folder)
