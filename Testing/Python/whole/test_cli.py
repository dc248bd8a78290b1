"""The command line on real files: results, one-sentence refusals, nothing left behind."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from broken_inputs import BROKEN
from conftest import phantom_volume

from MSKSegmentLib.commands.main import main

ROOT = Path(__file__).resolve().parents[3]


def _rows(folder):
    return list(csv.DictReader((folder / "measurements.csv").read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def run(tiny_bundle):
    def segment(ct, output, *more):
        return main(
            ["segment", str(ct), "-o", str(output), "--bundle", str(tiny_bundle), "--progress", "none", "--seed", "3", *more]
        )

    return segment


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """The phantom in a file."""
    path, volume = tmp_path_factory.mktemp("scan") / "scan.nii.gz", phantom_volume()
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(path))
    return path


@pytest.fixture(scope="module")
def result(run, scan, tmp_path_factory):
    """The result of a run on it, to be read only."""
    out = tmp_path_factory.mktemp("results") / "out"
    assert run(scan, out) == 0
    return out


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_broken_input_gives_code_2_one_sentence_and_no_file(case, run, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path = case.make(tmp_path / "in")
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    assert run(path, tmp_path / "out" / "result", *case.cli_args) == 2
    captured = capsys.readouterr()
    sentence = captured.err.strip()
    assert sentence and "\n" not in sentence and sentence.endswith("."), sentence
    assert "Traceback" not in sentence and "Error" not in sentence and str(tmp_path) not in sentence, sentence
    assert captured.out == ""
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def test_there_are_at_least_40_broken_inputs():
    assert len({case.name for case in BROKEN}) >= 40


@pytest.mark.parametrize(
    "arguments",
    [
        ["--samples", "0"],
        ["--samples", "-3"],
        ["--samples", "many"],
        ["--samples", "100000"],
        ["--height-cm", "1.75"],
        ["--height-cm", "600"],
        ["--height-cm", "0"],
        ["--height-cm", "nan"],
        ["--device", "tpu"],
        ["--bundle", "no-such-bundle"],
        ["--unknown-option"],
    ],
)
def test_bad_options_give_code_2_and_one_sentence(arguments, run, phantom_file, tmp_path, capsys):
    assert run(phantom_file, tmp_path / "out", *arguments) == 2
    sentence = capsys.readouterr().err.strip()
    assert sentence and "\n" not in sentence and sentence.endswith("."), sentence
    assert not (tmp_path / "out").exists()


def test_errors_reach_a_program_that_reads_json(tmp_path, capsys):
    assert main(["segment", str(tmp_path / "x.nii"), "-o", str(tmp_path / "o"), "--progress", "json"]) == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["stage"] == "error" and lines[-1]["exit_code"] == 2 and lines[-1]["message"].endswith(".")


def test_segment_measure_and_table_agree(run, phantom_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(phantom_file, out, "--height-cm", "160") == 0
    printed = capsys.readouterr().out
    assert "Research use only" in printed and "measurements.csv" in printed
    rows = _rows(out)
    assert len(rows) == 43 and {row["light"] for row in rows} == {"grey"}
    found = [row for row in rows if row["volume_cc"]]
    assert found
    for row in found:
        assert float(row["volume_cc_per_m2"]) == pytest.approx(float(row["volume_cc"]) / 1.6**2, rel=1e-3)
        shares = [row[name] for name in ("fat_percent", "composite_percent", "lean_percent")]
        if row["abbreviation"] in ("PELVIS", "FEMUR", "SACRUM"):
            assert shares == ["", "", ""]
        else:
            # Each is rounded to four decimals.
            assert sum(map(float, shares)) == pytest.approx(100, abs=1e-3)
    again = tmp_path / "again"
    segmentation = str(out / "segmentation.seg.nrrd")
    assert main(["measure", segmentation, "--ct", str(phantom_file), "-o", str(again), "--height-cm", "160"]) == 0
    for one, two in zip(rows, _rows(again), strict=True):
        for name in ("abbreviation", "side", "volume_cc", "volume_cc_per_m2", "mean_hu", "fat_percent", "truncated_by"):
            assert one[name] == two[name]
    assert not (again / "uncertainty.nrrd").exists()


def test_result_lies_on_the_inputs_grid(result, scan):
    ct = sitk.ReadImage(str(scan))
    for name, kind in (("segmentation.seg.nrrd", sitk.sitkUInt8), ("uncertainty.nrrd", sitk.sitkFloat32)):
        image = sitk.ReadImage(str(result / name))
        assert image.GetSize() == ct.GetSize() and image.GetPixelID() == kind
        assert np.allclose(image.GetOrigin(), ct.GetOrigin()) and np.allclose(image.GetDirection(), ct.GetDirection())
    uncertainty = sitk.GetArrayFromImage(sitk.ReadImage(str(result / "uncertainty.nrrd")))
    assert 0 < uncertainty.max() < 0.25 and uncertainty.min() >= 0


def test_a_seed_repeats_a_run_exactly_and_a_path_is_recorded_only_when_asked(run, result, scan, tmp_path):
    assert run(scan, tmp_path / "again", "--record-path") == 0
    for name in ("measurements.csv", "segmentation.seg.nrrd", "uncertainty.nrrd"):
        assert (result / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert str(scan) in (tmp_path / "again" / "result.json").read_text(encoding="utf-8")
    assert scan.name not in (result / "result.json").read_text(encoding="utf-8")


def test_measure_takes_a_segmentation_that_was_cropped_to_its_segments(result, scan, tmp_path):
    """As 3D Slicer saves one after an edit."""
    whole = sitk.ReadImage(str(result / "segmentation.seg.nrrd"))
    z, y, x = (np.flatnonzero(sitk.GetArrayFromImage(whole).any(axis=a)) for a in ((1, 2), (0, 2), (0, 1)))
    first = (int(x[0]), int(y[0]), int(z[0]))
    cropped = whole[first[0] : int(x[-1]) + 1, first[1] : int(y[-1]) + 1, first[2] : int(z[-1]) + 1]
    assert cropped.GetSize() != whole.GetSize()
    sitk.WriteImage(cropped, str(tmp_path / "cropped.nrrd"))
    assert main(["measure", str(tmp_path / "cropped.nrrd"), "--ct", str(scan), "-o", str(tmp_path / "m")]) == 0
    for one, two in zip(_rows(result), _rows(tmp_path / "m"), strict=True):
        assert (one["volume_cc"], one["mean_hu"]) == (two["volume_cc"], two["mean_hu"])
        # The labels of a random network are flat where the crop ends, as those of a mask that was cut are.
        assert one["truncated_by"] == two["truncated_by"].replace("edge of the segmentation", "").strip()


def test_measure_refuses_another_grid(result, scan, tmp_path, capsys):
    image = sitk.ReadImage(str(scan))
    image.SetSpacing([5, 5, 5])
    sitk.WriteImage(image, str(tmp_path / "other.nii.gz"))
    segmentation = str(result / "segmentation.seg.nrrd")
    code = main(["measure", segmentation, "--ct", str(tmp_path / "other.nii.gz"), "-o", str(tmp_path / "m")])
    assert code == 2 and "different grids" in capsys.readouterr().err and not (tmp_path / "m").exists()


def test_check_says_whether_a_ct_can_be_used(phantom_file, capsys):
    assert main(["check", str(phantom_file)]) == 0
    assert "can be segmented" in capsys.readouterr().out


def test_scene_is_written_where_slicer_core_is(run, phantom_file, tmp_path):
    pytest.importorskip("slicer")
    assert run(phantom_file, tmp_path / "out", "--scene") == 0
    assert (tmp_path / "out" / "scene.mrb").stat().st_size > 1000


def test_bundle_commands(tiny_bundle, capsys):
    assert main(["bundle", "info", str(tiny_bundle)]) == 0
    assert "tiny" in capsys.readouterr().out
    assert main(["bundle", "verify", str(tiny_bundle)]) == 0
    assert main(["bundle", "list"]) == 0


def test_version_and_help_from_a_fresh_process():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments, word in ((["--version"], "mskseg"), (["segment", "--help"], "--samples"), (["--help"], "Research use only")):
        done = subprocess.run(
            [sys.executable, "-m", "MSKSegmentLib", *arguments], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == 0 and word in done.stdout
