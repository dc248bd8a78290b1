"""The training loop on small cases: the loss falls, nothing is lost when it stops, it is judged; and a bundle is calibrated."""

import csv
import json
import math
import shutil
import signal
from dataclasses import replace

import pytest
import SimpleITK as sitk
import torch
from training_cases import PREPROCESSING, SPEC, small_recipe, write_case

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.bundle.manifest import NetworkSpec
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.network.families import FAMILIES
from MSKSegmentLib.training import loop
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, USUAL_AUGMENTATION
from MSKSegmentLib.training.checkpoints import TrainingState, averaged_state, initial_weights
from MSKSegmentLib.training.data import Cases, DataPlan
from MSKSegmentLib.training.finishing import write_bundle
from MSKSegmentLib.training.folds import Split
from MSKSegmentLib.training.loop import train
from MSKSegmentLib.training.pairs import prepare_case
from MSKSegmentLib.training.recipes import PRECISIONS, Validation
from MSKSegmentLib.training.sources import Batch
from MSKSegmentLib.training.validation import validate


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    for number in range(3):
        write_case(folder, f"case{number}", seed=number)
    return tuple(prepare_case(files, folder / "cache", SPEC, PREPROCESSING) for files in find_labelled_cases(folder))


def plan_of(files, augmentation=USUAL_AUGMENTATION):
    return DataPlan((), (Cases(tuple(files)),), PREPROCESSING, 3, (48, 64), augmentation)


@pytest.fixture
def data(prepared):
    return plan_of(prepared[:2])


@pytest.fixture
def held_out(prepared):
    return plan_of(prepared[2:], NO_AUGMENTATION)


def rows(folder, name="losses.csv"):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def saved(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def silent(status):
    """Shows nothing."""


@pytest.mark.slow
def test_loss_falls_and_the_network_learns(data, held_out, tmp_path):
    lines = []
    network = NetworkSpec(levels=2, base_filters=8, in_channels=3, dropout=0.0)
    recipe = small_recipe(iterations=120, learning_rate=0.01, validation=Validation(60, 12))
    recipe = replace(recipe, network=network)
    train(recipe, data, tmp_path, lines.append, validation=held_out)
    found = rows(tmp_path)
    assert [row["iteration"] for row in found] == ["20", "40", "60", "80", "100", "120"]
    assert float(found[-1]["loss"]) < 0.5 * float(found[0]["loss"])
    assert [bool(row["validation_mean_dice"]) for row in found] == [False, False, True, False, False, True]
    assert float(found[-1]["validation_mean_dice"]) > 0.5
    assert float(found[-1]["learning_rate"]) < 0.001 < float(found[0]["learning_rate"]) <= 0.01
    assert set(found[0]) == {"iteration", "loss", "learning_rate", "slices_per_second", "validation_mean_dice"}
    scores = rows(tmp_path, "validation.csv")
    assert len(scores) == 2 and float(scores[-1]["FEMUR"]) > 0.5 and float(scores[-1]["AD"]) > 0.5 and scores[-1]["GMAX"] == ""
    assert str(lines[-1]).startswith("120/120 loss") and "validation Dice" in str(lines[-1])
    assert json.loads(json.dumps(lines[0].to_json()))["done"] == 20
    state = averaged_state(tmp_path / "checkpoint.pt")
    assert "head.weight" in state and all(torch.isfinite(value).all() for value in state.values())


def test_in_bfloat16_the_loss_falls_as_in_float32(data, held_out, tmp_path):
    """Few iterations: most processors only emulate it."""
    found = {}
    for precision in PRECISIONS:
        recipe = small_recipe(
            iterations=8, checkpoint_every=4, learning_rate=0.01, validation=Validation(8, 2), precision=precision
        )
        train(recipe, data, tmp_path / precision, silent, validation=held_out)
        found[precision] = [float(row["loss"]) for row in rows(tmp_path / precision)]
        assert len(rows(tmp_path / precision, "validation.csv")) == 1
        weights = averaged_state(tmp_path / precision / "checkpoint.pt").values()
        assert all(torch.isfinite(value).all() and value.dtype != torch.bfloat16 for value in weights)
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.02) and found["bf16"] != found["fp32"]
    assert found["bf16"][1] < found["bf16"][0]


def test_curves_are_drawn(data, tmp_path):
    train(small_recipe(), data, tmp_path, silent)
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "curves.png")))
    blue = (picture[..., 2].astype(int) - picture[..., 0]) > 100
    orange = (picture[..., 0].astype(int) - picture[..., 2]) > 100
    assert blue.sum() > 200 and orange.sum() > 200


def test_a_cancelled_run_loses_nothing_and_goes_on(data, tmp_path):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 31:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train(small_recipe(), data, tmp_path, silent, stop)
    assert saved(tmp_path)["iteration"] == 31
    lines = []
    train(small_recipe(), data, tmp_path, lines.append)
    assert len(lines) == 1 and str(lines[0]).startswith("40/40") and saved(tmp_path)["progress"] == 1.0
    assert [row["iteration"] for row in rows(tmp_path)] == ["20", "40"]
    train(small_recipe(), data, tmp_path, lines.append)
    assert len(lines) == 1, "a training that is over stays as it is"


@pytest.mark.parametrize(
    ("moment", "number"),
    [("segmentation_loss", signal.SIGINT), ("append_point", signal.SIGTERM), ("validate", signal.SIGINT)],
)
def test_a_signal_at_any_moment_leaves_a_whole_iteration(data, held_out, tmp_path, monkeypatch, moment, number):
    recipe = small_recipe(iterations=7, checkpoint_every=3, validation=Validation(6, 4))
    calls, original, before = [], getattr(loop, moment), signal.getsignal(number)

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            signal.raise_signal(number)
        return original(*arguments, **options)

    monkeypatch.setattr(loop, moment, interrupted)
    with pytest.raises(Cancelled, match="start it again"):
        train(recipe, data, tmp_path / "stopped", silent, validation=held_out)
    assert signal.getsignal(number) is before
    at = saved(tmp_path / "stopped")["iteration"]
    assert at == {"segmentation_loss": 1, "append_point": 3, "validate": 6}[moment]
    monkeypatch.setattr(loop, moment, original)
    # The same iterations without a signal give the same weights, the optimiser's memory included.
    partial = small_recipe(iterations=7, checkpoint_every=at, validation=recipe.validation)
    states = []

    def keep(status):
        states.append(saved(tmp_path / "again"))

    train(partial, data, tmp_path / "again", keep, validation=held_out)
    one, other = saved(tmp_path / "stopped"), next(state for state in states if state["iteration"] == at)
    assert all(torch.equal(value, other["network"][key]) for key, value in one["network"].items())
    assert all(torch.equal(value, other["averaged"][key]) for key, value in one["averaged"].items())
    assert torch.equal(one["optimizer"]["state"][0]["exp_avg"], other["optimizer"]["state"][0]["exp_avg"])


def test_rows_that_outlived_their_weights_are_dropped(data, tmp_path):
    def stop_at_20(status):
        shutil.copy(tmp_path / "checkpoint.pt", tmp_path / "earlier.pt") if status.point.iteration == 20 else None

    train(small_recipe(), data, tmp_path, stop_at_20)
    (tmp_path / "earlier.pt").rename(tmp_path / "checkpoint.pt")
    train(small_recipe(), data, tmp_path, silent)
    assert [row["iteration"] for row in rows(tmp_path)] == ["20", "40"]


def test_a_folder_of_another_network_and_a_damaged_checkpoint_are_refused(data, tmp_path):
    train(small_recipe(iterations=1), data, tmp_path, silent)
    wider = NetworkSpec(levels=3, base_filters=8, in_channels=3)
    recipe = replace(small_recipe(), network=wider)
    with pytest.raises(InputError, match="another network"):
        train(recipe, data, tmp_path, silent)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        train(small_recipe(), data, tmp_path, silent)


def test_a_time_limit_ends_a_training_whatever_its_iterations(data, tmp_path):
    lines = []
    train(small_recipe(iterations=10**6), data, tmp_path, lines.append, minutes=0.01)
    assert saved(tmp_path)["progress"] == 1.0 and 1 <= saved(tmp_path)["iteration"] < 10**6
    assert str(lines[-1]).startswith(f"{saved(tmp_path)['iteration']} (100 %)") and len(rows(tmp_path)) == len(lines)


def test_a_loss_that_is_no_number_ends_the_training(data, tmp_path):
    train(small_recipe(iterations=2, schedule="constant"), data, tmp_path, silent)
    state = saved(tmp_path)
    torch.save({**state, "progress": 0.1}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="lower the recipe's learning_rate"):
        train(small_recipe(learning_rate=1e30, schedule="constant"), data, tmp_path, silent)
    assert all(torch.isfinite(value).all() for value in saved(tmp_path)["network"].values())


def test_a_training_starts_from_a_bundle_or_a_checkpoint(tiny_bundle, data, tmp_path):
    spec = load_bundle(tiny_bundle).manifest.network
    weights = initial_weights(str(tiny_bundle), spec)
    recipe = replace(small_recipe(iterations=1, batch=2, learning_rate=1e-12, schedule="constant"), network=spec)
    train(replace(recipe, initial=str(tiny_bundle)), data, tmp_path / "bundle", silent)
    learned = saved(tmp_path / "bundle")["network"]
    torch.testing.assert_close(learned["head.weight"], weights["head.weight"])
    again = initial_weights(str(tmp_path / "bundle" / "checkpoint.pt"), spec)
    torch.testing.assert_close(again["head.weight"], weights["head.weight"])
    state = TrainingState(recipe, "cpu")
    state.begin_with(weights)
    assert torch.equal(state.averaged.module.head.weight, weights["head.weight"])
    for source in (str(tiny_bundle), str(tmp_path / "bundle" / "checkpoint.pt")):
        with pytest.raises(InputError, match="other levels, filters, channels"):
            initial_weights(source, SPEC)
    with pytest.raises(InputError, match="cannot start from 'nowhere'"):
        initial_weights("nowhere", SPEC)


class Oracle(torch.nn.Module):
    """Sees class 2 wherever the image is bright, class 5 elsewhere."""

    def forward(self, images):
        logits = torch.zeros(images.shape[0], 23, *images.shape[2:])
        logits[:, 2] = 10 * images[:, 0]
        logits[:, 5] = 5.0
        return logits


def test_validation_counts_what_was_drawn():
    images = torch.zeros(2, 1, 4, 4)
    images[:, :, :2] = 1
    classes = torch.zeros(2, 4, 4, dtype=torch.int64)
    classes[:, :2] = 2
    known = torch.ones(2, 23, dtype=torch.bool)
    scores = validate(Oracle(), [Batch(images, classes, known, torch.zeros(2))], "cpu", "fp32")
    assert scores.dice == {"FEMUR": 1.0} and scores.mean == 1.0
    classes[1, 1:] = 5
    assert validate(Oracle(), [Batch(images, classes, known, torch.zeros(2))], "cpu", "fp32").dice == {
        # 12 true, 16 found, 12 in both; 12 true, 16 found, 8 in both.
        "FEMUR": pytest.approx(2 * 12 / (12 + 16)),
        "GMED": pytest.approx(2 * 8 / (12 + 16)),
    }
    classes[1, :3] = -1
    known[0, 5] = False
    assert validate(Oracle(), [Batch(images, classes, known, torch.zeros(2))], "cpu", "fp32").dice == {"FEMUR": 1.0, "GMED": 1.0}
    assert math.isnan(validate(Oracle(), [Batch(images, classes * 0, known, torch.zeros(2))], "cpu", "fp32").mean)


def test_a_gradient_that_is_no_number_leaves_the_weights_alone(data, tmp_path, monkeypatch):
    recipe = small_recipe(iterations=1, batch=2, average=0)
    norms = {"as it is": torch.nn.utils.clip_grad_norm_, "none": lambda parameters, most: torch.tensor(torch.nan)}
    moved = {}
    for name, norm in norms.items():
        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", norm)
        torch.manual_seed(recipe.seed)
        before = TrainingState(recipe, "cpu").network.state_dict()
        after = initial_weights(str(train(recipe, data, tmp_path / name, silent)), SPEC)
        moved[name] = [key for key in before if key.endswith("weight") and not torch.equal(before[key], after[key])]
    assert moved["as it is"] and not moved["none"]


@pytest.mark.parametrize("family", ["attention-unet", "spatial-channel-unet", "dynunet"])
def test_other_families_are_trained(data, held_out, tmp_path, family):
    network = NetworkSpec(levels=2, base_filters=4, in_channels=3, family=family)
    recipe = replace(small_recipe(iterations=2, checkpoint_every=1, batch=2, validation=Validation(2, 2)), network=network)
    train(recipe, data, tmp_path, silent, validation=held_out)
    bundle = write_bundle(recipe, Split(), tmp_path)
    assert bundle.manifest.network == network and FAMILIES[family].title in bundle.card
    if family == "spatial-channel-unet":
        # What was seen moved its nodes, and no other.
        moved = bundle.load_network().location.weight.abs().sum(dim=0)
        assert 0 < int((moved > 0).sum()) <= 4
    with pytest.raises(InputError, match="another family"):
        initial_weights(str(tmp_path / "bundle"), SPEC)
