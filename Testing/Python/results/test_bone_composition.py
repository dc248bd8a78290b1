"""Bones have no fat, composite and lean tissue: nowhere, and muscles do."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from review_cases import make_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import COMPOSITION
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.results.segmentation_file import ALL_SCORES_TAG, segment_tags
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.review.columns import NO_VALUE
from MSKSegmentLib.review.rows import RowFilter, make_rows
from MSKSegmentLib.web.page.pictures import histogram_chart
from MSKSegmentLib.web.page.table import shown_rows

PERCENTAGES = ("fat_percent", "composite_percent", "lean_percent")
BONES = {"PELVIS_right", "PELVIS_left", "FEMUR_right", "FEMUR_left", "SACRUM"}


@pytest.fixture(scope="module")
def case():
    return make_case()


def test_the_rule_stands_in_the_table_of_structures():
    assert {structure.abbreviation for structure in HIP_AND_THIGH.structures if not structure.has_composition} == {
        "PELVIS",
        "FEMUR",
        "SACRUM",
    }


def test_measurements_of_bones_have_no_composition(case):
    for report in case[0].reports:
        found = report.measurements
        if found is not None:
            shares = [getattr(found, name) for name in COMPOSITION]
            assert shares == [None] * 3 if report.segment.key in BONES else sum(shares) == pytest.approx(1)
            assert sum(found.histogram) == found.voxels


def test_table_file_and_pages_are_empty_for_bones(case, tmp_path):
    write_result(tmp_path / "out", case[0])
    with (tmp_path / "out" / "measurements.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["volume_cc"]]
    assert len(rows) == 41
    for row in rows:
        cells = [row[name] for name in (*PERCENTAGES, "sd_fat_fraction")]
        assert any(cells) == all(cells) == (row["abbreviation"] not in ("PELVIS", "FEMUR", "SACRUM"))
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    for entry in content["segments"]:
        if entry["key"] in BONES:
            assert [entry["measurements"][name] for name in COMPOSITION] == [None] * 3
    rows = make_rows(case[0].reports)
    for shown in shown_rows(rows, RowFilter(), "", False):
        texts = [shown["texts"][name] for name in PERCENTAGES]
        assert (texts == [NO_VALUE] * 3) == (shown["key"] in BONES or not shown["found"])
    for row in rows:
        if row.key in BONES:
            assert "fat" not in row.tooltip.lower()


def test_old_result_folders_open_with_empty_shares_of_bones(case, tmp_path):
    write_result(tmp_path / "out", case[0])
    file = tmp_path / "out" / "result.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for entry in content["segments"]:
        if entry["key"] in BONES:
            entry["measurements"] |= {"fat_fraction": 0.11, "composite_fraction": 0.15, "lean_fraction": 0.74}
    file.write_text(json.dumps(content), encoding="utf-8")
    assert read_result(tmp_path / "out")[0].reports == case[0].reports


def test_histogram_of_a_bone_has_no_bands(case):
    session = ReviewSession(*case)
    bone, muscle = session.histogram("FEMUR_left"), session.histogram("GMAX_left")
    assert bone.bands == () and [band.name for band in muscle.bands] == ["fat", "composite", "lean"]
    chart = histogram_chart(bone)
    assert chart["bands"] == [] and {bar["band"] for bar in chart["bars"]} == {""}
    assert chart["label"] == "Hounsfield units of Femur, left"
    assert max(bar["height"] for bar in chart["bars"]) > 0


def test_tags_of_a_bone_say_nothing_of_fat(case):
    tags = {report.segment.key: json.loads(segment_tags(report).get(ALL_SCORES_TAG, "{}")) for report in case[0].reports}
    assert "sd_fat_fraction" not in tags["FEMUR_left"] and "mean_entropy" in tags["FEMUR_left"]
    assert "sd_fat_fraction" in tags["GMAX_left"]


def test_a_bones_reasons_say_nothing_of_fat(case):
    report = next(report for report in case[0].reports if report.segment.key == "FEMUR_left")
    muscle = next(report for report in case[0].reports if report.segment.key == "GMAX_left")
    assert report.told_scores.keys() == muscle.told_scores.keys() - {"sd_fat_fraction"}
    assert replace(report, scores=None).told_scores == {}
