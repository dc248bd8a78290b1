"""A task of two files goes through segment, measure, review and report: a tiny network, nothing of it known to the code."""

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
from mr_phantoms import mr_labels, mr_volume
from task_cases import write_task_bundle, write_toy_task

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.report.writing import ReportRequest, html_of_folder
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.results.tables import CSV_COLUMNS, csv_columns
from MSKSegmentLib.review import columns_of
from MSKSegmentLib.review.folder import open_folder, save
from MSKSegmentLib.review.source_ct import read_own_ct
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Task, bundle, an MR scan and its labels in a folder; the task is found in it."""
    folder = tmp_path_factory.mktemp("toy")
    write_toy_task(folder / "tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSKSEG_TASKS", str(folder / "tasks"))
        patch.setenv("MSKSEG_BUNDLES", str(folder / "bundles"))
        write_task_bundle(folder / "bundles", "toy-mr")
        volume, table = mr_volume(), load_task("toy-mr").table
        sitk.WriteImage(volume.geometry.image_of(volume.hu), str(folder / "mr.nii.gz"))
        sitk.WriteImage(volume.geometry.image_of(mr_labels(table)), str(folder / "labels.nii.gz"))
        yield folder


@pytest.fixture(scope="module")
def segmented(place):
    out = place / "segmented"
    assert main(["segment", str(place / "mr.nii.gz"), "-o", str(out), "--task", "toy-mr", "--seed", "1", "--keep-ct", "-q"]) == 0
    return out


@pytest.fixture(scope="module")
def measured(place):
    out = place / "measured"
    words = ["measure", str(place / "labels.nii.gz"), "--ct", str(place / "mr.nii.gz"), "-o", str(out), "--task", "toy-mr", "-q"]
    assert main([*words, "--height-cm", "170"]) == 0
    return out


def _table(folder):
    with (folder / "measurements.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_segmented_by_the_bundle_of_the_task(segmented):
    case = read_case(segmented).result
    assert case.task == load_task("toy-mr") and case.task.table == case.table
    assert case.uncertainty is not None and (case.uncertainty > 0).any()
    assert {finding.code for finding in case.findings} <= {"side_guessed", "sides_from_muscles", "nothing_found"}
    for report in case.reports:
        assert report.light.value == "grey" and (report.scores is None or report.scores.sd_mean_hu is None)
    note = json.loads((segmented / "result.json").read_text(encoding="utf-8"))["task"]
    assert note["name"] == "toy-mr" and note["words"]["notes"] == ["Toys are no patients."]


def test_measured_without_hounsfield_units(measured):
    case, volume = read_case(measured).result, mr_volume()
    labels, voxel_cc = mr_labels(case.table), volume.geometry.voxel_volume_mm3 / 1000
    for report in case.reports:
        found, mask = report.measurements, labels == report.segment.label
        assert found.volume_cc == pytest.approx(np.count_nonzero(mask) * voxel_cc)
        assert found.mean_hu is found.sd_hu is found.fat_fraction is None and found.histogram == ()
        assert found.mean_intensity == pytest.approx(volume.hu[mask].mean())
    rows = _table(measured)
    assert tuple(rows[0]) == csv_columns(case.task) and not {"mean_hu", "fat_percent", "mean_hu_low"} & set(rows[0])
    assert {"volume_cc", "volume_cc_per_m2", "asymmetry_percent", "light"} <= set(rows[0])
    assert not any("HU" in column.heading or column.name == "fat_percent" for column in columns_of(case.task))
    assert csv_columns(HIP_THIGH_CT) == CSV_COLUMNS


def test_reviewed_and_opened_again(measured, place, monkeypatch):
    # A result opens where the task's file is not at hand.
    monkeypatch.delenv("MSKSEG_TASKS")
    volume = read_own_ct(measured, place / "mr.nii.gz", None, None)
    assert volume.modality == "MR"
    session = open_folder(measured, volume, "Ada")
    assert session.task.words.scan == "MR scan"
    key = session.result.reports[0].segment.key
    before = session.report(key).measurements
    box = Box.whole(volume.geometry.size).slab(3 * volume.geometry.size[2] // 4, volume.geometry.size[2])
    session.edit_labels(box, np.zeros(box.shape, np.uint8))
    after = session.report(key).measurements
    assert session.histogram(key) is None
    assert after is None or (after.voxels < before.voxels and after.mean_hu is None and after.mean_intensity is not None)
    save(session, measured)
    again = open_folder(measured, volume)
    assert again.task == session.task and again.result.reports == session.result.reports
    assert set(row.key for row in again.rows()) == {segment.key for segment in session.table.segments}


def test_reported_in_the_words_of_the_task(measured, place):
    page = html_of_folder(ReportRequest(measured, ct=place / "mr.nii.gz", with_3d=True)).partition("<body>")[2]
    assert "A toy leg from MR" in page and "Toys are no patients." in page and "A toy leg, MR (toy-mr)" in page
    text = re.sub(r"base64,[^\"]*", "", page)
    assert not re.findall(r"\b(HU|CT|Hounsfield|lean|composite)\b", text)
    assert "Hamstrings" in page and "data:image/jpeg" in page


def test_the_scan_of_another_modality_is_refused(place, phantom_file, capsys):
    out = ["-o", str(place / "refused")]
    assert main(["segment", str(phantom_file), *out, "--task", "toy-mr", "-q"]) == 2
    assert "Hounsfield units of a CT" in capsys.readouterr().err
    assert main(["segment", str(place / "mr.nii.gz"), *out, "-q", "--bundle", "mskseg-virtual"]) == 2
    assert "choose a CT scan" in capsys.readouterr().err
    assert main(["segment", str(place / "mr.nii.gz"), *out, "-q", "--task", "nothing"]) == 2
    assert "There is no task 'nothing'" in capsys.readouterr().err
    assert main(["segment", str(place / "mr.nii.gz"), *out, "-q", "--task", "trunk-ct"]) == 2
    assert "No model bundle of the task trunk-ct is installed" in capsys.readouterr().err
    assert not (place / "refused").exists()


def test_results_of_before_mean_hip_and_thigh(measured, place):
    case = read_case(measured).result
    assert case.table != HIP_AND_THIGH
    content = json.loads((measured / "result.json").read_text(encoding="utf-8"))
    del content["task"]
    from MSKSegmentLib.results.result_reading import task_of_result

    assert task_of_result(content).name == "hip-thigh-ct" and task_of_result(content).table == case.table
