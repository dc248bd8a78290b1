"""Kidneys of virtual patients: lips of kidney beside the psoas, sinuses of fat and urine, lobes and stones."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from MSKSegmentLib.virtual.build import random_build
from MSKSegmentLib.virtual.kidneys import YIELDING, Lobes, Sinus, add_kidney, paint
from MSKSegmentLib.virtual.spine import Spine
from MSKSegmentLib.virtual.tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue
from MSKSegmentLib.virtual.upper_retroperitoneum import TO_LEFT, TO_RIGHT, add_renal_vessels

SPACING = (3.0, 2.5, 2.5)
MIDDLE, ROW, CREST, TOP = 60, 60, 4, 75
SPINE = Spine(np.tile((float(ROW), float(MIDDLE)), (TOP, 1)), 23.0)
FRAME = BodyLandmarks(SPACING, (TOP, 110, 120), 0, 2, CREST, 1, float(MIDDLE), ROW - 10.0)
BUILD = replace(random_build(np.random.default_rng(0), standing=False), fat=15.0, to_thorax=False)
HOLLOW = (BodyTissue.FAT, BodyTissue.FLUID)


def trunk():
    """Fat with both psoas muscles beside the spine."""
    tissue = np.full(FRAME.shape, BodyTissue.FAT, np.uint8)
    for psoas, side in zip(PSOAS_LABELS, (TO_RIGHT, TO_LEFT), strict=True):
        tissue[:, ROW - 8 : ROW + 6, MIDDLE + side * 13 - 5 : MIDDLE + side * 13 + 5] = psoas
    return tissue


def with_kidney(seed, side=TO_LEFT):
    tissue = trunk()
    hilum = add_kidney(
        tissue,
        np.ones(FRAME.shape, bool),
        FRAME,
        SPINE,
        BUILD,
        side,
        np.random.default_rng(seed),
        np.random.default_rng(1000 + seed),
    )
    return tissue, hilum


@pytest.fixture(scope="module")
def kidneys():
    return [with_kidney(seed) for seed in range(24)]


def bean():
    """A slice through a round kidney in fat, and the positions in it as shares of its half axes."""
    across, through = np.meshgrid(np.linspace(-1.5, 1.5, 91), np.linspace(-1.5, 1.5, 91), indexing="xy")
    plane = np.where(across**2 + through**2 <= 1, BodyTissue.KIDNEY, BodyTissue.FAT).astype(np.uint8)
    return plane, across, through


def test_a_sinus_is_open_at_the_hilum_and_shut_in_above_and_below():
    sinus = Sinus(length=0.8, hilum=0.3, reach=0.6, thick=0.4, urine=0.4)
    for along, shut in ((0.0, False), (0.29, False), (0.5, True), (-0.5, True)):
        plane, across, through = bean()
        sinus.cut(plane, along, across, through)
        kidney = plane == BodyTissue.KIDNEY
        assert ndimage.label(kidney)[1] == 1
        assert (ndimage.binary_fill_holes(kidney) & ~kidney).any() == shut
        # A lip on either side of the hollow.
        line = kidney[:, 36]
        assert ndimage.label(line)[1] == 2


def test_a_sinus_that_reaches_far_parts_the_kidney_further():
    def fat(**change):
        plane, across, through = bean()
        Sinus(**{"length": 0.8, "hilum": 0.3, "reach": 0.0, "thick": 0.4, "urine": 0.2} | change).cut(plane, 0.0, across, through)
        return np.count_nonzero((plane != BodyTissue.KIDNEY) & (across**2 + through**2 <= 1)), np.count_nonzero(
            plane == BodyTissue.FLUID
        )

    small = fat()
    assert fat(reach=0.6)[0] > 1.2 * small[0] and fat(thick=0.55)[0] > 1.2 * small[0]
    held_back = fat(urine=0.9)
    assert held_back[0] == small[0] and held_back[1] > 4 * small[1] > 0


def test_lobes_are_waves_of_a_tenth_or_two():
    angle = np.linspace(-np.pi, np.pi, 90)
    assert (Lobes(0.0, (1.0, 2.0, 3.0)).radius(0.3, angle) == 1).all()
    drawn = [Lobes.draw(np.random.default_rng(seed)).radius(0.2, angle) for seed in range(50)]
    assert 0.75 < min(one.min() for one in drawn) < 0.9 and 1.1 < max(one.max() for one in drawn) < 1.25


def test_a_kidney_leaves_a_dent_in_the_liver_and_spares_the_psoas():
    plane = np.full((80, 80), BodyTissue.ORGAN, np.uint8)
    plane[30:40, 30:40] = PSOAS_LABELS[0]
    before = plane.copy()
    everywhere = np.ones(plane.shape, bool)
    paint(plane, everywhere, BodyTissue.FAT, (BodyTissue.FAT, BodyTissue.STOOL))
    assert np.array_equal(plane, before)
    paint(plane, everywhere, BodyTissue.KIDNEY, YIELDING)
    assert (plane[before == BodyTissue.ORGAN] == BodyTissue.KIDNEY).all()
    assert (plane[before != BodyTissue.ORGAN] == PSOAS_LABELS[0]).all()


def test_kidneys_have_the_volume_of_adults_and_their_place(kidneys):
    cc = np.prod(SPACING) / 1000
    volumes = []
    for tissue, hilum in kidneys:
        assert np.array_equal(np.isin(tissue, PSOAS_LABELS), np.isin(trunk(), PSOAS_LABELS))
        found = np.argwhere(tissue == BodyTissue.KIDNEY)
        volumes.append(len(found) * cc)
        assert 35 < (found[:, 2].mean() - MIDDLE) * SPACING[2] < 90
        # The hilum looks towards the spine or forwards.
        assert hilum[1] < found[:, 1].mean() and hilum[2] < found[:, 2].mean() + 3
    assert min(volumes) > 40 and 90 < np.median(volumes) < 190 and max(volumes) < 320


def lips_beside_the_psoas(tissue):
    """How many slices show, from the psoas outwards in one row, a strip of kidney of 6 to 24 mm, a hollow, and kidney again."""
    count = 0
    for plane in tissue:
        for row in plane[ROW - 16 : ROW + 8]:
            outwards = row[MIDDLE + 18 :]
            runs = [
                run for run in np.split(outwards, np.flatnonzero(np.diff(outwards)) + 1) if run[0] not in HOLLOW or len(run) > 1
            ]
            kinds = ["k" if run[0] == BodyTissue.KIDNEY else "h" if run[0] in HOLLOW else "x" for run in runs]
            text = "".join(kinds).lstrip("h")
            first = next((len(run) for run, kind in zip(runs, kinds, strict=True) if kind == "k"), 0)
            if text[:1] == "k" and "k" in text[2:] and 6 <= first * SPACING[2] <= 24:
                count += 1
                break
    return count


def test_every_second_kidney_has_a_lip_like_a_psoas_beside_it(kidneys):
    """On real scans the lip between psoas and sinus was called psoas, for simulated kidneys hardly had one."""
    lips = [lips_beside_the_psoas(tissue) for tissue, _ in kidneys]
    assert np.mean(np.array(lips) >= 5) > 0.5


def test_kidneys_differ_from_person_to_person(kidneys):
    urine = [np.count_nonzero(tissue == BodyTissue.FLUID) * np.prod(SPACING) / 1000 for tissue, _ in kidneys]
    stones = [np.count_nonzero(tissue == BodyTissue.CALCIFICATION) for tissue, _ in kidneys]
    assert np.quantile(urine, 0.2) < 4 and max(urine) > 12
    assert 0 < np.count_nonzero(stones) < len(stones) / 3
    first, again = with_kidney(3)[0], with_kidney(3)[0]
    assert np.array_equal(first, again) and not np.array_equal(first, with_kidney(4)[0])


def test_urine_held_back_lies_before_the_psoas_and_presses_into_the_kidney():
    radii = []
    for seed in range(40):
        tissue = trunk()
        tissue[:, :, MIDDLE + 24 :] = BodyTissue.KIDNEY
        before = tissue.copy()
        add_renal_vessels(tissue, FRAME, SPINE, {TO_LEFT: (40.0, ROW - 6.0, MIDDLE + 24.0)}, np.random.default_rng(seed))
        assert np.isin(before[tissue != before], (BodyTissue.FAT, BodyTissue.KIDNEY)).all()
        fluid = tissue == BodyTissue.FLUID
        # Half the thickness of the pelvis at its thickest; a ureter is thinner.
        radii.append(ndimage.distance_transform_edt(fluid, sampling=SPACING).max())
        if radii[-1] > 11:
            assert (before[fluid] == BodyTissue.KIDNEY).any()
    assert 3 < np.count_nonzero(np.array(radii) > 9.5) < 20 and max(radii) > 13
