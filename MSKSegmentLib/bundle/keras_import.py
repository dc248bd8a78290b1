"""Weights trained with the method group's Keras code, turned into a bundle without Keras."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from ..packages import require
from .keras_file import NORM_ROLES, KerasLayer, natural_key, read_layers
from .manifest import Manifest, NetworkSpec, Preprocessing
from .store import ModelBundle, check_new_bundle, save_bundle
from .weights import empty_network

_TORCH_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


@dataclass(frozen=True)
class _Slot:
    """A layer of our network in forward order: state-dictionary prefix and the shapes that Keras gives its arrays."""

    key: str
    transposed: bool
    shapes: dict[str, tuple[int, ...]]

    @property
    def is_norm(self) -> bool:
        return "gamma" in self.shapes


@dataclass(frozen=True)
class KerasModel:
    """The description of a weights file, which holds weights alone: the network, how slices were prepared for it, and its papers.

    `batch_norm` None means: as found in the file; `name` None: the file's name. `dropout` and `passes` are those to run it with,
    `dtype` that to store it in.
    """

    levels: int
    base_filters: int = 32
    in_channels: int = 1
    batch_norm: bool | None = None
    dropout: float = 0.5
    passes: int = 10
    preprocessing: Preprocessing = Preprocessing((-150.0, 350.0), (0.0, 255.0))
    name: str | None = None
    version: str = "1"
    license: str = "not stated"
    dtype: str = "float32"


def import_keras(weights_path: str | Path, folder: str | Path, model: KerasModel) -> ModelBundle:
    """Make the bundle `folder` from Keras weights of the published 2D Bayesian U-Net with 23 outputs.

    Layers are matched in network order and every shape is checked. A weights file tells neither padding, activation
    nor the batch norm's epsilon; they are taken to be the published code's (reflect padding, ReLU, 1e-3). The file is
    only read. The bundle has no calibration, so its results are not rated until it is calibrated.

    Raises:
        BundleError: the file cannot be read, its layers do not fit the network (the sentence names the layer, the shape
            found and the shape expected), or the bundle cannot be written.
    """
    path = Path(weights_path)
    require("h5py", "torch", purpose="mskseg bundle import-keras")
    import h5py

    if not path.is_file():
        raise BundleError(f"There is no file {path.name}; choose the weights file that Keras wrote.")
    check_new_bundle(folder)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with h5py.File(path, "r") as file:
            layers, declared = read_layers(file)
            found_norm = any(layer.is_norm for layer in layers)
            if model.batch_norm is not None and model.batch_norm != found_norm:
                found, wanted = ("with", "without") if found_norm else ("without", "with")
                raise BundleError(
                    f"{path.name} holds a network {found} batch normalisation, not {wanted} it; leave that option out."
                )
            spec = NetworkSpec(model.levels, model.base_filters, 23, model.in_channels, found_norm, model.dropout)
            pairs = _match(layers, declared, list(_slots(spec)), path.name)
            state = _state(pairs)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError) as error:
        # Whatever a file that only looks like one of the three layouts makes of reading it.
        raise BundleError(
            f"{path.name} cannot be read as a Keras HDF5 file; write the weights with save_weights and choose that."
        ) from error
    manifest = Manifest(
        name=model.name or path.name.partition(".")[0],
        version=model.version,
        description=f"Imported from Keras weights ({path.name}); not calibrated.",
        date=datetime.date.today().isoformat(),
        license=model.license,
        network=spec,
        preprocessing=model.preprocessing,
        passes=model.passes,
    )
    return save_bundle(folder, manifest, state, None, _card(manifest, path.name, digest), model.dtype)


def _slots(spec: NetworkSpec) -> Iterator[_Slot]:
    from torch import nn

    from ..network.bayesian_unet import BayesianUNet

    network = empty_network(spec)
    assert isinstance(network, BayesianUNet), "Keras weights are those of the paper's network"
    parts = [(f"encoder.{i}", block) for i, block in enumerate(network.encoder)]
    for i, (up, block) in enumerate(zip(network.up, network.decoder, strict=True)):
        parts += [(f"up.{i}", up), (f"decoder.{i}", block)]
    for prefix, part in [*parts, ("head", network.head)]:
        for key, module in part.named_modules(prefix=prefix):
            if isinstance(module, nn.BatchNorm2d):
                yield _Slot(key, False, dict.fromkeys(NORM_ROLES, (module.num_features,)))
            elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                kernel = tuple(module.weight.permute(2, 3, 1, 0).shape)
                transposed = isinstance(module, nn.ConvTranspose2d)
                yield _Slot(key, transposed, {"kernel": kernel, "bias": (module.out_channels,)})


def _match(layers: list[KerasLayer], declared: bool, slots: list[_Slot], file: str) -> list[tuple[KerasLayer, _Slot]]:
    """Pair each layer of the file with ours: by the declared order or, failing that, by the numbers in the names."""
    _check_counts(layers, slots, file)
    problems = []
    for in_sequence in (True, False) if declared else (False,):
        pairs = list(zip(_in_network_order(layers, slots, in_sequence), slots, strict=True))
        problem = next((text for layer, slot in pairs if (text := _shape_problem(layer, slot))), None)
        if problem is None:
            return [(layer, slot) for layer, slot in pairs if layer is not None]
        problems.append(problem)
    raise BundleError(f"In {file} {problems[0]}; check the number of levels, filters and input channels.")


def _check_counts(layers: list[KerasLayer], slots: list[_Slot], file: str) -> None:
    kernels = sum(not layer.is_norm for layer in layers)
    wanted = sum(not slot.is_norm for slot in slots)
    if kernels != wanted:
        # n levels have 2n + 2(n-1) convolutions in blocks, n-1 transposed ones and the head.
        levels, rest = divmod(kernels + 2, 5)
        if not rest and levels > 1:
            raise BundleError(
                f"{file} holds {kernels} convolutions where the asked-for network has {wanted}; it looks like {levels} levels."
            )
        raise BundleError(f"{file} holds {kernels} convolutions where the asked-for network has {wanted}; it is another network.")
    norms = sum(layer.is_norm for layer in layers)
    wanted = sum(slot.is_norm for slot in slots)
    if norms != wanted:
        raise BundleError(f"{file} holds {norms} batch normalisations where the network has {wanted}; it is another network.")


def _in_network_order(layers: list[KerasLayer], slots: list[_Slot], in_sequence: bool) -> list[KerasLayer | None]:
    """One layer for each slot, None where the names leave none of that kind."""

    def kind(item: KerasLayer | _Slot) -> str:
        transposed = item.is_transposed if isinstance(item, KerasLayer) else item.transposed
        return "norm" if item.is_norm else "transposed" if transposed and not in_sequence else "plain"

    # Reversed, so that pop() takes the first one.
    ordered = (layers if in_sequence else sorted(layers, key=lambda layer: natural_key(layer.name)))[::-1]
    pools: dict[str, list[KerasLayer]] = {"norm": [], "transposed": [], "plain": []}
    for layer in ordered:
        pools[kind(layer)].append(layer)
    return [pools[kind(slot)].pop() if pools[kind(slot)] else None for slot in slots]


def _shape_problem(layer: KerasLayer | None, slot: _Slot) -> str | None:
    if layer is None:
        return f"there is no {'transposed ' if slot.transposed else ''}convolution left for {slot.key}"
    for role, shape in slot.shapes.items():
        if role not in layer.arrays:
            return f"layer {layer.name} has no {role}"
        found = tuple(layer.arrays[role].shape)
        if found != shape:
            return f"layer {layer.name} has a {role} of shape {found} where {slot.key} needs {shape}"
    return None


def _state(pairs: list[tuple[KerasLayer, _Slot]]) -> dict[str, Any]:
    """The torch state dictionary.

    Keras stores kernels ``[kh, kw, in, out]`` and transposed ones ``[kh, kw, out, in]``, torch ``[out, in, kh, kw]``
    and ``[in, out, kh, kw]``: one permutation serves both. Both libraries define the transposed convolution as the
    gradient of an unflipped correlation, so the kernel is not flipped.
    """
    import torch

    state = {}
    for layer, slot in pairs:
        for role in slot.shapes:
            values = np.asarray(layer.arrays[role][()], dtype=np.float32)
            if role == "kernel":
                values = values.transpose(3, 2, 0, 1)
            state[f"{slot.key}.{_TORCH_NAMES[role]}"] = torch.from_numpy(np.ascontiguousarray(values))
    return state


def _card(manifest: Manifest, file: str, digest: str) -> str:
    network, preprocessing = manifest.network, manifest.preprocessing
    norm = "with" if network.batch_norm else "without"
    low, high = preprocessing.hu_window
    return f"""# {manifest.name}

Weights imported from a Keras file; nothing is known here about the data they were trained on or how well they work.

- Source file: {file}
- SHA-256 of the source file: {digest}
- Network: 2D Bayesian U-Net, {network.levels} levels, {network.base_filters} filters at full resolution, \
{norm} batch normalisation, dropout {network.dropout:g}
- Assumed, because a weights file does not tell: reflect padding, ReLU, batch-norm epsilon 0.001, output channels in \
the order background, then the 22 structures
- Preprocessing as given at import: HU {low:g} to {high:g} mapped to {preprocessing.value_range[0]:g} to \
{preprocessing.value_range[1]:g}
- Calibration: none. Results are not rated until the bundle is calibrated on labelled cases.

Research use only. Not a medical device.
"""
