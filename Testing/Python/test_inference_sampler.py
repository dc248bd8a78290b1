"""The Monte Carlo engine on one slice: running sums, seeds, cancelling, memory."""

import pytest
import torch

from MSKSegmentLib.errors import Cancelled, DeviceError
from MSKSegmentLib.inference.sampler import RunningSums, Sampler
from MSKSegmentLib.network.bayesian_unet import BayesianUNet

CLASSES = 23


def _network(dropout=0.5, channels=1):
    torch.manual_seed(3)
    return BayesianUNet(levels=3, base_filters=4, in_channels=channels, dropout=dropout)


def _two_pass(passes):
    """Mean over classes of the variance over passes, by the textbook formula in float64."""
    passes = passes.double()
    mean = passes.mean(dim=0)
    return mean, ((passes - mean) ** 2).mean(dim=0).mean(dim=0)


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 5.0, 40.0])
@pytest.mark.parametrize("chunks", [[1] * 10, [3, 3, 3, 1], [10]])
def test_running_sums_equal_the_two_pass_formula(sharpness, chunks):
    generator = torch.Generator().manual_seed(1)
    passes = (sharpness * torch.randn(10, CLASSES, 24, 16, generator=generator)).softmax(dim=1)
    sums = RunningSums()
    for chunk in passes.split(chunks):
        sums.add(chunk)
    result = sums.result()
    mean, uncertainty = _two_pass(passes)
    assert result.uncertainty.dtype == torch.float32
    assert torch.allclose(result.probability.double(), mean, atol=1e-6)
    assert (result.uncertainty.double() - uncertainty).abs().max() < 1e-6
    assert uncertainty.max() > 1e-3 or sharpness == 0.1


def test_uncertainty_of_agreeing_passes_is_zero_and_never_negative():
    one_hot = torch.zeros(1, CLASSES, 8, 8)
    one_hot[:, 4] = 1.0
    sums = RunningSums()
    for _ in range(7):
        sums.add(one_hot)
    assert sums.result().uncertainty.abs().max() == 0
    sums = RunningSums()
    same = torch.rand(1, CLASSES, 64, 64).softmax(dim=1)
    for _ in range(10):
        sums.add(same)
    uncertainty = sums.result().uncertainty
    assert uncertainty.min() >= 0 and uncertainty.max() < 1e-6


def test_no_pass_is_an_error():
    with pytest.raises(ValueError):
        RunningSums().result()


def test_a_seed_repeats_a_slice_and_other_seeds_and_slices_differ():
    image = torch.rand(1, 1, 32, 32)
    first = Sampler(_network(), "cpu", passes=4, seed=7).sample(image, index=2)
    again = Sampler(_network(), "cpu", passes=4, seed=7).sample(image, index=2)
    other_slice = Sampler(_network(), "cpu", passes=4, seed=7).sample(image, index=3)
    other_seed = Sampler(_network(), "cpu", passes=4, seed=8).sample(image, index=2)
    assert torch.equal(first.probability, again.probability) and torch.equal(first.uncertainty, again.uncertainty)
    assert not torch.equal(first.probability, other_slice.probability)
    assert not torch.equal(first.probability, other_seed.probability)


def test_sampling_agrees_with_keeping_all_passes():
    network, image = _network(), torch.rand(1, 1, 32, 32)
    kept = []
    sampler = Sampler(network, "cpu", passes=6, seed=1)
    sampler._network.register_forward_hook(lambda module, inputs, output: kept.append(output.detach().clone()))
    result = sampler.sample(image, 0)
    assert len(kept) == 6
    mean, uncertainty = _two_pass(torch.cat(kept).float().softmax(dim=1))
    assert torch.allclose(result.probability.double(), mean, atol=1e-6)
    assert (result.uncertainty.double() - uncertainty).abs().max() < 1e-6
    assert uncertainty.max() > 1e-5


def test_without_dropout_the_passes_agree():
    result = Sampler(_network(dropout=0.0), "cpu", passes=3, seed=0).sample(torch.rand(1, 1, 16, 16), 0)
    assert result.uncertainty.max() < 1e-6
    assert torch.allclose(result.probability.sum(dim=0), torch.ones(16, 16), atol=1e-5)


def test_cancelling_between_passes_leaves_the_sampler_usable():
    sampler, image, calls = Sampler(_network(), "cpu", passes=9, seed=0), torch.rand(1, 1, 16, 16), []
    before = sampler.sample(image, 0)

    def cancel():
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        sampler.sample(image, 0, cancel)
    assert len(calls) == 2
    assert torch.equal(sampler.sample(image, 0).probability, before.probability)


def test_out_of_memory_halves_the_batch_and_finally_says_so(monkeypatch):
    network, sizes = _network(), []
    sampler = Sampler(network, "cpu", passes=8, seed=0)
    sampler._batch = 8

    def limited(limit):
        def forward(x, generator):
            sizes.append(x.shape[0])
            if x.shape[0] > limit:
                raise torch.OutOfMemoryError("too large")
            return torch.zeros(x.shape[0], CLASSES, *x.shape[2:])

        return forward

    monkeypatch.setattr(sampler._network, "forward", limited(2))
    sampler.sample(torch.rand(1, 1, 16, 16), 0)
    assert sizes == [8, 4, 2, 2, 2, 2]
    monkeypatch.setattr(sampler._network, "forward", limited(0))
    with pytest.raises(DeviceError, match="too little memory"):
        sampler.sample(torch.rand(1, 1, 16, 16), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_gives_the_same_distribution_as_the_cpu():
    image = torch.rand(1, 1, 64, 64)
    cpu = Sampler(_network(), "cpu", passes=400, seed=0).sample(image, 0)
    cuda = Sampler(_network(), "cuda", passes=400, seed=0).sample(image, 0)
    assert (cpu.probability - cuda.probability).abs().mean() < 0.01
    assert abs(cpu.uncertainty.mean() / cuda.uncertainty.mean() - 1) < 0.05
