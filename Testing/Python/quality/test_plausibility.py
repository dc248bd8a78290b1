"""Volume and place of segments against the bones beside them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.placing import reference_of, with_deviations
from MSKSegmentLib.case_result import Scores
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.evaluation.metrics import Outcome, SegmentComparison
from MSKSegmentLib.evaluation.tables import CaseScores
from MSKSegmentLib.quality.plausibility import SegmentPlacement, deviations, make_reference, placements

SACRUM, GMED, PELVIS, FEMUR, LEFT = 3, 5, 1, 2, 100


def _case(rng, size=1.0, **changes):
    """A patient of a size (1: average): hip bones, femora, gluteus medius of both sides and the sacrum."""
    places = {PELVIS: (80, 0, 0, 350), FEMUR: (110, 0, -200, 480), GMED: (95, 20, 60, 300), SACRUM: (0, 60, 20, 200)}
    found = {}
    for index, (lateral, posterior, superior, volume) in places.items():
        for offset, sign in ((0, -1), (LEFT, 1)) if index != SACRUM else ((0, 1),):
            place = size * (np.array([sign * lateral, posterior, superior]) + rng.normal(0, 3, 3))
            found[index + offset] = SegmentPlacement(volume * size**3 * rng.lognormal(0, 0.1), tuple(place), True)
    return {**found, **changes}


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(1)
    made = make_reference((_case(rng, rng.uniform(0.8, 1.2)) for _ in range(30)), HIP_AND_THIGH)
    return json.loads(json.dumps(made))


def test_ordinary_patients_of_any_size_are_plausible(reference):
    rng = np.random.default_rng(2)
    for size in (0.7, 1.0, 1.4):
        found = deviations(_case(rng, size), reference, HIP_AND_THIGH)
        assert set(found) == {SACRUM, GMED, GMED + LEFT, PELVIS, PELVIS + LEFT, FEMUR, FEMUR + LEFT}
        assert all(abs(volume) < 4 and place < 5 for volume, place in found.values())


@pytest.mark.parametrize("label", [GMED, GMED + LEFT])
def test_half_a_muscle_and_one_in_the_wrong_place_stand_out(reference, label):
    case = _case(np.random.default_rng(3))
    small, astray = dict(case), dict(case)
    own = case[label]
    small[label] = SegmentPlacement(own.volume_cc / 3, own.centroid_mm, True)
    astray[label] = SegmentPlacement(own.volume_cc, (-own.centroid_mm[0], *own.centroid_mm[1:]), True)
    assert deviations(small, reference, HIP_AND_THIGH)[label][0] < -4 and deviations(astray, reference, HIP_AND_THIGH)[label][1] > 8
    assert deviations(case, reference, HIP_AND_THIGH)[label][0] == pytest.approx(
        deviations(astray, reference, HIP_AND_THIGH)[label][0]
    )


def test_cut_segments_and_bones_say_nothing(reference):
    case = _case(np.random.default_rng(4))
    cut = SegmentPlacement(case[PELVIS].volume_cc / 2, case[PELVIS].centroid_mm, False)
    found = deviations({**case, PELVIS: cut}, reference, HIP_AND_THIGH)
    assert abs(found[GMED][0]) < 4, "the femur stands in for a hip bone that is cut"
    no_bones = {label: one for label, one in case.items() if label not in (PELVIS, FEMUR)}
    assert GMED not in deviations(no_bones, reference, HIP_AND_THIGH) and GMED + LEFT in deviations(
        no_bones, reference, HIP_AND_THIGH
    )
    assert SACRUM not in deviations(no_bones, reference, HIP_AND_THIGH), "one hip bone is not the middle"
    own = case[GMED]
    assert GMED not in deviations({**case, GMED: SegmentPlacement(own.volume_cc, own.centroid_mm, False)}, reference, HIP_AND_THIGH)
    assert deviations(case, {}, HIP_AND_THIGH) == {}


def test_too_few_cases_make_no_reference():
    rng = np.random.default_rng(5)
    assert make_reference((_case(rng) for _ in range(9)), HIP_AND_THIGH) == {}
    assert {"PELVIS", "FEMUR"} == set(make_reference((_case(rng) for _ in range(10)), HIP_AND_THIGH)["GMED"])


def test_placements_are_in_the_patient():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 2, 3:5] = GMED
    geometry = Geometry((6, 5, 4), (2.0, 3.0, 5.0), (10.0, 20.0, 30.0))
    found = placements(labels, geometry, [GMED])
    assert set(found) == {GMED} and not found[GMED].whole
    assert found[GMED].volume_cc == pytest.approx(4 * 30 / 1000)
    assert found[GMED].centroid_mm == pytest.approx((10 + 2 * 3.5, 20 + 3 * 2, 30 + 5 * 1.5))
    assert placements(np.zeros_like(labels), geometry) == {}


def test_an_evaluation_makes_a_reference_and_is_held_against_it():
    rng = np.random.default_rng(6)
    cases = [_evaluated(_case(rng), f"case {number}") for number in range(12)]
    reference = reference_of(cases, HIP_AND_THIGH)
    assert reference["GMED"]["PELVIS"]["n"] == 24
    shrunken = _evaluated(_case(rng), "shrunken", share={GMED: 0.2})
    found = {row.segment.label: row.scores for row in with_deviations(shrunken, reference).rows}
    assert found[GMED].volume_deviation < -4 < abs(found[GMED + LEFT].volume_deviation) + 4
    assert found[GMED].mean_variance == 1e-4 and found[GMED].position_deviation < 5
    cut = with_deviations(_evaluated(_case(rng), "cut", truncated={GMED}), reference)
    assert {row.segment.label: row.scores.volume_deviation for row in cut.rows}[GMED] is None
    none = [replace(case, rows=tuple(replace(row, truncated=True) for row in case.rows)) for case in cases]
    assert reference_of(none, HIP_AND_THIGH) == {}


def _evaluated(case, name, share=None, truncated=()):
    by_label = {segment.label: segment for segment in HIP_AND_THIGH.segments}
    rows = [
        SegmentComparison(
            by_label[label], Outcome.COMPARED, 1000, one.volume_cc, one.volume_cc * (share or {}).get(label, 1.0), 0.9,
            truncated=label in truncated, scores=Scores(mean_variance=1e-4),
            centroid_true_mm=one.centroid_mm, centroid_predicted_mm=one.centroid_mm,
        )
        for label, one in case.items()
    ]  # fmt: skip
    return CaseScores(name, tuple(rows), 0.0, HIP_AND_THIGH)
