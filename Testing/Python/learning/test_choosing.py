"""What is worth an annotator's time: error, uncertainty, likeness, minutes; and the list in the review."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from review_cases import make_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.review_saving import ReviewMinutes
from MSKSegmentLib.case_result import Light, Measurements, ReviewState, Scores, SegmentReport
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.learning.choosing import choose_segments, worth_seeing
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.web.case.options import Target, choose
from MSKSegmentLib.web.case.result_list import list_results


def report(key, dice, volume=300.0, uncertainty=1e-4, **changes):
    """A segment with that predicted Dice coefficient; it fails below 0.7."""
    segment = HIP_AND_THIGH.segment(key)
    found = Measurements(1000, volume, None, 40.0, 20.0, 41.0, 0.1, 0.2, 0.7, (0,) * 52, 10.0, 0.0)
    light = Light.GREEN if dice > 0.9 else Light.YELLOW if dice > 0.7 else Light.RED
    made = SegmentReport(segment, light, (), found, uncertainty, predicted_dice=dice, failure_probability=1 - dice)
    return replace(made, **changes)


def chosen(reports, hours=100.0):
    """Keys with their folders, in the order of the choice; `reports` by the folder's name."""
    candidates = [one for name, some in reports.items() for one in worth_seeing(Path(name), some)]
    return [(choice.what.folder.name, choice.what.segment.key) for choice in choose_segments(candidates, hours)]


def test_the_worse_and_the_more_uncertain_comes_first():
    order = chosen({"a": [report("GMED_right", 0.95)], "b": [report("GMED_right", 0.75, uncertainty=3e-4)]})
    assert order == [("b", "GMED_right"), ("a", "GMED_right")]
    order = chosen({"a": [report("GMED_right", 0.8, 300)], "b": [report("GMED_right", 0.8, 300, 3e-4)]})
    assert order[0] == ("b", "GMED_right"), "of two with the same predicted error"


def test_of_two_that_are_alike_the_second_waits():
    alike, other = [report("GMED_right", 0.80)], [report("GMED_right", 0.81, volume=900.0)]
    assert chosen({"a": alike, "b": alike, "c": other})[:2] == [("a", "GMED_right"), ("c", "GMED_right")]
    corrected = [report("GMED_right", 0.80, state=ReviewState.EDITED)]
    assert chosen({"known": corrected, "a": alike, "c": other}) == [("c", "GMED_right"), ("a", "GMED_right")]


def test_without_a_calibration_the_passes_tell_of_the_error():
    """All lights are grey then, and nothing is predicted."""
    grey = {"light": Light.GREY, "predicted_dice": None, "failure_probability": None}
    agreeing, differing = (report("GMED_right", 0.9, scores=Scores(pairwise_dice=dice), **grey) for dice in (0.95, 0.7))
    assert chosen({"a": [agreeing], "b": [differing]}) == [("b", "GMED_right"), ("a", "GMED_right")]


def test_minutes_are_those_of_the_review():
    (right,) = worth_seeing(Path("a"), [report("GMED_right", 0.8)])
    (failed,) = worth_seeing(Path("a"), [report("GMED_right", 0.5)])
    minutes = ReviewMinutes()
    assert right.minutes == pytest.approx(minutes.look + 0.2 * minutes.inaccurate)
    assert failed.minutes == pytest.approx(minutes.look + 0.5 * minutes.failed)
    five = [report(segment.key, 0.8) for segment in HIP_AND_THIGH.segments[:5]]
    choices = choose_segments(worth_seeing(Path("a"), five), 3.5 * right.minutes / 60)
    assert [choice.until_minutes for choice in choices] == pytest.approx([right.minutes * n for n in (1, 2, 3)])


def test_absent_segments_are_chosen_only_where_they_seem_missed():
    missing = report("GMED_left", 0.5, measurements=None, predicted_dice=None, failure_probability=None, light=Light.GREY)
    both = [report(f"{name}_{side}", 0.96) for name in ("GMAX", "TFL", "RF") for side in ("right", "left")]
    assert ("a", "GMED_left") not in chosen({"a": [missing]})
    assert chosen({"a": [report("GMED_right", 0.96), missing, *both]})[0] == ("a", "GMED_left")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two results, the second of which is accepted but for one segment."""
    root = tmp_path_factory.mktemp("results")
    case, _ = make_case()
    write_result(root / "first", case)
    kept = "GMAX_right"
    reports = tuple(one if one.segment.key == kept else replace(one, state=ReviewState.ACCEPTED) for one in case.reports)
    write_result(root / "second", replace(case, reports=reports))
    return root


def test_the_list_is_read_and_opened_in_its_order(results, tmp_path, capsys):
    path = tmp_path / "next.csv"
    assert main(["choose", str(results), "--hours", "1000", "-o", str(path)]) == 0
    assert "segments of 2 results, about" in capsys.readouterr().out
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    folders = [Path(tmp_path / row["result"]).resolve() for row in rows]
    assert {(folder.name, row["segment"]) for folder, row in zip(folders, rows, strict=True)} >= {("second", "GMAX_right")}
    assert sum(folder.name == "second" for folder in folders) == 1
    assert all(row["slices"] for row in rows if row["light"] != "not rated") and float(rows[0]["value"]) > 0
    turned = tmp_path / "turned.csv"
    turned.write_text("result\n" + "\n".join(str(results / name) for name in ("second", "first", "second")) + "\n")
    options = choose(turned, None, tmp_path)
    assert options.kind is Target.LIST and options.folder == results.resolve() and options.order == ("second", "first")
    assert [one.name for one in list_results(options.folder, options.order)] == ["second", "first"]
    assert [one.name for one in list_results(options.folder, ("second", "gone"))] == ["second"]


def test_bad_lists_and_bad_commands_are_refused(results, tmp_path, capsys):
    other = tmp_path / "list.csv"
    other.write_text("name\na\n")
    with pytest.raises(InputError, match="no column result"):
        choose(other, None, tmp_path)
    other.write_text(f"result\n{results / 'first'}\n{tmp_path / 'elsewhere' / 'x'}\n")
    with pytest.raises(InputError, match="lie in several folders"):
        choose(other, None, tmp_path)
    for arguments, words in (
        (["--hours", "0", "-o", "x.csv"], "no time to review"),
        (["--hours", "1", "-o", "x.txt"], "ends in .csv"),
        (["--hours", "0.001", "-o", "x.csv"], "give more --hours"),
    ):
        assert main(["choose", str(results), *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
