"""Calibrating from cases or from an evaluation of the same bundle, and what the lights are worth when a patient is left out."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

from MSKSegmentLib.cli import main
from MSKSegmentLib.quality.calibration import Observation
from MSKSegmentLib.training.evaluation import lights_left_out


@pytest.fixture
def cases(tmp_path):
    for number in range(2):
        case = tmp_path / "cases" / f"case{number}"
        case.mkdir(parents=True)
        hu = phantom_hu(seed=number)
        for name, array in (("ct", hu), ("labels", labels_of(hu))):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing(SPACING)
            sitk.WriteImage(image, str(case / f"{name}.nii.gz"))
    return tmp_path / "cases"


def test_calibrate_command_writes_a_new_bundle(cases, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "calibrated"
    arguments = ["calibrate", str(cases), "--bundle", str(tiny_bundle), "--source", "phantoms", "--version", "2"]
    assert main([*arguments, "-o", str(out), "--device", "cpu"]) == 0
    calibration = json.loads((out / "calibration.json").read_text())
    assert calibration["source"] == "phantoms" and calibration["passes"] == 3
    assert calibration["structures"] == {} and "patients" in calibration["missing"]["FEMUR"]
    assert (tmp_path / "calibrated_observations.csv").exists()
    assert main(["bundle", "verify", str(out)]) == 0
    assert main([*arguments, "-o", str(out)]) == 2 and "exists already" in capsys.readouterr().err


def test_an_evaluation_of_the_bundle_saves_segmenting_again(cases, tiny_bundle, tmp_path, capsys, monkeypatch):
    shown = tmp_path / "evaluation"
    assert main(["evaluate", str(cases), "--bundle", str(tiny_bundle), "-o", str(shown), "--device", "cpu"]) == 0
    monkeypatch.setattr("MSKSegmentLib.training.evaluation.segment_case", None)
    out = tmp_path / "calibrated"
    arguments = ["calibrate", str(shown), "--bundle", str(tiny_bundle), "--source", "phantoms", "--version", "2", "-o", str(out)]
    assert main(arguments) == 0
    with (tmp_path / "calibrated_observations.csv").open(newline="") as file:
        kept = [(row["case"], row["abbreviation"], row["side"], float(row["dice"])) for row in csv.DictReader(file)]
    with (shown / "evaluation.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] == "compared"]
    wanted = [(row["case"], row["abbreviation"], row["side"], pytest.approx(float(row["dice"]), abs=1e-4)) for row in rows]
    assert kept == wanted and len(kept) > 0
    assert json.loads((out / "calibration.json").read_text())["source"] == "phantoms"
    # The calibrated bundle is another one: its evaluation has to be its own.
    again = [*arguments[:3], str(out), *arguments[4:-1], str(tmp_path / "third")]
    assert main(again) == 2 and "is not one of the bundle" in capsys.readouterr().err
    assert not (tmp_path / "third").exists()


def _observations(patients, worse):
    """A structure whose Dice falls with uncertainty; in the patients of `worse` it is bad and says so."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(patients):
        for side in ("right", "left"):
            bad = number in worse
            uncertainty = (6e-3 if bad else 1e-3) * rng.uniform(0.9, 1.1)
            found.append(Observation(f"p{number}", "GMED", side, uncertainty, 0.99 - 60 * uncertainty + rng.normal(0, 0.004)))
    return found


def test_lights_of_patients_left_out_are_counted():
    lines = lights_left_out(_observations(16, {3, 9}), 10)
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines[2:]}
    assert len(lines) == 5 and rows["good"][0] == "28" and rows["good"][2] == "0 (0.0%)"
    assert rows["failed"][0] == "4" and rows["failed"][2] == "4 (100.0%)" and rows["failed"][4] == "0"
    assert lights_left_out(_observations(10, set()), 10) == []
