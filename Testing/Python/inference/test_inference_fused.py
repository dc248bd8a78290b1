"""The network rewritten for prediction against the network that was trained."""

import pytest
import torch

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.inference import fused
from MSKSegmentLib.inference.fused import FusedUNet, quick_dtype
from MSKSegmentLib.inference.running_sums import RunningSums
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.mc_dropout import dropout_sampling


def _network(batch_norm, dropout, channels=3):
    torch.manual_seed(2)
    network = BayesianUNet(levels=4, base_filters=8, in_channels=channels, batch_norm=batch_norm, dropout=dropout)
    if batch_norm:
        # Statistics as after training: folding must use them, and a filter that hardly fires has a tiny variance.
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(1e-6, 2.0)
                torch.nn.init.normal_(module.weight)
                torch.nn.init.normal_(module.bias)
    return network.eval()


def _reference(network, image, seed):
    generator = torch.Generator().manual_seed(seed)
    # Channels last, as the fused network: the same generator then drops the same elements.
    network = network.to(memory_format=torch.channels_last)
    with torch.inference_mode(), dropout_sampling(network, generator):
        return network(image.contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.25, 0.3, 0.5])
@pytest.mark.parametrize("size", [(32, 48), (16, 16)])
def test_float32_gives_the_logits_of_the_trained_network(batch_norm, dropout, size):
    network, image = _network(batch_norm, dropout), torch.rand(2, 3, *size)
    expected = _reference(network, image, 9)
    fused = FusedUNet(network)(image, torch.Generator().manual_seed(9))
    assert fused.dtype == torch.float32
    assert (fused - expected).abs().max() < 2e-4 * expected.abs().max()


def test_dropout_is_really_on_and_follows_the_generator():
    fused, image = FusedUNet(_network(True, 0.5)), torch.rand(1, 3, 16, 16)
    one, again, other = (fused(image, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


@pytest.mark.slow
@pytest.mark.skipif(quick_dtype("cpu") is torch.float32, reason="this processor emulates bfloat16, and no run uses it there")
@pytest.mark.parametrize("height", [0.25, 0.7])
def test_bfloat16_differs_far_less_than_another_seed(sample_ct, height):
    """A slice through the thighs and one through the pelvis of the sample CT, with the bundled network."""
    bundle = resolve_bundle(None)
    network, volume = bundle.load_network().eval(), read_ct(sample_ct)
    plan = plan_slices(volume, bundle.manifest.preprocessing, bundle.manifest.network)
    reader = SliceReader(volume, plan, bundle.manifest.preprocessing, bundle.manifest.network.in_channels)
    image = reader.read(height * (volume.hu.shape[0] - 1))
    half = FusedUNet(network, torch.bfloat16)

    def sampled(run, seeds):
        sums = RunningSums()
        for seed in seeds:
            sums.add(run(seed).softmax(1))
        return sums.result()

    def reference(seed):
        return _reference(network, image, seed)

    first, second = sampled(reference, range(10)), sampled(reference, range(10, 20))
    quick = sampled(lambda seed: half(image, torch.Generator().manual_seed(seed)), range(10))
    labels = [sample.probability.argmax(0) for sample in (first, second, quick)]
    assert len(labels[0].unique()) > 8
    by_seed, by_type = ((labels[0] != other).float().mean() for other in labels[1:])
    assert by_type < 0.001 and by_type < 0.3 * by_seed
    assert abs(quick.uncertainty.mean() / first.uncertainty.mean() - 1) < 0.02


def test_a_processor_computes_in_one_of_two_types():
    assert quick_dtype("cpu") in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), torch.bfloat16), ((8, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_a_gpu_computes_in_bfloat16_where_it_has_it(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert quick_dtype("cuda") is dtype


@pytest.mark.parametrize(
    ("bf16", "tiles", "vendor", "dtype"),
    [
        (True, False, "GenuineIntel", torch.float32),
        (True, True, "GenuineIntel", torch.bfloat16),
        (True, False, "AuthenticAMD", torch.bfloat16),
        (False, False, "AuthenticAMD", torch.float32),
    ],
)
def test_a_processor_computes_in_the_type_that_it_is_fastest_in(monkeypatch, bf16, tiles, vendor, dtype):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles, raising=False)
    monkeypatch.setattr(fused.Path, "read_text", lambda *_, **__: f"vendor_id\t: {vendor}\n")
    assert quick_dtype("cpu") is dtype


def test_where_the_system_has_no_list_of_processors_the_platform_is_asked(monkeypatch):
    def no_file(*_, **__):
        raise OSError

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(fused.Path, "read_text", no_file)
    for name, dtype in (("Intel64 Family 6 Model 106, GenuineIntel", torch.float32), ("AMD64, AuthenticAMD", torch.bfloat16)):
        monkeypatch.setattr(fused.platform, "processor", lambda name=name: name)
        assert quick_dtype("cpu") is dtype
