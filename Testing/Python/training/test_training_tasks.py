"""Training for other tasks than hip and thigh: labels mean the structures of the task, and the bundle is one of the task."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import PREPROCESSING, SPACING, SPEC, labels_of, small_recipe

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, Augmentation
from MSKSegmentLib.training.pairs import PairSlices, prepare_case
from MSKSegmentLib.training.recipes import PairsData, Validation, VirtualData, read_recipe
from MSKSegmentLib.training.run import Choices, run_recipe

TRUNK = load_task("trunk-ct").table
NETWORK = type(SPEC)(levels=3, base_filters=4, classes=TRUNK.classes, in_channels=1, dropout=0.25)


def write_trunk_case(folder, seed, labelled=None):
    """A phantom whose bone stands for the third structure of the trunk, and its muscle for the eighth."""
    labels = labels_of(phantom_hu(seed=seed))
    labels = np.select([labels == 2, labels == 102, labels == 13, labels == 113], [3, 103, 8, 108], 0).astype(np.uint8)
    case = folder / f"t{seed}"
    case.mkdir(parents=True)
    for name, array in (("ct.nii.gz", phantom_hu(seed=seed)), ("labels.nrrd", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(SPACING)
        sitk.WriteImage(image, str(case / name))
    if labelled is not None:
        (case / "labelled.json").write_text(json.dumps(labelled))
    return case


def test_labels_of_a_case_are_classes_of_its_task(tmp_path):
    write_trunk_case(tmp_path / "cases", 0, {"slices": [4, 9], "structures": [TRUNK.structures[7].abbreviation]})
    path = prepare_case(find_labelled_cases(tmp_path / "cases")[0], tmp_path / "cache", NETWORK, PREPROCESSING, TRUNK)
    assert set(np.unique(np.load(path)[:, -1])) == {-1, 0, 8}, "the other structure was not drawn"
    batch = PairSlices([path], PREPROCESSING, (48, 64), 1, NO_AUGMENTATION, TRUNK).batch(4)
    assert batch.known.shape == (4, 9) and batch.known[:, 8].all() and not batch.known[:, 3].any()


def test_the_bundle_of_a_trained_task_is_one_of_that_task(tmp_path):
    for seed in range(2):
        write_trunk_case(tmp_path / "cases", seed)
    recipe = small_recipe(
        task="trunk-ct", network=NETWORK, iterations=2, checkpoint_every=2, device="cpu", validation=Validation(2, 4),
        sources=(PairsData(tmp_path / "cases"),),
    )  # fmt: skip
    bundle = run_recipe(recipe, tmp_path / "run", Choices(), lambda status: None, lambda text: None, lambda: None)
    assert bundle.manifest.task == "trunk-ct" and bundle.table == TRUNK
    head = (tmp_path / "run" / "validation.csv").read_text().splitlines()[0].split(",")
    assert head == ["iteration", *(structure.abbreviation for structure in TRUNK.structures)]
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe.to_json()))
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": SPEC}, "classes must be 9"),
        ({"sources": (VirtualData(1),)}, "virtual patients of hip and thigh in CT alone"),
        ({"task": "nowhere"}, "no task 'nowhere'"),
        ({"augmentation": Augmentation(open_borders=True)}, "open_borders needs virtual patients alone"),
    ],
)
def test_recipes_that_do_not_fit_their_task_are_refused(tmp_path, changes, words):
    recipe = small_recipe(**{"task": "trunk-ct", "network": NETWORK, "sources": (PairsData(tmp_path),), **changes})
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe.to_json()))
    with pytest.raises(InputError, match=words):
        read_recipe(path)
