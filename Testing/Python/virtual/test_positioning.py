"""What a body is laid on: under it and against it, without a change to what has a label."""

from dataclasses import fields, replace

import numpy as np
import pytest
from virtual_cases import made_up_atlas

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.training.recipes import VirtualData
from MSKSegmentLib.virtual import cases
from MSKSegmentLib.virtual.alterations import amputate
from MSKSegmentLib.virtual.ingredients import Ingredients
from MSKSegmentLib.virtual.positioning import add_positioning
from MSKSegmentLib.virtual.radiodensity import radiodensity, random_composition
from MSKSegmentLib.virtual.specimen import make_specimen
from MSKSegmentLib.virtual.tissue import OUTSIDE, PHANTOM_RODS, SUPPORTS, BodyLandmarks, BodyTissue, smooth_noise

SPACING = (8.0, 5.0, 5.0)
PHANTOM = (BodyTissue.PHANTOM, *PHANTOM_RODS)
SEEDS = range(10)


@pytest.fixture(scope="module")
def pairs():
    """Ten bodies without and with objects."""
    return [
        tuple(make_specimen((made_up_atlas(),), seed, SPACING, metal=False, ingredients=Ingredients(objects=has)) for has in (0, 1))
        for seed in SEEDS
    ]


@pytest.fixture(scope="module")
def with_phantoms(pairs):
    """The tissues of those with a phantom."""
    return [laid.tissue for _, laid in pairs if np.isin(laid.tissue, PHANTOM).any()]


def test_only_fat_skin_and_what_lies_outside_gives_way(pairs):
    for plain, laid in pairs:
        assert plain.facts == laid.facts
        changed = plain.tissue != laid.tissue
        assert set(np.unique(plain.tissue[changed])) <= {*OUTSIDE, BodyTissue.FAT, BodyTissue.SKIN}
        made = set(np.unique(laid.tissue[changed]))
        assert made <= {*OUTSIDE, BodyTissue.SKIN, BodyTissue.CALCIFICATION}


def test_objects_differ_from_body_to_body(pairs):
    found = [frozenset(np.unique(laid.tissue)) & {BodyTissue.PAD, BodyTissue.PHANTOM, BodyTissue.FOAM} for _, laid in pairs]
    assert len(set(found)) >= 3


def test_a_phantom_lies_behind_the_body_and_against_its_skin(with_phantoms):
    assert len(with_phantoms) >= 3
    touched = []
    for tissue in with_phantoms:
        phantom, body = np.isin(tissue, PHANTOM), ~np.isin(tissue, (*OUTSIDE, BodyTissue.CALCIFICATION))
        levels = np.flatnonzero(phantom.any(axis=(1, 2)) & body.any(axis=(1, 2)))
        middle = [np.argwhere(phantom[k])[:, 0].mean() - np.argwhere(body[k])[:, 0].mean() for k in levels]
        assert np.min(middle) * SPACING[1] > 30
        against = [(body[k, :-1] & phantom[k, 1:]).any() for k in levels]
        touched.append(np.mean(against))
        # Never naked fat: where it is pressed flat there is skin.
        assert not ((tissue[:, :-1] == BodyTissue.FAT) & phantom[:, 1:]).any()
    assert max(touched) > 0.5


def test_it_has_rods_within_its_slab(with_phantoms):
    for tissue in with_phantoms:
        rods = [rod for rod in PHANTOM_RODS if (tissue == rod).any()]
        assert len(rods) >= 2
        for rod in rods:
            _, ys, xs = np.nonzero(tissue == rod)
            slab = np.argwhere(tissue == BodyTissue.PHANTOM)
            assert slab[:, 2].min() < xs.min() and xs.max() < slab[:, 2].max()


def test_rods_rise_in_density_from_fat_or_water_on_and_nothing_else_changes(pairs):
    plain, laid = pairs[0]
    what = random_composition(np.random.default_rng(3), plain.atrophy)
    values = {}
    for name, specimen in (("plain", plain), ("laid", laid)):
        values[name] = radiodensity(specimen, what, smooth_noise, np.random.default_rng(4))
    same = plain.tissue == laid.tissue
    assert same.mean() > 0.9 and np.array_equal(values["plain"][same], values["laid"][same])
    tissue = np.array([BodyTissue.PHANTOM, BodyTissue.PAD, *PHANTOM_RODS], np.uint8).reshape(1, 1, -1)
    alone = replace(laid, tissue=tissue, depth=np.zeros_like(tissue))
    hu = radiodensity(alone, what, smooth_noise, np.random.default_rng(5)).ravel()
    assert -60 <= hu[0] <= 110 and -40 <= hu[1] <= 110
    assert np.all(np.diff(hu[2:]) >= 25) and -110 <= hu[2] <= 30


def test_the_table_goes_beneath_a_phantom(with_phantoms):
    seen = 0
    for tissue in with_phantoms:
        phantom = np.isin(tissue, PHANTOM)
        level = np.flatnonzero(phantom.any(axis=(1, 2)))[-1]
        _, column = np.argwhere(phantom[level]).mean(axis=0).round().astype(int)
        table = np.flatnonzero(np.isin(tissue[level, :, column], (BodyTissue.TABLE, BodyTissue.FOAM)))
        seen += table.size > 0
        assert not table.size or table[0] > np.flatnonzero(phantom[level, :, column])[-1]
    assert seen


def test_what_lies_under_a_leg_stays_when_the_leg_is_gone(pairs):
    laid = next(laid for _, laid in pairs if np.isin(laid.tissue, PHANTOM).any())
    before = np.isin(laid.tissue, SUPPORTS)
    short = amputate(laid, 0, 0.9)
    assert (short.tissue != laid.tissue).any()
    assert np.array_equal(short.tissue[before], laid.tissue[before])


def test_a_scan_without_a_body_stays_as_it_is():
    labels = made_up_atlas().labels
    frame = BodyLandmarks.of(labels, (4.0, 4.0, 4.0))
    empty = np.zeros_like(labels)
    for seed in range(8):
        add_positioning(empty, frame, np.random.default_rng(seed))
    assert not empty.any()


NAMES = [field.name for field in fields(Ingredients)]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_can_ask_for_each_optional_part_of_a_body(name, monkeypatch, tmp_path):
    asked = []

    def write(output, patients, *_):
        asked.append(patients.ingredients)
        return iter(())

    monkeypatch.setattr(cases, "write_patients", write)
    flag = {"muscle_variation": "--vary-muscles"}.get(name, "--" + name.replace("_", "-"))
    assert main(["virtual", "-n", "1", "-o", str(tmp_path), flag]) == 0
    assert asked == [Ingredients(**{name: True})]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_can_ask_for_each_optional_part_of_a_body(name):
    assert VirtualData(1, **{name: True}).ingredients == Ingredients(**{name: True})
