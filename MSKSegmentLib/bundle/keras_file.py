"""The weighted layers in a Keras HDF5 file, read without Keras.

Three layouts hold the same arrays: the `save_weights` file of Keras 1 and 2 (attributes `layer_names` and
`weight_names`), the whole-model ``.h5`` (the same below `model_weights`), and Keras 3's ``.weights.h5`` (groups
``<layer>/vars/0, 1, ...``). A model nested in another, such as a Monte Carlo sampler around the network, is found too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, takewhile
from typing import Any

from ..errors import BundleError

NORM_ROLES = ("gamma", "beta", "mean", "variance")
_KERNEL_ROLES = ("kernel", "bias")
# The last part of a weight's name in Keras 1, 2 and 3. Keras 1 calls the running variance "running_std".
_ROLE_OF_SUFFIX = {
    "kernel": "kernel",
    "W": "kernel",
    "bias": "bias",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "mean",
    "running_mean": "mean",
    "moving_variance": "variance",
    "running_std": "variance",
}
_WEIGHT_NAME = re.compile(rf"(?P<layer>.*?)[/_](?P<role>{'|'.join(_ROLE_OF_SUFFIX)})(:0)?")


@dataclass
class KerasLayer:
    """A layer in the file: its arrays (HDF5 datasets, not yet read) by role: kernel, bias or `NORM_ROLES`."""

    name: str
    arrays: dict[str, Any] = field(default_factory=dict)

    @property
    def is_norm(self) -> bool:
        """Whether it is a batch normalisation."""
        return not self.arrays.keys().isdisjoint(NORM_ROLES)

    @property
    def is_transposed(self) -> bool:
        """Whether its name says that it is a transposed convolution."""
        return bool(re.search("transpose|deconv", self.name, re.IGNORECASE))


def read_layers(file: Any) -> tuple[list[KerasLayer], bool]:
    """The weighted layers of an open `h5py.File`, and whether they stand in an order that the file declares.

    Without a declared order they are sorted by the numbers in their names, as Keras 3 gives them in network order for
    each kind of layer.

    Raises:
        BundleError: the file holds no weights, or a layer unlike any of the Bayesian U-Net's.
    """
    root = file.get("model_weights", file)
    names = _attribute(root, "layer_names")
    layers = list(_legacy_layers(root, names)) if names else list(_keras3_layers(file))
    if not layers:
        raise BundleError("The file holds no layers with weights; choose a file that Keras wrote with save_weights.")
    return layers, bool(names)


def _attribute(group: Any, name: str) -> list[str]:
    """A list of names; Keras splits one that is too long for HDF5 over `name`0, `name`1, ..."""
    chunks = [name] if name in group.attrs else takewhile(group.attrs.__contains__, (f"{name}{i}" for i in count()))
    values = [value for chunk in chunks for value in group.attrs[chunk]]
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _legacy_layers(root: Any, names: list[str]) -> Iterator[KerasLayer]:
    for name in names:
        layers: dict[str, KerasLayer] = {}
        for weight in _attribute(root[name], "weight_names"):
            match = _WEIGHT_NAME.fullmatch(weight)
            if match is None:
                raise BundleError(f"Layer {name} holds {weight}, unlike the Bayesian U-Net; use its file.")
            layer = layers.setdefault(match["layer"], KerasLayer(match["layer"].rpartition("/")[2]))
            layer.arrays[_ROLE_OF_SUFFIX[match["role"]]] = root[name][weight]
        yield from layers.values()


def _keras3_layers(file: Any) -> Iterator[KerasLayer]:
    groups: list[str] = []
    file.visit(lambda path: groups.append(path) if path.rpartition("/")[2] == "vars" else None)
    for path in sorted(groups, key=natural_key):
        variables = [file[path][key] for key in sorted(file[path], key=natural_key)]
        # Dropout keeps the integer state of its random numbers here.
        variables = [variable for variable in variables if variable.dtype.kind == "f"]
        name = re.split(r"[/\\]", path)[-2] if "/" in path else path
        if not variables or re.match(r"optimizer\b", path):
            continue
        roles = _KERNEL_ROLES if variables[0].ndim > 1 else NORM_ROLES
        if len(variables) > len(roles):
            raise BundleError(f"Layer {name} holds {len(variables)} arrays, unlike the Bayesian U-Net; use its file.")
        yield KerasLayer(name, dict(zip(roles, variables, strict=False)))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key under which conv2d, conv2d_2, conv2d_10 are in this order."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
