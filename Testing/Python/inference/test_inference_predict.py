"""The network over a whole CT: slice planning, neighbouring slices, interpolation back to the CT's grid."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.orientation import AIR_HU
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import Cancelled
from MSKSegmentLib.inference import sampler
from MSKSegmentLib.inference.backends import OPENVINO, REFERENCE, TORCH_CPU, available_backends
from MSKSegmentLib.inference.ct_slices import to_ct_slice
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.inference.slices import SliceReader, normalise, plan_slices
from MSKSegmentLib.network.families import build_network
from MSKSegmentLib.network.spatial_channel_unet import POSITIONS

WINDOW = Preprocessing(hu_window=(-150.0, 350.0))
SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=1)


def _volume(shape=(12, 40, 48), spacing=(1.0, 1.0, 1.0), hu=None):
    if hu is None:
        hu = np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)
    return CTVolume(hu, Geometry(size=(hu.shape[2], hu.shape[1], hu.shape[0]), spacing=spacing))


@pytest.fixture(autouse=True)
def _known_networks_run_as_they_are(monkeypatch):
    real = sampler.make_backend
    monkeypatch.setattr(
        sampler, "make_backend", lambda name, net: _AsItIs(net) if isinstance(net, _ByIntensity) else real(name, net)
    )


class _AsItIs:
    name = "as it is"
    largest_batch = 1

    def __init__(self, network):
        self.network = network

    def start(self, image, seed, position=0.0):
        return lambda count: self.network(image.expand(count, -1, -1, -1)).softmax(dim=1)


class _ByIntensity(nn.Module):
    """A network whose class is known: 2 where the middle channel is above half of its window, 1 above a quarter, else 0."""

    def __init__(self, channels=1):
        super().__init__()
        self.middle = channels // 2
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        value = x[:, self.middle]
        logits = torch.full((x.shape[0], 23, *x.shape[2:]), -30.0)
        logits[:, 0] = 0
        logits[:, 1] = 200 * (value - 0.25)
        logits[:, 2] = 200 * (value - 0.25) + 400 * (value - 0.5)
        return logits


def test_normalise_clips_and_maps():
    hu = torch.tensor([-2000.0, -150.0, 100.0, 350.0, 3000.0])
    assert torch.allclose(normalise(hu, WINDOW), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))
    paper = Preprocessing(hu_window=(-150.0, 350.0), value_range=(0.0, 255.0))
    assert torch.allclose(normalise(hu, paper)[2:4], torch.tensor([127.5, 255.0]))


def test_plan_runs_every_slice_of_a_coarse_ct_and_once_per_interval_of_a_fine_one():
    wanted = Preprocessing(in_plane_spacing_mm=2.0, slice_interval_mm=3.0)
    coarse = plan_slices(_volume((9, 40, 48), (1.0, 1.0, 5.0)), wanted, SPEC)
    assert coarse.levels.tolist() == list(range(9))
    assert coarse.interval == pytest.approx(0.6) and coarse.grid == (20, 24) and coarse.padded == (20, 24)
    fine = plan_slices(_volume((31, 41, 48), (1.0, 1.0, 1.0)), wanted, SPEC)
    assert fine.levels.tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
    assert fine.grid == (20, 24)
    own = plan_slices(_volume((5, 41, 47)), Preprocessing(), SPEC)
    assert own.grid == (41, 47) and own.padded == (44, 48)


def test_reader_takes_neighbours_at_the_interval_and_repeats_the_ends():
    hu = np.repeat(np.arange(0, 310, 10, dtype=np.int16)[:, None, None], 16, axis=1).repeat(16, axis=2)
    volume = _volume(hu=hu)
    preprocessing = Preprocessing(hu_window=(-150.0, 350.0), slice_interval_mm=3.0)
    spec = NetworkSpec(levels=3, base_filters=4, in_channels=3)
    plan = plan_slices(volume, preprocessing, spec)
    reader = SliceReader(volume, plan, preprocessing, 3)
    hu_seen = reader.read(15.0)[0, :, 8, 8] * 500 - 150
    # A symmetric profile leaves a linear ramp as it is.
    assert torch.allclose(hu_seen, torch.tensor([120.0, 150.0, 180.0]), atol=0.1)
    first = reader.read(0.0)[0, :, 8, 8] * 500 - 150
    assert first[0] == first[1] and first[2] > first[1]


def test_reader_pads_with_air():
    volume = _volume(hu=np.full((3, 17, 18), 350, np.int16))
    image = SliceReader(volume, plan_slices(volume, WINDOW, SPEC), WINDOW, 1).read(1.0)
    assert image.shape == (1, 1, 20, 20)
    assert image[0, 0, :17, :18].min() == 1 and image[0, 0, 17:].max() == 0 and image[0, 0, :, 18:].max() == 0
    assert WINDOW.hu_window[0] > AIR_HU


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 1.0), (0.8, 0.9, 5.0)])
def test_classes_follow_the_intensities_on_any_grid(spacing):
    z, y, x = np.mgrid[:30, :64, :72]
    inside = ((y - 30) / 22.0) ** 2 + ((x - 36) / 26.0) ** 2 < 1
    core = ((y - 30) / 11.0) ** 2 + ((x - 36) / 12.0) ** 2 < 1
    # Edges half way between the thresholds, so that a coarser pixel falls on the right side.
    hu = np.where(core, 150, np.where(inside, 50, -100)).astype(np.int16)
    preprocessing = Preprocessing((-150.0, 350.0), in_plane_spacing_mm=1.6, slice_interval_mm=3.0)
    result = predict(_volume(hu=hu, spacing=spacing), _ByIntensity(), SPEC, preprocessing, sampler.Sampling(2, 0))
    truth = np.where(core, 2, np.where(inside, 1, 0))
    assert result.classes.dtype == np.uint8 and result.uncertainty.dtype == np.float32
    for value in (1, 2):
        overlap = 2 * np.sum((result.classes == value) & (truth == value))
        assert overlap / (np.sum(result.classes == value) + np.sum(truth == value)) > 0.95


def test_the_likeliest_class_of_a_slice_is_that_of_all_classes():
    torch.manual_seed(4)
    # Some classes are everywhere too unlikely to win, and some win a few pixels only.
    logits = 2 * torch.randn(23, 20, 24) - torch.arange(23).view(-1, 1, 1) / 2
    sampled = sampler.SampledSlice(logits.softmax(0), torch.rand(20, 24))
    for shape in ((20, 24), (47, 61)):
        plan = plan_slices(_volume((3, 20, 24)), WINDOW, SPEC)
        classes, uncertainty = to_ct_slice(sampled, plan, shape)
        finer = nn.functional.interpolate(sampled.probability[None], shape, mode="bilinear")[0]
        assert (classes == finer.argmax(0).numpy()).all() and len(np.unique(classes)) > 8
        assert uncertainty.shape == shape


def test_slices_of_air_are_not_run():
    hu = np.full((10, 32, 32), -1000, np.int16)
    hu[3:6] = 50
    network = _ByIntensity()
    result = predict(_volume(hu=hu), network, SPEC, WINDOW, sampler.Sampling(3, 0))
    assert len(network.seen) == 9
    assert not result.classes[[0, 1, 2, 6, 7, 8, 9]].any() and (result.classes[3:6] == 1).all()
    assert not result.uncertainty[[0, 1, 2, 6, 7, 8, 9]].any()


def test_progress_after_every_slice_and_cancel_between_slices():
    steps = []
    predict(_volume((5, 32, 32)), _ByIntensity(), SPEC, WINDOW, sampler.Sampling(2, 0), lambda *step: steps.append(step))
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    calls = []

    def checkpoint():
        calls.append(1)
        if len(calls) > 4:
            raise Cancelled("stop")

    network = _ByIntensity()
    with pytest.raises(Cancelled):
        predict(_volume((5, 32, 32)), network, SPEC, WINDOW, sampler.Sampling(2, 0), checkpoint=checkpoint)
    assert len(network.seen) < 4


def test_memory_does_not_grow_with_passes_or_slices():
    def peak(depth, passes):
        volume = _volume((depth, 64, 64))
        torch.manual_seed(0)
        tracemalloc.start()
        predict(volume, _ByIntensity(), SPEC, Preprocessing(), sampler.Sampling(passes, 0))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size - depth * 64 * 64 * 5

    # numpy's share: label and uncertainty (5 bytes a voxel) are all that may grow.
    assert peak(40, 2) < peak(10, 2) + 400_000
    assert peak(10, 12) < peak(10, 2) + 400_000


def test_a_network_that_needs_it_gets_the_place_along_the_limb():
    """Class 1 below the middle of the limb, class 2 above it, whatever the slice shows."""
    spec = NetworkSpec(levels=2, base_filters=2, in_channels=1, dropout=0.5, family="spatial-channel-unet")
    network = build_network(spec).eval()
    with torch.no_grad():
        network.location.weight[1, : POSITIONS // 2] = 1000.0
        network.location.weight[2, POSITIONS // 2 :] = 1000.0
    volume = _volume((8, 16, 16))
    whole = predict(volume, network, spec, WINDOW, Sampling(2, 1))
    assert [set(np.unique(plane)) for plane in whole.classes] == [{1}] * 4 + [{2}] * 4
    # The volume as the lower half of what was scanned.
    assert set(np.unique(predict(volume, network, spec, WINDOW, Sampling(2, 1, limb=(0, 16))).classes)) == {1}
    plain = [predict(volume, network, spec, WINDOW, Sampling(2, 1, backends=[name])).classes for name in (REFERENCE, TORCH_CPU)]
    assert np.array_equal(plain[0], plain[1]) and np.array_equal(plain[0], whole.classes)
    assert OPENVINO not in available_backends("cpu", network)
