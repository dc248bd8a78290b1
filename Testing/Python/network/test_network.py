"""The network is the published one: its size, its layers, its geometry."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.mc_dropout import MCDropout


def small(**options) -> Any:
    torch.manual_seed(7)
    return BayesianUNet(**{"levels": 3, "base_filters": 4, **options}).eval()


@pytest.mark.parametrize(("options", "parameters", "dropouts"), [({}, 44.037, 11), ({"levels": 5, "batch_norm": False}, 10.987, 9)])
def test_size_is_the_published_one(options, parameters, dropouts):
    with torch.device("meta"):
        network = BayesianUNet(**options)
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert round(trained / 1e6, 3) == parameters
    layers = [module for module in network.modules() if isinstance(module, MCDropout)]
    assert len(layers) == dropouts
    assert {layer.p for layer in layers} == {0.5}


def test_channel_plan():
    with torch.device("meta"):
        network = BayesianUNet()
    convolutions = {name: m for name, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))}
    encoder = [(m.in_channels, m.out_channels) for name, m in convolutions.items() if name.startswith("encoder")]
    up = [(m.in_channels, m.out_channels) for name, m in convolutions.items() if name.startswith("up")]
    decoder = [(m.in_channels, m.out_channels) for name, m in convolutions.items() if name.startswith("decoder")]
    assert encoder == [
        *[(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)],
        *[(128, 256), (256, 256), (256, 512), (512, 512), (512, 1024), (1024, 1024)],
    ]
    assert up == [(1024, 1024), (512, 512), (256, 256), (128, 128), (64, 64)]
    assert decoder == [
        *[(1536, 512), (512, 512), (768, 256), (256, 256), (384, 128), (128, 128)],
        *[(192, 64), (64, 64), (96, 32), (32, 32)],
    ]
    assert (network.head.in_channels, network.head.out_channels) == (32, 23)
    assert all(m.kernel_size == (3, 3) and m.bias is not None for m in convolutions.values())


@pytest.mark.parametrize("in_channels", [1, 3])
def test_output_shape(in_channels):
    network = small(in_channels=in_channels)
    with torch.no_grad():
        assert network(torch.zeros(2, in_channels, 24, 40)).shape == (2, 23, 24, 40)


def test_each_neighbouring_slice_counts():
    network = small(in_channels=3)
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(x).square().sum().backward()
    assert x.grad is not None and (x.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize("shape", [(16, 18), (18, 16), (2, 16)])
def test_sides_that_do_not_divide_are_refused(shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        small()(torch.zeros(1, 1, *shape))


def test_stride_is_16_with_5_levels_and_32_with_6():
    with torch.device("meta"):
        assert [BayesianUNet(levels=levels).stride for levels in (5, 6)] == [16, 32]


def test_a_network_of_one_level_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        BayesianUNet(levels=1)


def reflect(size: int) -> list[int]:
    return [1, *range(size), size - 2]


def transposed_by_hand(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Each input pixel stamps the 3x3 kernel at twice its place: the definition, without torch's convolutions."""
    height, width = x.shape[1:]
    out = bias[:, None, None].expand(-1, 2 * height + 1, 2 * width + 1).clone()
    for row in range(height):
        for column in range(width):
            stamp = torch.einsum("i,iokl->okl", x[:, row, column], weight)
            out[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += stamp
    return out


@pytest.mark.parametrize("batch_norm", [True, False])
def test_up_step_pads_stamps_and_crops_2_before_and_3_after(batch_norm):
    network = small(batch_norm=batch_norm).double()
    up = network.up[0]
    generator = torch.Generator().manual_seed(3)
    for parameter in up.parameters():
        nn.init.normal_(parameter, generator=generator)
    if batch_norm:
        up.norm.running_mean.normal_(generator=generator)
        up.norm.running_var.uniform_(0.5, 2.0, generator=generator)
    x = torch.randn(16, 5, 7, dtype=torch.float64, generator=generator)

    padded = x[:, reflect(5)][:, :, reflect(7)]
    full = transposed_by_hand(padded, up.transposed.weight, up.transposed.bias)
    assert full.shape[1:] == (2 * 5 + 5, 2 * 7 + 5)
    expected = full[:, 2:-3, 2:-3]
    if batch_norm:
        scale = up.norm.weight / torch.sqrt(up.norm.running_var + 1e-3)
        expected = (expected - up.norm.running_mean[:, None, None]) * scale[:, None, None] + up.norm.bias[:, None, None]
    with torch.no_grad():
        found = up(x[None])[0]
    torch.testing.assert_close(found, expected.clamp(min=0))


@pytest.mark.parametrize("shape", [(5, 7), (2, 3), (14, 20)])
def test_the_quick_up_step_for_bfloat16_is_the_same_one(shape):
    up = small().double().up[0]
    nn.init.normal_(up.transposed.bias, generator=torch.Generator().manual_seed(3))
    x = torch.randn(2, 16, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    padded = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    with torch.no_grad():
        wanted = up.transposed(padded)[..., 2 : 2 + 2 * shape[0], 2 : 2 + 2 * shape[1]]
        torch.testing.assert_close(up._phases(padded), wanted)


def test_bfloat16_training_gives_the_gradients_of_float32():
    network = small(in_channels=3, dropout=0.0).train().to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(5)).contiguous(memory_format=torch.channels_last)
    gradients = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = network(x)
        assert logits.dtype == (torch.bfloat16 if enabled else torch.float32)
        logits.float().square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    assert all(parameter.grad.dtype == torch.float32 for parameter in network.parameters())
    # Eight bits of mantissa in every step leave the direction of the whole gradient alone.
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.97


def test_block_reflects_at_the_border():
    block = small(batch_norm=False).double().encoder[0]
    x = torch.randn(1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    h = x
    for convolution in (block[0], block[2]):
        padded = h[:, reflect(6)][:, :, reflect(6)]
        patches = padded.unfold(1, 3, 1).unfold(2, 3, 1)
        h = torch.einsum("ihwkl,oikl->ohw", patches, convolution.weight) + convolution.bias[:, None, None]
        h = h.clamp(min=0)
    with torch.no_grad():
        torch.testing.assert_close(block(x[None])[0], h.detach())


def test_decoder_gets_the_up_step_first_and_the_skip_second():
    network = small()
    seen: dict[str, torch.Tensor] = {}
    network.up[1].register_forward_hook(lambda module, args, out: seen.update(up=out))
    network.encoder[0].register_forward_hook(lambda module, args, out: seen.update(skip=out))
    network.decoder[1].register_forward_pre_hook(lambda module, args: seen.update(joined=args[0]))
    with torch.no_grad():
        network(torch.rand(1, 1, 16, 16))
    assert seen["up"].shape[1] == 8 and seen["skip"].shape[1] == 4
    assert torch.equal(seen["joined"][:, :8], seen["up"]) and torch.equal(seen["joined"][:, 8:], seen["skip"])


def test_initialisation_is_he_normal():
    torch.manual_seed(11)
    network = BayesianUNet(levels=4, base_filters=16)
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            expected = math.sqrt(2.0 / (9 * module.in_channels))
            count = module.weight.numel()
            # A sample deviation of n normal numbers scatters by 1/sqrt(2n); five of those.
            assert module.weight.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * count)), name
            assert abs(module.weight.mean().item()) < 5 * expected / math.sqrt(count), name
            assert module.bias is not None and not module.bias.any(), name


def test_batch_norm_has_the_published_codes_epsilon():
    norms = [module for module in small().modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 2 * 5 + 2
    assert {module.eps for module in norms} == {1e-3}
