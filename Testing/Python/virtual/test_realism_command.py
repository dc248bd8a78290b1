"""The command that compares real scans with virtual patients: its files, and what it refuses."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from realism_scans import SPACING, body_volume, write

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual.realism.compare import Patients, compare, comparison_grid, made_patients
from MSKSegmentLib.virtual.realism.measures import measure_realism
from MSKSegmentLib.virtual.realism.quantities import QUANTITIES
from MSKSegmentLib.virtual.realism.scan import prepare, read_scan


@pytest.fixture(scope="module")
def patients_folder(tmp_path_factory):
    """Three stored patients of different sizes and noise, with muscle of 40 to 55 HU."""
    folder = tmp_path_factory.mktemp("patients")
    for number, (size, noise, muscle) in enumerate(((0.96, 9, 40), (1.0, 12, 46), (1.04, 16, 55))):
        write(body_volume(size=size, noise_hu=noise, muscle_hu=muscle, seed=number), folder / f"p{number}" / "ct.nii.gz")
    return folder


def test_the_command_writes_tables_and_pictures(tmp_path, patients_folder, capsys):
    real = write(body_volume(first_mm=150, length_mm=180, noise_hu=40, muscle_hu=15, seed=20), tmp_path / "real one.nii.gz")
    output = tmp_path / "out"
    assert main(["realism", str(real), "-o", str(output), "--virtual", str(patients_folder)]) == 0
    names = {path.name for path in output.iterdir()}
    assert names == {
        "realism.csv",
        "realism.md",
        *(f"real_one_{kind}.png" for kind in ("histograms", "texture", "slices")),
    }
    assert all(path.stat().st_size > 10_000 for path in output.glob("*.png"))
    with (output / "realism.csv").open(encoding="utf-8") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    assert list(rows) == [quantity.name for quantity in QUANTITIES]
    assert rows["muscle_peak_hu"]["real_lies"] == "below" and rows["fat_local_sd_hu"]["real_lies"] == "above"
    assert rows["fat_peak_hu"]["patients"] == "3"
    assert float(rows["muscle_peak_hu"]["virtual_p5"]) < float(rows["muscle_peak_hu"]["virtual_p95"]) < 60
    text = (output / "realism.md").read_text(encoding="utf-8")
    assert "**below**" in text and "real_one_slices.png" in text and "3 virtual patients" in text
    assert "muscle_peak_hu (below)" in capsys.readouterr().out
    # A second run does not overwrite it.
    assert main(["realism", str(real), "-o", str(output), "--virtual", str(patients_folder)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*partial"))


def test_a_few_slices_and_two_scans_of_one_name_will_do(tmp_path, patients_folder):
    volume = body_volume(first_mm=240, length_mm=30, seed=21)
    paths = [str(write(volume, tmp_path / place / "ct.nrrd")) for place in "ab"]
    assert read_scan(tmp_path / "a" / "ct.nrrd").hu.shape[0] == 5
    assert main(["realism", *paths, "-o", str(tmp_path / "out"), "--virtual", str(patients_folder)]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*_slices.png")} == {"ct_1_slices.png", "ct_2_slices.png"}


def test_a_scan_of_the_same_kind_lies_inside(patients_folder):
    from MSKSegmentLib.virtual.realism.compare import stored_patients

    patients = stored_patients(patients_folder)
    volume = body_volume(first_mm=150, length_mm=180, noise_hu=12.5, muscle_hu=47, seed=30)
    assert comparison_grid(volume, patients) == pytest.approx(SPACING)
    lines = []
    found = compare("same", volume, patients, SPACING, lambda: None, lines.append)
    verdicts = {row.quantity.name: row.verdict for row in found.rows}
    for name in ("muscle_peak_hu", "muscle_local_sd_hu", "fat_local_sd_hu", "air_sd_hu"):
        assert verdicts[name] == "inside", name
    assert len(lines) == 3 and found.levels_mm[0] == pytest.approx(0, abs=20) and found.levels_mm[1] > 140


def test_patients_are_made_on_the_scans_grid(tmp_path, monkeypatch):
    from MSKSegmentLib.virtual.patient import VirtualPatient
    from MSKSegmentLib.virtual.realism import compare as module

    asked = []

    def maker(atlases, seed, spacing_mm, metal=None):
        asked.append((seed, spacing_mm, metal))
        volume = body_volume(spacing=spacing_mm, seed=seed)
        return VirtualPatient(volume, np.zeros(volume.hu.shape, np.uint8), {})

    monkeypatch.setattr(module, "make_patient", maker)
    atlas = tmp_path / "a_labels.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 3, 3), np.uint8)), str(atlas))
    patients = made_patients(tmp_path, 3, 5)
    volume = body_volume(first_mm=150, length_mm=120)
    found = compare("real", volume, patients, comparison_grid(volume, patients), lambda: None, lambda line: None)
    assert [seed for seed, *_ in asked] == [5, 6, 7] and len(found.virtual) == 3
    assert all(spacing == pytest.approx(SPACING) and metal is False for _, spacing, metal in asked)


def test_cancelling_leaves_nothing(tmp_path, patients_folder):
    from MSKSegmentLib.virtual.realism.compare import stored_patients
    from MSKSegmentLib.virtual.realism.report import compare_scans

    real = write(body_volume(first_mm=150, length_mm=100), tmp_path / "scan" / "real.nrrd")

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_scans([real], tmp_path / "out", stored_patients(patients_folder), None, stop)
    assert {path.name for path in tmp_path.iterdir()} == {"scan"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--virtual", "{empty}"], "fewer than 3 virtual patients"),
        (["-n", "2", "--atlas", "{empty}"], "at least 3 virtual patients"),
        (["--virtual", "{patients}", "--spacing", "0", "3", "3"], "0.4 to 10 mm"),
        (["--virtual", "{patients}", "--spacing", "1", "1", "1"], "larger voxels"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path, patients_folder, capsys, arguments, sentence):
    real = write(body_volume(spacing=(2.0, 2.0, 2.0), first_mm=200, length_mm=40), tmp_path / "real.nrrd")
    (tmp_path / "empty").mkdir()
    places = {"empty": tmp_path / "empty", "patients": patients_folder}
    arguments = [argument.format(**places) for argument in arguments]
    assert main(["realism", str(real), "-o", str(tmp_path / "out"), *arguments]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_scan_without_a_body_is_refused():
    air = CTVolume(np.full((10, 60, 60), -1000, np.int16), Geometry((60, 60, 10), (3.0, 3.0, 3.0)))
    with pytest.raises(InputError, match="No body was found in air"):
        compare("air", air, Patients(lambda spacing: iter(())), SPACING, lambda: None)


def test_the_two_real_scans_can_be_measured(shared):
    pelvis = measure_realism(
        prepare("pelvis", read_scan(shared / "ct" / "pelvis_3mm.nii.gz"), (3.0, 3.0, 3.0)).levels(10, 50)
    ).values
    slices = measure_realism(prepare("slices", read_scan(shared / "ct" / "vhf_5_slices.nrrd"), (1.0, 1.0, 1.0))).values
    for values in (pelvis, slices):
        assert -115 < values["fat_peak_hu"] < -95 and 10 < values["muscle_peak_hu"] < 45
        assert 60 < values["skin_excess_hu_mm"] < 130 and values["fat_stripes"] > 0.5
    assert slices["skin_edge_mm"] < 2.5 < pelvis["skin_edge_mm"]
    assert slices["fat_local_sd_hu"] > 1.5 * pelvis["fat_local_sd_hu"]
