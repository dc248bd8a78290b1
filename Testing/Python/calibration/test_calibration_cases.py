"""Calibrating from cases, or from an evaluation of the same bundle without segmenting again."""

import csv
import json

import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

from MSKSegmentLib.commands.main import main


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
    assert calibration["paper"]["structures"] == {} and "patients" in calibration["paper"]["missing"]["FEMUR"]
    assert calibration["model"] is None and "2 patients, 19 are needed" in calibration["no_model"]
    assert "All lights stay grey" in capsys.readouterr().out
    assert (tmp_path / "calibrated_observations.csv").exists()
    assert main(["bundle", "verify", str(out)]) == 0
    assert main([*arguments, "-o", str(out)]) == 2 and "There already is" in capsys.readouterr().err


def test_a_case_that_is_refused_is_left_out_of_a_calibration(cases, tiny_bundle, tmp_path, capsys):
    labels = sitk.ReadImage(str(cases / "case0" / "labels.nii.gz"))
    labels.SetSpacing((9.0, 9.0, 9.0))
    sitk.WriteImage(labels, str(cases / "case0" / "labels.nii.gz"))
    arguments = ["calibrate", str(cases), "--bundle", str(tiny_bundle), "--source", "phantoms", "--version", "2"]
    assert main([*arguments, "-o", str(tmp_path / "calibrated"), "--device", "cpu"]) == 0
    assert "case0: left out; " in capsys.readouterr().out
    with (tmp_path / "calibrated_observations.csv").open(newline="") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {"case1"}
    (cases / "case1" / "labels.nii.gz").write_bytes((cases / "case0" / "labels.nii.gz").read_bytes())
    assert main([*arguments, "-o", str(tmp_path / "none"), "--device", "cpu"]) == 2
    assert "different grids" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_an_evaluation_of_the_bundle_saves_segmenting_again(cases, tiny_bundle, tmp_path, capsys, monkeypatch):
    shown = tmp_path / "evaluation"
    assert main(["evaluate", str(cases), "--bundle", str(tiny_bundle), "-o", str(shown), "--device", "cpu"]) == 0
    monkeypatch.setattr("MSKSegmentLib.calibration.observing.segment_case", None)
    out = tmp_path / "calibrated"
    arguments = ["calibrate", str(shown), "--bundle", str(tiny_bundle), "--source", "phantoms", "--version", "2", "-o", str(out)]
    assert main(arguments) == 0
    with (tmp_path / "calibrated_observations.csv").open(newline="") as file:
        kept = [(row["case"], row["abbreviation"], row["side"], float(row["dice"])) for row in csv.DictReader(file)]
    with (shown / "evaluation.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] in ("compared", "false")]
    wanted = [(row["case"], row["abbreviation"], row["side"], pytest.approx(float(row["dice"]), abs=1e-4)) for row in rows]
    assert kept == wanted and len(kept) > 0
    assert json.loads((out / "calibration.json").read_text())["source"] == "phantoms"
    # The calibrated bundle has the same network, so that the evaluation tells about it too; one of another bundle does not.
    again = [*arguments[:3], str(out), *arguments[4:-3], "3", "-o", str(tmp_path / "third")]
    assert main(again) == 0 and len(json.loads((tmp_path / "third" / "calibration.json").read_text())["networks"]) == 2
    other = [*arguments[:3], str(tmp_path / "third"), *arguments[4:-3], "4", "-o", str(tmp_path / "fourth")]
    case = next((shown / "cases").iterdir())
    content = json.loads(case.read_text())
    content["key"]["bundle"] = "another"
    case.write_text(json.dumps(content))
    assert main(other) == 2 and "is not one of the bundle" in capsys.readouterr().err
    assert not (tmp_path / "fourth").exists()
