"""``mskseg train`` from recipe to bundle: presets, bad recipes, cancelling, finishing."""

import json
import os
import signal
import subprocess

import pytest
from conftest import ROOT
from training_cases import PREPROCESSING, SPEC, small_recipe, write_case

from MSKSegmentLib.bundle import load_bundle, verify_bundle
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.training import loop
from MSKSegmentLib.training.recipes import find_recipe, presets, read_recipe


@pytest.fixture
def recipe_file(tmp_path):
    for number in range(3):
        write_case(tmp_path / "pairs", f"case{number}", seed=number)
    entries = {
        **small_recipe(iterations=8, checkpoint_every=4).to_json(),
        "name": "tiny",
        "version": "3",
        "license": "CC-BY-4.0",
        "sources": [{"pairs": "pairs"}],
        "validation": {"every": 4, "slices": 4},
    }
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(entries))
    return path


def test_presets_are_complete_and_valid():
    assert presets() == ["bundled", "bundled-2", "bundled-3", "lower-limb-mr", "paper", "paper-5", "proximal-femur-vnet", "sparse"]
    for name in presets():
        recipe = read_recipe(find_recipe(name))
        assert recipe.name.endswith(name) and (recipe.virtual or recipe.task != "hip-thigh-ct")
    assert read_recipe(find_recipe("sparse")).network.in_channels == 1, "single slices"
    paper = read_recipe(find_recipe("paper"))
    assert (paper.iterations, paper.batch, paper.crop, paper.learning_rate) == (200_000, 3, (512, 512), 1e-4)
    assert (paper.network.levels, paper.network.base_filters, paper.network.dropout) == (6, 32, 0.5)
    assert paper.dice_weight == 0 and paper.average == 0 and paper.schedule == "constant"
    assert paper.preprocessing.hu_window == (-150, 350) and paper.augmentation.uniform
    latest = read_recipe(find_recipe("bundled-3"))
    assert latest.augmentation.contrast == 0.25 and all(source.ingredients.objects for source in latest.virtual)
    femur = read_recipe(find_recipe("proximal-femur-vnet"))
    assert femur.network.family == "vnet" and femur.network.classes == femur.table.classes and femur.crop == femur.network.patch
    assert (femur.dice_weight, femur.cross_entropy_weight) == (1, 0) and femur.l2 > 0


def test_a_recipe_file_comes_back_as_it_was_written(recipe_file, tmp_path):
    recipe = read_recipe(recipe_file)
    assert recipe.network == SPEC and recipe.preprocessing == PREPROCESSING
    assert recipe.pairs[0].folder == tmp_path / "pairs", "relative to the recipe"
    copy = tmp_path / "elsewhere" / "recipe.json"
    copy.parent.mkdir()
    copy.write_text(json.dumps(recipe.to_json()))
    assert read_recipe(copy) == recipe


def test_a_recipe_takes_from_its_task_and_its_patch(recipe_file):
    entries = {key: value for key, value in json.loads(recipe_file.read_text()).items() if key != "crop"}
    network = {"levels": 3, "family": "vnet", "dimensions": 3, "patch": [16, 32, 32]}
    recipe_file.write_text(json.dumps({**entries, "task": "proximal-femur-qct", "network": network, "preprocessing": {}}))
    recipe, task = read_recipe(recipe_file), load_task("proximal-femur-qct")
    assert recipe.network.classes == task.table.classes and recipe.network.base_filters == task.network["base_filters"]
    assert recipe.crop == (16, 32, 32) and recipe.preprocessing.hu_window == tuple(task.preprocessing["hu_window"])
    recipe_file.write_text(json.dumps({**entries, "task": "juggling"}))
    with pytest.raises(InputError, match="no task 'juggling'"):
        read_recipe(recipe_file)


def test_the_short_form_of_one_simulated_source_is_read(tmp_path):
    entries = {key: value for key, value in small_recipe().to_json().items() if key != "sources"}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({**entries, "patients": {"number": 2, "first_seed": 9}}))
    source = read_recipe(path).virtual[0]
    assert (source.number, source.first_seed, source.weight) == (2, 9, 1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wings": 2}, "unknown entry wings"),
        ({"network": {"levels": 3, "wings": 2}}, "unknown entry wings"),
        ({"network": {"levels": 1}}, "cannot be built"),
        ({"network": {"levels": 3, "classes": 5}}, "classes must be 23"),
        ({"network": {"levels": 2, "family": "vnet", "dimensions": 3, "patch": [8, 8, 9]}}, "multiples of 2"),
        ({"network": {"levels": 2, "family": "vnet", "dimensions": 3, "patch": [8, 8, 8]}}, "crop must be the network's patch"),
        ({"task": "lower-limb-mr", "network": {"levels": 3, "classes": 23}}, "classes must be 24"),
        ({"dice_weight": 0, "cross_entropy_weight": 0}, "must not both be 0"),
        ({"preprocessing": {"intensity": "loudness"}}, "intensity must be one of"),
        ({"iterations": "many"}, "iterations is 'many'"),
        ({"iterations": 0}, "1 or more"),
        ({"batch": 2.5}, "batch is 2.5"),
        ({"compiled": 1}, "compiled is 1"),
        ({"preprocessing": {"hu_window": [350, -150]}}, "two rising numbers"),
        ({"crop": [50, 64]}, "multiples of 4"),
        ({"crop": 64}, "multiples of 4"),
        ({"precision": "fp8"}, "fp32, bf16"),
        ({"schedule": "weekly"}, "one-cycle, constant"),
        ({"device": "abacus"}, "auto, cpu, cuda"),
        ({"learning_rate": float("nan")}, "not a finite number"),
        ({"sources": []}, "no source"),
        ({"sources": [{"films": "x"}]}, "'virtual' or 'pairs'"),
        ({"sources": [{"pairs": "pairs", "weight": 0}]}, "weight must lie above 0"),
        ({"validation": {"every": 5, "slices": 0}}, "validation needs slices"),
    ],
)
def test_bad_recipes_are_refused_in_one_sentence(recipe_file, changes, words):
    entries = json.loads(recipe_file.read_text())
    recipe_file.write_text(json.dumps({**entries, **changes}))
    with pytest.raises(InputError, match=words) as caught:
        read_recipe(recipe_file)
    assert str(caught.value).startswith("The recipe 'recipe.json' cannot be used (")


@pytest.mark.parametrize("text", ["{", "[1]", "{}", "3"])
def test_files_that_are_no_recipe_are_refused(tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be used"):
        read_recipe(path)


def test_train_command_ends_with_a_bundle_that_segments(recipe_file, tmp_path, phantom, capsys):
    out = tmp_path / "run"
    assert main(["train", str(recipe_file), "-o", str(out), "--progress", "json", "--fold", "1/3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["done"] for line in lines] == [4, 8] and lines[-1]["total"] == 8 and lines[-1]["dice"] >= 0
    split = json.loads((out / "split.json").read_text())
    assert len(split["held_out_cases"]) == 1 and not set(split["held_out_cases"]) & set(split["train_cases"])
    bundle = load_bundle(out / "bundle")
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.license) == ("tiny", "3", "CC-BY-4.0")
    assert verify_bundle(out / "bundle") == [] and bundle.calibration is None
    assert "Not calibrated" in bundle.card and "2 real CT" in bundle.card and "8 iterations" in bundle.card
    result = segment_case(phantom, bundle, Settings(device="cpu", passes=2, seed=1))
    assert result.labels.shape == phantom.hu.shape and all(report.predicted_dice is None for report in result.reports)
    assert main(["train", str(recipe_file), "-o", str(out), "--fold", "2/3"]) == 2
    assert "is trained on other patients" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_learned_and_the_command_goes_on(recipe_file, tmp_path, monkeypatch, capsys):
    out, original, calls = tmp_path / "run", loop.segmentation_loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(loop, "segmentation_loss", interrupted)
    command = ["train", str(recipe_file), "-o", str(out)]
    assert main(command) == 3
    assert "go on from where it stopped" in capsys.readouterr().err and not (out / "bundle").exists()
    assert main([*command, "--finish"]) == 0
    first = load_bundle(out / "bundle").digest
    assert main(command) == 0 and len(calls) == 8
    assert load_bundle(out / "bundle").digest != first, "the bundle is that of the whole training"
    assert sorted(path.name for path in out.iterdir()) == [
        "bundle",
        "cases",
        "checkpoint.pt",
        "curves.png",
        "losses.csv",
        "recipe.json",
        "split.json",
        "validation.csv",
    ]


def test_a_site_trains_a_preset_on_its_own_cases(recipe_file, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["train", str(recipe_file), "--pairs", str(tmp_path / "pairs"), "-o", str(out)]
    assert main([*command, "--leave-out", "case1", "--minutes", "0.0001"]) == 2
    assert "took all of the 0.0001 minutes" in capsys.readouterr().err
    assert main([*command, "--leave-out", "case1", "--device", "cpu"]) == 0
    assert json.loads((out / "split.json").read_text())["held_out_cases"] == ["case1"]
    assert "Held out: case1." in capsys.readouterr().out


def test_the_gpu_script_trains_the_bundled_preset_within_25_minutes(tmp_path):
    """With a stand-in for Python that finds every package, counts 5 cores and repeats its arguments."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase $1 in -c) echo 5 ;; -) cat > /dev/null ;; *) echo "$@" ;; esac\n')
    python.chmod(0o755)

    def run(*arguments):
        command = ["sh", str(ROOT / "Tools" / "train_on_gpu.sh"), *arguments]
        return subprocess.run(command, env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True)

    started = "-m MSKSegmentLib train bundled -o out --device cuda --workers 5"
    assert run("out", "--patients", "ready").stdout.strip() == f"{started} --minutes 25 --patients ready"
    assert run("out", "--minutes", "9").stdout.strip() == f"{started} --minutes 9"
    assert run().returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "-o", "x"], "presets: bundled, bundled-2, bundled-3, lower-limb-mr, paper"),
        (["bundled", "-o", "x"], "No atlas folder is known"),
        (["bundled", "-o", "x", "--finish"], "no training that could be finished"),
        (["bundled", "-o", "x", "--fold", "1"], "such as 1/5"),
        (["bundled", "-o", "x", "--fold", "1/2", "--leave-out", "a"], "not both"),
        (["bundled", "-o", "x", "--minutes", "0"], "no time to train"),
        (["bundled", "-o", "x", "--workers", "-1"], "0 to 64"),
        (["bundled", "-o", "x", "--pairs", "nowhere"], "no folder 'nowhere'"),
    ],
)
def test_bad_commands_are_refused(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSKSEG_ATLAS", raising=False)
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
