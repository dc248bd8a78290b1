"""Contrast that no scanner has: tissues move against each other, air and metal do not, and shapes stay."""

from dataclasses import replace

import numpy as np
import pytest
from virtual_cases import made_up_atlas

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION
from MSKSegmentLib.training.recipes import find_recipe, read_recipe
from MSKSegmentLib.training.virtual_slices import VirtualSlices, fill_bank
from MSKSegmentLib.virtual.contrast import change_contrast
from MSKSegmentLib.virtual.radiodensity import IMPLANT_HU
from MSKSegmentLib.virtual.tissue import BodyTissue

VALUES = np.array([0, 1, 2, 4, 5, 104, BodyTissue.FAT, BodyTissue.GAS, BodyTissue.TABLE, BodyTissue.VERTEBRA], np.uint8)
MEANS = np.array([-1000, 300, 300, 50, 50, 50, -105, -900, -300, 300], np.float32)


def changed(seed):
    """A slab with stripes of tissue, its HU before and after, and the mean change per stripe."""
    rng = np.random.default_rng(99)
    tissue = np.repeat(VALUES, 40)[None, None].repeat(5, 1)
    before = np.repeat(MEANS, 40)[None, None].repeat(5, 1) + rng.normal(0, 8, tissue.shape).astype(np.float32)
    before[0, 0, 45] = IMPLANT_HU
    after = before.copy()
    change_contrast(after, tissue, np.random.default_rng(seed))
    moved = np.array([(after - before)[(tissue == value) & (before < IMPLANT_HU)].mean() for value in VALUES])
    return tissue, before, after, moved


def test_air_gas_table_and_metal_keep_their_hu():
    tissue, before, after, _ = changed(1)
    kept = np.isin(tissue, (0, BodyTissue.GAS, BodyTissue.TABLE)) | (before == IMPLANT_HU)
    assert np.array_equal(after[kept], before[kept]) and not np.isclose(after[~kept], before[~kept]).all()


def test_tissues_move_against_each_other_and_muscles_stay_alike():
    moved = np.array([changed(seed)[3] for seed in range(60)])
    by_value = dict(zip(VALUES.tolist(), moved.T, strict=True))
    spread = {value: move.std() for value, move in by_value.items()}
    assert 25 < spread[4] < 60 and 25 < spread[BodyTissue.FAT] < 60 and spread[2] > 70
    assert abs(np.corrcoef(by_value[4], by_value[BodyTissue.FAT])[0, 1]) < 0.4
    assert np.corrcoef(by_value[4], by_value[104])[0, 1] > 0.85 and (by_value[4] - by_value[104]).std() > 3
    assert np.abs(moved).max() <= 2.5 * 120 + 1e-3


def test_texture_is_scaled_about_its_mean():
    ratios = []
    for seed in range(30):
        tissue, before, after, _ = changed(seed)
        muscle = tissue == 4
        ratios.append(after[muscle].std() / before[muscle].std())
        line = np.polyfit(before[muscle], after[muscle], 1)
        assert np.allclose(np.polyval(line, before[muscle]), after[muscle], atol=0.01)
    assert min(ratios) < 0.8 and max(ratios) > 1.25 and min(ratios) > 0.2


def test_slices_get_it_by_their_share(tmp_path):
    recipe = read_recipe(find_recipe("bundled"))
    fill_bank(tmp_path, (made_up_atlas(),), [3], (8.0, 6.0, 6.0))
    grid = replace(recipe.preprocessing, in_plane_spacing_mm=6.0, slice_interval_mm=8.0)

    def batch(contrast):
        how = replace(NO_AUGMENTATION, contrast=contrast)
        return VirtualSlices(tmp_path, grid, 3, (48, 64), 0, how).batch(6)

    plain, again, wild = batch(0.0), batch(0.0), batch(1.0)
    assert np.array_equal(plain.images, again.images) and not np.array_equal(plain.images, wild.images)
    assert wild.images.isfinite().all() and float(wild.images.min()) >= 0 and float(wild.images.max()) <= 1


def test_an_impossible_share_is_refused(tmp_path):
    text = find_recipe("bundled").read_text(encoding="utf-8").replace('"batch"', '"augmentation": {"contrast": 1.5}, "batch"')
    path = tmp_path / "recipe.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="contrast and upside_down must lie from 0 to 1"):
        read_recipe(path)
