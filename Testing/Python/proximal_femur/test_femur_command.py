"""``mskseg femur measure`` from files to tables, label maps and pictures, and what it refuses."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from femur_cases import SCANNER, write_phantom

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.proximal_femur.femur_folder import AXES_TABLE, COMPARTMENTS_MAP, FACTS, MEASURES_TABLE, REGIONS_MAP

pytest_plugins = ("femur_fixtures",)


@pytest.fixture(scope="module")
def files(hips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("femur")
    scan, labels = hips
    for name, array in (("ct.nrrd", scan.volume.hu), ("labels.nrrd", labels)):
        sitk.WriteImage(scan.volume.geometry.image_of(array), str(folder / name))
    write_phantom(folder / "phantom.json")
    return folder


def _measure(files, output, *words):
    return main(
        ["femur", "measure", str(files / "labels.nrrd"), "--ct", str(files / "ct.nrrd"), "-o", str(output), *map(str, words)]
    )


@pytest.fixture(scope="module")
def output(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "femur"
    assert _measure(files, folder, "--phantom", files / "phantom.json") == 0
    return folder


def test_everything_is_written(output, hips):
    assert {path.name for path in output.iterdir()} == {
        MEASURES_TABLE, AXES_TABLE, FACTS, REGIONS_MAP, COMPARTMENTS_MAP, "calibration.png", "femur_right.png", "femur_left.png",
        "planes_right.png", "planes_left.png",
    }  # fmt: skip
    rows = list(csv.DictReader((output / MEASURES_TABLE).open(encoding="utf-8")))
    assert len(rows) == 2 * 5 * 3 and {row["complete"] for row in rows} == {"yes"}
    total = next(row for row in rows if (row["side"], row["region"], row["compartment"]) == ("left", "total", "integral"))
    assert float(total["bmd_mg_cm3"]) * float(total["volume_cc"]) / 1000 == pytest.approx(float(total["bmc_g"]), rel=1e-3)
    facts = json.loads((output / FACTS).read_text(encoding="utf-8"))
    assert facts["calibration"]["slope_mg_cm3_per_hu"] == pytest.approx(SCANNER.slope, rel=0.01)
    assert len(facts["calibration"]["rods"]) == 5 and "no T-score" in facts["notice"]
    regions = sitk.ReadImage(str(output / REGIONS_MAP))
    values = sitk.GetArrayFromImage(regions)
    scan, labels = hips
    assert regions.GetSpacing() == pytest.approx(SCANNER.spacing) and set(np.unique(values)) == {0, 1, 2, 3, 4, 11, 12, 13, 14}
    assert set(np.unique(labels[values > 10])) == {102} and set(np.unique(labels[(values > 0) & (values < 10)])) == {2}
    assert float(total["volume_cc"]) == pytest.approx((values > 10).sum() * np.prod(SCANNER.spacing) / 1000, abs=0.001)


def test_the_table_is_printed_with_what_it_is_not(files, tmp_path, capsys):
    assert (
        _measure(files, tmp_path / "out", "--slope", SCANNER.slope, "--intercept", SCANNER.intercept, "--cortical-from", 400) == 0
    )
    printed = capsys.readouterr().out
    assert "trochanteric" in printed and "no T-score" in " ".join(printed.split()) and "slope and intercept as given" in printed
    assert not (tmp_path / "out" / "calibration.png").exists()
    assert json.loads((tmp_path / "out" / FACTS).read_text(encoding="utf-8"))["cortical_from_mg_cm3"] == 400


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Densities need a calibration"),
        (("--slope", 0.8), "Densities need a calibration"),
        (("--slope", 0.8, "--intercept", 0, "--phantom", "p.json"), "Densities need a calibration"),
        (("--slope", 0.8, "--intercept", 0, "--rods", "r.nrrd"), "Densities need a calibration"),
        (("--slope", 80, "--intercept", 0), "which no scanner gives"),
        (("--slope", 0.8, "--intercept", 0, "--erosion", 50), "leaves no trabecular bone"),
        (("--slope", 0.8, "--intercept", 0, "--task", "none"), "There is no task 'none'"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(files, tmp_path, capsys, words, sentence):
    assert _measure(files, tmp_path / "out", *words) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_folder_with_files_is_left_alone(files, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert _measure(files, tmp_path, "--slope", 0.8, "--intercept", 0) == 2
    assert "holds files" in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
