"""MuscleMap, through its command ``mm_segment``: a label map of the whole body, of which we take hip and thigh."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DependencyError
from .adapter import ModelFacts, ModelOfProgram, ProgramCall
from .environments import Environment, probe

_NAME, _PROGRAM, _TITLE = "musclemap", "mm_segment", "MuscleMap"
_INSTALLING = "as https://musclemap.github.io/MuscleMap says"
# Its distribution and its package are both called "scripts".
_PACKAGE, _REGION, _WEIGHTS = "scripts", "wholebody", "contrast_agnostic_wholebody_model.pth"
_VERSION = re.compile(r"v(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class MuscleMap(ModelOfProgram):
    """An installed ``mm_segment``. Without `model_version` it asks Zenodo for the newest weights and downloads them."""

    environment: Environment
    program: Path
    facts: ModelFacts
    input_name: str = "ct.nii.gz"
    scheme: str | None = _NAME

    def command(self, call: ProgramCall) -> Sequence[str]:
        """The documented options: input, output folder, GPU or not, and the version of the weights that are there already."""
        gpu = "N" if call.device == "cpu" else "Y"
        pinned = ["--model_version", self.facts.model_version] if self.facts.model_version else []
        return [str(self.program), "-i", str(call.ct), "-o", str(call.output), "-g", gpu, *pinned]

    def written(self, call: ProgramCall) -> Path | None:
        """Its label map is called as the input, with ``_dseg``."""
        path = call.output / call.input_name.replace(".nii.gz", "_dseg.nii.gz")
        return path if path.is_file() else None


def find_musclemap(environment: Environment, may_download: bool = False) -> MuscleMap:
    """The MuscleMap of an environment.

    Raises:
        DependencyError: it is not there, or its weights are not and it may not download them.
    """
    program = environment.required_program(_PROGRAM, _TITLE, _INSTALLING)
    told = probe(environment, environment.python_of(program), (_PACKAGE, "torch", "monai"), (_PACKAGE,))
    version = newest_weights(told.places[_PACKAGE].parent / "models" / _REGION) if _PACKAGE in told.places else None
    if version is None and not may_download:
        raise DependencyError(
            f"The weights of {_TITLE} are not in {environment.words}: run {_PROGRAM} there once, which downloads them from Zenodo, "
            "or allow the download with --model-may-download."
        )
    packages = {name: number for name, number in told.versions.items() if name != _PACKAGE}
    licence = "code: MIT; weights: see their record on Zenodo"
    facts = ModelFacts(_TITLE, _REGION, licence, told.versions.get(_PACKAGE), version, told.python, packages)
    return MuscleMap(environment, program, facts)


def newest_weights(folder: Path) -> str | None:
    """The newest version of the weights that lie in a folder, ``v1.4/<weights>`` for 1.4; None where there are none."""
    found = [match[1] for path in folder.glob(f"v*/{_WEIGHTS}") if (match := _VERSION.fullmatch(path.parent.name))]
    return max(found, key=lambda version: tuple(map(int, version.split("."))), default=None)
