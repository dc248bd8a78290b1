"""Bodies of every proportion: muscles change each on its own, bones and joints do not."""

from dataclasses import replace

import cc3d
import numpy as np
import pytest
from virtual_cases import ellipsoid, made_up_atlas

from MSKSegmentLib.virtual.atlas import CARTILAGE, Atlas
from MSKSegmentLib.virtual.ingredients import Ingredients
from MSKSegmentLib.virtual.muscle_contest import without_islands
from MSKSegmentLib.virtual.muscle_fields import anatomy_of
from MSKSegmentLib.virtual.muscle_variation import (
    BLOCK,
    MuscleChange,
    MuscleVariation,
    draw_variation,
    size_factor,
    vary_muscles,
)
from MSKSegmentLib.virtual.specimen import make_specimen

BONES = (1, 2, 3, 101, 102)
MUSCLES = (4, 12, 13, 17, 21, 104, 112, 113, 117, 121)


@pytest.fixture(scope="module")
def atlas():
    """The made-up body with a bulkier sartorius: at 4 mm a strap of three voxels is all edge."""
    body = made_up_atlas()
    labels = body.labels.copy()
    for value, x in ((17, 28), (117, 71)):
        labels[ellipsoid(labels.shape, (70, 13, x), (50, 6, 7)) & (labels == 0)] = value
    return Atlas("bulky", without_islands(labels), body.spacing)


def only(label, gap=0.0, **change):
    return MuscleVariation({label: MuscleChange(**change)}, gap)


def volumes(labels):
    return np.bincount(labels.ravel(), minlength=256)


def test_without_changes_it_is_the_atlas(atlas):
    varied, sizes = vary_muscles(atlas, MuscleVariation({}), 0)
    assert np.array_equal(varied.labels, atlas.labels) and varied.name == atlas.name
    assert set(sizes) == set(MUSCLES) and set(sizes.values()) == {1.0}


@pytest.mark.parametrize("seed", range(4))
def test_every_muscle_gets_the_volume_that_was_drawn(atlas, seed):
    variation = draw_variation(seed)
    varied, sizes = vary_muscles(atlas, variation, seed)
    wanted = {label: size_factor(label, variation.changes[label]) for label in MUSCLES}
    assert max(wanted.values()) / min(wanted.values()) > 1.5
    for label in MUSCLES:
        assert sizes[label] == pytest.approx(wanted[label], rel=0.12), label
        assert sizes[label] == volumes(varied.labels)[label] / volumes(atlas.labels)[label]


def test_bones_stay_and_no_island_is_left(atlas):
    for seed in range(6):
        labels = vary_muscles(atlas, draw_variation(seed), seed)[0].labels
        assert np.array_equal(np.where(np.isin(labels, BONES), labels, 0), np.where(np.isin(atlas.labels, BONES), atlas.labels, 0))
        for label in MUSCLES:
            # Six neighbours: what hangs together by an edge alone is an island.
            sizes = np.bincount(cc3d.connected_components(labels == label, connectivity=6).ravel())[1:]
            assert sizes.min() >= 0.1 * sizes.sum(), (seed, label)


@pytest.mark.parametrize("size", [-1.0, 1.0])
@pytest.mark.parametrize("label", [13, 17, 121])
def test_a_muscle_changes_and_its_neighbours_keep_their_volume(atlas, label, size):
    _, sizes = vary_muscles(atlas, only(label, size=size), 1)
    assert sizes[label] == pytest.approx(size_factor(label, MuscleChange(size=size)), rel=0.12)
    others = [sizes[other] for other in MUSCLES if other != label]
    assert others == pytest.approx([1.0] * len(others), abs=0.06)


def test_small_muscles_vary_more_than_large_ones():
    full = MuscleChange(size=1.0)
    assert size_factor(17, full) > 2 > 1.33 < size_factor(4, full) < size_factor(112, full)
    assert size_factor(17, MuscleChange(size=-1.0)) < 0.5


def test_a_seed_repeats_its_body_and_another_differs(atlas):
    one, two, other = (vary_muscles(atlas, draw_variation(seed), seed)[0].labels for seed in (7, 7, 8))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_ends_move_as_drawn_and_the_belly_stays(atlas):
    before = np.flatnonzero((atlas.labels == 113).any(axis=(1, 2)))
    length = before.max() - before.min()
    shorter = vary_muscles(atlas, only(113, upper=-0.12), 2)[0].labels
    after = np.flatnonzero((shorter == 113).any(axis=(1, 2)))
    assert 0.05 * length < before.max() - after.max() < 0.2 * length
    assert abs(int(after.min()) - int(before.min())) <= 2
    longer = vary_muscles(atlas, only(113, lower=0.06), 2)[0].labels
    assert np.flatnonzero((longer == 113).any(axis=(1, 2))).min() < before.min()


def test_a_muscle_that_the_atlas_cuts_keeps_its_cut_end(atlas):
    cut = replace(atlas, labels=np.ascontiguousarray(atlas.labels[:128]))
    shorter = vary_muscles(cut, only(12, upper=-0.12), 2)[0].labels
    assert (shorter[-1] == 12).sum() == pytest.approx((cut.labels[-1] == 12).sum(), rel=0.2)


def _touching(labels, one, other):
    """Pairs of neighbouring voxels of two muscles."""
    count = 0
    for axis in range(3):
        low, high = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        count += int(((low == one) & (high == other)).sum() + ((low == other) & (high == one)).sum())
    return count


def test_fat_comes_between_neighbours(atlas):
    assert _touching(atlas.labels, 13, 21) > 50
    apart = [_touching(vary_muscles(atlas, MuscleVariation({}, gap=9.0), seed)[0].labels, 13, 21) for seed in range(6)]
    assert min(apart) == 0 < max(apart)


def test_the_room_that_a_muscle_leaves_is_fat_or_its_neighbours(atlas):
    left = {}
    for taken in (0.0, 1.0):
        change = MuscleChange(size=-1.0, taken=taken)
        labels = vary_muscles(atlas, MuscleVariation({17: change}), 3)[0].labels
        freed = (atlas.labels == 17) & (labels != 17)
        left[taken] = np.mean(labels[freed] == 0)
    assert left[0.0] > 0.8 > 0.7 > left[1.0]


def test_joints_and_the_other_side_stay_free(atlas):
    labels = atlas.labels.copy()
    labels[ellipsoid(labels.shape, (96, 28, 24), (6, 4, 4)) & (labels == 0)] = CARTILAGE
    body = replace(atlas, labels=labels)
    grown = {label: MuscleChange(size=1.0, shift=4.0) for label in MUSCLES}
    varied = vary_muscles(body, MuscleVariation(grown), 4)[0].labels
    assert np.array_equal(varied == CARTILAGE, labels == CARTILAGE)
    middle = labels.shape[2] // 2
    right = np.isin(varied, [label for label in MUSCLES if label < 100])
    assert not right[:, :, middle:].any()


def test_a_finer_grid_than_the_atlas_is_its_own_and_a_coarser_one_is_smaller(atlas):
    assert anatomy_of(atlas, 2.0).labels.shape == atlas.labels.shape
    coarse = anatomy_of(atlas, 8.0)
    assert coarse.spacing == (8.0, 8.0, 8.0) and coarse.labels.shape == tuple(-(-(n - 1) // 2) for n in atlas.labels.shape)


def test_a_block_of_seeds_covers_every_range_evenly():
    block = [draw_variation(seed) for seed in range(5 * BLOCK, 6 * BLOCK)]
    for label in (6, 17, 21):
        # The mean of the sides is what was drawn for the structure.
        sizes = np.array([(one.changes[label].size + one.changes[label + 100].size) / 2 for one in block])
        strata = np.floor((sizes + 1) / 2 * BLOCK).astype(int)
        assert sorted(strata) == list(range(BLOCK))
    sizes = np.array([[one.changes[label].size for label in (4, 6, 9, 11, 16, 17, 20)] for one in block])
    assert np.abs(np.corrcoef(sizes.T) - np.eye(7)).max() < 0.6
    assert sizes.min() < -0.9 and sizes.max() > 0.9


def test_islands_go_and_second_bellies_stay():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[1:11, 1:11, 1:11] = 14
    labels[14:19, 14:19, 14:19] = 14
    labels[1, 18, 18] = 14
    labels[18, 1, 1] = 1
    cleaned = without_islands(labels)
    assert cleaned[1, 18, 18] == 0 and cleaned[18, 1, 1] == 1
    assert (cleaned == 14).sum() == 1000 + 125


def test_a_specimen_keeps_pose_and_disease_and_notes_its_muscles(atlas):
    plain, varied = (
        make_specimen((atlas,), 3, (8.0, 6.0, 6.0), metal=False, ingredients=Ingredients(muscle_variation=varied))
        for varied in (False, True)
    )
    sizes = varied.facts.pop("muscle_sizes")
    assert plain.facts == varied.facts and plain.tissue.shape == varied.tissue.shape
    assert set(map(int, sizes)) == set(MUSCLES) and max(sizes.values()) > 1.2
    changed = plain.tissue != varied.tissue
    assert 0.001 < changed.mean() < 0.3
