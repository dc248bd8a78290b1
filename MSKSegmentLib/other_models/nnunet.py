"""The folder of a model trained with nnU-Net v2, through its command ``nnUNetv2_predict_from_modelfolder``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from .adapter import ModelFacts, ProgramCall, model_file
from .environments import Environment, has_cuda, probe

_PROGRAM, _TITLE = "nnUNetv2_predict_from_modelfolder", "nnU-Net"
_INSTALLING = "with pip install nnunetv2"
_DATASET, _PLANS = "dataset.json", "plans.json"
_PACKAGE, _CASE = "nnunetv2", "ct"
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
# Formats that both sides read and write.
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True)
class NnUNet:
    """A trained folder and the program that runs it, with the folds and the checkpoint that are there."""

    environment: Environment
    program: Path
    facts: ModelFacts
    folder: Path
    names: Mapping[int, str]
    folds: tuple[str, ...]
    checkpoint: str
    ending: str
    scheme: str | None = None

    @property
    def input_name(self) -> str:
        """A case with its only channel, in the format of the training."""
        return f"{_CASE}_0000{self.ending}"

    @property
    def sources(self) -> Mapping[str, Path]:
        """The trained folder."""
        return {"MODEL": self.folder}

    def command(self, call: ProgramCall) -> Sequence[str]:
        """The documented options; the folds are named because the default is five of them."""
        device = call.device
        if device == "auto":
            device = "cuda" if has_cuda(self.environment, self.environment.python_of(self.program)) else "cpu"
        places = ["-i", str(call.inputs), "-o", str(call.output), "-m", str(self.folder.absolute())]
        return [str(self.program), *places, "-f", *self.folds, "-chk", self.checkpoint, "-device", device]

    def variables(self, call: ProgramCall) -> Mapping[str, str]:
        """None beyond its environment's."""
        return {}

    def written(self, call: ProgramCall) -> Path | None:
        """The label map is called as the case."""
        path = call.output / f"{_CASE}{self.ending}"
        return path if path.is_file() else None


def is_trained_folder(folder: Path) -> bool:
    """Whether a folder looks like one that nnU-Net v2 has trained."""
    return (folder / _DATASET).is_file() and (folder / _PLANS).is_file()


def find_nnunet(folder: Path, environment: Environment, may_download: bool = False) -> NnUNet:
    """A trained folder, and the nnU-Net of an environment that runs it; nothing is ever downloaded.

    Raises:
        InputError: the folder cannot be used for a CT.
        DependencyError: nnU-Net is not there.
    """
    name = shown(folder)
    dataset, plans = model_file(folder, _DATASET), model_file(folder, _PLANS)
    channels = dataset.get("channel_names", dataset.get("modality", {}))
    if len(channels) != 1:
        raise InputError(f"The model {name!r} needs {len(channels)} images of a patient and there is one CT; choose another model.")
    ending = str(dataset.get("file_ending", ""))
    if ending not in _ENDINGS:
        raise InputError(f"The model {name!r} reads files that end in {ending!r}; only {', '.join(_ENDINGS)} can be given to it.")
    if "cascade" in folder.resolve().name:
        raise InputError(
            f"The model {name!r} is the second stage of a cascade, which needs the first; choose a folder of one stage."
        )
    folds, checkpoint = _trained(folder)
    names = label_names(dataset, name)
    program = environment.required_program(_PROGRAM, _TITLE, _INSTALLING)
    told = probe(environment, environment.python_of(program), (_PACKAGE, "torch"))
    packages = {key: number for key, number in told.versions.items() if key != _PACKAGE}
    licence = dataset.get("licence") or dataset.get("license") or "none is stated in the folder"
    model = str(plans.get("dataset_name") or name)
    facts = ModelFacts(_TITLE, model, f"model: {licence}", told.versions.get(_PACKAGE), None, told.python, packages)
    return NnUNet(environment, program, facts, folder, names, folds, checkpoint, ending)


def label_names(dataset: Mapping[str, Any], name: str) -> dict[int, str]:
    """The names of the values in a label map, from the content of ``dataset.json``.

    A name stands for one value; where labels are regions, of several values, ``regions_class_order`` says what is written for each.

    Raises:
        InputError: the entry is missing or contradicts itself.
    """
    try:
        labels = {str(key): value for key, value in dataset["labels"].items() if str(key) not in ("background", "ignore")}
        if any(isinstance(value, list) for value in labels.values()):
            return dict(zip(map(int, dataset["regions_class_order"]), labels, strict=True))
        return {int(value): key for key, value in labels.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"The labels in {_DATASET} of the model {name!r} cannot be read; get a fresh copy of the model."
        ) from error


def _trained(folder: Path) -> tuple[tuple[str, ...], str]:
    """The folds that have a checkpoint, and its name: the final one wherever there is one."""
    for checkpoint in _CHECKPOINTS:
        folds = sorted(path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{checkpoint}"))
        # Training on all cases is a fold of its own.
        numbers = tuple(fold for fold in folds if fold.isdecimal())
        if folds:
            return numbers or tuple(folds[:1]), checkpoint
    raise InputError(
        f"The model {shown(folder)!r} holds no fold_*/{_CHECKPOINTS[0]}; its training has not ended, or files are missing."
    )
