"""Ensembles: members draw in turn from streams of their own, and their disagreement is in uncertainty, scores and lights."""

import numpy as np
import pytest
import torch
from torch import nn

from MSKSegmentLib.bundle import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference.backends import REFERENCE, available_backends, make_backend
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampler, Sampling
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.network.ensemble import Ensemble, members_of
from MSKSegmentLib.quality.pass_sums import PassSums


def network_of(seed, dropout=0.25):
    torch.manual_seed(seed)
    return BayesianUNet(2, 4, dropout=dropout).eval()


class Constant(nn.Module):
    """Calls everything one class, and knows no dropout."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def forward(self, x):
        logits = torch.zeros(x.shape[0], 23, *x.shape[2:])
        logits[:, self.found] = 50
        return logits


IMAGE = torch.rand(1, 1, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", available_backends("cpu"))
def test_pass_n_is_one_of_member_n_modulo_their_number(name):
    members = [network_of(seed, dropout=0.0) for seed in (1, 2, 3)]
    expected = [make_backend(name, member).start(IMAGE, 5)(1)[0] for member in members]
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)
    draw = make_backend(name, Ensemble(members)).start(IMAGE, 5)
    drawn = torch.cat([draw(1), draw(5), draw(2)])
    assert len(drawn) == 8
    for k, found in enumerate(drawn):
        assert torch.allclose(found, expected[k % 3], atol=1e-6), k


def test_a_batch_holds_passes_of_the_same_members_as_single_draws():
    members = [network_of(1), network_of(2)]
    one, together = (make_backend(REFERENCE, Ensemble(members)).start(IMAGE, 9) for _ in range(2))
    singles, batch = torch.cat([one(1) for _ in range(4)]), together(4)
    assert batch.shape == singles.shape == (4, 23, 16, 24)
    # A batch draws the dropout of all its passes at once: other numbers, the same member.
    means = [make_backend(REFERENCE, member).start(IMAGE, 1)(64).mean(0) for member in members]
    for k in range(4):
        nearest = [float((batch[k] - mean).square().mean()) for mean in means]
        assert np.argmin(nearest) == k % 2


def test_members_do_not_share_their_dropout():
    same = network_of(1, dropout=0.5)
    drawn = make_backend(REFERENCE, Ensemble([same, same])).start(IMAGE, 3)(2)
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-4)


def test_a_seed_repeats_a_slice_of_an_ensemble():
    ensemble = Ensemble([network_of(1), network_of(2)])
    found = [Sampler(ensemble, "cpu", 4, seed).sample(IMAGE, 1) for seed in (7, 7, 8)]
    assert torch.equal(found[0].uncertainty, found[1].uncertainty) and not torch.equal(found[0].uncertainty, found[2].uncertainty)


def test_the_uncertainty_holds_what_members_disagree_on():
    volume = CTVolume(np.full((4, 16, 16), 50, np.int16), Geometry((16, 16, 4), (1.0, 1.0, 3.0)))
    spec = NetworkSpec(2, 4)
    both = predict(volume, Ensemble([Constant(1), Constant(2)]), spec, Preprocessing(), Sampling(10, 0, backends=["reference"]))
    alone = predict(volume, Constant(1), spec, Preprocessing(), Sampling(10, 0, backends=["reference"]))
    assert float(alone.uncertainty.max()) < 1e-6
    # Two classes, each with a probability of one in half of the passes: a variance of 1/4 each, over 23 classes.
    assert np.allclose(both.uncertainty, 2 * 0.25 / 23, atol=1e-5)
    assert {one.members for one in both.evidence} == {2} and {one.members for one in alone.evidence} == {1}
    assert both.evidence[0].voxels[0].sum(axis=1).tolist() == [256, 0] * 5


def test_a_network_of_three_dimensions_is_tiled_member_by_member():
    pytest.importorskip("monai")
    spec = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(8, 16, 16), dropout=0.25)
    volume = CTVolume(np.full((8, 16, 16), 50, np.int16), Geometry((16, 16, 8), (1.0, 1.0, 3.0)))
    found = predict(volume, Ensemble([Constant(3), Constant(4)]), spec, Preprocessing(), Sampling(4, 0, backends=["reference"]))
    assert set(np.unique(found.classes)) <= {3, 4} and np.allclose(found.uncertainty, 0.5 / 23, atol=1e-5)


def test_an_ensemble_has_no_pass_of_its_own():
    with pytest.raises(TypeError, match="run its members"):
        Ensemble([network_of(1), network_of(2)])(IMAGE)
    one = network_of(1)
    assert members_of(one) == [one]


def sums_of(passes, members):
    """`PassSums` of slices of which each pass found so many voxels: ``[slices, passes]``."""
    sums = PassSums()
    for voxels in passes:
        by_pass = np.stack([voxels, 40 * voxels, 0 * voxels]).astype(float)
        sums.add(by_pass, np.array([float((voxels**2).sum()), 0, 0, 0, 0]), members=members)
    return sums


def test_members_err_alike_in_all_slices_and_dropout_does_not():
    rng = np.random.default_rng(0)
    slices, passes = 100, 10
    dropout = rng.normal(0, 5, (slices, passes))
    member = np.array([-10.0, 10.0])[np.arange(passes) % 2]
    found = 500 + dropout + member
    # In all 100 slices the members differ by 20 voxels: standard deviation 100 * 20 / sqrt(2); dropout adds 5 * sqrt(100).
    expected = np.hypot(100 * 20 / np.sqrt(2), 5 * np.sqrt(slices)) / (500 * slices)
    assert sums_of(found, 2).volume_cv() == pytest.approx(expected, rel=0.05)
    assert sums_of(found, 1).volume_cv() < expected / 5, "as one network the disagreement would average out over the slices"


def test_members_that_agree_vary_as_one_network_does():
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(40):
        found = 500 + rng.normal(0, 5, (60, 12))
        ratios.append(sums_of(found, 3).volume_cv() / sums_of(found, 1).volume_cv())
    assert 0.9 < np.median(ratios) < 1.2


def test_the_density_follows_the_same_rule():
    slices, passes = 50, 8
    density = np.array([40.0, 60.0])[np.arange(passes) % 2]
    sums = PassSums()
    for _ in range(slices):
        voxels = np.full(passes, 100.0)
        sums.add(np.stack([voxels, voxels * density, 0 * voxels]), np.array([80000.0, 0, 0, 0, 0]), members=2)
    assert sums.sd_of_mean(1) == pytest.approx(20 / np.sqrt(2))
    assert sums.volume_cv() == 0


def test_with_a_single_pass_of_each_the_disagreement_is_all_there_is():
    found = np.tile([90.0, 110.0], (30, 1))
    assert sums_of(found, 2).volume_cv() == pytest.approx(20 / np.sqrt(2) / 100)
