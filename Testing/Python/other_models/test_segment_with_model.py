"""``mskseg segment --model``: from a CT through another program to a result folder, and what is refused on the way."""

import json
import os
import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk
from given_labels import LABEL, body, by_key, told
from other_programs import (
    NNUNET,
    add_musclemap_weights,
    add_totalsegmentator_weights,
    make_environment,
    make_trained_folder,
    notes,
    plan,
    written_labels,
)

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.engine import EngineRun, SegmentRequest
from MSKSegmentLib.processes import lives
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.settings import OtherModel, Settings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")

# Our structures as other programs number them.
MUSCLEMAP = {"FEMUR_left": 6171, "FEMUR_right": 6172, "PELVIS_left": 6151, "PELVIS_right": 6152, "SACRUM": 6160}
MUSCLEMAP |= {"GMAX_left": 6121, "GMAX_right": 6122}
TOTAL = {
    "FEMUR_left": 75,
    "FEMUR_right": 76,
    "PELVIS_left": 77,
    "PELVIS_right": 78,
    "SACRUM": 25,
    "GMAX_left": 80,
    "GMAX_right": 81,
}


class World:
    """A CT with its true labels, an environment with all programs, and their label maps."""

    def __init__(self, folder):
        self.labels, self.volume = body()
        self.ct = folder / "somebody.nii.gz"
        sitk.WriteImage(self.volume.geometry.image_of(self.volume.hu), str(self.ct))
        self.environment = make_environment(folder / "tools", "mm_segment", "TotalSegmentator", NNUNET)
        add_musclemap_weights(self.environment, "1.3")
        self.weights = add_totalsegmentator_weights(folder / "weights")
        self.musclemap, self.total = (
            written_labels(folder / name, self.labels, self.volume.geometry, {LABEL[key]: value for key, value in values.items()})
            for name, values in (("mm.nii.gz", MUSCLEMAP), ("total.nii.gz", TOTAL))
        )

    def segment(self, output, model, *more):
        words = ["segment", self.ct, "-o", output, "--model", model, "--model-env", self.environment, "--progress", "none", *more]
        return main(["--quiet", *map(str, words)])

    def voxels(self, key):
        return int((self.labels == LABEL[key]).sum())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def weights(world, monkeypatch):
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(world.weights))


def test_musclemap_labels_a_ct(world, tmp_path, monkeypatch):
    plan(monkeypatch, tmp_path, labels=world.musclemap)
    assert world.segment(tmp_path / "OUT", "musclemap", "--height-cm", 170) == 0
    result, history = read_result(tmp_path / "OUT")
    reports = by_key(result)
    assert all(reports[key].measurements.voxels == world.voxels(key) for key in MUSCLEMAP)
    assert reports["RF_left"].measurements is None and not history
    # Nobody has judged it: no light is green, and nothing is predicted.
    assert Light.GREEN not in {report.light for report in result.reports}
    assert all(report.predicted_dice is None for report in result.reports)
    assert len(told(result, "imported")) == 1 and result.facts.height_m == 1.7
    record = result.facts.record["other_model"]
    assert (record["title"], record["model"], record["model_version"]) == ("MuscleMap", "wholebody", "1.3")
    assert record["program"] == "mm_segment" and "MIT" in record["licence"]
    assert record["arguments"] == ["-i", "CT", "-o", "OUTPUT", "-g", "Y", "--model_version", "1.3"]
    text = (tmp_path / "OUT" / "result.json").read_text()
    assert str(tmp_path) not in text and "somebody" not in text and "/tmp/" not in text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("OUT")] == ["OUT"]


def test_totalsegmentator_labels_a_ct_on_a_processor(world, tmp_path, monkeypatch):
    note = plan(monkeypatch, tmp_path, labels=world.total)
    assert world.segment(tmp_path / "OUT", "totalsegmentator", "--device", "cpu", "--keep-ct") == 0
    result, _ = read_result(tmp_path / "OUT")
    assert by_key(result)["SACRUM"].measurements.voxels == world.voxels("SACRUM") and (tmp_path / "OUT" / "ct.nrrd").is_file()
    arguments = notes(note)[0]["arguments"]
    assert arguments[-2:] == ["--device", "cpu"] and result.facts.record["other_model"]["version"] == "2.18.0"


def test_a_trained_folder_is_read_by_the_names_of_its_labels(world, tmp_path, monkeypatch):
    keys = ("GMAX_left", "FEMUR_right", "FEMUR_left")
    values = {LABEL[key]: value for value, key in enumerate(keys, start=1)}
    labels = written_labels(tmp_path / "written.nii.gz", world.labels, world.volume.geometry, values)
    named = {"gluteus_maximus_left": 1, "right femur": 2, "femur_left": 3}
    folder = make_trained_folder(tmp_path / "models" / "private name", named, licence="CC BY 4.0")
    plan(monkeypatch, tmp_path, labels=labels)
    assert world.segment(tmp_path / "OUT", folder, "--device", "cpu") == 0
    result, _ = read_result(tmp_path / "OUT")
    found = {key: report.measurements.voxels for key, report in by_key(result).items() if report.measurements}
    assert found == {key: world.voxels(key) for key in keys}
    record = result.facts.record["other_model"]
    assert record["licence"] == "model: CC BY 4.0" and record["arguments"][4:6] == ["-m", "MODEL"]
    assert "private name" not in json.dumps(record)


def test_labels_of_unknown_names_are_explained_by_a_table(world, tmp_path, monkeypatch):
    labels = written_labels(tmp_path / "written.nii.gz", world.labels, world.volume.geometry, {LABEL["FEMUR_left"]: 1})
    folder = make_trained_folder(tmp_path / "trained", {"Oberschenkelknochen": 1})
    plan(monkeypatch, tmp_path, labels=labels)
    table = tmp_path / "table.csv"
    table.write_text("value,structure,side\n1,FEMUR,left\n")
    assert world.segment(tmp_path / "OUT", folder, "--device", "cpu", "--labels", table) == 0
    result, _ = read_result(tmp_path / "OUT")
    assert by_key(result)["FEMUR_left"].measurements.voxels == world.voxels("FEMUR_left")


def test_a_label_map_on_another_grid_is_said_to_be_resampled(world, tmp_path, monkeypatch):
    plan(monkeypatch, tmp_path, "wrong grid", labels=world.musclemap)
    assert world.segment(tmp_path / "OUT", "musclemap") == 0
    result, _ = read_result(tmp_path / "OUT")
    assert result.labels.shape == world.labels.shape and len(told(result, "labels_resampled")) == 1


def test_a_failure_leaves_a_sentence_and_a_log_and_no_result(world, tmp_path, monkeypatch, capsys):
    plan(monkeypatch, tmp_path, "fail")
    assert world.segment(tmp_path / "OUT", "totalsegmentator") == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("TotalSegmentator failed: it says: RuntimeError: the weights are damaged")
    )
    assert not (tmp_path / "OUT").exists() and (tmp_path / "OUT-TotalSegmentator.log").is_file()
    # A front end gets the end of it, too, before the sentence.
    assert world.segment(tmp_path / "OUT", "totalsegmentator", "--progress", "json") == 1
    said = capsys.readouterr().err.splitlines()
    assert "Loading the model." in said and "OUT-TotalSegmentator-2.log" in said[-1]


def test_a_ct_that_cannot_be_used_is_handed_to_nobody(world, tmp_path, monkeypatch, capsys):
    note = plan(monkeypatch, tmp_path, labels=world.musclemap)
    air = tmp_path / "air.nii.gz"
    sitk.WriteImage(world.volume.geometry.image_of(np.full_like(world.volume.hu, -1000)), str(air))
    words = ["segment", str(air), "-o", str(tmp_path / "OUT"), "--model", "musclemap", "--model-env", str(world.environment)]
    assert main([*words, "--progress", "none"]) == 2 and not notes(note)
    assert capsys.readouterr().err and not (tmp_path / "OUT").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "musclemap", "--samples", "3"), "--samples means nothing for a model of another program"),
        (("--model", "musclemap", "--preview"), "--preview means nothing"),
        (("--model", "musclemap", "--bundle", "x"), "--bundle means nothing"),
        (("--model-env", "x"), "--model-env goes with --model"),
        (("--model-may-download",), "--model-may-download goes with --model"),
        (("--model", "muscelmap"), "There is no model muscelmap; give musclemap, totalsegmentator"),
    ],
)
def test_options_that_mean_nothing_are_refused(world, tmp_path, capsys, words, sentence):
    assert main(["segment", str(world.ct), "-o", str(tmp_path / "OUT"), *words, "--progress", "none"]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "OUT").exists()


def test_a_front_end_sees_progress_and_cancels(world, tmp_path, monkeypatch):
    note = plan(monkeypatch, tmp_path, "hang")
    settings = Settings(model=OtherModel("totalsegmentator", str(world.environment)))
    run = EngineRun.segment(SegmentRequest(world.ct, tmp_path / "OUT", settings))
    events, end = [], time.monotonic() + 120
    try:
        while not notes(note) or sum(event.stage == "other_model" for event in events) < 3:
            events += run.poll()
            assert run.exit_code is None, run.details
            assert time.monotonic() < end, events
            threading.Event().wait(0.05)
    finally:
        code = run.cancel()
    assert code == 3 and "cancelled" in run.message
    assert not any(lives(pid) for pid in notes(note)[0]["pids"])
    assert not (tmp_path / "OUT").exists()
    assert {event.message for event in events if event.stage == "other_model"} == {"Waiting for the other model"}


def test_the_command_lists_models(world, monkeypatch, capsys):
    monkeypatch.setenv("MSKSEG_MODELS", "")
    assert main(["models", "--model-env", str(world.environment), "--json"]) == 0
    found = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert found["musclemap"]["ready"] and found["totalsegmentator"]["version"] == "2.18.0, model total"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "OPTION", "WHAT", "VERSION"] and "--bundle" in lines[1]
    assert any(line.startswith("musclemap: MuscleMap is not installed in the folders of PATH") for line in lines)


def test_a_cohort_takes_the_model_and_estimates_nothing(world, tmp_path, capsys):
    pytest.importorskip("dask")
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "one.nii.gz").symlink_to(world.ct)
    words = ["cohort", str(tmp_path / "scans"), "-o", str(tmp_path / "STUDY"), "--model", "musclemap", "--dry-run"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 found, 0 refused, 0 repeated."


@pytest.mark.slow
def test_a_monai_bundle_runs_with_the_real_library(phantom, phantom_file, tmp_path):
    for package in ("monai", "nibabel", "fire"):
        pytest.importorskip(package)
    from monai_bundles import write_monai_bundle

    folder = write_monai_bundle(tmp_path / "private")
    words = ["segment", str(phantom_file), "-o", str(tmp_path / "OUT"), "--model", str(folder), "--progress", "none"]
    assert main(["--quiet", *words]) == 0
    result, _ = read_result(tmp_path / "OUT")
    reports = by_key(result)
    found = sum(reports[key].measurements.voxels for key in ("FEMUR_left", "FEMUR_right"))
    assert found == (phantom.hu > 300).sum()
    record = result.facts.record["other_model"]
    assert record["model"] == "Two tissues" and record["licence"] == "model: for tests alone"
    assert "private" not in (tmp_path / "OUT" / "result.json").read_text()
