"""Passes in a mirror: what is drawn, from which back end, and what becomes of it in a result."""

import numpy as np
import pytest
import torch
from torch import nn

from MSKSegmentLib.bundle import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference import backends
from MSKSegmentLib.inference.backends import available_backends, make_backend
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.ensemble import Ensemble
from MSKSegmentLib.network.mirrored import Mirrored

IMAGE = torch.rand(1, 1, 16, 24, generator=torch.Generator().manual_seed(0))
VOLUME = CTVolume(np.full((4, 16, 16), 50, np.int16), Geometry((16, 16, 4), (1.0, 1.0, 3.0)))


def network_of(seed, dropout=0.25):
    torch.manual_seed(seed)
    return BayesianUNet(2, 4, dropout=dropout).eval()


class Columns(nn.Module):
    """Calls the first columns of what it is shown one class and the others another, wherever that is in the body."""

    def __init__(self, first, other):
        super().__init__()
        self.first, self.other = first, other

    def forward(self, x):
        logits = torch.zeros(x.shape[0], 23, *x.shape[2:])
        logits[:, self.first, ..., :5] = 50
        logits[:, self.other, ..., 5:] = 50
        return logits


@pytest.mark.parametrize("name", available_backends("cpu"))
def test_a_pass_in_a_mirror_is_that_of_the_mirrored_slice_mirrored_back(name):
    network = network_of(1, dropout=0.0)
    plain = make_backend(name, network)
    expected = plain.start(IMAGE.flip(-1), 5)(1)[0].flip(-1)
    assert not torch.allclose(expected, plain.start(IMAGE, 5)(1)[0], atol=1e-3), "a random network has a right and a left"
    draw = make_backend(name, Ensemble([network, Mirrored(network)])).start(IMAGE, 5)
    drawn = torch.cat([draw(1), draw(2), draw(1)])
    for k, found in enumerate(drawn):
        assert torch.allclose(found, (plain.start(IMAGE, 5)(1)[0], expected)[k % 2], atol=1e-6), k


def test_a_network_and_its_mirror_image_share_a_back_end_but_not_their_dropout(monkeypatch):
    made = []
    real = backends.TorchBackend
    monkeypatch.setattr(backends, "TorchBackend", lambda *given: made.append(given) or real(*given))
    one, two = network_of(1, 0.5), network_of(2, 0.5)
    draw = make_backend("torch-cpu", Ensemble([one, two, Mirrored(one), Mirrored(two)])).start(IMAGE, 5)
    assert [given[0] for given in made] == [one, two]
    # On an image that is its own mirror image only the dropout tells the two apart.
    same = (IMAGE + IMAGE.flip(-1)) / 2
    drawn = make_backend("torch-cpu", Ensemble([one, Mirrored(one)])).start(same, 5)(2)
    assert draw(4).shape == (4, 23, 16, 24) and not torch.allclose(drawn[0], drawn[1].flip(-1), atol=1e-3)


def test_every_second_pass_of_a_result_looks_in_the_mirror():
    preprocessing = Preprocessing(mirrored=True)
    how = Sampling(10, 0, backends=["reference"], keep_maps=True)
    found = predict(VOLUME, Columns(1, 2), NetworkSpec(2, 4), preprocessing, how)
    (maps, *_) = [one.maps for one in found.evidence]
    direct = np.where(np.arange(16) < 5, 1, 2)
    for k, one in enumerate(maps):
        assert (one == (direct, direct[::-1])[k % 2]).all(), k
    # Where both say the same nothing varies; elsewhere each of two classes has half of the passes.
    assert np.allclose(found.uncertainty[:, :, 5:11], 0, atol=1e-6)
    assert np.allclose(found.uncertainty[:, :, :5], 2 * 0.25 / 23, atol=1e-5)
    assert {one.members for one in found.evidence} == {2}
    alone = predict(VOLUME, Columns(1, 2), NetworkSpec(2, 4), Preprocessing(), how)
    assert np.allclose(alone.uncertainty, 0, atol=1e-6) and {one.members for one in alone.evidence} == {1}


def test_networks_of_an_ensemble_and_of_three_dimensions_are_mirrored_each():
    pytest.importorskip("monai")
    spec = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(8, 16, 16), dropout=0.25)
    volume = CTVolume(np.full((8, 16, 16), 50, np.int16), Geometry((16, 16, 8), (1.0, 1.0, 3.0)))
    both = Ensemble([Columns(1, 2), Columns(3, 4)])
    how = Sampling(4, 0, backends=["reference"], keep_maps=True)
    found = predict(volume, both, spec, Preprocessing(mirrored=True), how)
    maps = found.evidence[0].maps
    assert [sorted(np.unique(one)) for one in maps] == [[1, 2], [3, 4], [1, 2], [3, 4]]
    for direct, mirrored in ((0, 2), (1, 3)):
        assert (maps[mirrored] == maps[direct][:, ::-1]).all() and (maps[mirrored] != maps[direct]).any()
    assert {one.members for one in found.evidence} == {4}


def test_a_mirrored_network_has_no_pass_of_its_own():
    with pytest.raises(TypeError, match="mirror the input"):
        Mirrored(network_of(1))(IMAGE)
