"""Changes between two results: their intervals, their verdicts, and what is never called a change."""

from dataclasses import replace

import numpy as np
import pytest
from comparison_cases import LABEL, phantom_case, with_report

from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.comparison.changes import ChangeVerdict, changes
from MSKSegmentLib.comparison.intervals import (
    BY_HAND_DICE,
    YELLOW_WIDENS,
    Bounded,
    FollowedQuantity,
    bounded_value,
    change,
    contrast_hu,
)
from MSKSegmentLib.review.corrections import corrected

KEY = "GMAX_left"


@pytest.fixture(scope="module")
def before():
    return phantom_case()


@pytest.fixture(scope="module")
def after():
    return phantom_case(lost=(KEY,), digest="b")


def report(case, key=KEY):
    return next(one for one in case.reports if one.segment.key == key)


def found(before, after, quantity=FollowedQuantity.VOLUME, key=KEY):
    return next(one for one in changes(before, after) if one.segment.key == key and one.quantity is quantity)


def test_a_half_lost_muscle_is_a_real_change_and_its_interval_is_that_of_both_results(before, after):
    one = found(before, after)
    first, second = report(before).measurements.volume_cc, report(after).measurements.volume_cc
    assert second == pytest.approx(first / 2, rel=0.05)
    assert one.verdict is ChangeVerdict.REAL
    assert one.difference.value == pytest.approx(second - first)
    assert one.difference.low == pytest.approx(0.9 * second - 1.1 * first)
    assert one.difference.high == pytest.approx(1.1 * second - 0.9 * first)
    assert one.percent == pytest.approx(-50, abs=3)
    assert one.sentence.endswith(": a real change") and one.sentence.startswith(f"-{first - second:.0f} cc (")


def test_other_muscles_lie_within_the_error(before, after):
    others = [one for one in changes(before, after) if one.segment.key != KEY]
    assert {one.verdict for one in others} == {ChangeVerdict.WITHIN_ERROR}
    assert all(one.difference.value == 0 and one.difference.low < 0 < one.difference.high for one in others)
    assert found(before, after, key="OE_right").sentence.startswith("0 cc (")


def test_bones_have_no_share_of_fat(before, after):
    listed = changes(before, after)
    assert not [one for one in listed if one.quantity is FollowedQuantity.FAT and one.segment.structure.is_bone]
    assert len(listed) == 38 * 3 + 5 * 2


def cut(case):
    return with_report(case, KEY, measurements=replace(report(case).measurements, truncated_by=("superior",)), light=Light.GREY)


def edited(case, state=ReviewState.EDITED):
    one = report(case)
    return replace(
        case, reports=tuple(replace(corrected(r, r.measurements, 0.9), state=state) if r is one else r for r in case.reports)
    )


FORBIDDEN = {
    "red": lambda case: with_report(case, KEY, light=Light.RED),
    "grey": lambda case: with_report(case, KEY, light=Light.GREY),
    "accepted red": lambda case: with_report(case, KEY, light=Light.RED, state=ReviewState.ACCEPTED),
    "cut": cut,
    "not found": lambda case: with_report(case, KEY, measurements=None),
    "edited": edited,
    "no interval": lambda case: with_report(case, KEY, volume_interval_cc=None),
    "by hand at one date": lambda case: edited(case, ReviewState.ACCEPTED),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("at", ["before", "after"])
def test_what_is_never_called_a_change(before, after, what, at):
    spoilt = {"before": before, "after": after}
    spoilt[at] = FORBIDDEN[what](spoilt[at])
    one = found(spoilt["before"], spoilt["after"])
    assert one.verdict is ChangeVerdict.NOT_COMPARABLE
    assert one.difference is None and one.text == "" and one.percent is None
    assert len(one.reason) > 5 and one.sentence == f"not comparable: {one.reason}"


def test_a_reason_says_at_which_date(before, after):
    assert found(FORBIDDEN["red"](before), after).reason == "failed (red light) before"
    assert found(before, cut(after)).reason == "cut by the scan after"
    assert found(cut(before), cut(after)).reason == "cut by the scan at both dates"


def test_two_corrected_and_accepted_results_are_compared_by_what_readers_agree_to(before, after):
    one = found(edited(before, ReviewState.ACCEPTED), edited(after, ReviewState.ACCEPTED))
    ratio = (2 - BY_HAND_DICE) / BY_HAND_DICE
    assert one.verdict is ChangeVerdict.REAL
    assert one.before.high == pytest.approx(ratio * one.before.value) and one.before.low == pytest.approx(one.before.value / ratio)


def test_a_corrected_result_goes_with_one_that_a_reader_accepted(before, after):
    accepted = with_report(after, KEY, state=ReviewState.ACCEPTED)
    assert found(edited(before, ReviewState.ACCEPTED), accepted).verdict is ChangeVerdict.REAL


def test_no_label_with_that_dice_is_beyond_the_interval_of_a_label_by_hand():
    """The bound is sharp: one label inside the other."""
    inside = BY_HAND_DICE / (2 - BY_HAND_DICE)
    assert 2 * inside / (1 + inside) == pytest.approx(BY_HAND_DICE)
    rng = np.random.default_rng(0)
    for _ in range(200):
        ours, both = 1.0, rng.uniform(0.5, 1.0)
        true = both + rng.uniform(0, 0.6)
        dice = 2 * both / (ours + true)
        assert dice / (2 - dice) - 1e-12 <= true / ours <= (2 - dice) / dice + 1e-12


def test_yellow_widens_the_interval(before):
    green, yellow = report(before), replace(report(before), light=Light.YELLOW)
    for quantity in FollowedQuantity:
        one, two = bounded_value(green, quantity), bounded_value(yellow, quantity)
        assert two.value == one.value and one.high > one.value
        assert two.high - two.value == pytest.approx(YELLOW_WIDENS * (one.high - one.value))
        # The phantom's muscle has no fat, and less is not possible.
        assert two.value - two.low == pytest.approx(YELLOW_WIDENS * (one.value - one.low))
        assert (one.low < one.value) == (quantity is not FollowedQuantity.FAT)


def test_an_interval_on_one_side_of_the_value_is_not_narrowed(before):
    volume = report(before).measurements.volume_cc
    one = bounded_value(
        replace(report(before), light=Light.YELLOW, volume_interval_cc=(1.1 * volume, 1.3 * volume)), FollowedQuantity.VOLUME
    )
    assert one.low == pytest.approx(1.1 * volume) and one.high == pytest.approx(1.45 * volume)


def test_the_interval_of_a_difference_holds_the_truth_where_both_do():
    rng = np.random.default_rng(0)
    for _ in range(100):
        ends = np.sort(rng.normal(0, 10, (2, 2)), axis=1)
        truth = rng.uniform(ends[:, 0], ends[:, 1])
        one = change(Bounded(0, *ends[0]), Bounded(0, *ends[1]))
        assert one.low <= truth[1] - truth[0] <= one.high


def test_the_interval_of_fat_follows_from_that_of_the_density(before):
    one = report(before)
    contrast = contrast_hu(one.measurements)
    # The phantom's muscle has 55 HU and no fat, whose usual density then stands in for it.
    assert contrast == pytest.approx(155, abs=3)
    fat = bounded_value(one, FollowedQuantity.FAT)
    assert fat.high == pytest.approx(fat.value + 100 * 4 / contrast) and fat.low == 0


def test_what_blocks_a_quantity_blocks_it_alone(before, after):
    for one in changes(before, after, {FollowedQuantity.MEAN_HU: "the tube voltages differ"}):
        assert (one.verdict is ChangeVerdict.NOT_COMPARABLE) == (one.quantity is FollowedQuantity.MEAN_HU)


def test_a_missing_number_is_no_interval():
    with pytest.raises(ValueError, match="no interval"):
        Bounded(float("nan"), 0, 1)


def test_segments_that_no_result_holds_are_left_out(before, after):
    empty = (with_report(case, KEY, measurements=None) for case in (before, after))
    assert not [one for one in changes(*empty) if one.segment.key == KEY]
    assert LABEL[KEY]
