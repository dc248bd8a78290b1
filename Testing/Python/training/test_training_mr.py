"""Training on MR: slices are turned upside down as often as the recipe says."""

from dataclasses import replace

import numpy as np

from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, warp
from MSKSegmentLib.training.recipes import find_recipe, read_recipe

TASK = load_task("lower-limb-mr")


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
