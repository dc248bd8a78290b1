"""Examinations read from folders, the warnings on what differs between them, and the tables."""

import csv
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from comparison_cases import examination, phantom_case, with_report
from ct_scans import two_thighs, write_dicom

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.comparison.changes import ChangeVerdict
from MSKSegmentLib.comparison.doubts import differing_conditions, same_patient
from MSKSegmentLib.comparison.follow_up import compare_examinations, follow_up
from MSKSegmentLib.comparison.intervals import FollowedQuantity
from MSKSegmentLib.comparison.pose import angle_degrees, femur_axes
from MSKSegmentLib.comparison.protocol import Protocol, read_protocol
from MSKSegmentLib.comparison.tables import CHANGES, VALUES, WARNINGS
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.findings import warning
from MSKSegmentLib.results.result_folder import write_result

LOST = "VM_right"


@pytest.fixture(scope="module")
def cases():
    return phantom_case(), phantom_case(lost=(LOST,), digest="b")


@pytest.fixture(scope="module")
def folders(cases, tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    third = phantom_case(lost=(LOST, "ST_left"), digest="c")
    for name, case in zip(("first", "second", "third"), (*cases, third), strict=True):
        write_result(place / name, case)
    return place


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes(before, after):
    return {finding.code for finding in differing_conditions(before, after)}


def test_the_same_scanner_and_pose_raise_no_doubt(cases):
    assert not codes(examination("a", cases[0]), examination("b", cases[1]))


DIFFERENT = {
    "kernel": (Protocol(kernel="B30f"), Protocol(kernel="B70f")),
    "kvp": (Protocol(kvp=120), Protocol(kvp=100)),
    "contrast": (Protocol(contrast=False), Protocol(contrast=True)),
    "thickness": (Protocol(thickness_mm=1), Protocol(thickness_mm=5)),
    "other_patient": (Protocol(patient=("17", "")), Protocol(patient=("18", ""))),
}


@pytest.mark.parametrize("code", DIFFERENT)
def test_another_protocol_is_told_and_an_unknown_one_is_not(cases, code):
    one, two = (examination(name, case, protocol=p) for name, case, p in zip("ab", cases, DIFFERENT[code], strict=True))
    unknown = examination("b", cases[1])
    assert codes(one, two) == codes(two, one) == {code}
    assert not codes(one, unknown) and not codes(unknown, two)


def test_contrast_and_tube_voltage_forbid_changes_of_density_and_other_patients_all(cases):
    def real(code):
        pair = (examination(name, case, protocol=p) for name, case, p in zip("ab", cases, DIFFERENT[code], strict=True))
        rated = (one for one in compare_examinations(*pair).changes if one.verdict is not ChangeVerdict.NOT_COMPARABLE)
        return {one.quantity for one in rated}

    assert real("kvp") == real("contrast") == {FollowedQuantity.VOLUME}
    assert real("other_patient") == set()
    assert real("kernel") == set(FollowedQuantity)


def test_identifiers_are_not_printed(cases):
    one, two = (
        examination(n, c, protocol=Protocol(patient=(i, "19500101")))
        for n, c, i in zip("ab", cases, ("171717", "181818"), strict=True)
    )
    (finding,) = differing_conditions(one, two)
    assert not any(text in finding.sentence for text in ("171717", "181818", "1950"))


def with_facts(case, **facts):
    return replace(case, facts=replace(case.facts, **facts))


RUNS = {
    "height": {"height_m": 1.62},
    "run": {"passes": 5},
    "region": {"region_lps_mm": (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)},
}


@pytest.mark.parametrize("code", RUNS)
def test_another_run_is_told(cases, code):
    assert codes(examination("a", cases[0]), examination("b", with_facts(cases[1], **RUNS[code]))) == {code}


def test_another_bundle_is_told_by_name(cases):
    one, two = (
        examination(name, with_facts(case, record={"bundle": {"name": "model", "version": version, "digest": "0123456789"}}))
        for name, case, version in zip("ab", cases, ("1", "2"), strict=True)
    )
    (finding,) = differing_conditions(one, two)
    assert "model 1 01234567 and model 2 01234567" in finding.sentence


def test_noise_is_told_and_forbids_changes_of_fat(cases):
    found = compare_examinations(examination("a", cases[0]), examination("b", phantom_case(digest="b", noise=30)))
    assert [finding.code for finding in found.findings] == ["noise"]
    assert {one.quantity for one in found.changes if one.verdict is ChangeVerdict.NOT_COMPARABLE} == {FollowedQuantity.FAT}


def test_the_headers_tell_whether_it_is_the_same_patient(cases):
    def told(*protocols):
        return same_patient(*(examination(n, c, protocol=p) for n, c, p in zip("ab", cases, protocols, strict=True)))

    known = Protocol(patient=("17", "19500101"), sex="F")
    assert told(known, known) is True and told(known, Protocol(patient=("17", ""))) is True
    assert told(known, replace(known, sex="M")) is False and told(known, Protocol(patient=("", "19510101"))) is False
    # A date of birth alone is that of many.
    assert told(Protocol(patient=("", "19500101")), known) is None and told(known, Protocol()) is None


def test_another_side_and_doubtful_sides_are_told(cases):
    case = cases[1]
    right = replace(case, reports=tuple(replace(r, measurements=None) if r.segment.side is Side.LEFT else r for r in case.reports))
    assert codes(examination("a", cases[0]), examination("b", right)) == {"side"}
    guessed = replace(case, findings=(warning("side_guessed", "The side was guessed."),))
    assert codes(examination("a", cases[0]), examination("b", guessed)) == {"side_doubt"}


def test_femora_that_lie_differently_are_told(cases):
    angle = np.radians(20)
    turned = ((1.0, 0.0, 0.0), (0.0, np.cos(angle), -np.sin(angle)), (0.0, np.sin(angle), np.cos(angle)))
    case = replace(cases[1], geometry=Geometry(cases[1].geometry.size, cases[1].geometry.spacing, direction=turned))
    straight, bent = femur_axes(cases[0]), femur_axes(case)
    assert set(straight) == set(bent) == {Side.RIGHT, Side.LEFT}
    assert straight[Side.LEFT][2] == pytest.approx(1, abs=0.01)
    assert angle_degrees(straight[Side.LEFT], bent[Side.LEFT]) == pytest.approx(20, abs=0.5)
    (finding,) = (one for one in differing_conditions(examination("a", cases[0]), examination("b", case)) if one.code == "pose")
    assert "right by 20°, left by 20°" in finding.sentence


def test_bones_that_change_are_told(cases):
    found = compare_examinations(examination("a", cases[0]), examination("b", phantom_case(lost=("FEMUR_left",), digest="b")))
    assert "bones_changed" in [finding.code for finding in found.findings]


def test_reversed_dates_and_the_same_scan(cases):
    one, two = (examination(n, c, when=date(2024, m, 1)) for n, c, m in zip("ab", cases, (5, 1), strict=True))
    assert codes(one, two) == {"order"}
    with pytest.raises(InputError, match="same scan"):
        compare_examinations(one, replace(one, name="again"))
    with pytest.raises(InputError, match="two or more"):
        follow_up([one])


def test_two_results_on_the_command_line(folders, tmp_path, capsys):
    assert main(["compare", str(folders / "first"), str(folders / "second"), "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "first → second" in printed and "1 real change," in printed
    written = rows(tmp_path / "out" / CHANGES)
    assert len(written) == 124
    (real,) = (row for row in written if row["verdict"] == "a real change")
    assert (real["abbreviation"], real["side"], real["quantity"]) == ("VM", "right", "volume_cc")
    assert float(real["change_low"]) < float(real["change"]) < float(real["change_high"]) < 0
    # A comparison may be written anew.
    assert main(["-q", "compare", str(folders / "first"), str(folders / "second"), "-o", str(tmp_path / "out")]) == 0
    assert not capsys.readouterr().out


def test_more_results_are_a_table_over_time(folders, tmp_path):
    names = [str(folders / name) for name in ("first", "second", "third")]
    days = ("2023-01-05", "2024-02-06", "2025-03-07")
    given = [word for day in days for word in ("--date", day)]
    assert main(["-q", "compare", *names, *given, "-o", str(tmp_path / "values.csv")]) == 0
    written = rows(tmp_path / "values.csv")
    muscle = [row for row in written if (row["abbreviation"], row["side"], row["quantity"]) == ("ST", "left", "volume_cc")]
    assert [row["date"] for row in muscle] == list(days) and [row["case"] for row in muscle] == ["first", "second", "third"]
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in muscle)
    assert len(written) == 3 * 124 and {row["usable"] for row in written} == {"yes"}
    assert main(["-q", "compare", *names, "-o", str(tmp_path / "all")]) == 0
    assert {row["after"] for row in rows(tmp_path / "all" / CHANGES)} == {"second", "third"}
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted((CHANGES, VALUES, WARNINGS))


def test_wrong_use_is_one_sentence(folders, tmp_path, capsys):
    def refused(*words):
        assert main(["compare", *map(str, words)]) == 2
        return capsys.readouterr().err

    first, second = folders / "first", folders / "second"
    assert "two or more dates" in refused(first)
    assert "no result folder 'nothing'" in refused(first, tmp_path / "nothing")
    assert "given 1 times for 2 results" in refused(first, second, "--date", "2024-01-01")
    assert "same scan" in refused(first, first)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    assert "holds other files" in refused(first, second, "-o", tmp_path / "taken")
    assert (tmp_path / "taken" / "diary.txt").read_text() == "mine"


def test_a_segmentation_that_was_changed_elsewhere_is_refused(cases, tmp_path, capsys):
    key, fewer = "PI_left", cases[1].reports
    one = next(report for report in fewer if report.segment.key == key).measurements
    write_result(tmp_path / "other", with_report(cases[1], key, measurements=replace(one, voxels=one.voxels - 1)))
    write_result(tmp_path / "first", cases[0])
    assert main(["compare", str(tmp_path / "first"), str(tmp_path / "other")]) == 2
    assert "changed by another program" in capsys.readouterr().err


def test_protocol_and_date_come_from_dicom_headers(tmp_path):
    tags = {
        "KVP": "120",
        "ConvolutionKernel": "B30f",
        "ContrastBolusAgent": "Iohexol",
        "SliceThickness": "3",
        "AcquisitionDate": "20240305",
    }
    tags |= {"PatientBirthDate": "19500101", "PatientSex": "F"}
    plain = read_protocol(write_dicom(tmp_path / "plain", two_thighs()))
    rich = read_protocol(write_dicom(tmp_path / "rich", two_thighs(), tags=tags))
    assert plain == Protocol(patient=("P", ""), contrast=False)
    assert rich == Protocol(("P", "19500101"), "F", date(2024, 3, 5), "B30f", 120, 3, True)
    (tmp_path / "scan.nrrd").touch()
    assert read_protocol(tmp_path / "scan.nrrd") is None
