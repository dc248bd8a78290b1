"""The calibration for masks that others made: the fits of the network's own lights on other evidence."""

from dataclasses import replace

import numpy as np
import pytest
from mask_cases import DAMAGED, mask_observations

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.calibration import calibrate_masks as masks_module
from MSKSegmentLib.calibration.calibrate_bundle import CalibrationJob
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.judging_masks import judge_masks_left_out, network_thresholds
from MSKSegmentLib.calibration.report_measures import POOLED, measure_quality
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.quality.limits import ALWAYS_GOOD_FROM, CEILING_MARGIN
from MSKSegmentLib.quality.paper_rule import DiceThresholds
from MSKSegmentLib.quality.traffic_light import rate
from MSKSegmentLib.rating.rating_calibration import RatingCalibration, rating_of

THRESHOLDS = {name: DiceThresholds(25, 0.95, 0.02) for name in ("GMAX", "AD")}


@pytest.fixture(scope="module")
def observations():
    return mask_observations()


@pytest.fixture(scope="module")
def calibration(observations):
    return calibrate(observations, "2026-01-01", "made up", 3, thresholds=THRESHOLDS)


def _usual(calibration, name="AD"):
    from MSKSegmentLib.case_result import Scores

    return Scores(**calibration.model.limits[name].usual)


def test_thresholds_are_those_that_were_given(calibration):
    limits = calibration.model.limits["AD"]
    assert (limits.dice_median, limits.dice_inaccurate) == (0.95, pytest.approx(0.95 - 2 * 1.4826 * 0.02))
    assert {"agreement", "low_slice_agreement", "pairwise_dice"} <= set(calibration.model.dice.features)
    assert network_thresholds(calibration) == THRESHOLDS and not calibration.structures
    missing = calibrate(mask_observations(20, structures=("GMAX", "OE")), "", "", 3, thresholds=THRESHOLDS).model
    assert set(missing.limits) == {"GMAX"} and "own calibration lacks it" in missing.missing["OE"]


def test_less_agreement_never_gives_a_better_prediction(calibration):
    usual = _usual(calibration)
    lower = [
        replace(usual, agreement=value, sure_agreement=value, low_slice_agreement=value - 0.1, disagreeing_share=1 - value)
        for value in np.linspace(1, 0, 21)
    ]
    dice = [calibration.model.estimate("AD", scores).dice for scores in lower]
    assert all(b <= a + 1e-9 for a, b in zip(dice, dice[1:], strict=False)) and dice[0] > 0.9 > 0.6 > dice[-1]
    worse = {"stray_share": 0.3, "hole_share": 0.3, "jump_share": 0.5, "disagreeing_share": 0.9, "pairwise_dice": 0.6}
    best = calibration.model.estimate("AD", usual).dice
    assert all(calibration.model.estimate("AD", replace(usual, **{name: value})).dice <= best for name, value in worse.items())


def test_a_network_that_is_unsure_gives_neither_green_nor_red(calibration):
    usual = _usual(calibration)
    assert rate("AD", usual, (), calibration, 3).light is Light.GREEN
    unsure = rate("AD", replace(usual, pairwise_dice=usual.pairwise_dice - 0.1), (), calibration, 3)
    assert unsure.light is Light.YELLOW and any("itself is unsure" in reason for reason in unsure.reasons)
    bad = replace(usual, agreement=0.1, sure_agreement=0.1, low_slice_agreement=0.0, disagreeing_share=1.0)
    assert rate("AD", bad, (), calibration, 3).light is Light.RED
    assert rate("AD", replace(bad, pairwise_dice=0.5), (), calibration, 3).light is Light.YELLOW
    assert "disagrees with the network" in " ".join(rate("AD", bad, (), calibration, 3).reasons)
    warned = rate("AD", usual, (), calibration, 3, ["the scan is odd"], True)
    assert warned.light is Light.YELLOW
    odd = rate("AD", usual, (), calibration, 3, ["its mean density is low"])
    assert odd.light is Light.YELLOW


@pytest.mark.parametrize("unseen", [False, True])
def test_patients_and_damages_are_judged_unseen(observations, unseen):
    judged = judge_masks_left_out(observations, 3, THRESHOLDS, unseen)
    assert len(judged) == len(observations)
    assert {(one.observation.labelling, one.observation.abbreviation, one.observation.side) for one in judged} == {
        (item.labelling, item.abbreviation, item.side) for item in observations
    }
    greens = [one for one in judged if one.light is Light.GREEN]
    assert len(greens) > 100 and sum(bool(one.inaccurate) for one in greens) <= 0.01 * len(greens)
    limits = {name: (found.inaccurate, found.failed) for name, found in THRESHOLDS.items()}
    measures = {(one.measure, one.judge, one.structure): one for one in measure_quality(judged, limits, 10)}
    assert measures["auroc_inaccurate", "all evidence", POOLED].value > 0.9
    assert {one.observation.condition for one in judged} >= set(DAMAGED)


def test_masks_of_one_patient_fail_by_themselves(observations, calibration):
    """A mask that is wrong in most structures loses its greens, the patient's other masks do not."""
    from MSKSegmentLib.calibration.judging import judge_observations

    usual = _usual(calibration)
    item = next(item for item in observations if item.abbreviation == "AD")
    bad = replace(usual, agreement=0.1, sure_agreement=0.1, low_slice_agreement=0.0, disagreeing_share=1.0)
    wrong = [replace(item, scores=bad, mask="wrong", dice=0.1)] * 6
    good = [replace(item, scores=usual, mask=name, dice=1.0) for name in ("wrong", "right")]
    lights = [one.light for one in judge_observations([*wrong, *good], calibration, 3, {})]
    assert lights[-2:] == [Light.YELLOW, Light.GREEN]


def test_rating_json_comes_back_and_bundles_without_one_are_fine(calibration):
    class Bundle:
        rating = None

    bundle = Bundle()
    assert rating_of(bundle) is None
    bundle.rating = RatingCalibration(calibration, {"AD": {"n": 10, "median": [1, 2, None], "spread": [1, 1, None]}}).to_json()
    again = rating_of(bundle)
    assert again.calibration.to_json() == calibration.to_json() and again.forms["AD"]["n"] == 10
    for change in ({"format_version": 2}, {"format": "other"}):
        bundle.rating = {**bundle.rating, **change}
        with pytest.raises(BundleError, match="another version"):
            rating_of(bundle)
    bundle.rating = {"format": "mskseg-rating", "format_version": 1, "calibration": calibration.to_json()}
    with pytest.raises(BundleError, match="cannot be read"):
        rating_of(bundle)


def test_no_prediction_for_a_mask_is_good_whatever_the_thresholds_say(calibration):
    """For the network's own lights a predicted Dice of .95 is; of masks far too many such greens were wrong."""
    usual = _usual(calibration)
    limits = replace(calibration.model.limits["AD"], green_from=0.999)
    strict = replace(calibration, model=replace(calibration.model, limits={"AD": limits}))
    predicted = calibration.model.estimate("AD", usual).dice
    assert ALWAYS_GOOD_FROM < predicted < 0.999
    assert rate("AD", usual, (), strict, 3).light is Light.YELLOW
    own = replace(strict.model, limits={"AD": replace(limits, always_good_from=ALWAYS_GOOD_FROM - CEILING_MARGIN)})
    assert rate("AD", usual, (), replace(strict, model=own), 3).light is Light.GREEN


def test_the_bundle_that_comes_along_can_judge_masks():
    calibration = rating_of(resolve_bundle(None)).calibration
    assert calibration.model.patients >= 40 and "virtual" in calibration.source
    for name, limits in calibration.model.limits.items():
        assert limits.green_from > limits.dice_inaccurate and limits.held_against.good_from == limits.green_from, name


def test_too_few_patients_are_refused_before_the_network_works(tmp_path, monkeypatch):
    for name in [f"one@{number}" for number in range(20)] + ["another"]:
        case = tmp_path / "cases" / name
        case.mkdir(parents=True)
        (case / "ct.nrrd").touch()
        (case / "labels.nrrd").touch()
    monkeypatch.setattr(masks_module, "view_scan", lambda *_, **__: pytest.fail("the network was asked"))
    job = CalibrationJob(tmp_path / "cases", "made up", "1", tmp_path / "new")
    # Many scans of one patient are one patient.
    with pytest.raises(InputError, match="needs 19 patients or more, and these cases show 2"):
        masks_module.calibrate_masks(resolve_bundle(None), job, lambda: None)
    assert not (tmp_path / "new").exists()
