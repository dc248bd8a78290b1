"""Fat between bowel and the muscles behind the peritoneum: an ingredient that changes nothing else."""

import numpy as np
from virtual_cases import made_up_atlas

from MSKSegmentLib.virtual.ingredients import PLAIN, Ingredients
from MSKSegmentLib.virtual.retroperitoneum import add_retroperitoneal_fat
from MSKSegmentLib.virtual.specimen import make_specimen
from MSKSegmentLib.virtual.tissue import PSOAS_LABELS, BodyTissue

SPACING = (4.0, 2.0, 2.0)


def bowel_on_a_psoas():
    tissue = np.full((12, 60, 60), BodyTissue.BOWEL_WALL, np.uint8)
    tissue[:, 40:52, 20:40] = PSOAS_LABELS[0]
    tissue[:, 34:40, 28:32] = BodyTissue.ORGAN
    return tissue


def test_bowel_near_the_muscle_becomes_fat_and_nothing_else_changes():
    before = bowel_on_a_psoas()
    after = before.copy()
    add_retroperitoneal_fat(after, SPACING, np.random.default_rng(3))
    changed = after != before
    assert changed.any()
    assert (before[changed] == BodyTissue.BOWEL_WALL).all() and (after[changed] == BodyTissue.FAT).all()
    # Far from the muscle there is bowel as before.
    assert not changed[:, :10].any()


def test_the_layer_differs_from_person_to_person():
    shares = []
    for seed in range(12):
        tissue = bowel_on_a_psoas()
        add_retroperitoneal_fat(tissue, SPACING, np.random.default_rng(seed))
        beside = tissue[:, 37:40, 20:28]
        shares.append(float((beside == BodyTissue.FAT).mean()))
    assert min(shares) < 0.7 < 0.95 < max(shares)


def test_without_these_muscles_nothing_is_done():
    tissue = np.full((3, 20, 20), BodyTissue.BOWEL_WALL, np.uint8)
    add_retroperitoneal_fat(tissue, SPACING, np.random.default_rng(0))
    assert (tissue == BodyTissue.BOWEL_WALL).all()


def test_it_is_off_unless_asked_for_and_leaves_labels_and_draws():
    plain, fat = (
        make_specimen((made_up_atlas(),), 5, (8.0, 6.0, 6.0), metal=False, ingredients=what)
        for what in (PLAIN, Ingredients(retroperitoneal_fat=True))
    )
    changed = plain.tissue != fat.tissue
    assert changed.any()
    assert plain.facts == fat.facts
    bowel = (BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL)
    assert np.isin(plain.tissue[changed], bowel).all() and (fat.tissue[changed] == BodyTissue.FAT).all()
    assert (PLAIN.folder, Ingredients(retroperitoneal_fat=True).folder) == ("", "retroperitoneal_fat")
