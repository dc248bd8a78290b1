"""Figures of the failure detection against numbers worked out by hand, and the commands that write them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import parameters
from quality_cases import comparison_of, evaluated_patients, observations, write_evaluation
from scipy.stats import mannwhitneyu

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.calibration import report as quality_report
from MSKSegmentLib.calibration import report_plots as quality_plots
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.judging import (
    CALIBRATED_RULE,
    PAPER_RULE,
    condition_parts,
    judge_left_out,
    judge_observations,
    lights_table,
    thresholds_of,
)
from MSKSegmentLib.calibration.observations import patients_of
from MSKSegmentLib.calibration.observing import case_observations, is_ordinary
from MSKSegmentLib.calibration.ranking import area, aurc, risk_coverage, roc
from MSKSegmentLib.calibration.report_measures import MEAN, POOLED, WITHIN, measure_quality, risk_of
from MSKSegmentLib.case_result import Light, Scores
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.engine.requests import SegmentRequest
from MSKSegmentLib.evaluation.metrics import Outcome
from MSKSegmentLib.evaluation.tables import CaseScores
from MSKSegmentLib.settings import Settings

SOME = ("GMAX", "OE")
FIGURES = ("dice_uncertainty", "dice_predicted", "roc", "risk_coverage", "calibration", "scores")


def test_area_is_that_of_mann_and_whitney_with_ties_and_by_structure():
    random = np.random.default_rng(0)
    risk = random.integers(0, 12, 200).astype(float)
    bad = random.uniform(size=200) < risk / 20
    patients = [f"p{k // 4}" for k in range(200)]
    strata = ["A" if k % 2 else "B" for k in range(200)]
    found = area(risk, bad, patients, resamples=300)
    u = mannwhitneyu(risk[bad], risk[~bad]).statistic
    assert found.value == pytest.approx(u / (bad.sum() * (~bad).sum()))
    assert found.low < found.value < found.high and found.high - found.low < 0.25
    assert (found.n, found.positives) == (200, int(bad.sum()))
    odd = np.array(strata) == "A"
    parts = [
        (mannwhitneyu(risk[bad & one], risk[~bad & one]).statistic, (bad & one).sum() * (~bad & one).sum()) for one in (odd, ~odd)
    ]
    apart = area(risk, bad, patients, strata, resamples=0)
    assert apart.value == pytest.approx(sum(u for u, _ in parts) / sum(n for _, n in parts)) and apart.low is None
    # A shift of one structure's scale ruins the ranking of all, not that within structures.
    shifted = risk + 100 * odd
    assert area(shifted, bad, patients, strata, 0).value == pytest.approx(apart.value)
    assert area(shifted, bad, patients, resamples=0).value != pytest.approx(found.value)
    assert area(risk, np.zeros(200, bool), patients).value is None
    assert area(np.full(3, np.nan), np.ones(3, bool), patients[:3]).n == 0


def test_patients_and_not_segments_are_drawn():
    """Ten patients with twenty equal segments each are known no better than ten with one each."""
    risk, bad = np.array([1.0, 5, 2, 6, 3, 4, 7, 8, 0, 9]), np.array([0, 0, 0, 1, 0, 1, 0, 1, 0, 1], bool)
    patients = [f"p{k}" for k in range(10)]
    once = area(risk, bad, patients, resamples=200)
    often = area(np.repeat(risk, 20), np.repeat(bad, 20), np.repeat(patients, 20).tolist(), resamples=200)
    assert (once.value, once.low, once.high) == pytest.approx((often.value, often.low, often.high))
    assert once.high - once.low > 0.2


def test_curves_by_hand():
    risk, bad = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False])
    false, true = roc(risk, bad)
    assert false.tolist() == [0, 0, 0.5, 1] and true.tolist() == [0, 0.5, 1, 1]
    coverage, loss = risk_coverage(np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.8, 0.0, 0.1, 0.3]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert loss == pytest.approx([0, 0.1, 0.4 / 3, 0.3])
    assert aurc(np.array([3.0, 1.0, np.nan]), np.array([0.8, 0.0, 9.0])) == pytest.approx((0 + 0.4) / 2)
    assert aurc(np.array([np.nan]), np.array([1.0])) is None


@pytest.fixture(scope="module")
def judged():
    calibration = calibrate(observations(50, only=SOME), "2026-01-01", "made up", 10)
    others = observations(40, seed=3, only=SOME)
    return judge_observations(others, calibration, 10, thresholds_of(calibration, others)), calibration


def test_the_report_counts_what_the_lights_did(judged):
    rows, calibration = judged
    table = {(m.measure, m.judge, m.structure): m for m in measure_quality(rows, thresholds_of(calibration, []), resamples=0)}
    assert not [key for key in table if key[0].startswith("auroc")], "no thresholds, no failures"
    measures = measure_quality(rows, thresholds_of(calibration, [one.observation for one in rows]), resamples=50)
    table = {(m.measure, m.judge, m.structure): m for m in measures}
    limits = calibration.model.limits
    bad = [one.observation.dice < limits[one.observation.abbreviation].dice_inaccurate for one in rows]
    assert [one.inaccurate for one in rows] == bad
    green = [wrong for one, wrong in zip(rows, bad, strict=True) if one.light is Light.GREEN]
    wrong = table["wrong_greens", CALIBRATED_RULE, POOLED]
    assert (wrong.n, wrong.events) == (len(green), sum(green)) and wrong.n > 25
    oblique = [(one, wrong) for one, wrong in zip(rows, bad, strict=True) if one.observation.abbreviation == "OE"]
    red = [not wrong for one, wrong in oblique if one.paper_light is Light.RED]
    assert (table["needless_reds", PAPER_RULE, "OE"].n, table["needless_reds", PAPER_RULE, "OE"].events) == (len(red), sum(red))
    flags = table["needless_flags", CALIBRATED_RULE, POOLED]
    assert flags.n == len(bad) - sum(bad) and flags.events == flags.n - (len(green) - sum(green))
    ours, paper = (table["auroc_inaccurate", rule, WITHIN] for rule in (CALIBRATED_RULE, PAPER_RULE))
    assert 0.9 < ours.low < ours.value < ours.high <= 1 and paper.value < ours.value and ours.events == sum(bad)
    single = table["auroc_inaccurate", "mean_variance", WITHIN]
    assert single.value == pytest.approx(paper.value), "within a structure the line keeps the order"
    mean = table["auroc_failed", CALIBRATED_RULE, MEAN]
    assert mean.value == pytest.approx(np.mean([table["auroc_failed", CALIBRATED_RULE, name].value for name in SOME]))
    assert (
        table["aurc", "oracle", POOLED].value
        < table["aurc", CALIBRATED_RULE, POOLED].value
        < table["aurc", PAPER_RULE, POOLED].value
    )
    assert table["aurc", PAPER_RULE, POOLED].value < table["aurc", "no rule", POOLED].value
    held = [one.estimate.dice_interval[0] <= one.observation.dice <= one.estimate.dice_interval[1] for one in rows]
    assert (
        table["coverage_dice", CALIBRATED_RULE, POOLED].events == sum(held)
        and table["coverage_dice", CALIBRATED_RULE, POOLED].value > 0.8
    )
    assert ("pearson", "metal_distance_mm", POOLED) not in table, "a score that no segment has is not judged"


def test_cut_segments_are_not_lit_and_have_no_interval_of_volume(judged):
    rows, calibration = judged
    items = [replace(one.observation, truncated=True) for one in rows[:20]]
    cut = judge_observations(items, calibration, 10, thresholds_of(calibration, items))
    assert {one.light for one in cut} == {one.paper_light for one in cut} == {Light.GREY}
    table = {
        (m.measure, m.structure): m
        for m in measure_quality(cut, thresholds_of(calibration, items), 0)
        if m.judge == CALIBRATED_RULE
    }
    assert table["coverage_volume", POOLED].n == 0 and table["coverage_dice", POOLED].n == 20
    assert table["grey", POOLED].events == 20 and table["wrong_greens", POOLED].value is None


def test_patients_left_out_are_judged_by_the_others():
    items = observations(40, only=SOME)
    changed = [replace(item, dice=0.5) if item.patient == "p007" else item for item in items]
    before, after = judge_left_out(items, 10), judge_left_out(changed, 10)
    for one, two in zip(before, after, strict=True):
        if one.observation.patient == "p007":
            assert one.estimate.dice == two.estimate.dice and two.observation.dice == 0.5
    assert len(before) == len(items)
    lines = lights_table(judge_left_out(items, 10))
    assert any(line.startswith("| all evidence | good") for line in lines) and any("paper's rule" in line for line in lines)
    assert lights_table([]) == []


def test_what_was_done_to_a_patient_can_be_left_out_with_all_others_it_was_done_to():
    items = observations(40, only=SOME)
    kinds = {patient: ("metal", "noise", "", "none")[number % 4] for number, patient in enumerate(patients_of(items))}
    items = [replace(item, condition=kinds[item.patient]) for item in items]
    part = dict(zip([item.patient for item in items], condition_parts(items), strict=True))
    assert {part[patient] for patient, kind in kinds.items() if kind == "metal"} == {0}
    assert {part[patient] for patient, kind in kinds.items() if kind == "noise"} == {1}
    assert {part[patient] for patient, kind in kinds.items() if kind in ("", "none")} == {0, 1}
    changed = [replace(item, dice=0.5) if item.condition == "metal" else item for item in items]
    before, after = (judge_left_out(one, 10, by_condition=True) for one in (items, changed))
    for one, two in zip(before, after, strict=True):
        if one.observation.condition == "metal":
            assert one.estimate.dice == two.estimate.dice, "no patient with metal tells about another"


def test_rules_are_ranked_by_their_distance_to_the_threshold(judged):
    one = judged[0][0]
    assert risk_of(one, CALIBRATED_RULE, 0.9) > risk_of(one, CALIBRATED_RULE, 0.8) and risk_of(one, PAPER_RULE, 0.9) > risk_of(
        one, PAPER_RULE, 0.8
    )
    assert risk_of(one, CALIBRATED_RULE) == pytest.approx(np.log(1.02 - one.estimate.dice))
    assert np.isnan(risk_of(replace(one, estimate=None, paper_dice=None), CALIBRATED_RULE))
    assert np.isnan(risk_of(replace(one, paper_dice=None), PAPER_RULE))


def test_rows_become_observations():
    items = observations(4, only=SOME)
    again = [found for case in evaluated_patients(items) for found in case_observations(case)]
    for one, two in zip(items, again, strict=True):
        assert two.volume_ratio == pytest.approx(one.volume_ratio) and two.hu_difference == pytest.approx(one.hu_difference)
        assert two.condition == ("none" if one.ordinary else "noise")
        assert replace(two, volume_ratio=one.volume_ratio, hu_difference=one.hu_difference, condition="") == one
    row = comparison_of(items[0])
    odd = (
        replace(row, outcome=Outcome.MISSED, dice=0.0, uncertainty=None, scores=None),
        replace(row, outcome=Outcome.SLIVER),
        replace(row, outcome=Outcome.FALSE, dice=0.0, volume_true_cc=0.0, mean_hu_true=None),
        replace(row, uncertainty=None, scores=Scores(mean_variance=3e-4)),
    )
    false, scored = case_observations(CaseScores("p", odd, 0.0, HIP_AND_THIGH))
    assert (false.dice, false.volume_ratio, false.hu_difference, false.ordinary) == (0.0, None, None, True)
    assert scored.uncertainty == 3e-4
    assert is_ordinary({}) and is_ordinary({"stress": {"kind": "metal", "strength": 0.1}})
    assert is_ordinary({"stress": {"kind": "none", "strength": 0.0}})
    assert not is_ordinary({"stress": {"kind": "metal", "strength": 0.5}})


def test_calibrate_and_judge_from_evaluations(tiny_bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(quality_report, "RESAMPLES", 50)
    monkeypatch.setattr(quality_plots, "DOTS_PER_INCH", 60)
    bundle = load_bundle(tiny_bundle)
    key = {"bundle": bundle.digest, "passes": bundle.manifest.passes, "seed": 0}
    data = write_evaluation(tmp_path / "data", observations(40, only=SOME), key)
    other = write_evaluation(tmp_path / "other", observations(25, seed=2, only=SOME), key)
    new, told = tmp_path / "new", tmp_path / "told"
    arguments = ["calibrate", str(data), "--bundle", str(tiny_bundle), "--source", "made up", "--version", "2", "-o", str(new)]
    assert main([*arguments, "--report", str(told)]) == 0
    said = capsys.readouterr().out
    assert "40 cases from the evaluation" in said and "| all evidence | good |" in said
    assert "VM: without a light, as no calibration patient shows it" in said
    content = json.loads((new / "calibration.json").read_text())
    assert content["model"]["patients"] == 40 and content["networks"] == [bundle.digest] and content["source"] == "made up"
    assert set(content["model"]["limits"]) == set(SOME)
    card = (told / "quality.md").read_text(encoding="utf-8")
    assert "each patient judged by a calibration on others" in card and "40 patients, 160 segments" in card and "| noise |" in card
    # The new bundle has the same network: an evaluation of the old one tells about its lights.
    quality = tmp_path / "quality"
    assert main(["evaluate", str(other), "--quality", "--bundle", str(new), "-o", str(quality)]) == 0
    assert "green lights were wrong" in capsys.readouterr().out
    with (quality / "quality.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["measure"], row["judge"], row["structure"]): row for row in csv.DictReader(file)}
    assert (
        int(rows["auroc_inaccurate", CALIBRATED_RULE, POOLED]["n"]) == 100
        and float(rows["auroc_inaccurate", CALIBRATED_RULE, POOLED]["low"]) > 0.8
    )
    assert float(rows["coverage_dice", CALIBRATED_RULE, "OE"]["value"]) > 0.7
    for folder, looks in ((told, 160), (quality, 100)):
        review = (folder / "quality.md").read_text(encoding="utf-8").partition("## Review")[2]
        assert f"| {CALIBRATED_RULE} | " in review and f"| {PAPER_RULE} | " in review and "quality_review.png" in review
        assert f"of {looks} |" in review and "min per case" in review
        assert (folder / "quality_review.png").stat().st_size > 10_000
    for name in FIGURES:
        for folder in (told, quality):
            pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"quality_{name}.png")))
            assert min(pixels.shape[:2]) > 140 and pixels[..., :3].std() > 5
    assert main(["bundle", "info", str(new)]) == 0 and "2 structures, 40 patients, 160 segments" in capsys.readouterr().out


def test_the_rule_of_the_lights_reaches_the_command_line():
    for settings, expected in ((Settings(lights="paper"), "paper"), (Settings(), "calibrated")):
        arguments = SegmentRequest(Path("ct"), Path("out"), settings).arguments()
        assert parameters(*arguments)["lights"] == expected


def test_what_cannot_be_judged_is_told(tiny_bundle, tmp_path, capsys):
    def refused(*arguments):
        assert main([*map(str, arguments)]) == 2
        return capsys.readouterr().err

    bundle = load_bundle(tiny_bundle)
    data = write_evaluation(tmp_path / "data", observations(3, only=SOME), {"bundle": "another", "passes": bundle.manifest.passes})
    out = tmp_path / "out"
    assert "not calibrated" in refused("evaluate", data, "--quality", "--bundle", tiny_bundle, "-o", out)
    assert "leave out --segmentations" in refused("evaluate", data, "--quality", "--segmentations", tmp_path, "-o", out)
    calibrated = ["calibrate", data, "--bundle", tiny_bundle, "--source", "x", "--version", "2", "-o", out]
    assert "is not one of the bundle" in refused(*calibrated) and not out.exists()
