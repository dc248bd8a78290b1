"""Virtual hips as cases: repeatable, labelled by the task's table, with the truth beside them."""

import csv
import json

import numpy as np
import pytest

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct import read_ct, read_labels
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case
from MSKSegmentLib.proximal_femur.calibration import stated_calibration
from MSKSegmentLib.proximal_femur.measures import measure_femora
from MSKSegmentLib.proximal_femur.phantom import read_phantom
from MSKSegmentLib.proximal_femur.regions import Compartment, FemurRegion
from MSKSegmentLib.proximal_femur.virtual_cases import LIST_FILE, TASK, virtual_person
from MSKSegmentLib.proximal_femur.virtual_scan import EXAMPLE_PHANTOM
from MSKSegmentLib.tasks import load_task

SPACING = ("2", "2", "2.5")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("virtual") / "cases"
    assert main(["femur", "virtual", "-n", "2", "-o", str(folder), "--seed", "4", "--spacing", *SPACING]) == 0
    return folder


def test_cases_are_those_of_the_task(cases):
    table = load_task(TASK).table
    found = find_labelled_cases(cases)
    assert [case.name for case in found] == ["hips_000004", "hips_000005"]
    case = read_labelled_case(found[0], table)
    assert set(np.unique(case.truth)) == {0, *(segment.label for segment in table.segments)}
    right = [np.nonzero(case.truth == segment.label)[2].mean() for segment in table.segments]
    assert right[0] < right[1], "the patient's right lies at smaller x in LPS"
    assert read_phantom(cases / "hips_000004" / "phantom.json") == EXAMPLE_PHANTOM
    rows = list(csv.DictReader((cases / LIST_FILE).open(encoding="utf-8")))
    assert [row["group"] for row in rows] == ["female", "male"]


def test_the_truth_is_what_was_made(cases):
    facts = json.loads((cases / "hips_000005" / "facts.json").read_text(encoding="utf-8"))
    right, left, scanner = virtual_person(5, tuple(map(float, SPACING)))
    assert facts["sex"] == right.sex == "male" and facts["right"]["head_radius_mm"] == right.head_radius_mm
    truth = {(row["side"], row["region"], row["compartment"]): row for row in facts["truth"]}
    assert truth["right", "neck", "cortical"]["bmd_mg_cm3"] == pytest.approx(right.cortical_mg, rel=1e-4)
    head = truth["left", "head", "trabecular"]["bmd_mg_cm3"]
    assert left.trabecular_mg < head < 1.5 * left.trabecular_mg + 1
    table = load_task(TASK).table
    volume, (labels, _) = read_ct(cases / "hips_000005" / "ct.nii.gz"), read_labels(cases / "hips_000005" / "labels.nii.gz", table)
    line = stated_calibration(scanner.slope, scanner.intercept)
    for femur in measure_femora(labels, volume, table, line).femora:
        # The labels are cut already; what is measured in them is what was cut.
        known = truth[femur.segment.side.value, "total", "integral"]
        measured = femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL)
        assert measured.volume_cc == pytest.approx(known["volume_cc"], rel=0.02)
        assert 0.85 < measured.bmd_mg_cm3 / known["bmd_mg_cm3"] < 1


def test_cases_that_are_there_are_kept(cases, capsys):
    before = (cases / "hips_000004" / "ct.nii.gz").stat().st_mtime_ns
    assert main(["femur", "virtual", "-n", "1", "-o", str(cases), "--seed", "4", "--spacing", *SPACING]) == 0
    assert "there already" in capsys.readouterr().out and (cases / "hips_000004" / "ct.nii.gz").stat().st_mtime_ns == before
    assert main(["femur", "virtual", "-n", "0", "-o", str(cases)]) == 2
