"""Training on MR: cases with mr.* are read as MR and stored on the network's scale, as they are seen in use; flips upside down."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.prepared_scan import prepare_scan
from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, warp
from MSKSegmentLib.training.pairs import prepare_case
from MSKSegmentLib.training.recipes import find_recipe, read_recipe

TASK = load_task("lower-limb-mr")
SPEC = NetworkSpec(levels=3, base_filters=2, classes=TASK.table.classes)
PREPROCESSING = Preprocessing(hu_window=(0, 1000), in_plane_spacing_mm=4.0, slice_interval_mm=5.0, intensity="n4_body_percentiles")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Two round thighs of fat around a muscle, unevenly bright, as mr.nii.gz with labels."""
    folder = tmp_path_factory.mktemp("cases")
    z, y, x = np.ogrid[:24, :48, :80]
    values, labels = np.full((24, 48, 80), 4.0), np.zeros((24, 48, 80), np.uint8)
    for centre, label in ((22, 23), (58, 123)):
        radius = np.hypot(y - 24, x - centre) + 0 * z
        values[radius < 15], values[radius < 9] = 900.0, 380.0
        # A dark cortex: the scale begins below muscle.
        values[radius < 3] = 30.0
        labels[(radius < 9) & (radius >= 3)] = label
    values = values * np.exp(0.4 * (x - 40) / 40) + np.random.default_rng(0).normal(0, 3, values.shape)
    (folder / "one").mkdir()
    for name, array in (("mr", np.clip(np.rint(values), 0, 4000).astype(np.int16)), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((4.0, 4.0, 5.0))
        sitk.WriteImage(image, str(folder / "one" / f"{name}.nii.gz"))
    return find_labelled_cases(folder)[0]


def test_a_case_of_mr_is_stored_as_the_network_sees_it_in_use(case, tmp_path):
    assert case.modality == "MR" and case.ct.name == "mr.nii.gz"
    path = prepare_case(case, tmp_path, SPEC, PREPROCESSING, TASK.table)
    stored = np.load(path)
    seen = prepare_scan(read_ct(case.ct, modality="MR"), task=TASK, intensity=PREPROCESSING.intensity).body.hu
    assert stored.shape[1:] == (2, *seen.shape[1:]) and np.abs(stored[5, 0].astype(int) - seen[5]).max() <= 1
    muscle = stored[:, 0][stored[:, 1] == 23]
    right, left = (stored[:, 0][:, :, part][stored[:, 1][:, :, part] == 23].mean() for part in (slice(0, 40), slice(40, None)))
    assert set(np.unique(stored[:, 1])) == {0, 23} and 200 < muscle.mean() < 600 and abs(left - right) < 0.15 * muscle.mean()
    plain = replace(PREPROCESSING, intensity="body_percentiles")
    before = json.loads(path.with_suffix(".json").read_text())["made_of"]
    prepare_case(case, tmp_path, SPEC, plain, TASK.table)
    assert json.loads(path.with_suffix(".json").read_text())["made_of"] != before


def test_slices_are_turned_upside_down_as_often_as_the_recipe_says():
    recipe = read_recipe(find_recipe("lower-limb-mr"))
    assert recipe.task == TASK.name and recipe.preprocessing.intensity == TASK.preprocessing["intensity"]
    how = recipe.augmentation
    assert (how.rotation_deg, how.flip, how.upside_down, how.uniform, how.intensity) == (35, 0.5, 0.1, True, 0)
    labels = np.zeros((400, 16, 16), np.int16)
    labels[:, :4] = 7
    _, classes = warp(labels[:, None], labels, np.random.default_rng(0), replace(NO_AUGMENTATION, upside_down=0.3))
    turned = (classes[:, -4:] == 7).flatten(1).all(1)
    assert 0.2 < float(turned.float().mean()) < 0.4
    assert bool(((classes[:, :4] == 7).flatten(1).all(1) | turned).all())
