"""The network sees the body's box alone, and the result is that of the whole slice."""

import numpy as np
import pytest
import torch

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.cropping import coarse_body
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference import crop, predict, sampler, slices
from MSKSegmentLib.inference.crop import BODY_MARGIN_MM, PixelWindow, body_windows
from MSKSegmentLib.inference.slices import plan_slices
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.prepared_scan import prepare_scan

WINDOW = Preprocessing(hu_window=(-150.0, 350.0))
SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=1)
MUSCLE, AIR = 60, -1000


def _leg(depth=40, size=(120, 160), spacing=(1.5, 1.5, 5.0), table=True):
    """A leg of 30 mm radius that moves to the left and narrows on its way down; below the foot there is nothing."""
    z, y, x = np.mgrid[:depth, : size[0], : size[1]].astype(float)
    far = np.hypot((y - 60) * spacing[1], (x - 50 - 1.5 * z) * spacing[0])
    hu = np.where(far < 32 - 0.4 * z, MUSCLE, AIR).astype(np.int16)
    hu[-6:] = AIR
    if table:
        hu[:, 3:5, 10:] = MUSCLE
    return CTVolume(hu, Geometry(size=hu.shape[::-1], spacing=spacing))


def _windows(volume, plan, passes):
    return body_windows(volume.geometry, coarse_body(volume), plan, 4, passes)


def test_windows_hold_the_body_with_its_margin_on_the_coarsest_grid():
    volume = _leg()
    plan = plan_slices(volume, WINDOW, SPEC)
    windows = _windows(volume, plan, 1000)
    assert len(windows) == len(plan.levels) and len({w for w in windows if w}) > 2
    rows = round(BODY_MARGIN_MM / 1.5) - 1
    for plane, window in zip(volume.hu[:-6], windows, strict=False):
        y, x = np.nonzero(plane[10:] == MUSCLE)
        assert window is not None and window.area < 0.5 * 120 * 160
        assert window.rows[0] <= y.min() + 10 - rows and window.rows[1] > y.max() + 10 + rows
        assert window.columns[0] <= x.min() - rows and window.columns[1] > min(159, x.max() + rows)
        assert all(value % 4 == 0 for value in (*window.rows, *window.columns))
    # The table alone is no body.
    assert windows[-1] is None


def test_a_change_of_window_has_to_pay_for_itself():
    volume = _leg()
    plan = plan_slices(volume, WINDOW, SPEC)
    many, few = ({w for w in _windows(volume, plan, n) if w} for n in (1000, 1))
    assert len(few) == 1 < len(many)
    one = few.pop()
    assert all(one.around(window) == one for window in many)

    def window(columns):
        return PixelWindow((0, 8), columns, (8, 100))

    narrow, wide = window((0, 8)), window((0, 80))
    assert crop._joined([narrow, narrow, None, wide], [1, 1, 1, 1], 10) == [narrow, narrow, None, wide]
    assert crop._joined([narrow, narrow, None, wide], [1, 1, 1, 1], 2000) == [wide, wide, None, wide]


def test_the_body_of_the_whole_scan_gives_the_windows_of_the_body_found_again_in_its_box():
    volume = _leg()
    scan = prepare_scan(volume)
    plan = plan_slices(scan.body, WINDOW, SPEC)
    assert scan.body.geometry.size != volume.geometry.size
    windows = body_windows(scan.body.geometry, scan.coarse_body, plan, 4, 1000)
    assert windows == _windows(scan.body, plan, 1000) and len(set(windows)) > 1


@pytest.mark.parametrize("start", [(0, 0, 0), (40, 18, 6), (41, 19, 7), (43, 17, 3)])
def test_a_cropped_body_lies_where_it_lay(start):
    volume = _leg(table=False)
    body = coarse_body(volume)
    box = Box(start, (50, 80, 20))
    cropped = body.cropped(box)
    assert cropped.stride == body.stride
    for axis, (begin, n, first) in enumerate(zip(start, body.stride, cropped.first, strict=True)):
        assert -n < first <= 0 and (first + begin) % n == 0
        # The last voxel of the box has an element at or before it.
        assert first + n * (cropped.mask.shape[2 - axis] - 1) >= box.size_xyz[axis] - n
    index = np.argwhere(cropped.mask)[:, ::-1] * cropped.stride + cropped.first + start
    assert len(index) and all(body.mask[tuple((at // body.stride)[::-1])] for at in index)
    # In two steps as in one.
    again = body.cropped(Box((10, 5, 2), (120, 110, 30))).cropped(Box(tuple(np.subtract(start, (10, 5, 2)).tolist()), (50, 80, 20)))
    if min(np.subtract(start, (10, 5, 2))) >= 0:
        assert again.first == cropped.first and np.array_equal(again.mask, cropped.mask)


def test_slices_without_any_body_are_whole():
    volume = CTVolume(np.full((5, 32, 40), AIR, np.int16), Geometry((40, 32, 5), (1.0, 1.0, 1.0)))
    plan = plan_slices(volume, WINDOW, SPEC)
    assert coarse_body(volume) is None
    assert _windows(volume, plan, 10) == [PixelWindow((0, 32), (0, 40), (32, 40))] * 5


class _ByIntensity:
    """Muscle is class 5, less surely in every second pass, and all else background; counts what it is given."""

    name = "by intensity"
    largest_batch = 1

    def __init__(self):
        self.pixels = 0

    def start(self, image, seed, position=0.0):
        sure = [False]

        def draw(count):
            self.pixels += count * image[0, 0].numel()
            sure[0] = not sure[0]
            muscle = (image > 0.3).float()[0, 0]
            logits = torch.full((1, 23, *muscle.shape), -80.0)
            logits[:, 0], logits[:, 5] = 0, muscle * (90 if sure[0] else 82) - 80
            return logits.softmax(dim=1)

        return draw


@pytest.mark.parametrize("in_plane", [None, 2.2])
def test_result_and_evidence_are_those_of_whole_slices(monkeypatch, in_plane):
    volume, network = _leg(table=False), _ByIntensity()
    preprocessing = Preprocessing(hu_window=(-150.0, 350.0), in_plane_spacing_mm=in_plane, slice_interval_mm=7.0)
    monkeypatch.setattr(sampler, "make_backend", lambda name, net: network)
    monkeypatch.setattr(crop, "_CHANGE_PASSES", 0)

    def run(body):
        network.pixels = 0
        sampling = sampler.Sampling(2, 0, backends=["by intensity"])
        result = predict.predict(volume, network, SPEC, preprocessing, sampling, body=body)
        return result, network.pixels

    cut, few = run(coarse_body(volume))
    whole, many = run(None)
    assert few < 0.6 * many
    assert np.array_equal(cut.classes, whole.classes) and cut.classes.any()
    assert np.allclose(cut.uncertainty, whole.uncertainty, atol=1e-6) and cut.uncertainty.any()
    assert len(cut.evidence) == len(whole.evidence) > 10
    for one, other in zip(cut.evidence, whole.evidence, strict=True):
        assert one.level == other.level and one.structures.tolist() == other.structures.tolist() == [5]
        for name in ("voxels", "hu", "fat", "squared_votes", "mass", "label", "hit", "entropy"):
            assert np.allclose(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-2), name


def test_a_real_network_gives_the_body_the_same_probabilities_in_its_box_as_in_the_whole_slice(monkeypatch):
    # At 0.5 mm the margin is wider than what three levels look at.
    z, y, x = np.mgrid[:6, :160, :240]
    hu = np.where(np.hypot(y - 90, x - 90) < 40, MUSCLE + 8 * (x % 7), AIR).astype(np.int16)
    volume = CTVolume(hu, Geometry(size=hu.shape[::-1], spacing=(0.5, 0.5, 60.0)))
    torch.manual_seed(2)
    network = BayesianUNet(3, 4, in_channels=1, dropout=0.0).eval()
    plan = plan_slices(volume, WINDOW, SPEC)
    (window,) = set(_windows(volume, plan, 1000))
    assert window.area < 0.8 * 160 * 240
    image = slices.SliceReader(volume, plan, WINDOW, 1).read(2.0)
    sampling = sampler.Sampler(network, "cpu", 1, 0, ["reference"])
    whole = sampling.sample(image, 0)
    cut = window.pasted(sampling.sample(image[window.inside], 0))
    body = torch.from_numpy(hu[2] == MUSCLE + 8) | torch.from_numpy(hu[2] == MUSCLE)
    assert cut.probability.shape == whole.probability.shape
    assert (cut.probability - whole.probability)[:, body].abs().max() < 1e-4
    outside = torch.ones(160, 240, dtype=torch.bool)
    outside[window.inside] = False
    assert (cut.probability[0][outside] == 1).all() and (cut.uncertainty[outside] == 0).all()
