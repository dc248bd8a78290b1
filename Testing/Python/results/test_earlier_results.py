"""Results that earlier versions wrote are still opened, reviewed and written anew."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import phantom_volume

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.review.folder import open_folder, save

# Written by version 0.1.0 with bundle 0.4.0: findings as sentences alone, bones with a composition.
STORED = Path(__file__).resolve().parents[2] / "Data" / "result_0_4_0"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(STORED, tmp_path / "result")


def scan():
    plain = phantom_volume()
    size, spacing, origin = plain.geometry.size, (4.0, 4.0, 7.0), plain.geometry.origin
    return CTVolume(plain.hu, Geometry(size, spacing, origin))


def test_its_facts_findings_and_numbers_are_read(folder):
    result, history = read_result(folder)
    facts = result.facts
    assert (facts.height_m, facts.passes, facts.mean_passes, facts.seed, facts.lights) == (1.7, 2, 2.0, 1, "calibrated")
    assert facts.backends == ("openvino",) and not facts.preview and facts.region_lps_mm is None
    assert facts.record["bundle"]["version"] == "0.4.0" and facts.input_digest.startswith("074df40d")
    (finding,) = result.findings
    assert finding.code == "slices_far_apart" and scan_cautions(result.findings)
    stored = json.loads((STORED / "result.json").read_text(encoding="utf-8"))
    volumes = {entry["key"]: entry["measurements"]["volume_cc"] for entry in stored["segments"] if entry["measurements"]}
    found = {report.segment.key: report.measurements for report in result.reports if report.measurements}
    assert {key: measurements.volume_cc for key, measurements in found.items()} == volumes and len(found) == 9
    assert found["FEMUR_left"].fat_fraction is None and found["VM_left"].fat_fraction is not None
    assert all(report.light is Light.GREY for report in result.reports) and history == ()
    assert np.count_nonzero(result.labels) and result.uncertainty.dtype == np.float32


def test_it_is_written_in_the_form_of_now_with_the_same_content(folder, tmp_path):
    result, _ = read_result(folder)
    write_result(tmp_path / "again", result)
    again, _ = read_result(tmp_path / "again")
    assert again.reports == result.reports and again.facts == result.facts and again.findings == result.findings
    np.testing.assert_array_equal(again.labels, result.labels)


def test_its_review_goes_on(folder):
    session = open_folder(folder, scan(), "Dr. Sato")
    session.accept("VM_left")
    save(session, folder)
    result, history = read_result(folder)
    assert [(event.what, event.key) for event in history] == [("accepted", "VM_left")]
    assert result.findings[0].code == "slices_far_apart"
