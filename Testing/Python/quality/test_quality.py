"""Scores, the paper's rule, guards and reports: never green without proof."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import phantom_hu
from label_overlap import dice

from MSKSegmentLib import segmentation
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.case_result import Light, Measurements, Scores
from MSKSegmentLib.ct.checks.volume import check_volume, spacing_findings
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.findings import warning
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality import reports as report_module
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.guards import SCAN_CAUTIONS, metal_distances, scan_cautions, score_cautions
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.quality.scores import structure_uncertainty
from MSKSegmentLib.quality.traffic_light import GREEN_NEEDS_DICE, rate_by_paper
from MSKSegmentLib.segmentation.below_knee import KneeCut
from MSKSegmentLib.settings import Settings


def _observations(abbreviation="GMAX", n=40, intercept=0.97, slope=-100.0, spread=0.003, seed=0):
    rng = np.random.default_rng(seed)
    uncertainty = rng.uniform(1e-4, 8e-4, n)
    scores = intercept + slope * uncertainty + rng.normal(0, spread, n)
    return [
        Observation(f"p{k // 2}", abbreviation, "right" if k % 2 else "left", float(u), float(d))
        for k, (u, d) in enumerate(zip(uncertainty, scores, strict=True))
    ]


def _calibration(**kwargs):
    return calibrate(_observations(**kwargs), "2026-01-01", "test", passes=10)


def _old_calibration():
    """One of before there was a rule from all evidence."""
    return replace(_calibration(), model=None, no_model=None)


def test_structure_uncertainty_is_the_mean_inside_the_label():
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1, 1:4] = 4
    labels[2, 0, 0] = 104
    uncertainty = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    found = structure_uncertainty(labels, uncertainty)
    assert found == {4: pytest.approx(np.mean([26, 27, 28])), 104: 40.0}


def test_dice_by_hand():
    one = np.array([[1, 1, 2], [0, 0, 3]])
    two = np.array([[1, 0, 2], [0, 0, 0]])
    found = dice(one, two, np.array([1, 2, 3, 9]))
    assert found[1] == pytest.approx(2 / 3) and found[2] == 1.0 and found[3] == 0.0 and math.isnan(found[9])


def test_calibration_follows_the_papers_rule():
    found = _calibration().structures["GMAX"]
    scores = np.array([item.dice for item in _observations()])
    median = np.median(scores)
    mad = np.median(np.abs(scores - median))
    assert found.dice_inaccurate == pytest.approx(median - 2 * 1.4826 * mad)
    assert found.dice_failed == pytest.approx(median - 3 * 1.4826 * mad)
    assert found.slope == pytest.approx(-100, rel=0.05) and found.intercept == pytest.approx(0.97, abs=0.003)
    # The thresholds are the Dice thresholds, read off the line.
    assert found.intercept + found.slope * found.uncertainty_inaccurate == pytest.approx(found.dice_inaccurate)
    assert found.intercept + found.slope * found.uncertainty_failed == pytest.approx(found.dice_failed)
    assert found.uncertainty_inaccurate < found.uncertainty_failed
    assert found.patients == 20 and found.segments == 40


def test_calibration_counts_failures_and_ranks_them():
    observations = _observations() + [Observation(f"q{k}", "GMAX", "left", 3e-3 + k * 1e-4, 0.4) for k in range(3)]
    found = calibrate(observations, "", "", 10).structures["GMAX"]
    assert found.failed == 3 and found.auroc_failed == 1.0


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        (_observations(n=12), "only 6 calibration patients"),
        (_observations(slope=60.0, intercept=0.85), "did not fall"),
        ([Observation(f"p{k}", "GMAX", "left", 1e-4, 0.9) for k in range(30)], "do not differ"),
    ],
)
def test_structures_that_cannot_be_calibrated_say_why(observations, reason):
    calibration = calibrate(observations, "", "", 10)
    assert reason in calibration.missing["GMAX"] and "GMAX" not in calibration.structures
    rating = rate_by_paper("GMAX", 1e-5, (), calibration, 10)
    assert rating.light is Light.GREY and reason in rating.reasons[0]


def test_calibration_survives_json():
    calibration = _calibration()
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration
    with pytest.raises(BundleError):
        Calibration.from_json({"structures": {"GMAX": {"slope": 1}}})


def test_lights_by_uncertainty():
    calibration = _calibration()
    found = calibration.structures["GMAX"]
    at = {
        Light.GREEN: 0.5 * found.uncertainty_inaccurate,
        Light.YELLOW: 0.5 * (found.uncertainty_inaccurate + found.uncertainty_failed),
        Light.RED: 1.5 * found.uncertainty_failed,
    }
    for light, uncertainty in at.items():
        rating = rate_by_paper("GMAX", uncertainty, (), calibration, 10)
        assert rating.light is light and rating.reasons and rating.predicted_dice == found.predicted_dice(uncertainty)


@pytest.mark.parametrize(
    ("abbreviation", "uncertainty", "cut", "calibration", "passes", "reason"),
    [
        ("GMAX", None, (), _calibration(), 10, "not found"),
        ("GMAX", 1e-5, (), None, 10, "no calibration"),
        ("OE", 1e-5, (), _calibration(), 10, "uncalibrated"),
        ("GMAX", 1e-5, ("superior",), _calibration(), 10, "cut by the field of view"),
        ("GMAX", 1e-5, (), _calibration(), 9, "fewer"),
        ("GMAX", 0.0, (), _calibration(), 1, "fewer"),
    ],
)
def test_never_green_without_proof(abbreviation, uncertainty, cut, calibration, passes, reason):
    rating = rate_by_paper(abbreviation, uncertainty, cut, calibration, passes)
    assert rating.light is Light.GREY and any(reason in text for text in rating.reasons)


def test_not_a_number_is_not_green():
    assert rate_by_paper("GMAX", float("nan"), (), _calibration(), 10).light is Light.RED


def test_usual_for_a_weak_network_is_not_green():
    weak = _calibration(intercept=0.75)
    assert weak.structures["GMAX"].dice_median < GREEN_NEEDS_DICE
    usual = float(np.median([item.uncertainty for item in _observations(intercept=0.75)]))
    assert rate_by_paper("GMAX", usual, (), weak, 10).light is Light.YELLOW
    hopeless = _calibration(intercept=0.5)
    assert rate_by_paper("GMAX", usual, (), hopeless, 10).light is Light.RED


def _found(cc=100.0, cut=()):
    return Measurements(1, cc, None, 50, 5, 50, 0.1, 0.2, 0.7, (1,), 1.0, 0.0, cut)


def test_reports_are_43_rows_in_order_with_asymmetry_only_of_whole_pairs():
    measurements = {4: _found(110), 104: _found(90), 5: _found(50), 6: _found(10, ("superior",)), 106: _found(10)}
    evidence = dict.fromkeys(measurements, Scores(mean_variance=2e-4))
    reports = make_reports(HIP_AND_THIGH, measurements, evidence, _old_calibration(), 10)
    assert [report.segment for report in reports] == list(HIP_AND_THIGH.segments) and len(reports) == 43
    by_key = {report.segment.key: report for report in reports}
    assert by_key["GMAX_right"].asymmetry_percent == by_key["GMAX_left"].asymmetry_percent == pytest.approx(20.0)
    assert by_key["GMED_right"].asymmetry_percent is None and by_key["GMIN_left"].asymmetry_percent is None
    assert by_key["GMAX_right"].light is Light.GREEN
    absent = [report for report in reports if report.measurements is None]
    assert len(absent) == 38 and all(report.light is Light.GREY for report in absent)


def test_reports_of_measured_labels_are_grey():
    reports = make_reports(HIP_AND_THIGH, {4: _found()}, None, _calibration(), 10)
    assert {report.light for report in reports} == {Light.GREY}
    assert "not known" in next(r for r in reports if r.measurements).reasons[0]


def test_calibrate_knows_every_structure():
    calibration = _calibration()
    assert set(calibration.structures) | set(calibration.missing) == {s.abbreviation for s in HIP_AND_THIGH.structures}


def test_metal_near_a_segment_rules_out_green():
    labels = np.zeros((20, 40, 60), np.uint8)
    labels[5:15, 10:20, 10:20] = 4
    labels[5:15, 10:20, 45:55] = 104
    hu = np.full(labels.shape, 50, np.int16)
    geometry = Geometry(size=(60, 40, 20), spacing=(2.0, 2.0, 3.0))
    assert metal_distances(labels, hu, geometry) == {}
    hu[9:11, 12:18, 24:28] = 3000
    far = metal_distances(labels, hu, geometry)
    cautions = {label: score_cautions(Scores(metal_distance_mm=mm)) for label, mm in far.items()}
    assert set(cautions) == {4, 104} and "metal" in cautions[4][0] and cautions[104] == ()
    hu[9:11, 12:18, 24:28] = 50
    hu[10, 14, 24:26] = 3000
    assert metal_distances(labels, hu, geometry) == {}, "two bright voxels are no implant"
    evidence = {label: Scores(mean_variance=1e-4, metal_distance_mm=mm) for label, mm in far.items()}
    reports = make_reports(HIP_AND_THIGH, {4: _found(), 104: _found()}, evidence, _old_calibration(), 10)
    by_key = {report.segment.key: report for report in reports}
    assert by_key["GMAX_left"].light is Light.GREEN
    assert by_key["GMAX_right"].light is Light.YELLOW and any("metal lies" in reason for reason in by_key["GMAX_right"].reasons)


def test_guards_tell_what_is_wrong():
    assert score_cautions(Scores(mean_variance=1e-4, volume_deviation=-1.0, position_deviation=2.0)) == ()
    small, place = score_cautions(Scores(volume_deviation=-9.0, position_deviation=9.0))
    assert "too small" in small and "9.0" in small and "does not lie" in place
    assert "too large" in score_cautions(Scores(volume_deviation=9.0))[0]
    found = [warning("metal", "The image holds no air."), warning("no_air", "Whatever it says.")]
    assert scan_cautions(found) == ("the scan shows no air around the body",)
    evidence = {4: Scores(mean_variance=1e-4)}
    (report,) = [
        r for r in make_reports(HIP_AND_THIGH, {4: _found()}, evidence, _old_calibration(), 10, ("shifted",)) if r.measurements
    ]
    assert report.light is Light.YELLOW and "shifted" in report.reasons


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda hu: hu, None),
        (lambda hu: hu + 40, "Hounsfield units are shifted"),
        (lambda hu: _interpolated(hu, 2), "interpolated"),
        (lambda hu: _interpolated(hu, 5), "interpolated"),
        (lambda hu: np.repeat(hu[::2], 2, axis=0), None),
    ],
)
def test_findings_on_the_scan_are_recognised_by_their_codes(change, reason):
    volume = CTVolume(change(phantom_hu((40, 64, 80))), Geometry((80, 64, 40), (3.9, 3.9, 5.0)))
    found = scan_cautions(check_volume(volume))
    assert len(found) == (reason is not None) and all(reason in text for text in found)


def test_doubts_about_sides_and_lower_legs_reach_the_lights(monkeypatch, phantom, tiny_bundle):
    split, seen = segmentation.split_sides, []
    doubt, legs = warning("side_guessed", "The side is a guess."), warning("below_knee", "The scan reaches far.")
    unsure = warning("side_unsure", "A part may belong to the other side.", "GRAC_left")
    monkeypatch.setattr(segmentation, "split_sides", lambda *given: replace(split(*given), findings=(doubt, unsure)))
    monkeypatch.setattr(segmentation, "cut_below_knee", lambda labels, *_: KneeCut(np.minimum(labels, 1), (legs,)))
    monkeypatch.setattr(report_module, "make_reports", lambda *given: seen.append(given[5:]) or make_reports(*given))
    result = segment_case(phantom, load_bundle(tiny_bundle), Settings("cpu", passes=1, seed=1))
    cautions, _, own = seen[0]
    assert set(own) == {"GRAC_left"} and own["GRAC_left"]
    assert SCAN_CAUTIONS["side_guessed"] in cautions and result.warnings.count("The side is a guess.") == 1
    assert SCAN_CAUTIONS["below_knee"] in cautions and result.labels.max() <= 1


def test_coarse_grids_are_recognised():
    grid = CTVolume(np.zeros((2, 2, 2), np.int16), Geometry((2, 2, 2), (5.0, 5.0, 8.0)))
    assert len(scan_cautions(spacing_findings(grid))) == 2
    fine = CTVolume(np.zeros((2, 2, 2), np.int16), Geometry((2, 2, 2), (1.0, 1.0, 0.2)))
    assert spacing_findings(fine) and scan_cautions(spacing_findings(fine)) == ()


def _interpolated(hu, step):
    result = hu.copy()
    for low in range(0, len(hu) - step, step):
        for k in range(low + 1, low + step):
            part = (k - low) / step
            result[k] = np.rint((1 - part) * hu[low] + part * hu[low + step])
    return result
