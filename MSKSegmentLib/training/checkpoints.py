"""Checkpoints of a training: weights, averaged weights, optimiser state and progress."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..bundle import resolve_bundle
from ..bundle.manifest import NetworkSpec, Preprocessing
from ..errors import BundleError, InputError
from ..network.families import build_network
from .recipes import Recipe

CHECKPOINT = "checkpoint.pt"


class TrainingState:
    """The network of a recipe in training on a device, after `iteration` iterations; `progress` runs from 0 to 1."""

    def __init__(self, recipe: Recipe, device: str) -> None:
        self.recipe, self.device = recipe, device
        self._made_of = {"network": recipe.network.to_json(), "preprocessing": _as_before(recipe.preprocessing)}
        network = build_network(recipe.network).to(device)
        self.memory_format = memory_format(device, recipe.precision, recipe.network.dimensions)
        self.network: nn.Module = network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        # The statistics of batch normalisation are averaged, too: they belong to the weights.
        self.averaged = AveragedModel(self.network, multi_avg_fn=warming_average(recipe.average), use_buffers=True)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.l2)
        self.iteration = 0
        self.progress = 0.0

    def begin_with(self, weights: dict[str, Tensor]) -> None:
        """Start from these weights instead of random ones."""
        self.network.load_state_dict(weights)
        self.averaged.module.load_state_dict(weights)

    def save(self, path: Path) -> None:
        """Write the state; the file appears whole or not at all."""
        partial = path.with_suffix(".partial")
        content = {
            "made_of": self._made_of,
            "iteration": self.iteration,
            "progress": self.progress,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(content, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Load the state that `save` wrote.

        Raises:
            InputError: the file is damaged, or belongs to another network or grid.
        """
        content = _load(path)
        # Tuples are restored as tuples, so that both sides can be compared.
        if content.get("made_of") != self._made_of:
            raise InputError(
                f"The folder {path.parent.name!r} holds a run of another network or grid than the recipe's; name a new folder."
            )
        self.network.load_state_dict(content["network"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.iteration, self.progress = int(content["iteration"]), float(content["progress"])


def memory_format(device: str, precision: str, dimensions: int = 2) -> torch.memory_format:
    """Memory layout of images and weights: channels last, except for float32 on a CPU, whose backward pass that slows by half."""
    slow = torch.device(device).type == "cpu" and precision == "fp32"
    last = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    return torch.contiguous_format if slow else last


def warming_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential average for `AveragedModel` whose decay rises to `decay`, so that the random first weights are soon forgotten.

    After n updates the decay is (1 + n) / (10 + n) while that is less.
    """

    def update(averaged: Any, current: Any, count: Any) -> None:
        updates = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + updates) / (10 + updates)))(averaged, current, count)

    return update


def averaged_state(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, named as in the network itself.

    Raises:
        InputError: the file is no checkpoint.
    """
    state = _load(checkpoint).get("averaged", {})
    return {key.removeprefix("module."): value for key, value in state.items() if key.startswith("module.")}


def stored_progress(checkpoint: Path) -> float:
    """Progress of a training, 0 to 1, as its checkpoint states it; 0 without one.

    Raises:
        InputError: the file is no checkpoint.
    """
    return float(_load(checkpoint).get("progress", 0.0)) if checkpoint.is_file() else 0.0


def initial_weights(source: str, spec: NetworkSpec) -> dict[str, Tensor]:
    """The weights of a checkpoint file (averaged ones) or of a bundle, for a network of `spec` to start from.

    Raises:
        InputError: there is no such file or bundle, or its network does not match `spec`.
    """
    if Path(source).is_file():
        weights = averaged_state(Path(source))
    else:
        try:
            bundle = resolve_bundle(source)
            if bundle.manifest.members > 1:
                raise BundleError("It has several networks; start from one of the bundles that it was joined of.")
            weights = bundle.load_network().state_dict()
        except BundleError as error:
            raise InputError(f"The training cannot start from {Path(source).name!r}: {error}") from error
    with torch.device("meta"):
        wanted = {key: value.shape for key, value in build_network(spec).state_dict().items()}
    if {key: value.shape for key, value in weights.items()} != wanted:
        raise InputError(
            f"The training cannot start from {Path(source).name!r}, whose network is of another family or has other levels, "
            "filters, channels or batch norm; set the recipe's network to those."
        )
    return weights


def _load(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(f"The checkpoint {path.name!r} cannot be read; delete it or name another one.") from error
    if not isinstance(content, dict):
        raise InputError(f"The file {path.name!r} is not a checkpoint of a training; name another one.")
    return content


def _as_before(preprocessing: Preprocessing) -> dict[str, Any]:
    """All entries that older checkpoints have, so that these can be resumed: without a first stage, its entry is left out, and what
    passes look at is no matter of training.
    """
    content = asdict(preprocessing)
    del content["mirrored"]
    if preprocessing.first_stage is None:
        del content["first_stage"]
    return content
