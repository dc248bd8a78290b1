"""Training on a small bank: the loss falls, a run resumes, a bundle is calibrated."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from conftest import phantom_hu

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.cli import main
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.training.loop import Recipe, averaged_state, segmentation_loss, train
from MSKSegmentLib.training.recipes import read_recipe
from MSKSegmentLib.training.slices import SliceBank

PREPROCESSING = Preprocessing(in_plane_spacing_mm=4.0, slice_interval_mm=6.0)
SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=3, dropout=0.1)


@pytest.fixture
def bank(tmp_path):
    folder = tmp_path / "bank"
    folder.mkdir()
    for seed in range(3):
        hu = phantom_hu(seed=seed)
        classes = np.where(hu > 500, 2, np.where(hu > 0, 13, 0))
        np.save(folder / f"{seed}.npy", np.stack([hu, classes.astype(np.int16)]))
    return folder


def _recipe(**changes):
    return Recipe(SPEC, PREPROCESSING, **{"iterations": 40, "batch": 4, "crop": (48, 64), "checkpoint_every": 20, **changes})


def test_batches_hold_normalised_slices_and_matching_classes(bank):
    images, classes = SliceBank(bank, PREPROCESSING, 3, (48, 64), seed=1).batch(8)
    assert images.shape == (8, 3, 48, 64) and classes.shape == (8, 48, 64) and classes.dtype == torch.int64
    assert images.min() >= 0 and images.max() <= 1 and set(classes.unique().tolist()) == {0, 2, 13}
    middle = images[:, 1]
    assert middle[classes == 2].mean() > 0.9 > 0.6 > middle[classes == 13].mean() > 0.3 > middle[classes == 0].mean()
    again, _ = SliceBank(bank, PREPROCESSING, 3, (48, 64), seed=1).batch(8)
    assert torch.equal(images, again)


def test_loss_falls_and_checkpoints_resume(bank, tmp_path):
    lines = []
    train(_recipe(iterations=100), bank, tmp_path / "run", lines.append)
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "run" / "losses.csv").open())]
    assert losses[-1] < 0.6 * losses[0] and len(losses) == 5 and "100/100" in lines[-1]
    state = averaged_state(tmp_path / "run" / "checkpoint.pt")
    assert "head.weight" in state and all(torch.isfinite(v).all() for v in state.values())


def test_a_stopped_run_goes_on_where_its_checkpoint_is(bank, tmp_path):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 30:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train(_recipe(), bank, tmp_path / "run", lambda line: None, stop)
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert saved["iteration"] == 20
    lines = []
    train(_recipe(), bank, tmp_path / "run", lines.append)
    assert len(lines) == 1 and lines[0].startswith("40/40")


def test_loss_is_small_for_right_and_large_for_wrong_answers():
    classes = torch.randint(0, 23, (2, 16, 16))
    right = 20.0 * torch.nn.functional.one_hot(classes, 23).permute(0, 3, 1, 2)
    assert segmentation_loss(right, classes, 0.5) < 0.01
    assert segmentation_loss(-right, classes, 0.5) > 2
    assert torch.isfinite(segmentation_loss(right, torch.zeros_like(classes), 0.5))


def test_recipes_are_read_and_refused(tmp_path):
    path = tmp_path / "recipe.json"
    recipe = {
        "network": {"levels": 3, "base_filters": 4},
        "preprocessing": {"hu_window": [-150, 350], "in_plane_spacing_mm": 4, "slice_interval_mm": 6},
        "iterations": 5,
        "crop": [48, 64],
        "patients": {"number": 2, "first_seed": 9},
    }
    path.write_text(json.dumps(recipe))
    read, patients = read_recipe(path)
    assert read.network.levels == 3 and read.crop == (48, 64) and patients == {"number": 2, "first_seed": 9}
    for bad in ({**recipe, "wings": 2}, {k: v for k, v in recipe.items() if k != "patients"}, [1]):
        path.write_text(json.dumps(bad))
        with pytest.raises(InputError, match="recipe"):
            read_recipe(path)


def test_calibrate_command_writes_a_new_bundle(tiny_bundle, tmp_path, capsys):
    for number in range(2):
        case = tmp_path / "cases" / f"case{number}"
        case.mkdir(parents=True)
        hu = phantom_hu(seed=number)
        labels = np.where(hu > 500, 2, np.where(hu > 0, 13, 0)).astype(np.uint8)
        half = hu.shape[2] // 2
        labels[:, :, half:][labels[:, :, half:] > 0] += 100
        for name, array in (("ct", hu), ("labels", labels)):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing([4.0, 4.0, 6.0])
            sitk.WriteImage(image, str(case / f"{name}.nii.gz"))
    out = tmp_path / "calibrated"
    arguments = ["calibrate", str(tmp_path / "cases"), "--bundle", str(tiny_bundle), "--source", "phantoms", "--version", "2"]
    assert main([*arguments, "-o", str(out), "--device", "cpu"]) == 0
    calibration = json.loads((out / "calibration.json").read_text())
    assert calibration["source"] == "phantoms" and calibration["passes"] == 3
    assert calibration["structures"] == {} and "patients" in calibration["missing"]["FEMUR"]
    assert (tmp_path / "calibrated_observations.csv").exists()
    assert main(["bundle", "verify", str(out)]) == 0
    assert main([*arguments, "-o", str(out)]) == 2 and "exists already" in capsys.readouterr().err
