"""The Monte Carlo engine on one slice: running sums, seeds, cancelling, memory."""

import pytest
import torch

from MSKSegmentLib.errors import Cancelled, DeviceError
from MSKSegmentLib.inference import sampler as sampler_module
from MSKSegmentLib.inference.backends import ReferenceBackend
from MSKSegmentLib.inference.running_sums import RunningSums, SampledSlice
from MSKSegmentLib.inference.sampler import Sampler
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


def test_sampling_agrees_with_keeping_all_passes(monkeypatch):
    network, image = _network(), torch.rand(1, 1, 32, 32)
    kept = []

    class Kept(ReferenceBackend):
        def start(self, image, seed, position=0.0):
            draw = super().start(image, seed)

            def kept_draw(count):
                kept.append(draw(count))
                return kept[-1]

            return kept_draw

    monkeypatch.setattr(sampler_module, "make_backend", lambda name, net: Kept(net))
    result = Sampler(network, "cpu", passes=6, seed=1).sample(image, 0)
    assert len(kept) == 6
    mean, uncertainty = _two_pass(torch.cat(kept))
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


class _Limited:
    """A back end with memory for `limit` passes at once, that breaks with `error` after `lasting` draws."""

    def __init__(self, name, limit=100, lasting=1000, error=None):
        self.name, self.limit, self.lasting, self.error = name, limit, lasting, error
        self.largest_batch = 100
        self.sizes = []

    def start(self, image, seed, position=0.0):
        def draw(count):
            self.sizes.append(count)
            if count > self.limit:
                raise torch.OutOfMemoryError("too large")
            if len(self.sizes) > self.lasting:
                raise self.error
            return torch.full((count, CLASSES, *image.shape[2:]), 1 / CLASSES)

        return draw


def _use(monkeypatch, *backends):
    """A sampler of 8 passes over these back ends."""
    by_name = {backend.name: backend for backend in backends}
    monkeypatch.setattr(sampler_module, "make_backend", lambda name, network: by_name[name])
    return Sampler(_network(), "cpu", passes=8, seed=0, backends=list(by_name))


def test_out_of_memory_halves_the_batch_then_moves_on_and_finally_says_so(monkeypatch):
    image = torch.rand(1, 1, 16, 16)
    first, second = _Limited("first", limit=2), _Limited("second", limit=4)
    sampler = _use(monkeypatch, first, second)
    sampler.sample(image, 0)
    assert first.sizes == [8, 4, 2, 2, 2, 2] and not second.sizes and not sampler.warnings
    first.limit = 0
    sampler.sample(image, 1)
    assert first.sizes[6:] == [2, 1] and second.sizes == [8, 4, 4]
    assert sampler.used == ["first", "second"]
    assert sampler.warnings == ["The back end first has too little memory; the rest was computed by second."]
    second.limit = 0
    with pytest.raises(DeviceError, match="too little memory"):
        sampler.sample(image, 2)


def test_a_back_end_that_fails_gives_way_and_finished_slices_stay(monkeypatch):
    broken = RuntimeError("illegal access.\nmore lines")
    first, second = _Limited("first", limit=8, lasting=2, error=broken), _Limited("second")
    sampler = _use(monkeypatch, first, second)
    images = torch.rand(4, 1, 1, 16, 16)
    results = [sampler.sample(image, index) for index, image in enumerate(images)]
    # Two slices by the first, the third begun again by the second.
    assert first.sizes == [8, 8, 8] and second.sizes == [8, 8]
    assert all(torch.allclose(result.probability.sum(0), torch.ones(16, 16)) for result in results)
    assert sampler.warnings == ["The back end first failed (illegal access); the rest was computed by second."]


def test_a_back_end_that_is_missing_gives_way(monkeypatch):
    second = _Limited("second")

    def make(name, network):
        if name == "first":
            raise ModuleNotFoundError("No module named 'first'")
        return second

    monkeypatch.setattr(sampler_module, "make_backend", make)
    sampler = Sampler(_network(), "cpu", passes=3, seed=0, backends=["first", "second"])
    sampler.sample(torch.rand(1, 1, 16, 16), 0)
    assert second.sizes == [3] and sampler.used == ["second"] and "No module named" in sampler.warnings[0]


def test_the_last_back_end_that_fails_is_a_fault_of_its_own(monkeypatch):
    sampler = _use(monkeypatch, _Limited("only", lasting=0, error=RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        sampler.sample(torch.rand(1, 1, 16, 16), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_gives_the_same_distribution_as_the_cpu():
    image = torch.rand(1, 1, 64, 64)
    cpu = Sampler(_network(), "cpu", passes=400, seed=0).sample(image, 0)
    on_gpu = Sampler(_network(), "cuda", passes=400, seed=0, backends=["torch-cuda"]).sample(image, 0)
    cuda = SampledSlice(on_gpu.probability.cpu(), on_gpu.uncertainty.cpu())
    assert (cpu.probability - cuda.probability).abs().mean() < 0.01
    assert abs(cpu.uncertainty.mean() / cuda.uncertainty.mean() - 1) < 0.05
