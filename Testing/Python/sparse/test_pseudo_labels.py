"""What is learned from slices that nobody drew: only what passes and neighbours confirm."""

import numpy as np
import pytest

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.sparse.pseudo_labels import PseudoRule, kept_slices, majority, near_same_class

PIXEL = (2.0, 2.0)


def disk(middle=20, radius=8, index=3, size=40):
    y, x = np.mgrid[:size, :size]
    return np.where(np.hypot(y - 20, x - middle) <= radius, index, 0).astype(np.uint8)


def stack(planes, passes=10):
    """Levels 0, 1, 2, ... whose passes all say the same."""
    return {float(level): np.repeat(plane[None], passes, axis=0) for level, plane in enumerate(planes)}


def test_the_majority_of_the_passes_and_its_share():
    maps = np.array([[[1, 2, 0]], [[1, 2, 5]], [[1, 0, 7]], [[3, 0, 9]]], np.uint8)
    winner, share = majority(maps)
    assert winner.tolist() == [[1, 0, 0]] and share.tolist() == [[0.75, 0.5, 0.25]]


def test_a_neighbour_confirms_what_lies_within_reach():
    here, there = disk(20), disk(24)
    near = near_same_class(here, there, (2.0, 2.0))
    shifted = here > 0
    # Four voxels to the left of the neighbour's: its left edge, less the reach of two, is not confirmed.
    assert near[20, 14] and not near[20, 12] and not near[20, 13] and near[20, 25]
    assert near_same_class(here, here, (0.0, 0.0)).all()
    assert not near_same_class(here, np.zeros_like(here), (2.0, 2.0))[shifted].any()
    # Background is confirmed by background: not where the neighbour's disk reaches further.
    assert not near[20, 30] and near[20, 35]


def test_a_voxel_needs_nine_of_ten_passes_and_both_neighbours():
    maps = stack([disk()] * 3)
    maps[1.0][:2, 15:26, 15:26] = 0
    kept = kept_slices(maps, 1.0, PIXEL, PseudoRule(least_kept=0.0))
    assert list(kept) == [1.0], "the first and the last slice have one neighbour only"
    classes, sure = kept[1.0]
    assert (classes[15:26, 15:26] == 3).all() and not sure[15:26, 15:26].any(), "eight of ten passes are too few"
    assert sure[13, 20] and sure[0, 0]
    maps[1.0][:1, 15:26, 15:26] = 3
    assert kept_slices(maps, 1.0, PIXEL, PseudoRule())[1.0][1].all(), "nine of ten are enough"
    lonely = stack([disk(), disk(), disk(index=4)])
    assert not kept_slices(lonely, 1.0, PIXEL, PseudoRule(least_kept=0.01))


def test_a_slice_of_which_little_is_confirmed_teaches_nothing():
    planes = [disk(20), disk(26), disk(32)]
    assert list(kept_slices(stack(planes), 1.0, PIXEL, PseudoRule(reach_mm=2.0, least_kept=0.1))) == [1.0]
    assert not kept_slices(stack(planes), 1.0, PIXEL, PseudoRule(reach_mm=2.0, least_kept=0.9))
    assert not kept_slices(stack([disk() * 0] * 3), 1.0, PIXEL, PseudoRule()), "a slice without structures"


def test_slices_across_a_gap_are_no_neighbours():
    maps = stack([disk()] * 5)
    del maps[2.0]
    assert not kept_slices(maps, 1.0, PIXEL, PseudoRule())
    assert list(kept_slices(maps, 2.0, PIXEL, PseudoRule())) == [1.0, 3.0]


def test_a_stricter_rule_never_keeps_more():
    rng = np.random.default_rng(0)
    planes = [disk(20 + shift) for shift in (0, 1, 2, 4, 3)]
    maps = {level: np.where(rng.random(one.shape) < 0.12, 0, one).astype(np.uint8) for level, one in stack(planes).items()}

    def count(rule):
        return sum(np.count_nonzero(sure & (classes > 0)) for classes, sure in kept_slices(maps, 1.0, PIXEL, rule).values())

    counts = [count(PseudoRule(share, 3.0, 0.0)) for share in (0.5, 0.7, 0.9, 1.0)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    reaches = [count(PseudoRule(0.7, reach, 0.0)) for reach in (8.0, 4.0, 2.0, 0.0)]
    assert reaches == sorted(reaches, reverse=True) and reaches[0] > reaches[-1]


def test_rules_that_mean_nothing_are_refused():
    for wrong in ({"passes_agree": 0.4}, {"reach_mm": -1.0}, {"least_kept": 1.5}):
        with pytest.raises(InputError, match="share of passes from 0.5 to 1"):
            PseudoRule(**wrong)
