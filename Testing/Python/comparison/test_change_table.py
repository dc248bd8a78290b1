"""Changes as panel and page show them: rows with words, what to know before reading them, slices at the same anatomical level."""

from dataclasses import replace

import numpy as np
import pytest
from comparison_cases import examination, phantom_case, phantom_scan, with_report
from rendered_bones import rendered_bones

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.case_result import CaseResult, Light
from MSKSegmentLib.comparison.change_table import change_cautions, change_rows_of, change_summary, quantities_of
from MSKSegmentLib.comparison.change_words import CHANGE_TABLE, NARROW_CHANGE_TABLE, PATIENT_NOT_KNOWN, SAME_PATIENT
from MSKSegmentLib.comparison.changes import ChangeVerdict
from MSKSegmentLib.comparison.follow_up import compare_examinations
from MSKSegmentLib.comparison.intervals import FollowedQuantity
from MSKSegmentLib.comparison.protocol import Protocol
from MSKSegmentLib.comparison.same_level import levels_of_segment, pairs_of_levels, scan_levels
from MSKSegmentLib.measurement.levels import HEAD, LEVEL_NAMES, S1


@pytest.fixture(scope="module")
def cases():
    later = with_report(phantom_case(("GMAX_right", "GMED_left"), digest="b"), "GMED_left", light=Light.RED)
    return phantom_case(), later


@pytest.fixture(scope="module")
def pair(cases):
    return compare_examinations(examination("one", cases[0]), examination("two", cases[1]))


def test_real_changes_come_first_and_what_is_not_compared_says_why(pair):
    rows = change_rows_of(pair, FollowedQuantity.VOLUME)
    first, last = rows[0], rows[-1]
    change = next(one for one in pair.changes if one.segment.key == "GMAX_right")
    assert (first.key, first.verdict, first.verdict_text) == ("GMAX_right", ChangeVerdict.REAL, "a real change")
    assert first.texts[3] == f"−{abs(round(change.difference.value))} (−{abs(round(change.percent))} %)"
    assert first.narrow_texts[3] == change.text.replace("-", "−") and first.percent == first.texts[3].split("(")[1][:-1]
    assert first.interval == f"{change.numbers[1]} to {change.numbers[2]}".replace("-", "−")
    assert (last.key, last.change, last.interval) == ("GMED_left", "", "")
    # Its numbers are shown, but no difference of them.
    assert last.verdict_text == "not compared: failed (red light) after" and float(last.before) > float(last.after)
    assert len(first.texts) == len(CHANGE_TABLE) and len(first.narrow_texts) == len(NARROW_CHANGE_TABLE)
    assert change_summary(rows) == "1 real change, 41 within the error, 1 not compared"


def test_scans_without_hounsfield_units_have_volumes_alone(cases):
    def without_hu(case):
        none = {"mean_hu": None, "sd_hu": None, "fat_fraction": None}
        reports = (replace(r, measurements=replace(r.measurements, **none), mean_hu_interval=None) for r in case.reports)
        return replace(case, reports=tuple(reports))

    mr = compare_examinations(*(examination(name, without_hu(case)) for name, case in zip("ab", cases, strict=True)))
    assert quantities_of(mr) == (FollowedQuantity.VOLUME,)


def test_whether_it_is_the_same_patient_is_said_before_all_else(cases):
    def told(one, two):
        both = (examination(name, case, protocol=p) for name, case, p in zip("ab", cases, (one, two), strict=True))
        return change_cautions(compare_examinations(*both))

    known = Protocol(patient=("17", ""))
    assert told(known, known)[0] == SAME_PATIENT and told(known, Protocol())[0] == PATIENT_NOT_KNOWN
    other = told(known, Protocol(patient=("18", "")))
    assert "differ in the patient's identifier" in other[0] and not {SAME_PATIENT, PATIENT_NOT_KNOWN} & set(other)


def bones(**options):
    """A scan of bones, and its levels."""
    case = CaseResult(*rendered_bones((4.0, 4.0, 4.0), **options), ())
    return case, scan_levels(case, phantom_scan(case.labels, case.geometry))


@pytest.fixture(scope="module")
def upright():
    return bones()


def test_a_structure_is_shown_at_the_same_level_of_both_scans(upright):
    # The earlier scan begins 40 mm lower; its slices count from above, and its rows from posterior.
    (_, before), (case, after) = bones(low=-60.0, order=((0, 1, 2), (1, -1, -1))), upright
    pairs = pairs_of_levels(before, after)
    assert [one.name for one in pairs if one.after.level.side is not Side.LEFT] == list(LEVEL_NAMES)
    assert all(one.before.level.index == one.after.level.index + 10 for one in pairs)
    assert all(one.before.level.side is one.after.level.side for one in pairs)
    femur = case.table.segment("FEMUR_left")
    (head,) = (one for one in pairs if one.name == HEAD and one.after.level.side is Side.LEFT)
    np.testing.assert_array_equal(head.before.labels == femur.label, head.after.labels == femur.label)
    for one in (head.before, head.after):
        assert abs(one.values[one.labels == femur.label].mean() - 55) < 5
    shown = levels_of_segment(pairs, femur, femur)
    assert {one.after.level.side for one in shown} == {Side.LEFT}
    areas = [(one.before.labels == femur.label).sum() + (one.after.labels == femur.label).sum() for one in shown]
    assert areas == sorted(areas, reverse=True) and min(areas) > 0
    sacrum = case.table.segment("SACRUM")
    assert S1 in {one.name for one in levels_of_segment(pairs, sacrum, sacrum)}


def test_levels_that_one_scan_alone_shows_are_no_pair(upright):
    (_, thigh), (_, whole) = bones(high=480.0), upright
    assert S1 in {one.level.name for one in whole} and S1 not in {one.name for one in pairs_of_levels(thigh, whole)}
    assert HEAD in {one.name for one in pairs_of_levels(thigh, whole)}
