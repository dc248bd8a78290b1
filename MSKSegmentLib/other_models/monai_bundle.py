"""A MONAI bundle, through ``python -m monai.bundle run`` with its own configuration for inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DependencyError, InputError, shown
from .adapter import ModelFacts, ProgramCall, model_file, only_image
from .environments import Environment, probe, python_in

_TITLE = "MONAI bundle"
_INSTALLING = 'with pip install "monai[fire,nibabel]"'
_METADATA, _INFERENCE = "configs/metadata.json", "configs/inference.json"
_LOGGING = "configs/logging.conf"
_NEEDED = ("monai", "fire")
# MONAI reads and writes NIfTI with one of these.
_READERS = ("nibabel", "itk")
_DEVICES = {"cpu": "$torch.device('cpu')", "cuda": "$torch.device('cuda:0')"}
# What a configuration may take its images from, the first one that it has.
_INPUTS = ("datalist", "dataset_dir")


@dataclass(frozen=True)
class MonaiBundle:
    """A bundle and the Python that runs it; `keys` are the names that its configuration defines."""

    environment: Environment
    python: Path
    facts: ModelFacts
    folder: Path
    names: Mapping[int, str]
    keys: frozenset[str]
    input_name: str = "ct.nii.gz"
    scheme: str | None = None

    @property
    def sources(self) -> Mapping[str, Path]:
        """The bundle."""
        return {"MODEL": self.folder}

    def command(self, call: ProgramCall) -> Sequence[str]:
        """Run the configuration with root, images and output folder overridden, and the device where one is asked for."""
        root = self.folder.absolute()
        options = {"--meta_file": root / _METADATA, "--config_file": root / _INFERENCE, "--bundle_root": root}
        if (root / _LOGGING).is_file():
            options["--logging_file"] = root / _LOGGING
        words = [str(word) for pair in options.items() for word in pair]
        # A list in the notation of Python, which the program evaluates.
        images = [f"--{_INPUTS[0]}", repr([str(call.ct)])] if _INPUTS[0] in self.keys else [f"--{_INPUTS[1]}", str(call.inputs)]
        device = ["--device", _DEVICES[call.device]] if call.device in _DEVICES and "device" in self.keys else []
        return [str(self.python), "-m", "monai.bundle", "run", *words, *images, "--output_dir", str(call.output), *device]

    def variables(self, call: ProgramCall) -> Mapping[str, str]:
        """None beyond its environment's."""
        return {}

    def written(self, call: ProgramCall) -> Path | None:
        """The only image below the output folder: bundles name files and folders as they like."""
        return only_image(call.output)


def is_monai_bundle(folder: Path) -> bool:
    """Whether a folder looks like a MONAI bundle."""
    return (folder / _METADATA).is_file()


def find_monai_bundle(folder: Path, environment: Environment, may_download: bool = False) -> MonaiBundle:
    """A bundle, and the MONAI of an environment that runs it; nothing is ever downloaded.

    Raises:
        InputError: the bundle cannot be used for a CT.
        DependencyError: MONAI, or what it needs to run bundles, is not there.
    """
    name = shown(folder)
    metadata, inference = model_file(folder, _METADATA), model_file(folder, _INFERENCE)
    names = channel_names(metadata, name)
    keys = frozenset(inference)
    if "output_dir" not in keys or not keys & set(_INPUTS):
        raise InputError(
            f"{_INFERENCE} of the bundle {name!r} has no output_dir, or neither datalist nor dataset_dir, so that no CT can be "
            "given to it; add them, or choose another model."
        )
    python = python_in(environment)
    told = probe(environment, python, (*_NEEDED, *_READERS, "torch"))
    missing = [package for package in _NEEDED if package not in told.versions]
    if not set(_READERS) & set(told.versions):
        missing.append(_READERS[0])
    if missing:
        where = "this installation" if environment.folder is None else environment.words
        raise DependencyError(
            f"A MONAI bundle needs {' and '.join(missing)}, not installed in {where}: install it there {_INSTALLING}, or "
            "name another environment with --model-env."
        )
    packages = {key: number for key, number in told.versions.items() if key != "monai"}
    facts = ModelFacts(
        _TITLE,
        str(metadata.get("name") or name),
        f"model: {metadata.get('license') or metadata.get('copyright') or 'none is stated in its metadata'}",
        told.versions["monai"],
        str(metadata["version"]) if metadata.get("version") else None,
        told.python,
        packages,
    )
    return MonaiBundle(environment, python, facts, folder, names, keys)


def channel_names(metadata: Mapping[str, Any], name: str) -> dict[int, str]:
    """The names of the values in the label map that a bundle writes, from the content of its ``metadata.json``.

    Raises:
        InputError: the bundle does not segment one image of one channel, or states no names.
    """
    try:
        data = metadata["network_data_format"]
        inputs, outputs = data["inputs"], data["outputs"]
        definitions = next(iter(outputs.values()))["channel_def"]
        names = {int(value): str(label) for value, label in definitions.items()}
        channels = [int(entry.get("num_channels", 1)) for entry in inputs.values()]
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise InputError(
            f"{_METADATA} of the bundle {name!r} does not say what its labels mean (network_data_format, channel_def); complete "
            "it, or choose another model."
        ) from error
    if channels != [1]:
        raise InputError(f"The bundle {name!r} needs other inputs than one image of one channel; choose another model.")
    return {value: label for value, label in names.items() if label.casefold() != "background"}
