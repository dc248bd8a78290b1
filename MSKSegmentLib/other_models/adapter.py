"""The interface that the model of another program has for us: its command line, its label map, the names of its labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import InputError, shown
from .environments import Environment


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model before it runs, for lists and for the provenance of a result.

    `title` names the program, `version` its version, `model` the trained model and `model_version` the version of that, None where
    nothing states them. `licence` is a remark, `packages` what its environment runs it with, `python` the version of its Python.
    """

    title: str
    model: str
    licence: str
    version: str | None = None
    model_version: str | None = None
    python: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgramCall:
    """One call: the CT lies in `folder`/in under the name that the adapter wants; `folder`/out, which exists, takes the label map.

    `device` is "auto", "cpu" or "cuda".
    """

    folder: Path
    input_name: str
    device: str = "auto"

    @property
    def inputs(self) -> Path:
        """The folder that holds the CT and nothing else."""
        return self.folder / "in"

    @property
    def ct(self) -> Path:
        """The CT."""
        return self.inputs / self.input_name

    @property
    def output(self) -> Path:
        """The folder for what the program writes."""
        return self.folder / "out"


class Adapter(Protocol):
    """A model that is installed. `environment` is where its program lives, `input_name` how the file of the CT must be called.

    `scheme` names the scheme of labels that it writes, as `mskseg import --labels` knows it; None where the model states `names`,
    its labels by their values. `sources` are folders of the user in its command line, by the word that stands for each in a
    provenance.
    """

    @property
    def facts(self) -> ModelFacts:
        """What is known of it."""

    @property
    def environment(self) -> Environment:
        """Where its program lives."""

    @property
    def input_name(self) -> str:
        """How the file of the CT must be called."""

    @property
    def scheme(self) -> str | None:
        """The scheme of its labels, None where `names` states them."""

    @property
    def names(self) -> Mapping[int, str]:
        """Label names by value, without the background; empty where `scheme` says all."""

    @property
    def sources(self) -> Mapping[str, Path]:
        """Places in its command line that a provenance must not show, by the word that stands for each."""

    def command(self, call: ProgramCall) -> Sequence[str]:
        """The command line that segments the CT of a call."""

    def variables(self, call: ProgramCall) -> Mapping[str, str]:
        """Environment variables that it needs beyond those of its environment; may write files into the folder of the call."""

    def written(self, call: ProgramCall) -> Path | None:
        """The label map that it has written; None where there is none."""


class ModelOfProgram:
    """What an adapter says by default: the program brings its model and its scheme of labels, and needs no variables."""

    @property
    def names(self) -> Mapping[int, str]:
        """None: the scheme says all."""
        return {}

    @property
    def sources(self) -> Mapping[str, Path]:
        """None of the user's."""
        return {}

    def variables(self, call: ProgramCall) -> Mapping[str, str]:
        """None beyond its environment's."""
        return {}


def only_image(folder: Path, endings: Sequence[str] = (".nii.gz", ".nii", ".nrrd", ".mha")) -> Path | None:
    """The one image below a folder; None where there is none, or where there are several and none can be told apart."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.endswith(tuple(endings))]
    return found[0] if len(found) == 1 else None


def model_file(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of a trained model.

    Raises:
        InputError: it is missing or damaged, or holds something else.
    """
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise InputError(f"{name} of the model {shown(folder)!r} is missing or no JSON; get a fresh copy of the model.") from error
    return content
