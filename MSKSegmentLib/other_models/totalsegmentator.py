"""TotalSegmentator, through its command of that name and its task ``total``: bones of hip and thigh, glutei and iliopsoas."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DependencyError
from .adapter import ModelFacts, ModelOfProgram, ProgramCall
from .environments import Environment, probe

_NAME, _PROGRAM, _TITLE = "totalsegmentator", "TotalSegmentator", "TotalSegmentator"
_INSTALLING = "with pip install TotalSegmentator"
_TASK = "total"
# The five networks of the task, each in a folder "Dataset<number>_...".
_NETWORKS = (291, 292, 293, 294, 295)
_WRITTEN = "labels.nii.gz"
_DEVICES = {"auto": "gpu", "cuda": "gpu", "cpu": "cpu"}


@dataclass(frozen=True)
class TotalSegmentator(ModelOfProgram):
    """An installed TotalSegmentator; `weights` is the folder of its networks."""

    environment: Environment
    program: Path
    facts: ModelFacts
    weights: Path
    input_name: str = "ct.nii.gz"
    scheme: str | None = _NAME

    def command(self, call: ProgramCall) -> Sequence[str]:
        """One label map of all structures; without a GPU its device ``gpu`` falls back to the processor by itself."""
        output = str(call.output / _WRITTEN)
        return [str(self.program), "-i", str(call.ct), "-o", output, "--ml", "--task", _TASK, "--device", _DEVICES[call.device]]

    def variables(self, call: ProgramCall) -> Mapping[str, str]:
        """Its weights stay where they are, its settings are ours: it sends no usage statistics from here.

        What it keeps in its home is its settings and, if nothing says where else, its weights.
        """
        home = call.folder / "totalsegmentator"
        home.mkdir(exist_ok=True)
        settings = {"totalseg_id": "", "send_usage_stats": False, "prediction_counter": 0, "statistics_disclaimer_shown": True}
        (home / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        return {"TOTALSEG_HOME_DIR": str(home), "TOTALSEG_WEIGHTS_PATH": str(self.weights)}

    def written(self, call: ProgramCall) -> Path | None:
        """The file that the command line names."""
        path = call.output / _WRITTEN
        return path if path.is_file() else None


def find_totalsegmentator(environment: Environment, may_download: bool = False) -> TotalSegmentator:
    """The TotalSegmentator of an environment.

    Raises:
        DependencyError: it is not there, or its weights are not and it may not download them.
    """
    program = environment.required_program(_PROGRAM, _TITLE, _INSTALLING)
    weights = weights_folder()
    if not may_download and any(not any(weights.glob(f"Dataset{number}_*")) for number in _NETWORKS):
        raise DependencyError(
            f"The weights of {_TITLE} are not on this computer: download them with totalseg_download_weights -t {_TASK}, or allow "
            "the download with --model-may-download."
        )
    told = probe(environment, environment.python_of(program), (_TITLE, "torch", "nnunetv2"))
    packages = {name: number for name, number in told.versions.items() if name != _TITLE}
    licence = f"code and the model of the task {_TASK}: Apache-2.0"
    facts = ModelFacts(_TITLE, _TASK, licence, told.versions.get(_TITLE), None, told.python, packages)
    return TotalSegmentator(environment, program, facts, weights)


def weights_folder() -> Path:
    """Where TotalSegmentator keeps its networks: what its two variables say, else a folder in the user's home."""
    stated, home = os.environ.get("TOTALSEG_WEIGHTS_PATH"), os.environ.get("TOTALSEG_HOME_DIR")
    if stated:
        return Path(stated)
    return (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet" / "results"
