"""Lights of the tasks without a bundle: grey with a reason, and after ``mskseg calibrate`` in table and report."""

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_volume
from mr_phantoms import mr_labels, mr_volume
from quality_cases import observations, without_hounsfield, write_evaluation
from task_cases import write_task_bundle

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.quality.traffic_light import rate
from MSKSegmentLib.report.writing import ReportRequest, html_of_folder
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.segmentation import split_sides
from MSKSegmentLib.tasks import load_task

WITH_A_LIGHT = {"lower-limb-mr": ("GMAX", "SART"), "trunk-ct": ("ES", "PSOAS"), "proximal-femur-qct": ("PFEMUR",)}


@pytest.fixture(scope="module", params=WITH_A_LIGHT)
def place(request, tmp_path_factory):
    """The task's name, and a folder with a bundle of it without a calibration and a scan."""
    name, folder = request.param, tmp_path_factory.mktemp("lights")
    write_task_bundle(folder, name)
    volume = mr_volume() if load_task(name).modality == "MR" else phantom_volume()
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(folder / "scan.nii.gz"))
    return name, folder


def _segmented(folder, bundle):
    """The rows of the table, by segment, and the text of the report."""
    out = folder / f"result-{bundle.name}"
    words = ["segment", str(folder / "scan.nii.gz"), "-o", str(out), "--bundle", str(bundle), "--seed", "1", "--keep-ct", "-q"]
    assert main(words) == 0
    with (out / "measurements.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    page = html_of_folder(ReportRequest(out)).partition("<body>")[2]
    return rows, re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)), read_case(out).result


@pytest.fixture(scope="module")
def calibrated(place):
    """The same bundle after ``mskseg calibrate`` on an evaluation of made-up patients, who show one or two structures."""
    name, folder = place
    task, bundle = load_task(name), load_bundle(folder / name)
    key = {"bundle": bundle.digest, "passes": bundle.manifest.passes, "seed": 0}
    data = write_evaluation(folder / "evaluation", _observed(task), key, task.table)
    new = folder / "calibrated"
    words = ["calibrate", str(data), "--bundle", str(bundle.folder), "--source", "made up", "--version", "2", "-o", str(new)]
    assert main(words) == 0
    return new


def _observed(task):
    items = observations(24, only=WITH_A_LIGHT[task.name], table=task.table)
    return items if task.in_hounsfield else without_hounsfield(items)


def test_without_a_calibration_nothing_has_a_light(place):
    name, folder = place
    rows, text, _ = _segmented(folder, folder / name)
    found = [row for row in rows if float(row["volume_cc"] or 0) > 0]
    assert found and {row["light"] for row in rows} == {"grey"}
    assert all("uncalibrated: the model has no calibration" in row["reasons"] for row in found)
    assert "the model has no calibration" in text


def test_a_calibration_lights_what_its_patients_show(place, calibrated):
    name, folder = place
    known = WITH_A_LIGHT[name]
    rows, text, result = _segmented(folder, calibrated)
    # The labels of a random network are nonsense; of what the scan cuts, the light is that of the part inside.
    judged = 0
    for report in result.reports:
        if report.measurements is None:
            continue
        if report.segment.structure.abbreviation in known:
            light = report.light if report.part_light is None else report.part_light
            judged += 1
            assert light in (Light.YELLOW, Light.RED) and report.predicted_dice is not None
            assert any("predicted Dice" in reason for reason in report.reasons)
        else:
            assert report.light is Light.GREY and report.reasons == ("uncalibrated: too few calibration patients show it",)
    assert judged and not any(row["light"] == "green" for row in rows)
    assert "predicted Dice" in text and ("too few calibration patients show it" in text) == (
        len(result.table.structures) > len(known)
    )


def test_of_each_task_a_good_segment_can_be_green(place, calibrated):
    """Seen by the findings of a right label map: right and left of a task without bones are told from its muscles in every scan."""
    task = load_task(place[0])
    calibration = Calibration.from_json(json.loads((calibrated / "calibration.json").read_text()))
    volume = mr_volume()
    classes = np.zeros(256, np.uint8)
    for segment in task.table.segments:
        classes[segment.label] = segment.structure.index
    labels = mr_labels(task.table)
    split = split_sides(classes[labels], volume.geometry, task.table)
    assert np.array_equal(split.labels, labels)
    # The order of the phantom's muscles is nobody's: that of a leg is another matter.
    findings = [finding for finding in split.findings if finding.code != "axes_turned"]
    has_bones = any(structure.is_bone for structure in task.table.structures)
    assert [finding.code for finding in findings] == ([] if has_bones else ["sides_from_pairs"])
    cautions = scan_cautions(findings)
    lights = {
        rate(item.abbreviation, item.scores, (), calibration, 3, cautions).light for item in _observed(task) if item.dice > 0.96
    }
    assert Light.GREEN in lights
