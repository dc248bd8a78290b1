"""``Tools/bundle_patients.py``: the patients of the bundled model's lights, kept apart, and run by body."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

TOOLS = Path(__file__).resolve().parents[3] / "Tools"
sys.path.insert(0, str(TOOLS))

import bundle_patients  # noqa: E402

LEARNING = ("calibration", "tightening")
TESTING = ("test", "other-proportions", "new", "new-objects", bundle_patients.THIRD, f"{bundle_patients.THIRD}-abdomen")


def test_no_patient_is_both_learned_from_and_tested_on():
    seeds = {}
    for patient in bundle_patients.all_patients():
        seeds.setdefault(patient.group, []).append(patient.seed)
    assert {group: len(found) for group, found in seeds.items()} == {
        **{"calibration": 75, "test": 26, "tightening": 20},
        **{"other-proportions": 8, "new": 6, "new-objects": 6, "third": 6, "third-abdomen": 6},
    }
    learned = [seed for group in LEARNING for seed in seeds[group]]
    assert len({*learned}) == len(learned)
    # The third person's seeds are also some of the test's, of other bodies.
    assert {*learned}.isdisjoint(seed for group in TESTING for seed in seeds[group])


def test_lights_are_learned_and_tested_on_patients_with_a_lumbar_spine():
    """Every real scan from above the iliac crest shows one on the sacrum; fat behind the peritoneum not all of them."""
    for group in (*LEARNING, "test", "other-proportions"):
        parts = [one.ingredients for one in bundle_patients.all_patients() if one.group == group]
        assert all(one.abdomen for one in parts)
        with_fat = sum(one.retroperitoneal_fat for one in parts) / len(parts)
        assert with_fat == 1 if all(one.muscle_variation for one in parts) else 0.4 < with_fat < 0.6


def _write(path, array):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path), useCompression=True)


@pytest.fixture
def cases(tmp_path):
    for number, body in enumerate(("one", "other", "one")):
        case = tmp_path / "cases" / "test" / f"patient_{number:06d}"
        case.mkdir(parents=True)
        hu = phantom_hu(seed=number)
        _write(case / "ct.nrrd", hu)
        _write(case / "labels.nii.gz", labels_of(hu))
        (case / "facts.json").write_text(json.dumps({"seed": number, "body": body}), encoding="utf-8")
    return tmp_path / "cases"


def test_the_patients_of_one_body_are_run_side_by_side_and_once(cases, tiny_bundle, tmp_path):
    words = ["run", cases, tmp_path / "runs", "--bundle", tiny_bundle, "--groups", "test", "--body", "one", "--processes", "2"]
    done = subprocess.run([sys.executable, TOOLS / "bundle_patients.py", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = tmp_path / "runs" / "test_one"
    with (found / "evaluation.csv").open(newline="", encoding="utf-8") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {"patient_000000", "patient_000002"}
    assert sorted(path.name for path in (found / "cases").iterdir()) == ["patient_000000.json", "patient_000002.json"]
    # The evaluation of all that writes the tables finds what both others did.
    assert done.stdout.count("there already") == 2


def test_an_evaluation_that_fails_is_no_success(cases, tmp_path):
    words = ["run", cases, tmp_path / "runs", "--bundle", tmp_path / "none", "--groups", "test", "--processes", "1"]
    done = subprocess.run([sys.executable, TOOLS / "bundle_patients.py", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 2
