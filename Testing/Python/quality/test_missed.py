"""Structures that were missed altogether: what the bones suggest, and the red light for it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from light_cases import learned
from segmentation_phantom import classes_of
from segmentation_phantom import phantom as labelled_phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.inference import predict as predicting
from MSKSegmentLib.inference.predict import Prediction
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.missed import expected_volumes, with_missed
from MSKSegmentLib.quality.plausibility import SegmentPlacement, make_reference, placements
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.results.result_folder import report_json
from MSKSegmentLib.results.result_reading import report_from_json
from MSKSegmentLib.review.corrections import corrected
from MSKSegmentLib.review.queue import Candidate, priorities
from MSKSegmentLib.review.rows import make_rows
from MSKSegmentLib.settings import PAPER, Settings

LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}


@pytest.fixture(scope="module")
def body():
    return labelled_phantom()


@pytest.fixture(scope="module")
def placed(body):
    return placements(*body)


@pytest.fixture(scope="module")
def reference(placed):
    rng = np.random.default_rng(1)
    cases = [
        {
            label: SegmentPlacement(one.volume_cc * rng.lognormal(0, 0.1), tuple(one.centroid_mm + rng.normal(0, 3, 3)), True)
            for label, one in placed.items()
        }
        for _ in range(20)
    ]
    return json.loads(json.dumps(make_reference(cases, HIP_AND_THIGH)))


def _without(placed, *keys):
    return {label: one for label, one in placed.items() if label not in {LABEL[key] for key in keys}}


def test_a_whole_scan_lets_nothing_be_missed(body, placed, reference):
    assert expected_volumes(placed, reference, HIP_AND_THIGH, body[1]) == {}


@pytest.mark.parametrize("key", ["GRAC_left", "GMED_right", "SACRUM", "PELVIS_right"])
def test_what_is_missing_among_the_bones_is_expected_with_its_volume(body, placed, reference, key):
    found = expected_volumes(_without(placed, key), reference, HIP_AND_THIGH, body[1])
    assert set(found) == {LABEL[key]} and found[LABEL[key]] == pytest.approx(placed[LABEL[key]].volume_cc, rel=0.2)


def test_nothing_is_expected_beyond_the_scan_or_without_a_whole_bone(body, reference):
    labels, geometry = body
    # The scan begins above the middle of the thighs, and cuts the femora.
    lowest = 75
    upper = geometry.cropped((0, 0, lowest), (geometry.size[0], geometry.size[1], geometry.size[2] - lowest))
    above = placements(labels[lowest:], upper, [LABEL["FEMUR_right"], LABEL["FEMUR_left"]])
    missing = _without(above, "VM_left", "ST_left", "GRAC_right", "GMED_left", "GMIN_right")
    assert set(expected_volumes(missing, reference, HIP_AND_THIGH, upper)) == {LABEL["GMED_left"], LABEL["GMIN_right"]}
    cut = {
        label: replace(one, whole=one.whole and label not in (LABEL["PELVIS_left"], LABEL["PELVIS_right"]))
        for label, one in missing.items()
    }
    assert expected_volumes(cut, reference, HIP_AND_THIGH, upper) == {}
    assert expected_volumes(missing, {}, HIP_AND_THIGH, upper) == {}


def test_one_leg_is_not_two_with_one_missed(body, placed, reference):
    one_leg = {label: one for label, one in placed.items() if label < 100 and label != LABEL["SACRUM"]}
    assert expected_volumes(one_leg, reference, HIP_AND_THIGH, body[1]) == {}


def test_an_expected_segment_is_red_flagged_and_says_why():
    reports = with_missed(make_reports(HIP_AND_THIGH, {}, {}, learned(), 10), {LABEL["GRAC_left"]: 83.4})
    by_key = {report.segment.key: report for report in reports}
    report = by_key["GRAC_left"]
    assert report.light is Light.RED and by_key["GRAC_right"].light is Light.GREY
    assert report_from_json(report_json(report), HIP_AND_THIGH) == report
    row_key = "GRAC_left"
    row = next(row for row in make_rows(reports) if row.key == row_key)
    assert row.mark == Light.RED.value and row.needs_review and not row.found
    assert row.texts["light"] == row.verdict == "probably missed" and "about 83 cc" in row.lines[0] and len(row.lines) == 1
    erased = make_rows([corrected(report, None, None)])[0]
    assert erased.texts["light"] == "not found"
    # Accepted as gone: no other reason takes the place of its own.
    accepted = next(row for row in make_rows([replace(one, state=ReviewState.ACCEPTED) for one in reports]) if row.key == row_key)
    assert not accepted.needs_review and accepted.texts["light"] == "probably missed" and accepted.lines == row.lines


def test_the_queue_weighs_it_like_the_other_side_or_an_average_muscle():
    segments = {segment.key: segment for segment in HIP_AND_THIGH.segments}
    cut = Candidate(segments["GRAC_right"], Light.GREEN, 0.01, 300.0, truncated=True)
    found = [cut, *(Candidate(segments[key], Light.GREEN, 0.01, 100.0) for key in ("AD_left", "BF_left"))]
    ranked = priorities([*found, Candidate(segments["GRAC_left"], Light.RED)])
    missed = ranked["GRAC_left"]
    assert missed.missed and missed.flagged and missed.probability == 1 and missed.weight == ranked["AD_left"].weight
    assert not priorities([*found, Candidate(segments["GRAC_left"], Light.GREY)])["GRAC_left"].missed


def test_a_run_flags_what_its_network_missed(body, reference, tiny_bundle, monkeypatch):
    labels, geometry = body
    classes = classes_of(labels)
    hu = np.select([np.isin(classes, (1, 2, 3)), classes > 0], [600, 50], -100).astype(np.int16)
    hu[:, :, :4] = hu[:, :, -4:] = -1000
    missed = np.where(labels == LABEL["GRAC_left"], 0, classes).astype(np.uint8)

    def predict(volume, *_):
        start = np.rint(np.linalg.solve(geometry.matrix, np.subtract(volume.geometry.origin, geometry.origin))).astype(int)
        part = tuple(slice(first, first + size) for first, size in zip(start[::-1], volume.geometry.shape, strict=True))
        return Prediction(missed[part], np.zeros(volume.geometry.shape, np.float32), drawn=(10,))

    monkeypatch.setattr(predicting, "predict", predict)
    knowing = replace(learned(), reference=reference)
    bundle = replace(load_bundle(tiny_bundle), calibration=knowing.to_json())
    light = {}
    for rule in (None, PAPER):
        settings = Settings("cpu", passes=10, seed=1) if rule is None else Settings("cpu", passes=10, seed=1, lights=rule)
        reports = segment_case(CTVolume(hu, geometry), bundle, settings).reports
        light[rule] = {report.segment.key: report.light for report in reports if report.measurements is None}
    assert light == {None: {"GRAC_left": Light.RED}, PAPER: {"GRAC_left": Light.GREY}}
