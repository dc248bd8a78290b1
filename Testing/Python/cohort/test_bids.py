"""A study as a BIDS derivative dataset: what a program that reads that layout finds, and what is refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from review_cases import make_case

from MSKSegmentLib.cohort.bids import write_bids
from MSKSegmentLib.cohort.bids_columns import described_columns
from MSKSegmentLib.cohort.found_cases import FoundCase
from MSKSegmentLib.cohort.records import CaseRecord, CaseState, write_record
from MSKSegmentLib.cohort.study import open_study, write_json
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.tables import CSV_COLUMNS, SCORE_COLUMNS
from MSKSegmentLib.settings import Settings

FACTS = {
    "a-1": {"patient": "P 7", "group": "OA", "date": "2026-02-01", "side_affected": "right"},
    "a_1": {"patient": "P 7", "group": "OA", "date": "2025-01-31", "side_affected": "right"},
    "P7": {},
    "refused": {},
}


@pytest.fixture(scope="module")
def case():
    return make_case()[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory, case):
    folder = open_study(tmp_path_factory.mktemp("study") / "study", Settings())
    write_json(folder.found, {"cases": [FoundCase(name, f"{name}.nii", facts=facts).to_json() for name, facts in FACTS.items()]})
    for name in FACTS:
        done = name != "refused"
        write_record(folder, CaseRecord(name, CaseState.DONE if done else CaseState.REFUSED))
        if done:
            write_result(folder.result(name), case)
    return folder


@pytest.fixture(scope="module")
def dataset(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids") / "dataset"
    told = []
    assert write_bids(study, folder, lambda *at: told.append(at)) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    return folder


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_cases_of_a_patient_are_sessions_in_order_of_date(dataset):
    found = sorted(str(path.relative_to(dataset)) for path in dataset.rglob("*_dseg.nii.gz"))
    # The case P7 is another patient than "P 7", although letters and digits are the same.
    assert found == [
        "sub-P7/ses-20250131/ct/sub-P7_ses-20250131_dseg.nii.gz",
        "sub-P7/ses-20260201/ct/sub-P7_ses-20260201_dseg.nii.gz",
        "sub-P7x2/ct/sub-P7x2_dseg.nii.gz",
    ]
    sessions = table(dataset / "sub-P7" / "sub-P7_sessions.tsv")
    assert [(row["session_id"], row["acq_time"]) for row in sessions] == [
        ("ses-20250131", "2025-01-31"),
        ("ses-20260201", "2026-02-01"),
    ]
    people = table(dataset / "participants.tsv")
    assert [(row["participant_id"], row["group"]) for row in people] == [("sub-P7", "OA"), ("sub-P7x2", "n/a")]


def test_labels_lie_where_they_lay_and_the_table_names_them(dataset, case):
    image = sitk.ReadImage(str(dataset / "sub-P7x2" / "ct" / "sub-P7x2_dseg.nii.gz"))
    labels = sitk.GetArrayViewFromImage(image)
    assert np.array_equal(labels, case.labels) and np.allclose(image.GetOrigin(), case.geometry.origin, atol=1e-4)
    named = {int(row["index"]): row["name"] for row in table(dataset / "dseg.tsv")}
    present = {report.segment.label: report.segment.name for report in case.reports if report.measurements}
    assert present.items() <= named.items() and set(np.unique(labels)) - {0} == set(present)


def test_measurements_have_every_column_described(dataset, case):
    rows = table(dataset / "sub-P7x2" / "ct" / "sub-P7x2_desc-muscles_morph.tsv")
    described = json.loads((dataset / "desc-muscles_morph.json").read_text())
    assert tuple(rows[0]) == CSV_COLUMNS and set(described) == set(CSV_COLUMNS)
    assert [float(row["volume_cc"]) for row in rows if row["volume_cc"] != "n/a"] == pytest.approx(
        [report.measurements.volume_cc for report in case.reports if report.measurements], abs=1e-4
    )
    assert not any(value == "" for row in rows for value in row.values())


def test_no_column_is_described_by_chance():
    described = described_columns()
    plain = [name for name in CSV_COLUMNS if name not in SCORE_COLUMNS and "score of" in described[name]["Description"]]
    assert plain == [] and described["volume_cc_per_m2"]["Units"] == "cm3/m2" and described["mean_hu_low"]["Units"] == "HU"


def test_the_dataset_says_what_it_is(dataset):
    description = json.loads((dataset / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "MSKSegment"
    assert "Research use only" in (dataset / "README.md").read_text()


def test_a_folder_in_use_is_refused_and_nothing_is_left_of_a_failure(study, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_bids(study, tmp_path / "used")

    def stop(done, total):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_bids(study, tmp_path / "new", stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["used"]


def test_a_study_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="no result yet"):
        write_bids(open_study(tmp_path / "study", Settings()), tmp_path / "bids")
