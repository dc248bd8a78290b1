"""Measuring a label map that somebody gives: nothing that is not the structure's number looks as if it were."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from given_labels import LABEL, SHARED_CT, by_key, told
from segmentation_phantom import classes_of

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.pipeline import bundle_knowledge, measure_case
from MSKSegmentLib.review import ReviewSession

pytest_plugins = ("given_labels",)


@pytest.fixture(scope="module")
def result_of_truth(case):
    labels, volume = case
    return measure_case(labels, volume.geometry, volume)


def test_true_labels_are_measured_without_a_doubt(case, result_of_truth):
    labels, _ = case
    assert {report.light for report in result_of_truth.reports} == {Light.GREY} and result_of_truth.findings == ()
    assert by_key(result_of_truth)["FEMUR_right"].measurements.volume_cc == pytest.approx(np.sum(labels == 2) * 0.064)


@pytest.mark.parametrize("order", [AxisOrder((2, 0, 1), (1, -1, 1)), AxisOrder((0, 1, 2), (-1, -1, 1))])
def test_turned_axes_give_the_same_numbers(case, result_of_truth, order):
    labels, volume = case
    turned = np.ascontiguousarray(order.apply(labels))
    found = measure_case(turned, order.geometry(volume.geometry), volume)
    assert found.reports == result_of_truth.reports
    np.testing.assert_array_equal(found.labels, labels)


def test_shares_beyond_the_ct_are_told_per_structure_and_count_as_cut(case):
    labels, volume = case
    first = 100
    x, y, z = volume.geometry.size
    upper = CTVolume(volume.hu[first:], volume.geometry.cropped((0, 0, first), (x, y, z - first)))
    result = measure_case(labels, volume.geometry, upper)
    reports, (sentence,) = by_key(result), told(result, "labels_beyond_ct")
    share = np.sum(labels[:first] == 2) / np.sum(labels == 2)
    assert f"Femur, right {100 * share:.0f} %" in sentence and "Sacrum" not in sentence
    femur, gone = reports["FEMUR_right"], reports["VM_left"]
    assert femur.measurements.truncated_by[-1] == "beyond the CT" and f"{100 * share:.0f} % of it lies outside" in femur.reasons[0]
    assert gone.measurements is None and "all of it lies outside the CT" in gone.reasons[0]
    assert "Vastus medialis, left 100 %" in sentence
    assert femur.asymmetry_percent is None and reports["GMED_left"].asymmetry_percent is not None
    assert not any(report.light is Light.GREEN for report in result.reports)


def test_one_voxel_beyond_the_ct_is_enough_to_be_cut(case):
    labels, volume = case
    top = int(np.nonzero((labels == LABEL["GMED_right"]).any(axis=(1, 2)))[0][-1])
    x, y, _ = volume.geometry.size
    lower = CTVolume(volume.hu[:top], volume.geometry.cropped((0, 0, 0), (x, y, top)))
    assert "beyond the CT" in by_key(measure_case(labels, volume.geometry, lower))["GMED_right"].measurements.truncated_by


def test_a_corrected_structure_still_goes_on_beyond_the_ct(case):
    from review_cases import mask_of

    labels, volume = case
    x, y, z = volume.geometry.size
    upper = CTVolume(volume.hu[100:], volume.geometry.cropped((0, 0, 100), (x, y, z - 100)))
    session = ReviewSession(measure_case(labels, volume.geometry, upper), upper)
    mask = session.result.labels == LABEL["FEMUR_right"]
    mask[:3] = False
    session.edit({"FEMUR_right": mask_of(mask)})
    assert session.report("FEMUR_right").measurements.truncated_by == ("beyond the CT",)
    assert "beyond the CT" in " ".join(session.report("FEMUR_right").reasons)


def shifted(labels, voxels, axis):
    moved = np.zeros_like(labels)
    source, target = [slice(None)] * 3, [slice(None)] * 3
    source[axis], target[axis] = slice(None, -voxels), slice(voxels, None)
    moved[tuple(target)] = labels[tuple(source)]
    return moved


def other_program(labels):
    """Numbers of another program: 1 and 2 the femora, 3 and 4 gluteus maximus, 5 the sacrum."""
    return sum(np.uint8(new) * (labels == old) for new, old in ((1, 102), (2, 2), (3, 104), (4, 4), (5, 3)))


WRONG = {
    "without sides": lambda labels: np.where(labels == 3, 3, classes_of(labels)),
    "sides exchanged": lambda labels: np.select([labels > 100, (labels > 0) & (labels != 3)], [labels - 100, labels + 100], labels),
    "shifted by half the body": lambda labels: shifted(labels, 40, 2),
    "shifted to the front": lambda labels: shifted(labels[:, ::-1], 15, 1)[:, ::-1],
    "shifted upwards": lambda labels: shifted(labels, 50, 0),
    "upside down": lambda labels: labels[::-1],
    "front is back": lambda labels: labels[:, ::-1],
    "one label everywhere": lambda labels: np.full_like(labels, 1),
    "a muscle everywhere": lambda labels: np.full_like(labels, LABEL["GMAX_left"]),
    "a mask of everything": lambda labels: labels > 0,
    "a mask of a muscle": lambda labels: labels == LABEL["GMAX_right"],
    "a mask of both muscles": lambda labels: np.uint8(4) * np.isin(labels, (4, 104)),
    "another program's numbers": other_program,
    "a right leg called left": lambda labels: np.where((labels > 0) & (labels < 100) & (labels != 3), labels + 100, 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_labels_are_named_and_no_number_looks_trustworthy(case, name):
    labels, volume = case
    wrong = np.ascontiguousarray(WRONG[name](labels)).astype(np.uint8)
    result = measure_case(wrong, volume.geometry, volume, reference=bundle_knowledge()[1])
    (sentence,) = told(result, "implausible_labels")
    found = [report for report in result.reports if report.measurements]
    red = [report for report in found if report.light is Light.RED]
    assert red == found, [(report.segment.key, report.reasons) for report in found]
    assert "does not fit this CT" in sentence and "101 to 122 on the left" in sentence
    assert all("does not fit this CT" in " ".join(report.reasons) for report in found)


def test_labels_without_sides_say_what_to_do(case):
    labels, volume = case
    result = measure_case(classes_of(labels), volume.geometry, volume)
    assert "on the patient's left are its number plus 100" in " ".join(by_key(result)["GMAX_right"].reasons)
    assert by_key(result)["SACRUM"].light is Light.RED, "what is right by itself is not trusted among so much that is wrong"


def test_one_leg_by_itself_is_plausible(case):
    labels, volume = case
    for offset in (0, 100):
        leg = np.where((labels > offset) & (labels < offset + 100) & (labels != 3), labels, 0)
        assert measure_case(leg, volume.geometry, volume).findings == ()


def test_a_single_exchanged_pair_is_named_alone(case):
    labels, volume = case
    wrong = labels.copy()
    wrong[labels == LABEL["GMED_right"]], wrong[labels == LABEL["GMED_left"]] = LABEL["GMED_left"], LABEL["GMED_right"]
    result = measure_case(wrong, volume.geometry, volume)
    assert {key for key, report in by_key(result).items() if report.light is Light.RED} == {"GMED_right", "GMED_left"}


def test_an_empty_map_and_one_beside_the_ct_are_refused(case):
    labels, volume = case
    with pytest.raises(InputError, match="is empty"):
        measure_case(np.zeros_like(labels), volume.geometry, volume)
    away = replace(volume.geometry, origin=tuple(volume.geometry.to_physical((0, 0, 500))))
    with pytest.raises(InputError, match="lies outside the CT: there is nothing to measure"):
        measure_case(labels, away, volume)


@pytest.mark.parametrize("values", [(0.0, 7.5), (0.0, -3.0), (0.0, 55.0), (4.0, 200.0)])
def test_values_that_are_no_structure_are_refused_and_nothing_is_written(case, values, tmp_path, capsys):
    labels, volume = case
    array = np.where(labels > 0, values[1], values[0]).astype(np.float32)
    code, out = measured(tmp_path, volume, array)
    assert code == 2 and not out.exists()
    assert f"{values[1]:g}" in capsys.readouterr().err


def test_the_command_tells_what_lies_outside_and_what_is_implausible(case, tmp_path, capsys):
    labels, volume = case
    x, y, z = volume.geometry.size
    upper = CTVolume(volume.hu[100:], volume.geometry.cropped((0, 0, 100), (x, y, z - 100)))
    code, out = measured(tmp_path, upper, labels, AxisOrder((1, 0, 2), (-1, 1, -1)), volume.geometry)
    printed = " ".join(capsys.readouterr().out.split())
    assert code == 0 and "lies outside the CT and was not measured" in printed and "Femur (cut)" in printed
    with (out / "measurements.csv").open(encoding="utf-8") as file:
        rows = {f"{row['abbreviation']}_{row['side']}": row for row in csv.DictReader(file)}
    assert "beyond the CT" in rows["FEMUR_right"]["truncated_by"] and "outside the CT" in rows["FEMUR_right"]["reasons"]
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert "labels_beyond_ct" in [finding["code"] for finding in content["findings"]]


AS_STORED = AxisOrder((0, 1, 2), (1, 1, 1))


def measured(tmp_path, volume, array, order=AS_STORED, grid=None):
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(tmp_path / "ct.nii.gz"))
    image = order.geometry(grid or volume.geometry).image_of(np.ascontiguousarray(order.apply(array)))
    sitk.WriteImage(image, str(tmp_path / "labels.nii.gz"))
    out = tmp_path / "out"
    return main(["measure", str(tmp_path / "labels.nii.gz"), "--ct", str(tmp_path / "ct.nii.gz"), "-o", str(out)]), out


@pytest.mark.skipif(not SHARED_CT.exists(), reason="the shared data folder is not beside the project")
def test_a_real_ct_with_turned_labels_and_labels_of_something_else(tmp_path):
    from MSKSegmentLib.ct import body_mask, read_ct

    volume = read_ct(SHARED_CT)
    fat = (volume.hu > -150) & (volume.hu < -50) & body_mask(volume)
    result = measure_case(np.where(fat, 1, 0).astype(np.uint8), volume.geometry, volume)
    assert by_key(result)["PELVIS_right"].light is Light.RED and told(result, "implausible_labels")
