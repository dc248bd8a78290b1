"""The command ``mskseg evaluate``: cases in, tables and plots out, and going on where it stopped."""

import csv
import json
import os
import shutil
import sys
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled, read_labelled_case, read_pair
from MSKSegmentLib.evaluation.run import evaluate, folder_tasks, network_segmenter
from MSKSegmentLib.evaluation.stored import stored_segmenter

PLOTS = ("dice.png", "asd.png", "bland_altman_volume.png", "bland_altman_hu.png")


def _write(path, array, origin=(0.0, 0.0, 0.0), spacing=SPACING):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path), useCompression=True)


@pytest.fixture
def data(tmp_path):
    for number in range(3):
        case = tmp_path / "data" / f"case{number}"
        case.mkdir(parents=True)
        hu = phantom_hu(seed=number)
        _write(case / "ct.nrrd", hu)
        _write(case / "labels.nii.gz", labels_of(hu))
    return tmp_path / "data"


@pytest.fixture
def stored(data, tmp_path):
    """Segmentations that are the truth but for one missed femur, an invented muscle and a shift of the rest by a pixel."""
    folder = tmp_path / "stored"
    folder.mkdir()
    for number in range(3):
        labels = np.roll(labels_of(phantom_hu(seed=number)), 1, axis=2)
        labels[0, :4, :4] = 5
        if number == 0:
            labels[labels == 102] = 0
        _write(folder / f"case{number}.nrrd", labels)
    return folder


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_stored_segmentations_become_tables_and_plots(data, stored, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evaluate", str(data), "--segmentations", str(stored), "-o", str(out)]) == 0
    rows = _rows(out / "evaluation.csv")
    assert len(rows) == 3 * 5 and {row["case"] for row in rows} == {"case0", "case1", "case2"}
    missed = next(row for row in rows if row["outcome"] == "missed")
    assert (missed["case"], missed["abbreviation"], missed["side"]) == ("case0", "FEMUR", "left") and missed["asd_mm"] == ""
    false = [row for row in rows if row["outcome"] == "false"]
    assert len(false) == 3 and all(float(row["volume_predicted_cc"]) == pytest.approx(16 * 96 / 1000) for row in false)
    summary = {row["structure"]: row for row in _rows(out / "summary.csv")}
    assert list(summary) == ["FEMUR", "GMED", "AD", "BONES", "MUSCLES", "ALL"]
    assert summary["FEMUR"]["n"] == "6" and summary["FEMUR"]["missed"] == "1" and summary["GMED"]["false"] == "3"
    assert 0.7 < float(summary["AD"]["dice_mean"]) < 1 and float(summary["AD"]["asd_mm_mean"]) > 0.5
    # The phantoms have equal volumes: with a missed femur nothing is concordant, and the limits are of those found.
    assert abs(float(summary["FEMUR"]["volume_ccc"])) < 1e-6 and float(summary["FEMUR"]["volume_limit_low_cc"]) == 0
    biases = []
    for number, label in product(range(3), (13, 113)):
        hu, truth = phantom_hu(seed=number), labels_of(phantom_hu(seed=number))
        biases.append(hu[np.roll(truth, 1, axis=2) == label].mean() - hu[truth == label].mean())
    assert summary["GMED"]["dice_mean"] == ""
    assert float(summary["AD"]["mean_hu_bias_hu"]) == pytest.approx(np.mean(biases), rel=1e-4)
    card = (out / "summary.md").read_text(encoding="utf-8")
    assert "| FEMUR | 6 | 1 |" in card and "3 cases" in card and "segmentations in the folder stored" in card
    for plot in PLOTS:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(out / plot)))
        assert pixels.shape[1] == 2000 and pixels[..., :3].std() > 5
    assert "case2: mean Dice" in capsys.readouterr().out
    assert not [path for path in out.rglob("*") if path.name.startswith(("msk-", "."))]


@pytest.mark.slow
def test_a_network_is_run_and_unchanged_cases_are_kept(data, tiny_bundle, tmp_path, monkeypatch):
    from MSKSegmentLib.bundle import load_bundle
    from MSKSegmentLib.evaluation import run

    # Five evaluations would draw them, and none is looked at here.
    monkeypatch.setattr(run, "write_plots", lambda *_: None)
    bundle, out, lines = load_bundle(tiny_bundle), tmp_path / "out", []
    shutil.rmtree(data / "case2")

    def stop():
        if len(lines) == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled, match="1 of 2 cases"):
        evaluate(folder_tasks(data, HIP_AND_THIGH), network_segmenter(bundle, "cpu", 2, 0, stop), out, stop, lines.append)
    assert not (out / "summary.md").exists() and len(lines) == 1

    def again(passes):
        lines.clear()
        evaluate(
            folder_tasks(data, HIP_AND_THIGH), network_segmenter(bundle, "cpu", passes, 0, lambda: None), out, report=lines.append
        )
        return ["there already" in line for line in lines]

    assert again(2) == [True, False]
    before = (out / "evaluation.csv").read_text()
    labels = data / "case1" / "labels.nii.gz"
    os.utime(labels, ns=(1, 1))
    assert again(2) == [True, False] and (out / "evaluation.csv").read_text() == before
    (out / "cases" / "case0.json").write_text("{")
    assert again(2) == [False, True] and (out / "evaluation.csv").read_text() == before
    assert again(3) == [False, False] and (out / "evaluation.csv").read_text() != before
    rows = _rows(out / "evaluation.csv")
    assert any(row["uncertainty"] and float(row["uncertainty"]) >= 0 for row in rows)
    assert {row["light"] for row in rows} == {"grey"}


@pytest.mark.slow
def test_results_of_segment_are_read_with_their_lights(data, tiny_bundle, tmp_path):
    for number in (1, 2):
        shutil.rmtree(data / f"case{number}")
    ct, network = data / "case0" / "ct.nrrd", ["--bundle", str(tiny_bundle), "--samples", "2", "--seed", "0", "--device", "cpu"]
    assert main(["segment", str(ct), *network, "--progress", "none", "-o", str(tmp_path / "results" / "case0")]) == 0
    first = main(["evaluate", str(data), "--segmentations", str(tmp_path / "results"), "-o", str(tmp_path / "a")])
    assert first == main(["evaluate", str(data), *network, "-o", str(tmp_path / "b")]) == 0
    assert (tmp_path / "a" / "evaluation.csv").read_text() == (tmp_path / "b" / "evaluation.csv").read_text()


def test_only_what_was_labelled_counts(data, stored, tmp_path):
    for number in range(3):
        content = {"slices": [3, [10, 12]], "structures": ["AD"]}
        (data / f"case{number}" / "labelled.json").write_text(json.dumps(content))
    case = read_labelled_case(find_labelled_cases(data)[0], HIP_AND_THIGH)
    assert np.flatnonzero(case.slices).tolist() == [3, 10, 11, 12] and np.flatnonzero(case.structures).tolist() == [0, 13]
    lines = []
    summaries = evaluate(folder_tasks(data, HIP_AND_THIGH), stored_segmenter(stored), tmp_path / "out", report=lines.append)
    assert [line.name for line in summaries] == ["AD", "MUSCLES", "ALL"] and summaries[0].false == 0
    whole = sum(
        (case.truth == 13).sum() for case in (read_labelled_case(files, HIP_AND_THIGH) for files in find_labelled_cases(data))
    )
    rows = [row for row in _rows(tmp_path / "out" / "evaluation.csv") if row["side"] == "right"]
    assert sum(int(row["voxels_true"]) for row in rows) == whole * 4 / 24


def test_slices_without_labels_can_be_left_out(data, stored, tmp_path):
    for number in range(3):
        labels = labels_of(phantom_hu(seed=number))
        labels[6:] = 0
        _write(data / f"case{number}" / "labels.nii.gz", labels)
    arguments = ["evaluate", str(data), "--segmentations", str(stored), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    all_slices = {row["structure"]: float(row["dice_mean"] or "nan") for row in _rows(tmp_path / "out" / "summary.csv")}
    # The same folder again: kept cases answer another question and are done anew.
    assert main([*arguments, "--labelled-slices-only"]) == 0
    labelled = {row["structure"]: float(row["dice_mean"] or "nan") for row in _rows(tmp_path / "out" / "summary.csv")}
    assert labelled["AD"] > 0.8 > 0.5 > all_slices["AD"]


def test_a_missing_package_is_told_before_the_first_case(data, stored, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "monai", None)
    assert main(["evaluate", str(data), "--segmentations", str(stored), "-o", str(tmp_path / "out")]) == 2
    assert "mskseg[train]" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content, match",
    [
        ("{", "JSON"),
        ({}, "'slices'"),
        ({"slides": [1]}, "nothing else"),
        ({"slices": [24]}, "0 to 23"),
        ({"slices": [[5, 3]]}, "0 to 23"),
        ({"slices": 3}, "list"),
        ({"structures": ["GLUTEUS"]}, "'GLUTEUS'"),
        ({"structures": "GMED"}, "abbreviations"),
    ],
)
def test_wrong_descriptions_of_labels_are_refused(tmp_path, content, match):
    path = tmp_path / "labelled.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=match):
        read_labelled(path, 24, HIP_AND_THIGH)


def test_wrong_input_is_told_in_a_sentence(data, stored, tmp_path, capsys):
    def told(*arguments):
        assert main(["evaluate", *map(str, arguments)]) == 2
        return capsys.readouterr().err

    out = tmp_path / "out"
    assert "no folder" in told(tmp_path / "nowhere", "-o", out)
    (tmp_path / "empty").mkdir()
    assert "holds no case" in told(tmp_path / "empty", "-o", out)
    assert "holds other files" in told(data, "--segmentations", stored, "-o", data)
    (stored / "case1.nrrd").unlink()
    assert "no segmentation of the case 'case1'" in told(data, "--segmentations", stored, "-o", out)
    _write(stored / "case1.nrrd", np.zeros((5, 64, 80), np.uint8), spacing=(4.0, 4.0, 7.0))
    text = told(data, "--segmentations", stored, "-o", out)
    assert "case1" in text and "have different grids" in text
    assert "--bundle and --segmentations exclude each other" in told(data, "--segmentations", stored, "--bundle", "x", "-o", out)


def test_a_case_that_cannot_be_used_is_left_out_and_the_others_are_evaluated(data, stored, tmp_path, capsys):
    arguments = ["evaluate", str(data), "--segmentations", str(stored), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    kept = tmp_path / "out" / "cases"
    (stored / "case0.nrrd").unlink()
    _write(stored / "case2.nrrd", np.zeros((5, 64, 80), np.uint8), spacing=(4.0, 4.0, 7.0))
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert "2 of 3 cases are left out; the tables hold the rest" in told.err and "case0: left out" in told.out
    assert "no segmentation of the case 'case0'" in told.err and "'case2' cannot be evaluated" in told.err
    assert {row["case"] for row in _rows(tmp_path / "out" / "evaluation.csv")} == {"case1"}
    # A later calibration on this folder must not meet what earlier files gave.
    assert [path.name for path in kept.iterdir()] == ["case1.json"]
    card = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "Evaluated on 1 case" in card and "could not be evaluated: case0, case2." in card


def test_labels_on_another_grid_are_brought_to_the_ct_by_position(tmp_path):
    hu = phantom_hu()
    _write(tmp_path / "scan.nrrd", hu[:5], origin=(10.0, 0.0, 60.0))
    fine = np.kron(labels_of(hu), np.ones((1, 2, 2), np.uint8))
    fine[:, :10] = 205
    _write(tmp_path / "labels.nrrd", fine[:, :, :100], origin=(9.0, -1.0, 48.0), spacing=(2.0, 2.0, 6.0))
    case = read_pair(tmp_path / "scan.nrrd", tmp_path / "labels.nrrd", HIP_AND_THIGH)
    own = np.flatnonzero(case.slices)
    assert case.name == "scan" and own.size == 5 and (case.volume.hu[own] == hu[:5]).all()
    # The labels start two slices below the scan, end with its column 49, and hold an extra in the first five rows.
    expected = labels_of(hu)[2:7].copy()
    expected[:, :5] = 0
    expected[:, :, 50:] = 0
    assert (case.truth[own] == expected).all() and expected.any()
    assert case.outside[own][:, :, 50:].all() and not case.outside[own][:, :, :50].any()
    assert case.volume.geometry.to_physical((0, 0, own[0])).tolist() == [10, 0, 60]
    _write(tmp_path / "far.nrrd", fine, origin=(5000.0, 0.0, 0.0))
    with pytest.raises(InputError, match="elsewhere"):
        read_pair(tmp_path / "scan.nrrd", tmp_path / "far.nrrd", HIP_AND_THIGH)


def test_five_real_slices_against_the_atlas(shared, tmp_path):
    arguments = ["evaluate", str(shared / "ct" / "vhf_5_slices.nrrd"), "--truth", str(shared / "anatomy" / "vhf_labels.nrrd")]
    assert main([*arguments, "--samples", "1", "--device", "cpu", "-o", str(tmp_path / "out")]) == 0
    rows = {(row["abbreviation"], row["side"]): row for row in _rows(tmp_path / "out" / "evaluation.csv")}
    gluteus = [rows["GMED", side] for side in ("right", "left")]
    assert all(float(row["dice"]) > 0.6 and float(row["asd_mm"]) < 8 for row in gluteus)
    # Five slices of 1 mm: the repeated ones beside them do not count.
    assert all(5 < float(row["volume_true_cc"]) < 15 for row in gluteus)
