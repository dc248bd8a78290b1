import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Tools"))
import network_parameters  # noqa: E402 - a script beside the library

from MSKSegmentLib.errors import DependencyError  # noqa: E402
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.families import FAMILIES, build_network, logits_of, needs_position, network_problem
from MSKSegmentLib.network.mc_dropout import MCDropout, dropout_sampling
from MSKSegmentLib.network.spatial_channel_unet import POSITIONS
from MSKSegmentLib.network.spec import NetworkSpec

FAMILIES_2D = ("bayesian-unet", "attention-unet", "spatial-channel-unet")
SMALL = {"levels": 3, "base_filters": 4, "classes": 5, "dropout": 0.25}
PATCH = (8, 16, 8)
KINDS = [(family.name, axes) for family in FAMILIES.values() for axes in family.dimensions]


def spec_of(family, dimensions=2, **changes):
    patch = PATCH if dimensions == 3 else ()
    return NetworkSpec(**{**SMALL, "family": family, "dimensions": dimensions, "patch": patch, **changes})


def inputs(dimensions, count=2):
    torch.manual_seed(3)
    return torch.rand(count, 1, *(PATCH if dimensions == 3 else (16, 24))), torch.linspace(0.2, 0.8, count)


def drawn(network, images, positions, seed):
    with torch.no_grad(), dropout_sampling(network.eval(), torch.Generator().manual_seed(seed)):
        return logits_of(network, images, positions)


@pytest.mark.parametrize(("family", "dimensions"), KINDS)
def test_every_family_is_sampled_and_learns(family, dimensions):
    network = build_network(spec_of(family, dimensions))
    images, positions = inputs(dimensions)
    passes = [drawn(network, images, positions, seed) for seed in (1, 1, 2)]
    assert passes[0].shape == (2, 5, *images.shape[2:])
    assert torch.equal(passes[0], passes[1]) and not torch.allclose(passes[0], passes[2])
    with torch.no_grad():
        assert torch.equal(logits_of(network, images, positions), logits_of(network, images, positions))  # dropout off
    logits_of(network.train(), images, positions).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    # No dropout of the library is left that stays off at prediction.
    layers = [module for module in network.modules() if "Dropout" in type(module).__name__]
    assert layers and all(isinstance(layer, MCDropout) and layer.p == 0.25 for layer in layers)


def test_first_family_is_the_network_of_before():
    spec = NetworkSpec(levels=3, base_filters=4, in_channels=3)
    torch.manual_seed(0)
    built = build_network(spec)
    torch.manual_seed(0)
    before = BayesianUNet(3, 4, 23, 3)
    assert all(torch.equal(a, b) for a, b in zip(built.state_dict().values(), before.state_dict().values(), strict=True))
    assert list(built.state_dict()) == list(before.state_dict())
    # Nothing new stands in its manifest: software of before reads it.
    assert set(spec.to_json()) == {"levels", "base_filters", "classes", "in_channels", "batch_norm", "dropout"}


def test_position_speaks_for_classes():
    network = build_network(spec_of("spatial-channel-unet")).eval()
    images, _ = inputs(2, count=3)
    positions = torch.tensor([0.0, 0.5, 1.0])
    assert needs_position(network) and not needs_position(build_network(spec_of("attention-unet")))
    with torch.no_grad():
        alone = network.unet(images)
        assert torch.equal(network(images, positions), alone)  # untrained
        network.location.weight[2, POSITIONS // 2] = 7.0
        spoken = network(images, positions) - alone
    assert torch.allclose(spoken[1, 2], torch.tensor(7.0)) and not spoken[[0, 2]].any() and not spoken[1, [0, 1, 3, 4]].any()
    with pytest.raises(ValueError, match="positions"):
        logits_of(network, images, None)


def test_position_multiplies_classes_as_in_the_authors_code():
    network = build_network(spec_of("spatial-channel-unet-multiplied")).eval()
    images, _ = inputs(2, count=3)
    positions = torch.tensor([0.0, 0.5, 1.0])
    with torch.no_grad():
        alone = network.unet(images)
        assert torch.equal(network(images, positions), alone)  # untrained
        network.location.weight[2, POSITIONS // 2] = -3.0
        expected = alone.clone()
        expected[1, 2] *= -2
        assert torch.allclose(network(images, positions), expected) and not torch.allclose(expected, alone)
    added = build_network(spec_of("spatial-channel-unet"))
    assert list(added.state_dict()) == list(network.state_dict()), "weights alone do not tell which: the family does"


def test_gates_close_skips():
    network = build_network(spec_of("attention-unet", levels=4)).eval()
    images, _ = inputs(2)
    assert len(network.gates) == 2  # all skips but the finest
    with torch.no_grad():
        for gate in network.gates:
            gate.psi.bias.fill_(50.0)
        # Open gates leave the U-Net that is inside.
        assert torch.allclose(network(images), network.unet(images), atol=1e-5)
        for gate in network.gates:
            gate.psi.bias.fill_(-50.0)
        assert not torch.allclose(network(images), network.unet(images), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"family": "transformer"}, "'transformer', which this software does not know"),
        ({"family": "vnet"}, "a V-Net of 2 dimensions, which exists in 3 only"),
        ({"family": "attention-unet", "dimensions": 3, "patch": PATCH}, "exists in 2 only"),
        ({"family": "vnet", "dimensions": 3}, "multiples of 4, 8 or more"),
        ({"family": "vnet", "dimensions": 3, "patch": (8, 10, 8)}, "multiples of 4"),
        ({"family": "vnet", "dimensions": 3, "patch": PATCH, "batch_norm": False}, "without batch norm"),
        ({"family": "dynunet", "dimensions": 3, "patch": PATCH, "in_channels": 3}, "sees them anyway"),
        ({"patch": PATCH}, "only networks of 3 dimensions"),
        ({"in_channels": 2}, "not odd"),
        ({"levels": 1}, "cannot be built"),
    ],
)
def test_impossible_networks_are_named(changes, phrase):
    spec = NetworkSpec(**{**SMALL, **changes})
    assert phrase in (network_problem(spec) or "")
    with pytest.raises(ValueError, match="."):
        build_network(spec)


def test_henson_networks_differ_in_the_way_up_alone():
    """With the settings of Henson et al.'s code: its encoder without biases, its layer of positions; wider on the way up."""
    unet, attention, spatial = network_parameters.henson()
    assert (unet, attention, spatial) == (31_038_886, 32_090_118, 31_042_724)
    with torch.device("meta"):
        ours = {name: build_network(NetworkSpec(levels=5, base_filters=64, classes=38, family=name)) for name in FAMILIES_2D}
    plain, gated, placed = (ours[name] for name in FAMILIES_2D)
    shapes = [tuple(kernel.shape) for kernel in plain.encoder.parameters() if kernel.dim() == 4]
    pairs = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024), (1024, 1024)]
    assert shapes == [(after, before, 3, 3) for before, after in pairs]
    count = network_parameters.counted
    assert count(placed) - count(plain) == spatial - unet == 101 * 38
    # They gate the finest skip, too, and pass gates through batch norm.
    assert len(gated.gates) == 3 and 0 < (attention - unet) - (count(gated) - count(plain)) < 20_000
    # Soufi et al. keep the channels on the way up where Henson et al. halve them.
    assert [up.transposed.out_channels for up in plain.up] == [1024, 512, 256, 128] and count(plain) == 43_950_950


def test_missing_monai_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(DependencyError, match=r"family dynunet needs the package monai.*mskseg\[networks\]"):
        build_network(spec_of("dynunet"))


def test_parameters_are_those_of_the_code_they_come_from():
    from monai.networks.nets import DynUNet, VNet

    with torch.device("meta"):
        ours = spec_of("vnet", 3, levels=5, base_filters=16, patch=(32, 32, 32))
        pairs = [(build_network(ours), VNet(3, 1, 5, "prelu"))]
        for axes, most in ((2, 512), (3, 320)):
            spec = spec_of("dynunet", axes, levels=6, base_filters=32, batch_norm=False, patch=(64, 64, 64) if axes == 3 else ())
            filters = [min(most, 32 * 2**level) for level in range(6)]
            norm = ("instance", {"affine": True})
            theirs = DynUNet(axes, 1, 5, [3] * 6, [1, *[2] * 5], [2] * 5, filters=filters, norm_name=norm)
            pairs.append((build_network(spec), theirs))
    for built, theirs in pairs:
        shapes = [sorted(tuple(parameter.shape) for parameter in network.parameters()) for network in (built, theirs)]
        assert shapes[0] == shapes[1]
