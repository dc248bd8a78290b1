"""The abdomen of virtual patients: a spine that stands on the sacrum, and what lies beside it; labels stay."""

from dataclasses import replace

import numpy as np
import pytest
from virtual_cases import made_up_atlas

from MSKSegmentLib.virtual.build import random_build
from MSKSegmentLib.virtual.deformation import Shape
from MSKSegmentLib.virtual.disease import Disease
from MSKSegmentLib.virtual.ingredients import PLAIN, Ingredients
from MSKSegmentLib.virtual.lumbar import add_lumbar_spine, sacral_endplate
from MSKSegmentLib.virtual.radiodensity import _table, radiodensity, random_composition
from MSKSegmentLib.virtual.specimen import build_specimen, make_specimen
from MSKSegmentLib.virtual.spine import Spine
from MSKSegmentLib.virtual.tissue import PSOAS_LABELS, SACRUM_LABEL, BodyLandmarks, BodyTissue, smooth_noise

SPACING = (5.0, 4.0, 4.0)
TALL = Shape(above=190.0)


def specimen(abdomen, seed=2, shape=TALL):
    rng = np.random.default_rng(seed)
    build = replace(random_build(rng, standing=False), abdomen=abdomen, arms=False, fat=15.0)
    return build_specimen(made_up_atlas(), shape, build, Disease(), SPACING, rng, False, {})


@pytest.fixture(scope="module")
def plain():
    return specimen(False)


@pytest.fixture(scope="module")
def modelled():
    return specimen(True)


def test_labels_are_those_of_the_same_seed_without(plain, modelled):
    labelled = [np.where(one.tissue < 200, one.tissue, 0) for one in (plain, modelled)]
    assert np.array_equal(*labelled)
    assert not np.array_equal(plain.tissue, modelled.tissue)


def test_it_is_off_unless_it_is_asked_for():
    one, two, other = (make_specimen((made_up_atlas(),), 5, (8.0, 6.0, 6.0), metal=False, ingredients=what)
                       for what in (PLAIN, Ingredients(), Ingredients(abdomen=True)))  # fmt: skip
    assert np.array_equal(one.tissue, two.tissue) and not np.array_equal(one.tissue, other.tissue)
    assert one.facts == other.facts
    assert (PLAIN.folder, Ingredients(abdomen=True).folder) == ("", "abdomen")


def tilted_sacrum(slope):
    """Fat around two hip bones and a sacrum whose upper face starts at slice 30 and row 25 and rises backwards."""
    tissue = np.full((70, 70, 60), BodyTissue.FAT, np.uint8)
    tissue[5:20, 20:40, 5:15] = 1
    tissue[5:20, 20:40, 45:55] = 101
    for row in range(25, 45):
        tissue[10 : int(30 + slope * (row - 25) * 2.0 / 3.0), row, 18:42] = SACRUM_LABEL
    return tissue, BodyLandmarks.of(tissue, (3.0, 2.0, 2.0))


@pytest.mark.parametrize("slope", [0.3, 0.8])
def test_the_endplate_is_found_with_its_tilt(slope):
    found = sacral_endplate(*tilted_sacrum(slope))
    assert found.y == 25 and abs(found.z - 29) <= 1 and found.slope == pytest.approx(slope, abs=0.15)


def test_the_lowest_disc_and_vertebra_stand_on_the_sacrum_below_its_highest_point():
    tissue, frame = tilted_sacrum(0.8)
    path = np.full((70, 2), np.nan)
    path[frame.sacrum_top :] = (32, 30)
    before = tissue.copy()
    add_lumbar_spine(tissue, frame, Spine(path, 23.0), np.random.default_rng(0))
    assert np.array_equal(tissue == SACRUM_LABEL, before == SACRUM_LABEL)
    wedge = tissue[: frame.sacrum_top, 26:44, 30]
    assert np.count_nonzero(wedge == BodyTissue.DISC) > 10 and np.count_nonzero(wedge == BodyTissue.VERTEBRA) > 20
    # Along the endplate, before the canal, the disc comes first; nothing stands below.
    for row in (26, 30, 34):
        column = tissue[:, row, 30]
        top = int(np.flatnonzero(column == SACRUM_LABEL).max())
        assert column[top + 1] in (BodyTissue.DISC, BodyTissue.FAT) and BodyTissue.DISC in column[top + 1 : top + 4]
    assert np.isin(tissue[:25], (BodyTissue.FAT, BodyTissue.WALL_MUSCLE, SACRUM_LABEL, 1, 101)).all()


def test_arches_and_processes_hang_down_behind_the_vertebral_bodies():
    """Behind the tilted fifth lumbar vertebra a network looked for the sacrum, as no arch ever lay there."""
    tissue, frame = tilted_sacrum(0.5)
    path = np.full((70, 2), np.nan)
    path[frame.sacrum_top :] = (32, 30)
    add_lumbar_spine(tissue, frame, Spine(path, 23.0), np.random.default_rng(0))
    bone = (tissue == BodyTissue.VERTEBRA)[:, :, 27:33].any(axis=2)
    back = 32 + round(0.75 * 23 / 2)
    lowest = [int(np.flatnonzero(bone[:, back + round(mm / 2)]).min()) for mm in (18, 40)]
    assert lowest[1] <= lowest[0], "the spinous process does not rise"
    # The first arch begins no more than a disc and a half above the sacrum's highest point.
    assert lowest[0] * 3 < frame.sacrum_top * 3 + 20


def _middle_strip(one):
    """The slab of 12 mm about the middle of the sacrum, and the sacrum's highest slice."""
    _, _, xs = np.nonzero(one.tissue == SACRUM_LABEL)
    middle = int(np.median(xs))
    top = int(np.flatnonzero((one.tissue == SACRUM_LABEL).any(axis=(1, 2))).max())
    return one.tissue[:, :, middle - 1 : middle + 2], top


def test_discs_and_vertebrae_alternate_up_to_the_end_of_the_scan(modelled):
    strip, top = _middle_strip(modelled)
    rows = np.nonzero((strip == BodyTissue.DISC)[top:].any(axis=(0, 2)))[0]
    column = strip[top:, int(np.median(rows)), 1]
    is_disc = column[np.isin(column, (BodyTissue.DISC, BodyTissue.VERTEBRA))] == BodyTissue.DISC
    assert len(is_disc) > 0.85 * len(column)
    # A level is 30 to 44 mm high.
    changes = np.count_nonzero(np.diff(is_disc.astype(int)) == 1)
    assert len(column) * SPACING[0] / 50 < changes < len(column) * SPACING[0] / 26


@pytest.mark.parametrize("lean", [-12.0, 12.0])
def test_the_spine_stands_between_the_psoas_muscles_also_where_the_body_leans(lean):
    tissue = specimen(True, shape=Shape(above=120.0, tilt=(0.0, lean, 0.0))).tissue
    right, left = (np.isin(tissue, one) for one in PSOAS_LABELS)
    bone = np.isin(tissue, (BodyTissue.VERTEBRA, BodyTissue.DISC))
    first = int(np.flatnonzero((tissue == SACRUM_LABEL).any(axis=(1, 2))).max()) + int(45 / SPACING[0])
    looked_at = [k for k in range(first, len(tissue)) if right[k].sum() > 8 and left[k].sum() > 8]
    assert len(looked_at) > 8
    middles = np.array([[np.nonzero(part[k])[1].mean() for part in (right, left)] for k in looked_at])
    spine = np.array([np.median(np.nonzero(bone[k])[1]) for k in looked_at])
    assert np.abs(middles.mean(axis=1) - middles.mean()).max() * SPACING[2] < 60
    assert np.abs(spine - middles.mean(axis=1)).max() * SPACING[2] < 9
    assert abs(spine[-1] - np.nonzero(tissue == SACRUM_LABEL)[2].mean()) * SPACING[2] > 5, "it does lean"


def test_kidneys_lie_beside_the_psoas_on_both_sides(modelled):
    kidney = modelled.tissue == BodyTissue.KIDNEY
    _, _, xs = np.nonzero(modelled.tissue == SACRUM_LABEL)
    right, left = np.nonzero(kidney[:, :, : int(xs.mean())])[2], np.nonzero(kidney[:, :, int(xs.mean()) :])[2]
    cc = np.prod(SPACING) / 1000
    # Those of adults have about 150 cc; one that the back's muscles cut to a half-moon had 65.
    assert 100 < len(right) * cc < 320 and 100 < len(left) * cc < 320
    for half in (kidney[:, :, : int(xs.mean())], kidney[:, :, int(xs.mean()) :]):
        largest = half[half.sum(axis=(1, 2)).argmax()]
        rows, columns = (np.ptp(found) * SPACING[1] for found in np.nonzero(largest))
        assert largest.sum() * SPACING[1] * SPACING[2] > 1200 and 0.7 < rows / columns < 1.4, "round"
    assert int(xs.mean()) - right.mean() > 40 / SPACING[2] and left.mean() > 40 / SPACING[2]
    hip = np.flatnonzero(np.isin(modelled.tissue, (1, 101)).any(axis=(1, 2))).max()
    assert np.nonzero(kidney)[0].min() > hip - 30


def test_aorta_and_vena_cava_run_before_the_spine(modelled):
    top = modelled.tissue[-6]
    artery, vein, bone = (np.argwhere(top == value) for value in (BodyTissue.VESSEL, BodyTissue.VEIN, BodyTissue.VERTEBRA))
    assert len(artery) and len(vein)
    # Columns grow to the left, rows backwards.
    assert artery[:, 1].mean() > vein[:, 1].mean()
    assert max(artery[:, 0].mean(), vein[:, 0].mean()) < bone[:, 0].mean()
    crest = np.flatnonzero(np.isin(modelled.tissue, (1, 101)).any(axis=(1, 2))).max()
    assert (modelled.tissue[crest + 4 :] == BodyTissue.VESSEL).any(axis=(1, 2)).mean() > 0.9


def test_ribs_run_in_the_wall(modelled, plain):
    _, top = _middle_strip(modelled)
    middle = modelled.tissue.shape[2] // 2
    away = np.abs(np.arange(modelled.tissue.shape[2]) - middle) * SPACING[2] > 60
    counts = [np.count_nonzero((one.tissue[top:] == BodyTissue.VERTEBRA)[:, :, away]) for one in (plain, modelled)]
    assert counts[0] == 0 and counts[1] > 30


def test_kidneys_take_up_contrast(modelled):
    what = random_composition(np.random.default_rng(1), {})
    hu = []
    for artery in (45.0, 300.0):
        image = radiodensity(modelled, replace(what, artery_hu=artery), smooth_noise, np.random.default_rng(2))
        hu.append(float(image[modelled.tissue == BodyTissue.KIDNEY].mean()))
    assert 0 < hu[0] < 60 and 150 < hu[1] < 260


def test_without_contrast_some_kidneys_are_as_dark_as_water():
    what = replace(random_composition(np.random.default_rng(1), {}), artery_hu=45.0)
    tables = [_table(what, SPACING, np.random.default_rng(seed)) for seed in range(25)]
    kidneys = [float(table[BodyTissue.KIDNEY]) for table in tables]
    assert min(kidneys) < 10 and max(kidneys) > 37
