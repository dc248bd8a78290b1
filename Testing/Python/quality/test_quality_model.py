"""The rule from all evidence: monotone, honest about patients, intervals that cover, and never green without proof."""

import json
from dataclasses import replace

import numpy as np
import pytest
from quality_cases import observations

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.fit_dice_model import cross_fitted, fit_dice_model
from MSKSegmentLib.calibration.fit_limits import green_margin, red_margin
from MSKSegmentLib.calibration.fit_reaches import fit_reaches, patient_quantile
from MSKSegmentLib.case_result import Light, Measurements, Scores
from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.dice_model import dice_of, log_error
from MSKSegmentLib.quality.evidence_features import BY_NAME
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.quality.traffic_light import rate, rate_by_paper
from MSKSegmentLib.quality.usual_uncertainty import uncertainty_level, usual_uncertainty

SOME = ("GMAX", "OE", "FEMUR", "SACRUM")


@pytest.fixture(scope="module")
def learned():
    """A calibration on 60 patients, and 60 other patients."""
    calibration = calibrate(observations(60, only=SOME), "2026-01-01", "made up", 10, {"GMAX": {}}, ("a1",))
    return calibration, observations(60, seed=1, only=SOME)


def _usual(calibration, name="GMAX"):
    return Scores(**calibration.model.limits[name].usual, metal_distance_mm=None)


def test_worse_evidence_never_gives_a_better_prediction(learned):
    model = learned[0].model.dice
    assert min(model.weights) >= 0 and max(model.weights) > 0
    for item in learned[1][:40]:
        before = model.predicted_errors([item.abbreviation], [item.scores], [False])[0]
        for name in model.features:
            value = getattr(item.scores, name)
            worse = value / 2 if name in ("pairwise_dice", "soft_dice", "low_slice_dice") else value * 2
            assert BY_NAME[name].risk(worse) >= BY_NAME[name].risk(value)
            after = model.predicted_errors([item.abbreviation], [replace(item.scores, **{name: worse})], [False])[0]
            assert after >= before - 1e-12


def test_prediction_follows_dice_in_patients_not_seen(learned):
    calibration, others = learned
    estimates = [calibration.model.estimate(item.abbreviation, item.scores) for item in others]
    errors = np.array([one.dice - item.dice for one, item in zip(estimates, others, strict=True)])
    assert np.abs(errors).mean() < 0.03 and abs(errors.mean()) < 0.01
    for quantity in ("dice", "volume", "mean_hu"):
        assert 0.86 < calibration.model.covered[quantity] < 0.97
    for interval, truth in (("dice_interval", "dice"), ("volume_factors", "volume_ratio"), ("hu_shifts", "hu_difference")):
        pairs = [(getattr(one, interval), getattr(item, truth)) for one, item in zip(estimates, others, strict=True)]
        assert 0.84 < np.mean([low <= value <= high for (low, high), value in pairs]) < 0.98
    told = np.array([one.failure_probability for one in estimates])
    limits = calibration.model.limits
    bad = np.array([item.dice < limits[item.abbreviation].inaccurate_below for item in others])
    assert told.min() > 0 and told.max() < 1 and abs(told.mean() - bad.mean()) < 0.05
    assert told[bad].mean() > 0.7 and told[~bad].mean() < 0.2


def test_cross_fitting_does_not_see_the_patient_s_own_dice():
    items = observations(20, only=("GMAX", "OE"))
    changed = [replace(item, dice=0.1) if item.patient == "p003" else item for item in items]
    mine = np.array([item.patient == "p003" for item in items])
    before, after = cross_fitted(items), cross_fitted(changed)
    assert (before[mine] == after[mine]).all() and (before[~mine] != after[~mine]).any()


def test_log_error_and_back():
    dice = np.array([0.0, 0.5, 0.97, 1.0])
    assert dice_of(log_error(dice)) == pytest.approx(dice) and dice_of(5.0) == 0.0
    assert log_error(0.98) == pytest.approx(np.log(0.04))


def test_quantiles_count_patients_and_not_segments():
    values, patients = np.arange(19.0), np.array([f"p{k}" for k in range(19)])
    # 19 of 20 places (the twentieth is the patient to come) make 95 %.
    assert patient_quantile(values, patients, 0.95) == 18 and patient_quantile(values, patients, 0.90) == 17
    assert patient_quantile(values[:18], patients[:18], 0.95) is None
    assert patient_quantile(np.repeat(values[:18], 5), np.repeat(patients[:18], 5), 0.95) is None
    # One of nineteen patients has ten of the segments; together they weigh no more than one.
    many = np.concatenate([np.full(10, 100.0), values[:18]])
    owners = np.array(["q"] * 10 + list(patients[:18]))
    assert patient_quantile(many, owners, 0.90) == 17 and patient_quantile(many, owners, 0.95) == 100
    reaches = fit_reaches(np.concatenate([values, [-5.0]]), ["A"] * 19 + ["B"], [*patients, "p0"])
    assert reaches.of("A").patients == 19 and reaches.of("B") == reaches.pooled and reaches.pooled.low == -5


def test_margins_by_hand():
    slack = np.linspace(1.0, -1.0, 1001)
    wrong = np.zeros(1001, bool)
    wrong[520:] = True
    everything = np.ones(1001, bool)
    # Green where the slack is positive, though more would still be right.
    assert green_margin(slack, wrong, everything) == 0.0
    wrong[400] = True
    assert green_margin(slack, wrong, everything) == 0.0, "1 of 501 is 0.2 %"
    wrong[[300, 301]] = True
    assert green_margin(slack, wrong, everything) == pytest.approx(slack[300]), "2 of 302 are too many"
    assert green_margin(slack, ~wrong, everything) is None and green_margin(slack, wrong, ~everything) is None
    assert red_margin(np.array([0.9, 0.5, 0.1, -1.0]), np.array([False, False, True, False])) == 0.5


def test_ordinary_patients_say_what_is_normal():
    items = observations(60, only=("GMAX",))
    limits = calibrate(items, "", "", 10).model.limits["GMAX"]
    ordinary = np.array([item.dice for item in items if item.ordinary])
    median = np.median(ordinary)
    assert limits.dice_median == median and limits.patients == 60
    assert limits.dice_inaccurate == pytest.approx(median - 2 * 1.4826 * np.median(np.abs(ordinary - median)))
    assert limits.inaccurate == sum(item.dice < limits.dice_inaccurate for item in items) > 20
    assert limits.dice_failed < limits.dice_inaccurate < limits.green_from


def test_lights_keep_their_promise_for_other_patients(learned):
    calibration, others = learned
    lights = [rate(item.abbreviation, item.scores, (), calibration, 10).light for item in others]
    bad = [item.dice < calibration.model.limits[item.abbreviation].inaccurate_below for item in others]
    green = [wrong for light, wrong in zip(lights, bad, strict=True) if light is Light.GREEN]
    red = [wrong for light, wrong in zip(lights, bad, strict=True) if light is Light.RED]
    assert len(green) > 90 and np.mean(green) < 0.02 and len(red) > 50 and np.mean(red) > 0.9


def test_reasons_tell_prediction_and_evidence(learned):
    calibration, _ = learned
    good = rate("GMAX", _usual(calibration), (), calibration, 10)
    assert good.light is Light.GREEN and "reaches" in good.reasons[0] and len(good.reasons) == 1
    low, high = good.estimate.dice_interval
    assert low < good.predicted_dice < high
    worse = replace(_usual(calibration), pairwise_dice=0.5, soft_dice=0.55)
    bad = rate("GMAX", worse, (), calibration, 10)
    assert bad.light is Light.RED and "failed" in bad.reasons[0]
    assert any("disagree about its outline (Dice 0.50, usually 0.9" in reason for reason in bad.reasons)
    assert rate_by_paper("GMAX", worse.mean_variance, (), calibration, 10).light is Light.GREEN, "the single score cannot see it"


@pytest.mark.parametrize(
    "change, cut, passes, reason",
    [
        ({}, ("superior",), 10, "cut by the field of view"),
        ({}, (), 9, "fewer than"),
        ({"pairwise_dice": None}, (), 10, "lacks evidence"),
        ({"mean_variance": float("nan")}, (), 10, "lacks evidence"),
    ],
)
def test_never_green_without_proof(learned, change, cut, passes, reason):
    rating = rate("GMAX", replace(_usual(learned[0]), **change), cut, learned[0], passes)
    assert rating.light is Light.GREY and any(reason in text for text in rating.reasons)


def test_absent_and_unknown_segments_are_grey(learned):
    calibration, _ = learned
    assert rate("GMAX", None, (), calibration, 10).reasons == ("not found in this scan",)
    assert "no calibration" in rate("GMAX", Scores(), (), None, 10).reasons[0]
    strange = rate("TFL", _usual(calibration), (), calibration, 10)
    assert strange.light is Light.GREY and "uncalibrated" in strange.reasons[0] and strange.predicted_dice is not None


def test_too_few_patients_leave_the_lights_uncalibrated():
    few = calibrate(observations(18, only=SOME), "", "", 10)
    assert few.model is None and "18 patients, 19 are needed" in few.no_model and "GMAX" in few.structures
    rating = rate("GMAX", Scores(mean_variance=1e-6), (), few, 10)
    assert rating.light is Light.GREY and rating.reasons == (f"uncalibrated: {few.no_model}",)
    assert rate_by_paper("GMAX", 1e-6, (), few, 10).light is Light.GREEN


def test_too_few_failures_are_said():
    items = observations(30, hard=0.0, only=SOME)
    flawless = [replace(item, dice=0.95 + 0.0001 * (number % 7)) for number, item in enumerate(items)]
    calibration = calibrate(flawless, "", "", 10)
    rating = rate("GMAX", flawless[0].scores, (), calibration, 10)
    assert rating.light is Light.GREY and "no calibration segment was inaccurate" in rating.reasons[0]
    # OE fails often, GMAX never: its limits are then those of all structures.
    mixed = [
        replace(item, dice=0.97 + 0.001 * (number % 3)) if item.abbreviation == "GMAX" else item
        for number, item in enumerate(observations(40, only=("GMAX", "OE")))
    ]
    limits = calibrate(mixed, "", "", 10).model.limits
    assert not limits["GMAX"].own and limits["GMAX"].inaccurate == 0 and limits["OE"].own
    lit = rate("GMAX", _usual(calibrate(mixed, "", "", 10)), (), calibrate(mixed, "", "", 10), 10)
    assert any("limits of all structures" in reason for reason in lit.reasons)


def test_a_weak_network_is_not_called_good():
    weak = [replace(item, dice=0.8 * item.dice) for item in observations(40, only=("GMAX",))]
    calibration = calibrate(weak, "", "", 10)
    assert calibration.model.limits["GMAX"].dice_median < 0.8
    lights = {rate("GMAX", item.scores, (), calibration, 10).light for item in weak}
    assert Light.GREEN not in lights and Light.YELLOW in lights


def test_the_uncertainty_alone_will_do_where_nothing_else_was_kept():
    items = observations(40, scores=False, only=("GMAX", "FEMUR"))
    calibration = calibrate(items, "", "", 10)
    assert calibration.model.dice.features == ("mean_variance",)
    rating = rate("GMAX", Scores(mean_variance=1e-5), (), calibration, 10)
    assert rating.light is not Light.GREY and rating.predicted_dice > 0.9
    assert fit_dice_model([replace(item, uncertainty=None) for item in items]) is None


def test_calibrations_survive_json_and_damage_is_told(learned):
    calibration, _ = learned
    data = json.loads(json.dumps(calibration.to_json(), allow_nan=False))
    assert Calibration.from_json(data) == calibration and data["format"] == 2
    assert data["model"]["patients"] == 60 and data["model"]["inaccurate"] > 50 and data["networks"] == ["a1"]
    older = {**data["paper"], "date": "2026-01-01", "source": "before", "passes": 10}
    before = Calibration.from_json(older)
    assert before.model is None and before.structures == calibration.structures
    rating = rate("GMAX", Scores(mean_variance=1e-6), (), before, 10)
    assert rating.light is Light.GREEN and "uncertainty alone" in rating.reasons[-1]
    for broken in (
        {**data, "format": 3},
        {**data, "model": {**data["model"], "limits": {"GMAX": {}}}},
        {**data, "model": {**data["model"], "dice": {**data["model"]["dice"], "weights": [-1.0]}}},
        {**data, "paper": None},
    ):
        with pytest.raises(BundleError):
            Calibration.from_json(broken)


def test_reports_carry_intervals_and_both_lights(learned):
    calibration, _ = learned
    whole = Measurements(1, 200.0, None, 50.0, 5, 50, 0.1, 0.2, 0.7, (1,), 1.0, 0.0)
    cut = replace(whole, truncated_by=("inferior",))
    noisy = replace(_usual(calibration), mean_variance=0.05)
    evidence = {4: _usual(calibration), 104: noisy, 2: _usual(calibration, "FEMUR")}
    reports = make_reports(HIP_AND_THIGH, {4: whole, 104: whole, 2: cut}, evidence, calibration, 10)
    by_key = {report.segment.key: report for report in reports}
    right, left, femur = by_key["GMAX_right"], by_key["GMAX_left"], by_key["FEMUR_right"]
    assert right.light is Light.GREEN and right.paper_light is Light.GREEN and left.paper_light is Light.RED
    assert right.dice_interval[0] < right.predicted_dice < right.dice_interval[1] <= 1
    assert right.volume_interval_cc[0] < 200 < right.volume_interval_cc[1]
    assert right.mean_hu_interval[0] < 50 < right.mean_hu_interval[1]
    assert 0 < right.failure_probability < left.failure_probability < 1
    assert right.scores == evidence[4] and right.uncertainty == evidence[4].mean_variance
    limits = calibration.model.limits["GMAX"]
    assert right.usual_uncertainty[0] < limits.usual["mean_variance"] < right.usual_uncertainty[1]
    assert right.usual_uncertainty[1] < calibration.structures["GMAX"].uncertainty_inaccurate, "high begins before yellow"
    assert uncertainty_level(left.uncertainty, left.usual_uncertainty) == "high"
    assert uncertainty_level(float("nan"), right.usual_uncertainty) == "high"
    assert usual_uncertainty("GMAX", calibration, 9) is usual_uncertainty("nothing", calibration, 10) is None
    assert femur.light is Light.GREY and femur.volume_interval_cc is None and femur.mean_hu_interval is not None
    paper = {r.segment.key: r for r in make_reports(HIP_AND_THIGH, {104: whole}, evidence, calibration, 10, lights="paper")}[
        "GMAX_left"
    ]
    assert paper.light is paper.paper_light is Light.RED and paper.predicted_dice == left.predicted_dice
    with pytest.raises(ValueError, match="guess"):
        make_reports(HIP_AND_THIGH, {}, {}, calibration, 10, lights="guess")


def test_a_scan_in_which_the_network_is_lost_has_no_green(learned):
    calibration, _ = learned
    whole = Measurements(1, 200.0, None, 50.0, 5, 50, 0.1, 0.2, 0.7, (1,), 1.0, 0.0)
    lost = replace(_usual(calibration, "OE"), pairwise_dice=0.2, soft_dice=0.2)
    evidence = {4: _usual(calibration), 104: _usual(calibration), 2: _usual(calibration, "FEMUR"), 8: lost, 108: lost}
    found = {label: whole for label in evidence}
    by_key = {report.segment.key: report for report in make_reports(HIP_AND_THIGH, found, evidence, calibration, 10)}
    assert by_key["OE_left"].light is Light.RED and by_key["GMAX_right"].light is Light.GREEN, "two of five are too few to tell"
    evidence[102], found[102] = replace(_usual(calibration, "FEMUR"), pairwise_dice=0.2, soft_dice=0.2), whole
    by_key = {report.segment.key: report for report in make_reports(HIP_AND_THIGH, found, evidence, calibration, 10)}
    right = by_key["GMAX_right"]
    assert right.light is Light.YELLOW and "3 of 6 structures in this scan are predicted to have failed" in right.reasons
    assert right.paper_light is Light.GREEN


def test_warned_scans_are_predicted_worse_and_never_green():
    items = observations(60, only=SOME)
    warned = {f"p{k:03d}" for k in range(0, 60, 6)}
    worse = {"scan_cautions": ("slices were interpolated",)}
    items = [replace(item, dice=1 - 1.6 * (1 - item.dice), **worse) if item.patient in warned else item for item in items]
    calibration = calibrate(items, "", "", 10)
    assert "scan_warning" in calibration.model.dice.features
    scores = _usual(calibration)
    plain, told = (calibration.model.estimate("GMAX", scores, warned=state) for state in (False, True))
    assert told.dice < plain.dice - 0.003 and told.failure_probability >= plain.failure_probability
    whole = Measurements(1, 200.0, None, 50.0, 5, 50, 0.1, 0.2, 0.7, (1,), 1.0, 0.0)
    for cautions, light in (((), Light.GREEN), (("slices were interpolated",), Light.YELLOW)):
        (report,) = [r for r in make_reports(HIP_AND_THIGH, {4: whole}, {4: scores}, calibration, 10, cautions) if r.measurements]
        assert report.light is light and set(cautions) <= set(report.reasons)
