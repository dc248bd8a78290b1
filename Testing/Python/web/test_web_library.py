"""The list of results: worst first, nothing from outside the folder, broken results said so."""

import json

import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.web.case.result_list import claim_folder, find_result, list_results, safe_name


def make_result(folder, *entries, date="2026-05-04T10:00:00+00:00"):
    """A result.json with the given (light, state) per segment; the others are absent."""
    folder.mkdir(parents=True)
    listed = []
    for position, segment in enumerate(HIP_AND_THIGH.segments):
        light, state = entries[position] if position < len(entries) else ("grey", "automatic")
        found = {"volume_cc": 1.0} if position < len(entries) else None
        listed.append({"key": segment.key, "light": light, "state": state, "measurements": found})
    content = {"format": "mskseg-result", "format_version": 1, "provenance": {"date": date}, "segments": listed}
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


RED, YELLOW, GREEN, GREY = ((light, "automatic") for light in ("red", "yellow", "green", "grey"))
ACCEPTED, EDITED = ("red", "accepted"), ("grey", "edited")


def test_results_are_listed_worst_first(tmp_path):
    make_result(tmp_path / "a good", GREEN, GREEN)
    make_result(tmp_path / "b two failed", RED, GREEN, RED)
    make_result(tmp_path / "c one failed", RED, YELLOW, YELLOW)
    make_result(tmp_path / "d inaccurate", YELLOW)
    make_result(tmp_path / "e was failed", ACCEPTED, ACCEPTED, ACCEPTED)
    make_result(tmp_path / "f edited", EDITED)
    listed = list_results(tmp_path)
    assert [result.name[0] for result in listed] == list("bcdfae")
    assert [result.mark for result in listed] == ["red", "red", "yellow", "grey", "green", "green"]
    assert listed[0].text == "2 failed, 1 good" and listed[1].text == "1 failed, 2 inaccurate"
    assert listed[3].text == "1 edited" and listed[5].text == "3 accepted"
    assert listed[0].date == "2026-05-04"


def test_segments_that_were_not_found_are_not_counted(tmp_path):
    make_result(tmp_path / "empty")
    make_result(tmp_path / "grey", GREY)
    texts = {result.name: result.text for result in list_results(tmp_path)}
    assert texts == {"empty": "nothing found", "grey": "1 not rated"}


def test_broken_results_stand_last_with_a_sentence(tmp_path):
    make_result(tmp_path / "whole", GREEN)
    for number, text in enumerate(("", "[]", '{"format": "mskseg-result"}', '{"format": "other"}', "{" * 10)):
        folder = tmp_path / f"broken {number}"
        folder.mkdir()
        (folder / "result.json").write_text(text, encoding="utf-8")
    listed = list_results(tmp_path)
    assert [bool(result.problem) for result in listed] == [False] + 5 * [True]
    assert {result.text for result in listed[1:]} == {
        "The file result.json of this folder cannot be read; segment the CT again or restore the file."
    }


def test_the_folder_may_be_a_result_itself(tmp_path):
    make_result(tmp_path / "case", YELLOW)
    (listed,) = list_results(tmp_path / "case")
    assert (listed.name, listed.title, listed.yellow) == (".", "case", 1)
    assert find_result(tmp_path / "case", ".") == tmp_path / "case"


def test_nothing_outside_the_folder_is_listed_or_found(tmp_path):
    inside, outside = tmp_path / "inside", make_result(tmp_path / "outside", RED)
    make_result(inside / "own", GREEN)
    make_result(inside / ".hidden", RED)
    make_result(inside / "deeper" / "case", RED)
    (inside / "link").symlink_to(outside, target_is_directory=True)
    assert [result.name for result in list_results(inside)] == ["own"]
    for name in (
        "../outside",
        "link",
        str(outside),
        "own/../../outside",
        "..",
        "",
        ".",
        ".hidden",
        "deeper/case",
        "own/",
    ):
        assert find_result(inside, name) is None
    assert find_result(inside, "own") == inside / "own"


def test_a_folder_that_is_not_there_has_no_results(tmp_path):
    assert list_results(tmp_path / "nothing") == ()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("scan.nii.gz", "scan"),
        ("骨盤 CT (1).NRRD", "骨盤_CT_1"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\hip.zip", "hip"),
        (".hidden", "hidden"),
        ("...", "ct"),
        ("", "ct"),
        ("con.nii", "ct_con"),
        ("LPT1", "ct_LPT1"),
        ("a" * 300 + ".mha", "a" * 60),
        ("p.1.2.840.nii", "p.1.2.840"),
    ],
)
def test_names_of_files_become_names_of_folders(tmp_path, name, folder):
    assert safe_name(name) == folder
    made = claim_folder(tmp_path / "results", name)
    assert made == tmp_path / "results" / folder and made.is_dir()


def test_an_earlier_result_is_never_taken_for_a_free_folder(tmp_path):
    make_result(tmp_path / "scan", GREEN)
    (tmp_path / "scan-2").mkdir()
    assert claim_folder(tmp_path, "scan.nii") == tmp_path / "scan-3"
    assert claim_folder(tmp_path, "scan.nii") == tmp_path / "scan-4", "two servers never choose the same folder"
