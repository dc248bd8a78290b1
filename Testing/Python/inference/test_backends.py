"""All back ends present on this machine sample the same distribution as the network that was trained."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.inference import backends
from MSKSegmentLib.inference.backends import BACKENDS, REFERENCE, available_backends, make_backend
from MSKSegmentLib.inference.running_sums import RunningSums
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.scores import structure_uncertainty
from MSKSegmentLib.settings import Settings

ROOT = Path(__file__).resolve().parents[3]

PRESENT = available_backends("cuda")
OTHERS = [name for name in PRESENT if name != REFERENCE]


def test_the_reference_is_always_there_and_last():
    assert available_backends("cpu")[-1] == REFERENCE and set(PRESENT) <= set(BACKENDS)
    with pytest.raises(ValueError, match="unknown back end"):
        make_backend("abacus", BayesianUNet(2, 4))


def test_openvino_is_chosen_first_on_a_cpu_only_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(backends.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(backends, "is_installed", lambda name: True)
    assert available_backends("cpu") == ("openvino", "torch-cpu", "reference")
    monkeypatch.setattr(backends, "is_installed", lambda name: False)
    assert available_backends("cpu") == ("torch-cpu", "reference")
    monkeypatch.setattr(backends.torch.cuda, "is_available", lambda: True)
    assert available_backends("cuda") == ("torch-cuda", "torch-cpu", "reference")


@pytest.mark.parametrize("name", PRESENT)
def test_a_seed_repeats_a_slice_and_passes_differ(name):
    torch.manual_seed(1)
    backend = make_backend(name, BayesianUNet(3, 4, in_channels=2).eval())
    # Another size in between: what is prepared for one size must not stay for the other.
    images = torch.rand(1, 2, 32, 48), torch.rand(1, 2, 16, 32)
    first, small, again = (backend.start(image, 5)(2) for image in (images[0], images[1], images[0]))
    other = backend.start(images[0], 6)(2)
    assert first.shape == (2, 23, 32, 48) and small.shape == (2, 23, 16, 32) and first.dtype == torch.float32
    assert torch.allclose(first.sum(1), torch.ones(2, 32, 48, device=first.device), atol=1e-4)
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1]) and not torch.equal(first, other)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("dropout", [0.125, 0.3, 0.5])
def test_mean_and_variance_of_many_passes_are_those_of_the_reference(name, dropout):
    torch.manual_seed(6)
    network, image = BayesianUNet(2, 6, in_channels=1, dropout=dropout).eval(), torch.rand(1, 1, 32, 32)
    results = []
    for backend, seed in ((REFERENCE, 1), (REFERENCE, 2), (name, 3)):
        sums, draw = RunningSums(), make_backend(backend, network).start(image, seed)
        for _ in range(200):
            sums.add(draw(1))
        results.append(sums.result())
    one, two, other = results
    by_seed = (one.probability - two.probability).abs().mean()
    by_backend = (one.probability.cpu() - other.probability.cpu()).abs().mean()
    assert by_backend < 1.5 * by_seed + 1e-4
    assert abs(other.uncertainty.mean().item() / one.uncertainty.mean().item() - 1) < 0.04


def _same_masks(source, shape, kind):
    """What the reference draws, in its order and layout, in place of the back end's own random bytes."""
    draws = torch.empty(-(-int(np.prod(shape)) // 8), dtype=torch.int64).random_(-(2**63), None, generator=source)
    return draws.view(torch.uint8)[: int(np.prod(shape))].view(shape).numpy()


def _draw_alike(monkeypatch, name):
    if name == "openvino":
        from MSKSegmentLib.inference import openvino_backend

        monkeypatch.setattr(openvino_backend.np.random, "SFC64", lambda seed: torch.Generator().manual_seed(seed))
        monkeypatch.setattr(openvino_backend, "_random_numbers", _same_masks)


def _sampled(draw, passes=4):
    sums = RunningSums()
    for _ in range(passes):
        sums.add(draw(1))
    result = sums.result()
    labels = result.probability.argmax(0).to(torch.uint8).numpy()
    return labels, structure_uncertainty(labels[None], result.uncertainty.numpy()[None])


@pytest.fixture(scope="module", params=[0.3, 0.7], ids=["thigh", "hip"])
def bundled(request, sample_ct):
    """The bundled network, a slice of the sample CT, and what two seeds of the reference make of it."""
    bundle, volume = resolve_bundle(None), read_ct(sample_ct)
    manifest, network = bundle.manifest, bundle.load_network().eval()
    plan = plan_slices(volume, manifest.preprocessing, manifest.network)
    reader = SliceReader(volume, plan, manifest.preprocessing, manifest.network.in_channels)
    image = reader.read(request.param * (volume.hu.shape[0] - 1))
    # Channels last, as the others work: the same seed then drops the same elements.
    whole = make_backend(REFERENCE, network.to(memory_format=torch.channels_last))
    seeds = [_sampled(whole.start(image.contiguous(memory_format=torch.channels_last), seed)) for seed in (7, 8)]
    return network, image, seeds


def _six_levels(reader, depth):
    """A narrow stand-in of the method's deeper network: untrained, with the batch statistics of slices of the scan."""
    torch.manual_seed(11)
    network = BayesianUNet(6, 4, in_channels=3, dropout=0.125).train()
    with torch.inference_mode():
        for level in np.linspace(0.1, 0.9, 6) * (depth - 1):
            network(reader.read(level))
        # Untrained classes are nearly tied.
        network.head.weight *= 6
    return network.eval()


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "torch-cuda"])
def test_six_levels_differ_from_the_reference_by_far_less_than_two_seeds_do(name, sample_ct, monkeypatch):
    bundle, volume = resolve_bundle(None), read_ct(sample_ct)
    preprocessing = bundle.manifest.preprocessing
    plan = plan_slices(volume, preprocessing, replace(bundle.manifest.network, levels=6))
    reader, depth = SliceReader(volume, plan, preprocessing, 3), volume.hu.shape[0]
    network = _six_levels(reader, depth).to(memory_format=torch.channels_last)
    image = reader.read(0.5 * (depth - 1))
    whole = make_backend(REFERENCE, network)
    (expected, spread), (second, _) = (
        _sampled(whole.start(image.contiguous(memory_format=torch.channels_last), seed)) for seed in (7, 8)
    )
    _draw_alike(monkeypatch, name)
    labels, found = _sampled(make_backend(name, network).start(image, 7))
    body = image[0, 1].numpy() > 0
    by_seed, by_backend = ((expected[body] != other[body]).mean() for other in (second, labels))
    assert by_backend < by_seed + 0.003 and by_backend < 0.1 * by_seed
    ratios = [found[label] / spread[label] for label in spread if (expected == label).sum() > 50]
    assert len(ratios) > 6 and abs(np.median(ratios) - 1) < 0.02


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "torch-cuda"])
def test_with_the_same_dropout_the_bundled_network_gives_the_same_labels_and_uncertainties(name, bundled, monkeypatch):
    network, image, ((expected, spread), (second, _)) = bundled
    _draw_alike(monkeypatch, name)
    labels, found = _sampled(make_backend(name, network).start(image, 7))
    body = image[0, image.shape[1] // 2].numpy() > 0
    by_seed, by_backend = ((expected[body] != other[body]).mean() for other in (second, labels))
    assert len(np.unique(expected[body])) > 8
    assert by_backend < 0.003 and by_backend < 0.5 * by_seed
    # Small structures change by single voxels at their borders.
    large = [label for label in spread if (expected == label).sum() > 50]
    ratios = np.array([found[label] / spread[label] for label in large])
    assert len(large) > 6 and abs(np.median(ratios) - 1) < 0.02


def test_a_run_goes_on_with_the_next_back_end_and_says_so(phantom, tiny_bundle, monkeypatch):
    from MSKSegmentLib.bundle import load_bundle
    from MSKSegmentLib.inference import sampler

    real, drawn = sampler.make_backend, []

    class Breaking:
        name, largest_batch = "openvino", 1

        def __init__(self, network):
            self.whole = real(REFERENCE, network)

        def start(self, image, seed, position=0.0):
            draw = self.whole.start(image, seed)

            def breaking(count):
                drawn.append(count)
                if len(drawn) > 7:
                    raise RuntimeError("Exception from plugin: out of luck.")
                return draw(count)

            return breaking

    monkeypatch.setattr(sampler, "available_backends", lambda device, network: ("openvino", REFERENCE))
    monkeypatch.setattr(sampler, "make_backend", lambda name, net: Breaking(net) if name == "openvino" else real(name, net))
    steps = []
    bundle = load_bundle(tiny_bundle)
    result = segment_case(phantom, bundle, Settings("cpu", seed=3), lambda *step: steps.append(step))
    assert [w for w in result.warnings if "openvino failed" in w and "computed by reference" in w]
    assert result.facts.backends == ("openvino", REFERENCE)
    done = [step[1] for step in steps if step[0] == "inference"]
    assert done == list(range(1, len(done) + 1))
    # The same random numbers before and after: nothing is lost, nothing is done with others.
    monkeypatch.setattr(sampler, "available_backends", lambda device, network: (REFERENCE,))
    whole = segment_case(phantom, bundle, Settings("cpu", seed=3))
    assert np.array_equal(result.labels, whole.labels) and np.array_equal(result.uncertainty, whole.uncertainty)
    assert not [w for w in whole.warnings if "back end" in w]


def test_openvino_loads_no_telemetry():
    pytest.importorskip("openvino")
    code = (
        "import sys, MSKSegmentLib.inference.openvino_backend\n"
        "print([name for name, module in sys.modules.items() if name.startswith('openvino_telemetry') and module])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.skipif("openvino" not in PRESENT, reason="openvino is not installed")
def test_signals_reach_a_process_in_which_graphs_of_several_sizes_followed_each_other():
    """OpenVINO gives threads signal stacks of their own; a freed one in the main thread would end a cancelled run with a crash."""
    code = (
        "import gc, signal, torch\n"
        "from MSKSegmentLib.inference.backends import make_backend\n"
        "from MSKSegmentLib.network.bayesian_unet import BayesianUNet\n"
        "backend = make_backend('openvino', BayesianUNet(2, 4).eval())\n"
        "for side in (16, 24, 32):\n"
        "    backend.start(torch.zeros(1, 1, side, side), 0)(1)\n"
        "del backend\n"
        "gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
