"""8-bit integers: other arithmetic, hardly another result; refused where labels change, and where the machine cannot do it."""

import numpy as np
import pytest
import torch

from MSKSegmentLib.bundle import load_bundle, resolve_bundle
from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.inference import backends
from MSKSegmentLib.inference.backends import OPENVINO_INT8, available_backends, can_round, make_backend
from MSKSegmentLib.inference.running_sums import RunningSums
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.ensemble import Ensemble
from MSKSegmentLib.network.mirrored import Mirrored
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings

pytestmark = pytest.mark.skipif(not can_round("cpu", BayesianUNet(2, 2)), reason="needs openvino on an x86 processor")


@pytest.fixture(scope="module")
def slices(sample_ct):
    """The bundled network and eight slices of the sample CT."""
    bundle, volume = resolve_bundle(None), read_ct(sample_ct)
    manifest = bundle.manifest
    plan = plan_slices(volume, manifest.preprocessing, manifest.network)
    reader = SliceReader(volume, plan, manifest.preprocessing, manifest.network.in_channels)
    chosen = np.linspace(0.05, 0.95, 8) * (volume.hu.shape[0] - 1)
    return bundle.load_network().eval(), [reader.read(level) for level in chosen]


@pytest.fixture
def untrained(monkeypatch):
    """In a network that was hardly trained classes are nearly tied, so that rounding changes many labels."""
    from MSKSegmentLib.inference import openvino_int8

    monkeypatch.setattr(openvino_int8, "MOST_CHANGED", 1.0)


def _sampled(backend, image, seed, passes=10):
    sums, draw = RunningSums(), backend.start(image, seed)
    for _ in range(passes):
        sums.add(draw(1))
    found = sums.result()
    return found.probability.argmax(0).numpy(), found.uncertainty.numpy()


def _changed(one, other):
    return np.count_nonzero(one != other) / np.count_nonzero(one | other)


def test_labels_and_uncertainty_change_by_less_than_another_seed_changes_them(slices):
    network, images = slices
    full, rounded = make_backend("openvino", network), make_backend(OPENVINO_INT8, network, images)
    # A slice that it did not learn from: between the third and the fourth.
    image = (images[2] + images[3]) / 2
    expected, spread = _sampled(full, image, 5)
    by_seed, by_rounding = (_sampled(*other) for other in ((full, image, 6), (rounded, image, 5)))
    assert 0 < _changed(expected, by_rounding[0]) < 0.7 * _changed(expected, by_seed[0])
    inside = expected > 0
    assert abs(by_rounding[1][inside].mean() / spread[inside].mean() - 1) < 0.05


def test_convolutions_are_computed_in_integers_but_for_the_first(slices):
    network, images = slices
    from MSKSegmentLib.inference.openvino_backend import compiled

    backend = make_backend(OPENVINO_INT8, network, images[:2])
    graph = compiled(backend._graph(tuple(images[0].shape))).get_runtime_model()
    about = [node.get_rt_info() for node in graph.get_ordered_ops()]
    kinds = [info["runtimePrecision"].astype(str) for info in about if info["layerType"].astype(str) == "Convolution"]
    assert len(kinds) == 23 and [kind in ("u8", "i8") for kind in kinds].count(False) == 1


def test_the_same_seed_and_examples_repeat_a_slice(slices):
    network, images = slices
    first, again = (make_backend(OPENVINO_INT8, network, images[:3]).start(images[4], 3)(2) for _ in range(2))
    assert torch.equal(first, again) and not torch.equal(first[0], first[1])


def test_a_network_that_bears_no_rounding_is_run_in_the_usual_precision(phantom, tiny_bundle, monkeypatch):
    from MSKSegmentLib.inference import openvino_int8

    monkeypatch.setattr(openvino_int8, "MOST_CHANGED", -1.0)
    bundle = load_bundle(tiny_bundle)
    result, usual = (segment_case(phantom, bundle, Settings("cpu", seed=3, int8=int8)) for int8 in (True, False))
    assert [w for w in result.warnings if "8-bit integers would change" in w and "computed by openvino" in w]
    assert np.array_equal(result.labels, usual.labels) and result.facts.backends == usual.facts.backends


def test_more_convolutions_keep_their_type_where_rounding_all_changes_too_much(slices, monkeypatch):
    from MSKSegmentLib.inference import openvino_int8

    network, images = slices
    shares, real = [], openvino_int8.Int8Backend._changed

    def watched(*arguments):
        shares.append(real(*arguments))
        return shares[-1]

    monkeypatch.setattr(openvino_int8.Int8Backend, "_changed", watched)
    make_backend(OPENVINO_INT8, network, images)
    (all_rounded,) = shares
    monkeypatch.setattr(openvino_int8, "MOST_CHANGED", 0.9 * all_rounded)
    backend = make_backend(OPENVINO_INT8, network, images)
    assert len(shares) == 3 and shares[2] < 0.9 * all_rounded
    assert backend._rounding[1] == {0, 1, 20, 21, 22}


def test_a_run_says_what_computed_it(phantom, tiny_bundle, untrained):
    result = segment_case(phantom, load_bundle(tiny_bundle), Settings("cpu", seed=3, int8=True))
    assert result.facts.backends == (OPENVINO_INT8,) and not [w for w in result.warnings if "8-bit" in w]


def test_where_it_cannot_be_done_the_result_says_so(phantom, tiny_bundle, monkeypatch):
    monkeypatch.setattr(backends, "is_installed", lambda name: False)
    result = segment_case(phantom, load_bundle(tiny_bundle), Settings("cpu", seed=3, int8=True))
    assert [w for w in result.warnings if "8-bit integers were asked for" in w]
    assert OPENVINO_INT8 not in result.facts.backends


def test_members_and_mirrors_learn_from_the_same_slices(untrained):
    torch.manual_seed(2)
    one, two = BayesianUNet(2, 4, in_channels=1).eval(), BayesianUNet(2, 4, in_channels=1).eval()
    images = list(torch.rand(3, 1, 1, 16, 32))
    drawn = make_backend(OPENVINO_INT8, Ensemble([one, two, Mirrored(one)]), images).start(images[0], 1)(3)
    assert drawn.shape == (3, 23, 16, 32) and torch.isfinite(drawn).all()


def test_a_scan_without_a_slice_to_learn_from_is_left_to_the_others():
    with pytest.raises(RuntimeError, match="no slice"):
        make_backend(OPENVINO_INT8, BayesianUNet(2, 4).eval(), [])


def test_it_is_never_chosen_unasked_nor_on_a_gpu():
    assert OPENVINO_INT8 not in available_backends("cpu", BayesianUNet(2, 2))
    assert not can_round("cuda", BayesianUNet(2, 2))
