"""Patches of neighbouring slices: what a network of three dimensions learns from."""

import csv
import json
from dataclasses import replace

import numpy as np
import torch
from training_cases import PREPROCESSING, small_recipe, write_case

from MSKSegmentLib.bundle import NetworkSpec
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, USUAL_AUGMENTATION
from MSKSegmentLib.training.data import Cases, DataPlan
from MSKSegmentLib.training.finishing import write_bundle
from MSKSegmentLib.training.folds import Split
from MSKSegmentLib.training.loop import train
from MSKSegmentLib.training.pairs import PairSlices, prepare_case
from MSKSegmentLib.training.recipes import Validation


def rows(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def silent(status):
    """Shows nothing."""


def test_patches_are_neighbouring_slices_with_their_classes(tmp_path):
    volume = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(6, 48, 64))
    # The muscle was drawn in a part of the slices.
    told = {"segments": {"FEMUR_right": True, "AD_right": [[0, 19]]}}
    write_case(tmp_path, "one", labelled=told)
    path = prepare_case(find_labelled_cases(tmp_path)[0], tmp_path / "cache", volume, PREPROCESSING)
    array, facts = np.load(path), json.loads(path.with_suffix(".json").read_text())
    assert array.shape[1] == 2 and len(facts["known"]) == len(array) == len(facts["positions"])
    assert facts["positions"][0] == 0 and facts["positions"][-1] == 1 and np.allclose(np.diff(facts["positions"], 2), 0)
    assert all(entry[2] for entry in facts["known"]) and {entry[13] for entry in facts["known"]} == {True, False}
    batch = PairSlices([path], PREPROCESSING, volume.patch, 1, NO_AUGMENTATION).batch(12)
    assert batch.images.shape == (12, 1, 6, 48, 64) and batch.classes.shape == (12, 6, 48, 64)
    assert bool(batch.known[:, 2].all()) and set(batch.known[:, 13].tolist()) == {True, False}
    # Bone is bright in every slice of a patch, not in its middle alone.
    for depth in range(6):
        assert float((batch.images[:, 0, depth][batch.classes[:, depth] == 2] > 0.9).float().mean()) > 0.7
    # What a part of a patch knows counts as unknown in all of it, as background.
    assert bool((batch.classes[batch.known[:, 13]] == 13).any()) and not bool((batch.classes[~batch.known[:, 13]] == 13).any())
    deep = PairSlices([path], PREPROCESSING, (len(array) + 4, 48, 64), 1, USUAL_AUGMENTATION).batch(1)
    assert torch.equal(deep.classes[0, -1], deep.classes[0, len(array) - 1]), "the last slice is repeated"


def test_a_network_of_three_dimensions_is_trained(tmp_path):
    network = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(4, 48, 64), batch_norm=False)
    write_case(tmp_path, "one")
    path = prepare_case(find_labelled_cases(tmp_path)[0], tmp_path / "cache", network, PREPROCESSING)
    plan = DataPlan((), (Cases((path,)),), PREPROCESSING, 1, network.patch, USUAL_AUGMENTATION)
    weights = {}
    for l2 in (0.0, 10.0):
        recipe = small_recipe(iterations=3, checkpoint_every=3, batch=2, crop=network.patch, l2=l2, cross_entropy_weight=0.0)
        recipe = replace(recipe, network=network, dice_weight=1.0, average=0.0, validation=Validation(3, 2))
        run = tmp_path / str(l2)
        train(recipe, plan, run, silent, validation=plan)
        assert 0 < float(rows(run, "losses.csv")[-1]["loss"]) <= 1 and rows(run, "validation.csv")[-1]["FEMUR"]
        bundle = write_bundle(recipe, Split(), run)
        assert bundle.manifest.network == network and "2 patches of 4 x 48 x 64 voxels, soft Dice" in bundle.card
        weights[l2] = sum(float(tensor.detach().square().sum()) for tensor in bundle.load_network().parameters())
    assert weights[10.0] < weights[0.0], "L2 keeps weights small"
