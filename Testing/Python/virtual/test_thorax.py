"""Scans that reach above the psoas: it ends, lungs begin, and person and pose are those of the seed."""

import numpy as np
import pytest
from virtual_cases import made_up_atlas

from MSKSegmentLib.virtual.ingredients import PLAIN, Ingredients
from MSKSegmentLib.virtual.specimen import make_specimen
from MSKSegmentLib.virtual.stress import make_stressed_patient
from MSKSegmentLib.virtual.tissue import HIP_BONE_LABELS, PSOAS_LABELS, BodyTissue

SPACING = (8.0, 5.0, 5.0)
SEED = 5


@pytest.fixture(scope="module")
def bodies():
    """The same seed with an abdomen alone, and up to the thorax."""
    return [
        make_specimen((made_up_atlas(),), SEED, SPACING, metal=False, ingredients=what)
        for what in (Ingredients(abdomen=True), Ingredients(to_thorax=True))
    ]


def _top(tissue, labels):
    return int(np.flatnonzero(np.isin(tissue, labels).any(axis=(1, 2))).max())


def test_the_psoas_ends_in_the_scan(bodies):
    tissue = bodies[1].tissue
    assert len(tissue) - _top(tissue, PSOAS_LABELS) > 5
    assert _top(tissue, PSOAS_LABELS) > _top(tissue, HIP_BONE_LABELS) + 60 / SPACING[0]


def test_person_and_pose_are_those_of_the_seed(bodies):
    assert bodies[0].facts == bodies[1].facts
    # Smooth deformations are drawn for a scan of its size: outlines differ by millimetres, sizes hardly.
    for labels in (HIP_BONE_LABELS, (2, 102)):
        sizes = [np.isin(one.tissue, labels).sum() for one in bodies]
        assert sizes[1] == pytest.approx(sizes[0], rel=0.1)


def test_lungs_lie_beside_the_diaphragm_and_not_in_the_back(bodies):
    tissue = bodies[1].tissue
    plane = tissue[-2]
    gas = np.argwhere(plane == BodyTissue.GAS)
    spine = np.argwhere(np.isin(plane, (BodyTissue.VERTEBRA, BodyTissue.DISC)))
    assert len(gas) * SPACING[1] * SPACING[2] / 100 > 25, "in square cm"
    middle = np.median(spine[:, 1])
    assert {-1, 1} <= set(np.sign(gas[:, 1] - middle).astype(int).tolist())
    muscles = np.argwhere(plane == BodyTissue.WALL_MUSCLE)
    behind = muscles[:, 0].max()
    assert not ((gas[:, 0] > behind) & (np.abs(gas[:, 1] - middle) * SPACING[2] < 60)).any()


def test_it_brings_the_abdomen_and_has_a_folder_of_its_own(bodies):
    assert (bodies[1].tissue == BodyTissue.KIDNEY).any()
    assert (PLAIN.folder, Ingredients(to_thorax=True).folder) == ("", "to_thorax")


def test_a_patient_under_stress_keeps_all_of_it():
    plain, fat, tall = (
        make_stressed_patient((made_up_atlas(),), SEED, "none", 0.0, SPACING, what)
        for what in (PLAIN, Ingredients(retroperitoneal_fat=True), Ingredients(to_thorax=True))
    )
    assert np.array_equal(plain.labels, fat.labels) and not np.array_equal(plain.volume.hu, fat.volume.hu)
    assert len(tall.labels) > len(plain.labels)
