"""Dropout at prediction time: fair, independent, repeatable, and gone afterwards."""

import math

import pytest
import torch

from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.mc_dropout import MCDropout, dropout_sampling, keep_mask

SHAPE = (2, 16, 96, 96)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def zeros(layout: str, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.zeros(shape).contiguous(memory_format=LAYOUTS[layout])


@pytest.mark.parametrize("p", [0.5, 0.3, 0.25])
@pytest.mark.parametrize("layout", LAYOUTS)
class TestKeepMask:
    def test_shape_kind_and_memory_layout_follow_the_input(self, layout, p):
        like = zeros(layout)
        mask = keep_mask(like, p, generator())
        assert mask.shape == like.shape and mask.dtype == torch.bool
        assert mask.is_contiguous(memory_format=LAYOUTS[layout])

    def test_share_kept(self, layout, p):
        kept = keep_mask(zeros(layout), p, generator()).double()
        sigma = math.sqrt(p * (1 - p))
        assert abs(kept.mean().item() - (1 - p)) < 4 * sigma / math.sqrt(kept.numel())
        for axis in range(4):
            others = [other for other in range(4) if other != axis]
            means = kept.mean(dim=others)
            # 5 deviations: the largest of about 100 slices.
            assert (means - (1 - p)).abs().max().item() < 5 * sigma * math.sqrt(len(means) / kept.numel())

    def test_neighbours_are_uncorrelated(self, layout, p):
        mask = keep_mask(zeros(layout), p, generator()).double()
        centred = (mask - (1 - p)) / math.sqrt(p * (1 - p))
        in_memory = centred.permute(0, 2, 3, 1).reshape(-1) if layout == "channels_last" else centred.reshape(-1)
        limit = 4.5 / math.sqrt(mask.numel())
        # Neighbours among the bits of a byte, bytes and 64-bit words; then neighbours in space and over channels.
        for lag in (1, 2, 3, 7, 8, 16, 32, 63, 64, 65, 128):
            assert abs((in_memory[lag:] * in_memory[:-lag]).mean().item()) < limit, lag
        for axis in range(1, 4):
            size = mask.shape[axis]
            product = centred.narrow(axis, 1, size - 1) * centred.narrow(axis, 0, size - 1)
            assert abs(product.mean().item()) < limit, axis

    def test_seed_repeats_and_passes_differ(self, layout, p):
        like = zeros(layout)
        one, other = generator(), generator()
        first, second = keep_mask(like, p, one), keep_mask(like, p, one)
        assert torch.equal(first, keep_mask(like, p, other)) and torch.equal(second, keep_mask(like, p, other))
        assert not torch.equal(first, keep_mask(like, p, generator(6)))
        agreement = (first == second).double().mean().item()
        assert agreement == pytest.approx(p * p + (1 - p) * (1 - p), abs=0.01)

    @pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 5, 7), (1, 64, 1, 1), (1, 5, 13, 1)])
    def test_counts_that_fill_no_whole_word(self, layout, p, shape):
        source, total, draws = generator(), 0, 400
        for _ in range(draws):
            mask = keep_mask(zeros(layout, shape), p, source)
            assert mask.shape == shape
            total += int(mask.sum())
        count = draws * math.prod(shape)
        assert abs(total / count - (1 - p)) < 4.5 * math.sqrt(p * (1 - p) / count)

    def test_scaling_preserves_the_mean(self, layout, p):
        layer = MCDropout(p).eval()
        x = torch.rand(1, 4, 32, 32, generator=generator(9)).contiguous(memory_format=LAYOUTS[layout]) + 1
        total = torch.zeros_like(x)
        passes = 400
        with dropout_sampling(layer, generator()):
            for _ in range(passes):
                out = layer(x)
                assert torch.isclose(out, x / (1 - p)).logical_or(out == 0).all()
                total += out
        # One element's mean scatters by x sqrt(p / (1-p) / passes); 5.5 of those for the largest of 4096.
        assert ((total / passes - x).abs() < 5.5 * x * math.sqrt(p / (1 - p) / passes)).all()
        assert (total / passes / x).mean().item() == pytest.approx(1.0, abs=0.004)


def test_each_of_the_64_bits_of_a_draw_is_fair():
    mask = keep_mask(torch.zeros(64 * 4096), 0.5, generator()).view(-1, 64).double()
    assert (mask.mean(dim=0) - 0.5).abs().max().item() < 4.5 * 0.5 / math.sqrt(4096)


@pytest.mark.parametrize("p", [0.5, 0.3, 0.25])
def test_the_seed_decides_whatever_the_global_random_state(p):
    torch.manual_seed(1)
    first = keep_mask(torch.zeros(1000), p, generator())
    torch.manual_seed(2)
    assert torch.equal(first, keep_mask(torch.zeros(1000), p, generator()))


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_impossible_probabilities_are_refused(p):
    with pytest.raises(ValueError, match="outside"):
        MCDropout(p)


def test_no_dropout_at_zero():
    layer = MCDropout(0.0).eval()
    x = torch.rand(3, 3)
    with dropout_sampling(layer, generator()):
        assert torch.equal(layer(x), x)


def test_on_in_training_and_off_in_evaluation():
    layer, x = MCDropout(0.5), torch.ones(10000)
    assert 0.45 < (layer.train()(x) == 0).double().mean().item() < 0.55
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_drops_in_the_type_and_layout_of_the_input(layout, kind, p):
    x = (torch.rand(SHAPE, generator=generator(9)) + 1).to(kind).contiguous(memory_format=LAYOUTS[layout]).requires_grad_()
    out = MCDropout(p).train()(x)
    assert out.dtype == kind and out.is_contiguous(memory_format=LAYOUTS[layout])
    kept = out != 0
    sigma = math.sqrt(p * (1 - p) / kept.numel())
    assert abs(kept.double().mean().item() - (1 - p)) < 4.5 * sigma
    torch.testing.assert_close(out[kept], (x / (1 - p))[kept], rtol=0.01, atol=0)
    out.sum().backward()
    assert x.grad is not None and torch.equal(x.grad != 0, kept)
    assert torch.allclose(x.grad[kept].float(), torch.tensor(1 / (1 - p)), rtol=0.01)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_training_masks_differ_from_step_to_step_and_follow_the_global_seed(p):
    layer, x = MCDropout(p).train(), torch.ones(10000)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    assert torch.equal(first, layer(x)) and not torch.equal(first, second)


@pytest.fixture(scope="module")
def network() -> BayesianUNet:
    torch.manual_seed(2)
    return BayesianUNet(levels=3, base_filters=4).eval()


@pytest.fixture(scope="module")
def slices() -> torch.Tensor:
    return torch.rand(2, 1, 16, 16, generator=generator(4))


@torch.no_grad()
def test_network_samples_inside_the_context_only(network, slices):
    plain = network(slices)
    with dropout_sampling(network, generator()):
        first, second = network(slices), network(slices)
    with dropout_sampling(network, generator()):
        again = network(slices)
    assert not torch.allclose(first, plain) and not torch.allclose(first, second)
    assert torch.equal(first, again)
    assert torch.equal(network(slices), plain)


@torch.no_grad()
def test_two_slices_of_a_batch_get_masks_of_their_own(network, slices):
    same = slices[:1].repeat(2, 1, 1, 1)
    with dropout_sampling(network, generator()):
        out = network(same)
    plain = network(same)
    assert torch.equal(plain[0], plain[1]) and not torch.allclose(out[0], out[1])


def test_every_dropout_samples_and_is_released(network):
    layers = [module for module in network.modules() if isinstance(module, MCDropout)]
    source = generator()
    with dropout_sampling(network, source):
        assert len(layers) == 5 and all(layer.generator is source for layer in layers)
    assert all(layer.generator is None for layer in layers)


def test_released_after_an_exception(network):
    with pytest.raises(ValueError, match="multiples"), dropout_sampling(network, generator()):
        network(torch.zeros(1, 1, 15, 16))
    assert all(module.generator is None for module in network.modules() if isinstance(module, MCDropout))


@torch.no_grad()
def test_batch_norm_is_not_updated(network, slices):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with dropout_sampling(network, generator()):
        network(100 * slices)
    after = network.state_dict()
    assert any("running_var" in key for key in before)
    assert all(torch.equal(value, after[key]) for key, value in before.items())
