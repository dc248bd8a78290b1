"""The families of networks: what a bundle or a recipe may name, and how each is built. Importing this needs no torch.

A further family is a module of this package, whose class has ``from_spec``, and an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ..packages import require
from .spec import FIRST_FAMILY, NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Family:
    """Networks of one kind.

    `title` is what people call it, `network` the module of this package and its class, which builds a network from a spec
    (``from_spec``), `dimensions` those it exists in. With `monai` it needs MONAI; with `always_batch_norm` it has no other
    normalisation.
    """

    name: str
    title: str
    network: tuple[str, str]
    dimensions: tuple[int, ...] = (2,)
    monai: bool = False
    always_batch_norm: bool = False


_ALL = (
    Family(FIRST_FAMILY, "Bayesian U-Net", ("bayesian_unet", "BayesianUNet")),
    Family("attention-unet", "Attention U-Net", ("attention_unet", "AttentionUNet")),
    Family("spatial-channel-unet", "Spatial-Channel U-Net", ("spatial_channel_unet", "SpatialChannelUNet")),
    Family(
        "spatial-channel-unet-multiplied",
        "Spatial-Channel U-Net, multiplied",
        ("spatial_channel_unet", "MultipliedSpatialChannelUNet"),
    ),
    Family("vnet", "V-Net", ("vnet", "BayesianVNet"), (3,), monai=True, always_batch_norm=True),
    Family("dynunet", "dynamic U-Net", ("dynunet", "BayesianDynUNet"), (2, 3), monai=True),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in _ALL}


def build_network(spec: NetworkSpec) -> nn.Module:
    """The network that `spec` describes, with random weights: ``[N, in_channels, (D,) H, W]`` in, logits out.

    Its dropout (`mc_dropout.MCDropout`) can stay on at prediction. One that `needs_position` takes the positions along the limb
    as a second argument.

    Raises:
        ValueError: there is no such network (`network_problem`).
        DependencyError: the family needs a package that is not installed.
    """
    problem = network_problem(spec)
    if problem:
        raise ValueError(problem)
    family = FAMILIES[spec.family]
    if family.monai:
        require("monai", purpose=f"A network of the family {family.name}", extra="networks")
    module, name = family.network
    network: nn.Module = getattr(import_module(f"{__package__}.{module}"), name).from_spec(spec)
    return network


def network_problem(spec: NetworkSpec) -> str | None:
    """Why no such network exists, as a phrase; None where one does."""
    family = FAMILIES.get(spec.family)
    if family is None:
        return f"the network family {spec.family!r}, which this software does not know ({', '.join(FAMILIES)})"
    if not 2 <= spec.levels <= 8 or spec.base_filters < 1 or spec.classes < 2 or not 0 <= spec.dropout < 1:
        return "a network that cannot be built"
    if spec.dimensions not in family.dimensions:
        return f"a {family.title} of {spec.dimensions} dimensions, which exists in {' and '.join(map(str, family.dimensions))} only"
    if spec.in_channels < 1 or spec.in_channels % 2 == 0:
        return f"{spec.in_channels} neighbouring slices, which is not odd"
    if family.always_batch_norm and not spec.batch_norm:
        return f"a {family.title} without batch norm, which it always has"
    return _patch_problem(spec)


def _patch_problem(spec: NetworkSpec) -> str | None:
    if spec.dimensions == 2:
        return "a patch, which only networks of 3 dimensions have" if spec.patch else None
    if spec.in_channels != 1:
        return f"{spec.in_channels} neighbouring slices of a network of 3 dimensions, which sees them anyway"
    if len(spec.patch) != 3 or any(side < 2 * spec.stride or side % spec.stride for side in spec.patch):
        return f"a patch that is not three multiples of {spec.stride}, {2 * spec.stride} or more"
    return None


def needs_position(network: nn.Module) -> bool:
    """Whether a network, or the one inside a wrapper, takes the positions of the slices along the limb."""
    return any(getattr(module, "needs_position", False) for module in network.modules())


def logits_of(network: nn.Module, images: Tensor, positions: Tensor | None) -> Tensor:
    """Logits of any network; `positions` is float32 ``[N]``, 0 at the lower and 1 at the upper end of the scanned limb.

    Raises:
        ValueError: the network needs positions and there are none.
    """
    if not needs_position(network):
        return network(images)
    if positions is None:
        raise ValueError("this network needs the positions of the slices")
    return network(images, positions)
