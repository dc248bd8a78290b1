"""Segmentations of other programs as cases of a study: listed, imported and judged, resumed, done again when they change."""

import csv
import json
import os

import pytest
from cohort_cases import ON_POSIX, calls_of, fake_python, run_options, write_scans

from MSKSegmentLib.cohort.case_rows import case_rows
from MSKSegmentLib.cohort.gathered import gathered_cases
from MSKSegmentLib.cohort.planning import Estimate, listing
from MSKSegmentLib.cohort.records import current_record
from MSKSegmentLib.cohort.running import run_cases
from MSKSegmentLib.cohort.source import find_cases
from MSKSegmentLib.cohort.study import open_study, write_json
from MSKSegmentLib.cohort.tables import write_tables
from MSKSegmentLib.commands.import_masks import command
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.engine import ImportRequest
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.results.result_folder import RESULT
from MSKSegmentLib.settings import Settings


@pytest.fixture
def masks(tmp_path):
    """A list of two scans: the first with masks of two programs, the second without, and one whose mask is gone."""
    write_scans(tmp_path / "scans", "good_1", "good_2")
    (tmp_path / "masks" / "total").mkdir(parents=True)
    (tmp_path / "masks" / "total" / "femur_left.nii.gz").write_bytes(b"a mask")
    (tmp_path / "masks" / "one_dseg.nii.gz").write_bytes(b"another")
    (tmp_path / "mine.csv").write_text("value,structure\n1,GMAX\n")
    lines = [
        "case,path,mask,labels,side_affected",
        "one_mm,scans/good_1.nii,masks/one_dseg.nii.gz,mine.csv,left",
        "one_ts,scans/good_1.nii,masks/total,totalsegmentator,left",
        "two,scans/good_2.nii,,,",
        "gone,scans/good_2.nii,masks/nothing.nii,,",
    ]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "list.csv"


def test_masks_of_one_scan_are_cases_of_their_own(masks, tmp_path):
    one, two, plain, gone = find_cases(masks)
    assert one.mask == str(tmp_path / "masks" / "one_dseg.nii.gz") and one.labels == str(tmp_path / "mine.csv")
    assert two.mask == str(tmp_path / "masks" / "total") and two.labels == "totalsegmentator"
    assert not one.same_as and not two.same_as and one.signature != two.signature and not plain.mask
    assert "segmentation or its table of labels cannot be read" in gone.problem
    lines = list(listing([one, plain, gone]))
    assert "its segmentation one_dseg.nii.gz is judged" in lines[0] and "judged" not in lines[1] and "REFUSED" in lines[2]
    # Judging takes a part of the time of segmenting.
    estimate = Estimate(100.0, 1e6, 0, "a processor")
    assert estimate.total_seconds([one]) == pytest.approx(0.25 * estimate.total_seconds([plain]), rel=0.5)
    masks.write_text("path,labels\nscans/good_1.nii,musclemap\n")
    with pytest.raises(InputError, match="Labels are stated in line 2 of list.csv, but no segmentation"):
        find_cases(masks)


def test_a_change_of_mask_or_table_is_another_case(masks, tmp_path):
    before = [case.signature for case in find_cases(masks)]
    for file, changed in ((tmp_path / "mine.csv", 0), (tmp_path / "masks" / "total" / "femur_left.nii.gz", 1)):
        file.write_bytes(file.read_bytes() + b"\n")
        after = [case.signature for case in find_cases(masks)]
        assert [a != b for a, b in zip(after, before, strict=True)] == [number == changed for number in range(4)]
        before = after


@pytest.mark.skipif(not ON_POSIX, reason="the stand-in for the engine is a script that POSIX starts")
def test_masks_are_imported_judged_and_gathered_once(masks, tmp_path):
    folder = tmp_path / "engine"
    folder.mkdir()
    script = fake_python(folder)
    study, cases = open_study(tmp_path / "study", Settings()), find_cases(masks)
    for _ in range(2):
        records = run_cases(study, cases, run_options(script)).records
        assert {name: record.state.value for name, record in records.items()} == {
            "one_mm": "done", "one_ts": "done", "two": "done", "gone": "refused",
        }  # fmt: skip
    assert sorted(calls_of(script)) == ["import good_1"] * 2 + ["segment good_2"] + ["slices good_1"] * 2 + ["slices good_2"]
    write_tables(study, cases, records)
    with (study.root / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert rows["one_ts"]["labels"] == "totalsegmentator" and rows["one_mm"]["mask"].endswith("one_dseg.nii.gz")
    os.utime(tmp_path / "masks" / "one_dseg.nii.gz", (0, 0))
    again = {case.case: current_record(study, case).state.value for case in find_cases(masks)}
    assert again == {"one_mm": "waiting", "one_ts": "done", "two": "done", "gone": "refused"}


def test_the_row_of_a_judged_case_says_who_segmented_and_who_judged(tmp_path):
    script = fake_python(tmp_path)
    path = script.with_name("result") / RESULT
    content = json.loads(path.read_text())
    content["provenance"] |= {"imported": {"table": {"title": "MuscleMap"}}, "rated": {"bundle": {"name": "net", "version": "2"}}}
    content["provenance"]["bundle"] = None
    path.write_text(json.dumps(content))
    row = case_rows("a", path.parent, ())
    assert (row["segmented_by"], row["bundle"]) == ("MuscleMap", "net 2")


def test_the_words_for_the_engine_are_those_of_the_command(tmp_path):
    settings = Settings("cpu", seed=4, height_m=1.63, bundle="net", series="3", assume_orientation="LPS", task="hip-thigh-ct")
    words = ImportRequest(tmp_path / "ct", tmp_path / "mask", tmp_path / "out", settings, "ours", True, True).arguments()
    said = command.make_context("import", words[1:]).params
    assert (said["ct"], said["mask"], said["output"]) == (tmp_path / "ct", tmp_path / "mask", tmp_path / "out")
    assert said["rate"] and said["keep_ct"] and said["record_path"] and said["progress"] == "json" and said["labels"] == "ours"
    assert (said["height_cm"], said["seed"], said["device"], said["bundle"]) == (163, 4, "cpu", "net")
    assert (said["series"], said["assume_orientation"], said["task"]) == ("3", "LPS", "hip-thigh-ct")


def test_what_means_nothing_for_masks_is_refused(masks, tmp_path, capsys):
    assert main(["cohort", str(masks), "-o", str(tmp_path / "study"), "--samples", "5", "--dry-run"]) == 2
    assert "The list names segmentations to judge" in capsys.readouterr().err


def test_cases_of_a_version_without_a_column_are_gathered_with_others(tmp_path):
    script = fake_python(tmp_path)
    study = open_study(tmp_path / "study", Settings())
    for name in ("earlier", "now"):
        row = case_rows(name, script.with_name("result"), ())
        if name == "earlier":
            del row["segments"]["not_confirmed"], row["segmented_by"]
        write_json(study.rows(name), row)
    (both,) = gathered_cases(study, ["earlier", "now"])
    assert both.segments.num_rows == 2 * 43 and [one["case"] for one in both.facts] == ["earlier", "now"]
    assert both.segments["volume_cc"].slice(0, 43).equals(both.segments["volume_cc"].slice(43))
