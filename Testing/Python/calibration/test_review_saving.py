"""A simulated review: what is looked at, which errors are found, which minutes are saved; checked by hand and against chance."""

from dataclasses import replace

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.judging import CALIBRATED_RULE, PAPER_RULE, Judged
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.calibration.report_review import review_by
from MSKSegmentLib.calibration.review_plots import plot_review
from MSKSegmentLib.calibration.review_saving import SHARES, RatedRow, ReviewMinutes, saving_sentences, simulate_review
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.evaluation.metrics import Outcome, SegmentComparison
from MSKSegmentLib.evaluation.tables import CaseScores
from MSKSegmentLib.quality.quality_model import QualityEstimate

BY_KEY = {segment.key: segment for segment in HIP_AND_THIGH.segments}
THRESHOLDS = {segment.structure.abbreviation: (0.8, 0.6) for segment in HIP_AND_THIGH.segments}


def rated(key, dice, light, probability=None, volume=100.0, uncertainty=1e-4, outcome=Outcome.COMPARED):
    row = SegmentComparison(
        BY_KEY[key], outcome, 1000, 100.0, volume, dice, uncertainty=uncertainty, light=light.value, truncated=False
    )
    return RatedRow(row, light, probability)


def case():
    """Four structures are found: one failed, one inaccurate that nobody flags, two good ones of which one is flagged."""
    return [
        rated("GMAX_right", 0.5, Light.RED, 0.9, uncertainty=2e-4),
        rated("GMAX_left", 0.7, Light.GREEN, 0.1, uncertainty=9e-4),
        rated("GMED_right", 0.9, Light.YELLOW, 0.4, uncertainty=5e-4),
        rated("GMED_left", 0.95, Light.GREEN, 0.0),
    ]


def test_counts_and_minutes_of_one_case():
    saving = simulate_review([case()], THRESHOLDS, ReviewMinutes(look=1, inaccurate=5, failed=20))
    assert (saving.cases, saving.looks, saving.flagged) == (1, 4, 2)
    assert (saving.wrong, saving.failed, saving.wrong_found, saving.failed_found) == (2, 1, 1, 1)
    assert (saving.looking_all, saving.looking_flagged, saving.saved) == (4, 2, 2)
    # What stays uncorrected is no saving.
    assert (saving.correcting, saving.correcting_found) == (25, 20)


def test_minutes_are_means_per_case():
    one, many = (simulate_review([case()] * count, THRESHOLDS) for count in (1, 3))
    assert many.looks == 3 * one.looks and many.looking_all == pytest.approx(one.looking_all)
    assert many.correcting_found == pytest.approx(one.correcting_found)


def test_curves_find_errors_in_the_order_of_the_queue_of_uncertainty_and_at_best():
    saving = simulate_review([case()], THRESHOLDS)
    at = {share: int(np.flatnonzero(np.isclose(SHARES, share))[0]) for share in (0, 0.25, 0.5, 0.75, 1)}
    found = {name: [curve[at[share]] for share in (0, 0.25, 0.5, 0.75, 1)] for name, curve in saving.curves.items()}
    # The queue: failed, flagged but good, unflagged error, good. By uncertainty: the unflagged error first.
    assert found["Review queue"] == [0, 0.5, 0.5, 1, 1]
    assert found["Uncertainty alone"] == [0, 0.5, 0.5, 1, 1]
    assert found["Errors known"] == [0, 0.5, 1, 1, 1]
    assert all((np.diff(curve) >= 0).all() for curve in saving.curves.values())


def test_weights_make_a_large_error_count_more():
    small = [rated("OE_right", 0.5, Light.RED, 0.9, volume=10.0), rated("GMAX_right", 0.5, Light.GREEN, 0.0, volume=890.0)]
    others = [rated(key, 0.95, Light.GREEN, 0.0) for key in ("AD_right", "AD_left")]
    saving = simulate_review([[*small, *others]], THRESHOLDS)
    half = int(np.flatnonzero(np.isclose(SHARES, 0.25))[0])
    assert saving.curves["Review queue"][half] == 0.5 and saving.weight_curves["Review queue"][half] < 0.35


def test_missed_and_false_structures_are_errors_and_slivers_are_not():
    missed = rated("PI_left", 0.0, Light.GREY, volume=0.0, uncertainty=None, outcome=Outcome.MISSED)
    false = rated("OE_right", 0.0, Light.GREEN, 0.0, outcome=Outcome.FALSE)
    sliver = rated("SACRUM", 0.1, Light.GREEN, 0.0, outcome=Outcome.SLIVER)
    other_side = rated("PI_right", 0.95, Light.GREEN, 0.0)
    legs = [rated(f"{name}_{side}", 0.95, Light.GREEN, 0.0) for name in ("AD", "BF", "RF") for side in ("right", "left")]
    saving = simulate_review([[missed, false, sliver, other_side, *legs]], THRESHOLDS)
    # The other side tells that the piriformis is missing. So it does of the left obturator, which nobody has: a look for nothing.
    assert (saving.looks, saving.wrong, saving.failed) == (11, 2, 2)
    assert saving.flagged == 2 and saving.wrong_found == 1


def test_structures_without_thresholds_count_as_right():
    saving = simulate_review([case()], {"GMAX": (0.8, 0.6)})
    assert saving.looks == 4 and saving.wrong == 2
    assert simulate_review([case()], {}).wrong == 0


def test_nothing_to_review():
    saving = simulate_review([], THRESHOLDS)
    assert saving.looks == 0 and saving.saved == 0 and saving_sentences(saving) == ["There was nothing to review."]
    assert np.isnan(simulate_review([case()[2:]], THRESHOLDS).curves["Review queue"]).all()


def test_sentences_state_counts_and_assumptions():
    first, second, third = saving_sentences(simulate_review([case()], THRESHOLDS))
    assert "The first 25% of the queue hold 50% of the inaccurate or failed structures" in third
    assert "by uncertainty alone 50%, with the errors known 50%." in third
    assert len(saving_sentences(simulate_review([case()[2:]], THRESHOLDS))) == 2
    assert "Of 4 structures in 1 cases, 2 (50 %) are flagged." in first and "1 of the 2 inaccurate or failed ones (50 %)" in first
    assert "1 of the 1 failed ones (100 %); 1 stay uncorrected." in first
    assert "looking takes 1.0 instead of 2.0 min per case: 1.0 min (50 %) saved" in second and "assumptions" in second


def test_a_queue_that_knows_beats_chance_and_one_that_does_not_is_chance():
    random = np.random.default_rng(4)
    knowing, guessing = [], []
    for _ in range(60):
        rows = []
        for segment in HIP_AND_THIGH.segments:
            dice = float(np.clip(random.normal(0.87, 0.08), 0, 1))
            row = rated(segment.key, dice, Light.GREEN, 0.0, volume=float(random.uniform(20, 600)), uncertainty=random.uniform())
            rows.append(replace(row, failure_probability=float(1 / (1 + np.exp((dice - 0.8) / 0.03)))))
        knowing.append(rows)
        guessing.append([replace(row, failure_probability=float(random.uniform())) for row in rows])
    middle = SHARES.size // 2
    known, guessed = (simulate_review(cases, THRESHOLDS) for cases in (knowing, guessing))
    assert known.curves["Review queue"][middle] > 0.95 and known.curves["Errors known"][middle] == 1
    assert guessed.curves["Review queue"][middle] == pytest.approx(0.5, abs=0.1)
    assert known.curves["Uncertainty alone"][middle] == pytest.approx(0.5, abs=0.1)


def test_the_picture_shows_every_curve(tmp_path):
    figure = plot_review(simulate_review([case()], THRESHOLDS))
    names = {"Chance", "Review queue", "Uncertainty alone", "Errors known"}
    for axes in figure.axes:
        assert names <= {line.get_label() for line in axes.lines}
    without = plot_review(simulate_review([case()[2:]], THRESHOLDS))
    assert "Review queue" not in {line.get_label() for line in without.axes[0].lines}
    figure.savefig(tmp_path / "review.png")
    assert (tmp_path / "review.png").stat().st_size > 10_000


def test_both_rules_review_the_same_cases():
    rows = tuple(rated.row for rated in case())
    gone = {"outcome": Outcome.MISSED, "uncertainty": None, "volume_predicted_cc": 0.0, "dice": 0.0}
    missed = replace(rows[0], segment=BY_KEY["OE_left"], **gone)
    estimate = QualityEstimate(0.7, (0.6, 0.8), 0.9, None, None)
    judged = [
        Judged(
            Observation("p1", row.segment.structure.abbreviation, row.segment.side.value, 1e-4, row.dice),
            None, None, Light.RED if row.dice < 0.8 else Light.GREEN, estimate, Light.YELLOW, 0.8,
        )
        for row in rows
    ]  # fmt: skip
    cases = [CaseScores("p1", (*rows, missed), 0.0, HIP_AND_THIGH)]
    ours, paper = (review_by(rule, cases, judged, THRESHOLDS) for rule in (CALIBRATED_RULE, PAPER_RULE))
    assert (ours.looks, ours.wrong, ours.flagged, ours.wrong_found) == (5, 3, 2, 2)
    assert (paper.looks, paper.wrong, paper.flagged, paper.wrong_found) == (5, 3, 4, 2)
