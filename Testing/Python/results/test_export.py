"""The result folder: table, provenance, whole or not at all."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from review_cases import make_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import SCORE_NAMES, CaseResult, Measurements, Scores
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.findings import warning
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.results import result_folder
from MSKSegmentLib.results.tables import CSV_COLUMNS, write_measurements
from MSKSegmentLib.run_facts import RunFacts


@pytest.fixture
def result():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 1:4, 1:3] = 4
    found = {4: Measurements(12, 123.456789, 45.6, 51.25, 9.5, 52.0, 0.125, 0.25, 0.625, (0, 12), 3.5, -12.5, ("superior",))}
    reports = make_reports(HIP_AND_THIGH, found, {4: Scores(mean_variance=2.345678e-4)}, None, 10)
    geometry = Geometry(size=(6, 5, 4), spacing=(1.0, 1.0, 2.0))
    findings = (warning("metal", "Metal was found."),)
    return CaseResult(labels, geometry, reports, np.zeros((4, 5, 6), np.float32), findings, RunFacts(date="today"))


def test_table_has_43_rows_and_the_promised_columns(result, tmp_path):
    path = tmp_path / "筋肉.csv"
    write_measurements(path, result)
    raw = path.read_bytes()
    # A spreadsheet program guesses the encoding; plain ASCII is the same in all of them.
    rows = list(csv.DictReader(raw.decode("ascii").splitlines()))
    assert len(rows) == 43 and list(rows[0]) == list(CSV_COLUMNS)
    assert list(CSV_COLUMNS)[:7] == ["abbreviation", "side", "structure", "light", "volume_cc", "volume_cc_per_m2", "mean_hu"]
    assert [(row["abbreviation"], row["side"]) for row in rows] == [
        (s.structure.abbreviation, s.side.value) for s in HIP_AND_THIGH.segments
    ]
    gmax = next(row for row in rows if row["abbreviation"] == "GMAX" and row["side"] == "right")
    assert gmax["volume_cc"] == "123.4568" and gmax["fat_percent"] == "12.5" and gmax["uncertainty"] == "0.000234568"
    assert gmax["light"] == "grey" and gmax["truncated_by"] == "superior" and gmax["state"] == "automatic"
    absent = next(row for row in rows if row["abbreviation"] == "GMED")
    assert absent["volume_cc"] == "" and absent["light"] == "grey" and "not found" in absent["reasons"]


def test_the_table_holds_intervals_and_every_score(tmp_path):
    result, _ = make_case()
    write_measurements(tmp_path / "m.csv", result)
    lines = list(csv.DictReader((tmp_path / "m.csv").read_text(encoding="ascii").splitlines()))
    rows = {segment.key: line for segment, line in zip(HIP_AND_THIGH.segments, lines, strict=True)}
    row, report = rows["GMED_left"], next(report for report in result.reports if report.segment.key == "GMED_left")
    for names, interval in (
        (("dice_low", "dice_high"), report.dice_interval),
        (("volume_low_cc", "volume_high_cc"), report.volume_interval_cc),
        (("mean_hu_low", "mean_hu_high"), report.mean_hu_interval),
    ):
        assert [float(row[name]) for name in names] == pytest.approx(interval, abs=1e-4)
    assert float(row["failure_probability"]) == pytest.approx(report.failure_probability) and row["paper_light"] == "green"
    # The mean variance is the column "uncertainty".
    assert [name for name in SCORE_NAMES if name not in row] == ["mean_variance"]
    assert row["stray_components"] == "2" and row["low_slice_dice"] == "0.75" and row["metal_distance_mm"] == ""
    uncalibrated, absent = rows["GRAC_left"], rows["PI_left"]
    assert uncalibrated["soft_dice"] == "0.93" and uncalibrated["dice_low"] == uncalibrated["failure_probability"] == ""
    assert {absent[name] for name in ("dice_low", "volume_low_cc", "paper_light", "soft_dice", "stray_components")} == {""}


def test_a_small_failure_probability_is_not_rounded_away(tmp_path):
    result, _ = make_case()
    sure = [replace(report, failure_probability=2.5e-6) for report in result.reports]
    write_measurements(tmp_path / "m.csv", replace(result, reports=tuple(sure)))
    lines = csv.DictReader((tmp_path / "m.csv").read_text(encoding="ascii").splitlines())
    assert {line["failure_probability"] for line in lines} == {"2.5e-06"}


def test_folder_is_complete_and_holds_no_name(result, tmp_path):
    folder = tmp_path / "山田太郎" / "結果"
    result_folder.write_result(folder, result)
    assert {file.name for file in folder.iterdir()} == {
        "segmentation.seg.nrrd", "uncertainty.nrrd", "measurements.csv", "result.json"
    }  # fmt: skip
    text = (folder / "result.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["warnings"] == ["Metal was found."] and len(content["segments"]) == 43
    assert "not a medical device" in content["notice"].lower() and "山田" not in text
    assert [path.name for path in folder.parent.iterdir()] == ["結果"]


def test_an_earlier_result_is_replaced_and_foreign_files_are_not(result, tmp_path):
    folder = tmp_path / "out"
    result_folder.write_result(folder, result)
    (folder / "scene.mrb").write_text("from the earlier run")
    result_folder.write_result(folder, result)
    assert not (folder / "scene.mrb").exists() and [p.name for p in tmp_path.iterdir()] == ["out"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="other files"):
        result_folder.write_result(mine, result)
    assert (mine / "thesis.txt").read_text() == "years of work"
    with pytest.raises(InputError, match="is a file"):
        result_folder.write_result(mine / "thesis.txt", result)


@pytest.mark.parametrize("step", ["write_segmentation", "write_uncertainty", "write_measurements"])
def test_a_failure_leaves_the_earlier_result_and_nothing_else(result, tmp_path, monkeypatch, step):
    folder = tmp_path / "out"
    result_folder.write_result(folder, result)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_folder, step, full)
    with pytest.raises(InputError, match="No space left"):
        result_folder.write_result(folder, result)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
