"""What lies between spine and kidneys: duodenum, renal vessels, crura; liver and bowel leave the room to them."""

import numpy as np
import pytest
from scipy import ndimage

from MSKSegmentLib.virtual.spine import Spine
from MSKSegmentLib.virtual.tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue
from MSKSegmentLib.virtual.upper_retroperitoneum import (
    TO_LEFT,
    TO_RIGHT,
    add_crura,
    add_duodenum,
    add_renal_vessels,
    before_the_spine,
    clear_gutters,
    paint_tube,
)

SPACING = (5.0, 2.5, 2.5)
MIDDLE, ROW, CREST, TOP = 60, 60, 10, 70
SPINE = Spine(np.tile((float(ROW), float(MIDDLE)), (TOP, 1)), 23.0)
FRAME = BodyLandmarks(SPACING, (TOP, 110, 120), 0, 4, CREST, 2, float(MIDDLE), ROW - 10.0)


def trunk(filling=BodyTissue.FAT):
    """A trunk filled with one tissue, with both psoas muscles beside the spine."""
    tissue = np.full(FRAME.shape, filling, np.uint8)
    for psoas, side in zip(PSOAS_LABELS, (TO_RIGHT, TO_LEFT), strict=True):
        tissue[:40, ROW - 4 : ROW + 8, MIDDLE + side * 14 - 5 : MIDDLE + side * 14 + 5] = psoas
    return tissue


def test_a_tube_has_its_length_and_radius_and_spares_other_tissues():
    tissue = np.full((40, 60, 60), BodyTissue.FAT, np.uint8)
    tissue[20:] = BodyTissue.VERTEBRA
    points = np.array([(-30.0, 75.0, 75.0), (190.0, 75.0, 75.0)])
    paint_tube(tissue, SPACING, points, np.array([10.0, 10.0]), BodyTissue.FLUID)
    assert (tissue[20:] == BodyTissue.VERTEBRA).all()
    area = np.count_nonzero(tissue[5] == BodyTissue.FLUID) * SPACING[1] * SPACING[2]
    assert area == pytest.approx(np.pi * 100, rel=0.12)
    assert ((tissue[:20] == BodyTissue.FLUID).sum(axis=(1, 2)) == np.count_nonzero(tissue[5] == BodyTissue.FLUID)).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_duodenum_goes_down_on_the_right_and_crosses_before_the_spine(seed):
    tissue = trunk()
    tissue[:, 46:50, MIDDLE - 5 : MIDDLE + 5] = BodyTissue.VESSEL
    before = tissue.copy()
    add_duodenum(tissue, FRAME, SPINE, np.random.default_rng(seed))
    changed = tissue != before
    assert (before[changed] == BodyTissue.FAT).all(), "muscle and vessels stay"
    assert set(np.unique(tissue[changed])) <= {BodyTissue.BOWEL_WALL, BodyTissue.FLUID, BodyTissue.STOOL, BodyTissue.GAS}
    assert ndimage.label(changed, np.ones((3, 3, 3)))[1] == 1
    levels, rows, columns = np.nonzero(changed)
    assert columns.min() < MIDDLE - 14 and columns.max() > MIDDLE + 9
    assert levels.min() > CREST, "all of it above the crest"
    # It crosses at its lower end, and its highest part is the right one.
    crossing = np.abs(columns - MIDDLE) < 3
    assert levels[crossing].max() < levels.max() - 4
    assert columns[levels == levels.max()].mean() < MIDDLE
    # Close to the right psoas, in front of it.
    right = tissue == PSOAS_LABELS[0]
    assert ndimage.distance_transform_edt(~right, sampling=SPACING)[changed].min() < 12
    assert np.median(rows[crossing]) < 46, "before the great vessels"
    volume = np.count_nonzero(changed) * np.prod(SPACING) / 1000
    assert 60 < volume < 500


def test_the_liver_leaves_fat_round_the_duodenum():
    tissue = trunk(BodyTissue.ORGAN)
    add_duodenum(tissue, FRAME, SPINE, np.random.default_rng(0))
    wall = tissue == BodyTissue.BOWEL_WALL
    beside = ndimage.binary_dilation(wall) & ~wall
    assert wall.any() and np.count_nonzero(tissue[beside] == BodyTissue.ORGAN) < 0.1 * np.count_nonzero(beside)


def test_renal_vessels_join_the_hilum_and_the_great_vessels_and_the_ureter_runs_down():
    tissue = trunk()
    hila = {TO_RIGHT: (30.0, ROW - 2.0, MIDDLE - 24.0), TO_LEFT: (34.0, ROW - 2.0, MIDDLE + 24.0)}
    before = tissue.copy()
    add_renal_vessels(tissue, FRAME, SPINE, hila, np.random.default_rng(3))
    assert (before[tissue != before] == BodyTissue.FAT).all()
    for side, hilum in hila.items():
        half = np.s_[:, :, :MIDDLE] if side == TO_RIGHT else np.s_[:, :, MIDDLE:]
        for vessel in (BodyTissue.VESSEL, BodyTissue.VEIN):
            columns = np.nonzero(tissue[half] == vessel)[2] + (0 if side == TO_RIGHT else MIDDLE)
            assert np.ptp(columns) * SPACING[2] > 30
            assert abs(columns - hilum[2]).min() < 3 and abs(columns - MIDDLE).min() * SPACING[2] < 16
        levels = np.nonzero(tissue[half] == BodyTissue.FLUID)[0]
        assert levels.min() < 10 and levels.max() >= hilum[0] - 3
    without = trunk()
    add_renal_vessels(without, FRAME, SPINE, {}, np.random.default_rng(3))
    assert np.array_equal(without, trunk())


def test_crura_stand_on_both_sides_above_and_come_forwards():
    tissue = trunk()
    add_crura(tissue, FRAME, SPINE, np.random.default_rng(1))
    muscle = tissue == BodyTissue.WALL_MUSCLE
    for half in (muscle[:, :, :MIDDLE], muscle[:, :, MIDDLE:]):
        levels, rows, _ = np.nonzero(half)
        assert levels.min() * SPACING[0] > CREST * SPACING[0] + 40 and levels.max() == TOP - 1
        assert rows[levels == TOP - 1].mean() < rows[levels == levels.min() + 2].mean()


def test_bowel_and_liver_keep_out_of_the_room_beside_the_vertebrae():
    tissue = trunk(BodyTissue.STOOL)
    clear_gutters(tissue, FRAME, SPINE)
    assert (tissue[:CREST] != BodyTissue.FAT).all()
    for k in (CREST, 40):
        assert tissue[k, ROW + 10, MIDDLE - 18] == BodyTissue.FAT == tissue[k, ROW + 10, MIDDLE + 18]
        assert tissue[k, ROW - 20, MIDDLE] == BodyTissue.STOOL
        assert before_the_spine(FRAME, SPINE, k)[ROW - 15, MIDDLE]
    assert np.isin(tissue, PSOAS_LABELS).sum() == np.isin(trunk(), PSOAS_LABELS).sum()
