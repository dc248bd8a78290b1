"""Evidence of the dropout passes: sums per slice and strip, and the scores that follow, against sums over whole arrays."""

import itertools

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.inference.evidence import STRIPS, PassVotes, likeliest, strips_of
from MSKSegmentLib.quality.pass_sums import Sides, sums_by_segment
from MSKSegmentLib.quality.scores import make_scores, with_placement
from MSKSegmentLib.segmentation import Stray

PASSES, DEPTH, HEIGHT, WIDTH, CLASSES = 6, 5, 24, 96, 23
LEFT = 100


@pytest.fixture(scope="module")
def sampled():
    """Passes ``[passes, classes, z, y, x]`` that disagree about two muscles on both sides and the sacrum, and HU ``[z, y, x]``."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 0.5, (PASSES, CLASSES, DEPTH, HEIGHT, WIDTH)).astype(np.float32)
    logits[:, 0] += 3
    for index, columns in ((4, (8, 30)), (4, (62, 90)), (5, (30, 40)), (5, (56, 62)), (3, (44, 52))):
        logits[:, index, :, 6:18, slice(*columns)] += 5.5
    exponents = np.exp(logits)
    hu = rng.normal(20, 60, (DEPTH, HEIGHT, WIDTH)).astype(np.float32)
    return exponents / exponents.sum(axis=1, keepdims=True), hu


@pytest.fixture(scope="module")
def evidence(sampled):
    return _evidence(*sampled)


def _evidence(passes, hu, counts=(PASSES,) * DEPTH):
    found = []
    for k in range(DEPTH):
        votes = PassVotes(hu[k], CLASSES, float(k))
        for one in passes[: counts[k], :, k]:
            votes.add(likeliest(one))
        found.append(votes.result(passes[: counts[k], :, k].mean(axis=0)))
    return found


def _labels(passes):
    classes = passes.mean(axis=0).argmax(axis=0).astype(np.uint8)
    left = (np.arange(WIDTH) >= WIDTH // 2) & (classes > 0) & (classes != 3)
    return classes + LEFT * left.astype(np.uint8)


def _inside(label):
    """The columns of a label's side."""
    if label == 3:
        return slice(None)
    return slice(WIDTH // 2, None) if label > LEFT else slice(0, WIDTH // 2)


def test_the_likeliest_class_is_that_of_argmax(sampled):
    one = sampled[0][0, :, 0]
    assert likeliest(one).dtype == np.uint8 and np.array_equal(likeliest(one), one.argmax(axis=0))
    assert np.array_equal(likeliest(np.zeros((3, 2, 2), np.float32)), np.zeros((2, 2)))


@pytest.mark.parametrize("label", [3, 4, 5, 104, 105])
def test_scores_are_those_of_whole_arrays(sampled, evidence, label):
    passes, hu = sampled
    labels = _labels(passes)
    index, side = label % LEFT, _inside(label)
    masks = (passes.argmax(axis=1) == index)[..., side]
    mean, hu = passes.mean(axis=0)[..., side], hu[..., side]
    mine = labels[..., side] == label
    size, pairs = masks.sum() / PASSES, list(itertools.combinations(masks, 2))
    shared = np.mean([(a & b).sum() for a, b in pairs])

    scores = make_scores(evidence, labels, HIP_AND_THIGH, (), {label: 1e-4}, {label: 12.0})
    found = with_placement(scores, {label: (1.5, 2.5)})[label]
    assert found.mean_variance == 1e-4 and found.metal_distance_mm == 12.0
    assert (found.volume_deviation, found.position_deviation) == (1.5, 2.5)
    assert found.pairwise_dice == pytest.approx(shared / size, rel=1e-3)
    assert found.pairwise_iou == pytest.approx(shared / np.mean([(a | b).sum() for a, b in pairs]), rel=1e-3)
    assert found.soft_dice == pytest.approx(2 * mean[index][mine].sum() / (mean[index].sum() + mine.sum()), rel=5e-3)
    assert found.mean_entropy == pytest.approx(-(mean * np.log(mean)).sum(axis=0)[mine].mean(), rel=1e-3)
    by_slice = masks.sum(axis=(2, 3))
    assert found.volume_cv == pytest.approx(np.sqrt(by_slice.var(axis=0, ddof=1).sum()) / size, rel=0.05)
    ratio = (masks * hu).sum() / masks.sum()
    residuals = (masks * (hu - ratio)).sum(axis=(2, 3))
    assert found.sd_mean_hu == pytest.approx(np.sqrt(residuals.var(axis=0, ddof=1).sum()) / size, rel=0.05)
    assert 0 < found.sd_fat_fraction < 1
    slices = [np.mean([(a[k] & b[k]).sum() for a, b in pairs]) / (masks[:, k].sum() / PASSES) for k in range(DEPTH)]
    assert found.low_slice_dice == pytest.approx(min(slices), rel=1e-3), "the worst of five slices is more than a tenth"


def test_the_spread_over_passes_is_what_repeated_runs_show():
    """Passes of different slices are drawn independently: the variances of the slices add up to that of whole runs."""
    rng = np.random.default_rng(0)
    runs = rng.binomial(40, 0.4, (4000, 12, 30)).astype(np.float32)
    hu = rng.normal(50, 10, (4000, 12, 30)) * runs
    single = runs[0]
    found = []
    for k in range(30):
        votes = PassVotes(np.zeros((1, 40), np.float32), 2)
        for count in single[:, k]:
            votes.add((np.arange(40) < count).astype(np.uint8)[None])
        found.append(votes.result(np.full((2, 1, 40), 0.5, np.float32)))
    sums = sums_by_segment(found, Sides(np.ones((1, 1, 40), np.uint8), HIP_AND_THIGH))[1]
    totals = runs.sum(axis=2)
    assert sums.volume_cv() == pytest.approx(totals.std() / totals.mean(), rel=0.15)
    assert hu.shape == runs.shape


def test_perfect_agreement_and_a_single_pass(sampled):
    passes, hu = sampled
    same = np.repeat(passes[:1], PASSES, axis=0)
    labels = _labels(same)
    found = make_scores(_evidence(same, hu), labels, HIP_AND_THIGH, (), {4: 0.0}, {})[4]
    assert (found.pairwise_dice, found.pairwise_iou, found.low_slice_dice) == (1.0, 1.0, 1.0)
    assert found.volume_cv == found.sd_mean_hu == 0.0 and found.metal_distance_mm is None
    one = make_scores(_evidence(same, hu, (1,) * DEPTH), labels, HIP_AND_THIGH, (), {4: 0.0}, {})[4]
    assert one.pairwise_dice is one.volume_cv is one.sd_mean_hu is one.low_slice_dice is None
    assert one.soft_dice == pytest.approx(found.soft_dice, rel=1e-5)


def test_slices_may_have_different_numbers_of_passes(sampled):
    passes, hu = sampled
    labels = _labels(passes)
    few = make_scores(_evidence(passes, hu, (2, 6, 3, 6, 6)), labels, HIP_AND_THIGH, (), {4: 0.0}, {})[4]
    full = make_scores(_evidence(passes, hu), labels, HIP_AND_THIGH, (), {4: 0.0}, {})[4]
    assert few.pairwise_dice == pytest.approx(full.pairwise_dice, abs=0.02)
    assert few.volume_cv == pytest.approx(full.volume_cv, rel=0.6)


def test_what_only_passes_saw_counts_against_the_side_it_lies_on(sampled):
    """Muscle that the label lacks: the mean variance inside the label is blind to it, the soft and pairwise Dice are not."""
    passes, hu = (array.copy() for array in sampled)
    missed = passes.copy()
    columns = slice(8, 20)
    missed[::2, 4, :, :, columns], missed[::2, 0, :, :, columns] = 0.02, 0.9
    before, after = (
        make_scores(_evidence(one, hu), _labels(one), HIP_AND_THIGH, (), {4: 0.0, 104: 0.0}, {}) for one in (passes, missed)
    )
    assert after[4].soft_dice < before[4].soft_dice - 0.05 and after[4].pairwise_dice < before[4].pairwise_dice - 0.05
    assert after[104] == before[104]


def test_strays_belong_to_the_side_that_they_lie_on(sampled, evidence):
    labels = _labels(sampled[0])
    places = ((4, 30, (1.0, 2.0, 80.0)), (4, 10, (1.0, 2.0, 3.0)), (3, 7, (0.0, 0.0, 1.0)))
    strays = [Stray(index, voxels, np.array(place)) for index, voxels, place in places]
    found = make_scores(evidence, labels, HIP_AND_THIGH, strays, dict.fromkeys((3, 4, 104, 5), 0.0), {})
    assert [found[label].stray_components for label in (3, 4, 104, 5)] == [1, 1, 1, 0]
    assert found[104].stray_share == pytest.approx(30 / (30 + (labels == 104).sum())) and found[5].stray_share == 0


def test_padding_does_not_count_and_strips_cover_the_slice(sampled):
    passes, hu = sampled
    one = PassVotes(hu[0, :20, :90], CLASSES)
    one.add(likeliest(passes[0, :, 0]))
    found = one.result(passes[0, :, 0])
    winner = passes[0, :, 0].argmax(axis=0)[:20, :90]
    assert found.label.sum() == (winner > 0).sum() == found.voxels.sum()
    assert found.hu.sum() == pytest.approx(hu[0, :20, :90][winner > 0].sum(), rel=1e-3)
    strips = strips_of(90)
    assert strips[0] == 0 and strips[-1] == STRIPS - 1 and (np.diff(strips) >= 0).all()
    with pytest.raises(ValueError, match="no pass"):
        PassVotes(hu[0], CLASSES).result(passes[0, :, 0])
