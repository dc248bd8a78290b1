"""Networks of three dimensions: slabs and tiles, and the same mean, variance, evidence, scores and lights as in two."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from MSKSegmentLib.bundle import Manifest, NetworkSpec, Preprocessing, save_bundle
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference.evidence import STRIPS, SliceEvidence
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.inference.slabs import slabs_of
from MSKSegmentLib.inference.slices import plan_slices
from MSKSegmentLib.network.families import build_network
from MSKSegmentLib.network.mc_dropout import MCDropout
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.pass_sums import PassSums
from MSKSegmentLib.settings import Settings

SPEC = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(8, 16, 16), dropout=0.25)
GRID = Preprocessing()


def volume_of(hu, spacing=(1.0, 1.0, 1.0)):
    return CTVolume(hu, Geometry(hu.shape[::-1], spacing))


def random_hu(shape=(20, 24, 40)):
    return np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)


class ByIntensity(nn.Module):
    """Class 1 where the voxel one slice above is in the upper half of the window: needs the neighbour, and is certain."""

    def __init__(self):
        super().__init__()
        self.sizes = set()

    def forward(self, x):
        self.sizes.add(tuple(x.shape))
        above = torch.cat([x[:, :, 1:], x[:, :, -1:]], dim=2)[:, 0]
        logits = torch.zeros(x.shape[0], 23, *x.shape[2:])
        logits[:, 1] = 400 * (above - 0.5)
        logits[:, 2:] = -30
        return logits


@pytest.mark.parametrize(("levels", "depth"), [(1, 8), (8, 8), (9, 8), (10, 8), (31, 8), (100, 16), (33, 32), (5, 2)])
def test_every_level_counts_once_with_context_around_it(levels, depth):
    slabs = slabs_of(levels, depth)
    assert [index for slab in slabs for index in range(*slab.core)] == list(range(levels))
    for slab in slabs:
        assert slab.seen[0] <= slab.core[0] < slab.core[1] <= slab.seen[1] <= levels and slab.seen[1] - slab.seen[0] <= depth
        for core, seen, end in zip(slab.core, slab.seen, (0, levels), strict=True):
            assert seen == end or abs(core - seen) >= depth // 4


def test_slabs_and_tiles_are_one_volume_again():
    hu, network = random_hu(), ByIntensity()
    found = predict(volume_of(hu), network, SPEC, GRID, Sampling(2, 0, backends=["reference"]))
    above = np.concatenate([hu[1:], hu[-1:]])
    assert np.array_equal(found.classes == 1, above > 100) and set(np.unique(found.classes)) <= {0, 1}
    assert network.sizes == {(1, 1, 8, 16, 16)}, "the network sees its patch and nothing else"
    assert float(found.uncertainty.max()) < 1e-3
    levels = [one.level for one in found.evidence]
    assert levels == sorted(levels) and len(set(levels)) == len(levels) == 20
    voxels = sum(one.voxels[list(one.structures).index(1)].sum(axis=1) for one in found.evidence)
    assert voxels.tolist() == [(above > 100).sum()] * 2
    groups = [one.group for one in found.evidence]
    assert groups == [number for number, slab in enumerate(slabs_of(20, 8)) for _ in range(*slab.core)]


def test_the_networks_interval_is_kept_whatever_the_cts():
    for z, depth in ((1.0, 31), (6.0, 6), (3.0, 11)):
        plan = plan_slices(volume_of(random_hu((depth, 16, 16)), (1.0, 1.0, z)), Preprocessing(slice_interval_mm=3.0), SPEC)
        assert np.allclose(np.diff(plan.levels) * z, 3.0) and plan.levels[-1] == depth - 1
    hu = random_hu((12, 16, 16))
    seen = predict(volume_of(hu), ByIntensity(), SPEC, GRID, Sampling(2, 0, backends=["reference"], every=3, keep_maps=True))
    above = np.concatenate([hu[1:], hu[-1:]])
    assert np.array_equal(seen.classes == 1, above[::3] > 100), "of every third slice, with its own neighbours"
    kept = {round(one.level): one.maps for one in seen.evidence if one.maps is not None}
    assert sorted(kept) == [0, 1, 2, 3] or sorted(kept) == [0, 1, 2, 3, 4]
    assert all(np.array_equal(kept[k][0] == 1, above[3 * k] > 100) for k in range(4))


def test_dropout_draws_every_tile_anew_and_a_seed_repeats():
    torch.manual_seed(0)
    network, volume = build_network(SPEC).eval(), volume_of(random_hu((10, 16, 32)))
    runs = [predict(volume, network, SPEC, GRID, Sampling(3, seed, backends=["reference"])) for seed in (1, 1, 2)]
    assert np.array_equal(runs[0].uncertainty, runs[1].uncertainty) and not np.array_equal(runs[0].uncertainty, runs[2].uncertainty)
    assert float(runs[0].uncertainty.mean()) > 1e-7 and runs[0].drawn == (3, 3)
    quick = predict(volume, network, SPEC, GRID, Sampling(3, 1))
    assert quick.backends == ("torch-cpu",)
    assert np.isclose(quick.uncertainty.mean(), runs[0].uncertainty.mean(), rtol=0.2)
    assert any(isinstance(module, MCDropout) for module in network.modules())


def test_what_is_drawn_together_is_no_independent_draw():
    """Two slices that are wrong alike vary twice as much together as one; as independent draws only 1.4 times."""
    by_pass = np.array([[100.0, 120.0, 80.0], [0, 0, 0], [0, 0, 0]])
    sums = {group: PassSums() for group in (None, 4)}
    for group, one in sums.items():
        one.add(by_pass, np.array([90000.0, 0, 0, 0, 0]), group)
        one.add(by_pass, np.array([90000.0, 0, 0, 0, 0]), group)
    alone = by_pass[0].std(ddof=1) / 100
    assert sums[None].volume_cv() == pytest.approx(alone / np.sqrt(2)) and sums[4].volume_cv() == pytest.approx(alone)
    assert len(sums[None].slices) == len(sums[4].slices) == 2
    assert SliceEvidence(0, 3, *[np.zeros((0, STRIPS))] * 9).group is None


def test_a_scan_is_segmented_scored_and_rated_in_3d(phantom, tmp_path):
    torch.manual_seed(5)
    spec = replace(SPEC, patch=(8, 32, 32))
    manifest = Manifest(
        name="tiny",
        version="1",
        description="random weights for tests",
        date="2026-01-01",
        license="Apache-2.0",
        network=spec,
        preprocessing=Preprocessing(in_plane_spacing_mm=6.0, slice_interval_mm=6.0),
    )
    bundle = save_bundle(tmp_path / "b", manifest, build_network(spec).state_dict(), None, "For tests.")
    result = segment_case(phantom, bundle, Settings(passes=2, seed=1))
    assert result.labels.shape == phantom.hu.shape and result.uncertainty.max() > 0
    scored = [report.scores for report in result.reports if report.scores and report.scores.pairwise_dice is not None]
    assert scored and all(0 <= scores.pairwise_dice <= 1 and scores.volume_cv >= 0 for scores in scored)
    assert all(report.light.word for report in result.reports)
    assert segment_case(phantom, bundle, Settings(passes=2, seed=1, preview=True)).labels.shape == phantom.hu.shape
