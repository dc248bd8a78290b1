"""The review queue: expected harm by probability and weight, small muscles, missed ones, and what stands in for a probability."""

from dataclasses import replace

import pytest
from review_cases import LABEL, Clock, grown, make_case, mask_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Light, ReviewState, Scores
from MSKSegmentLib.commands.console import print_result
from MSKSegmentLib.results.segmentation_file import review_status
from MSKSegmentLib.review import ReviewSession, make_rows, worst_first
from MSKSegmentLib.review.evidence import evidence_lines, probability_text
from MSKSegmentLib.review.queue import Candidate, Priority, place_in_queue, priorities

BY_KEY = {segment.key: segment for segment in HIP_AND_THIGH.segments}


def candidate(key, light=Light.GREEN, probability=None, volume=100.0, truncated=False):
    return Candidate(BY_KEY[key], light, probability, volume, truncated)


def queue(candidates):
    found = priorities(candidates)
    return sorted(found, key=lambda key: place_in_queue(Light.RED, found[key], True))


def test_half_of_the_weight_goes_by_volume_and_half_equally():
    volumes = {"GMAX_right": 800.0, "SACRUM": 150.0, "OE_right": 50.0}
    found = priorities([candidate(key, volume=volume) for key, volume in volumes.items()])
    assert [found[key].weight for key in volumes] == pytest.approx([0.4 + 1 / 6, 0.075 + 1 / 6, 0.025 + 1 / 6])
    assert sum(one.weight for one in found.values()) == pytest.approx(1)


def test_a_small_muscle_that_surely_failed_goes_before_a_large_one_that_may_have():
    unsure = candidate("GMAX_right", Light.YELLOW, 0.2, 800.0)
    small = candidate("OE_right", Light.RED, 0.9, 30.0)
    others = [candidate(key, volume=250.0) for key in ("AD_right", "AD_left", "VM_right", "VM_left", "RF_left")]
    assert queue([*others, unsure, small])[:2] == ["OE_right", "GMAX_right"]
    # At equal probability the larger one goes first.
    assert queue([*others, replace(unsure, failure_probability=0.9), small])[:2] == ["GMAX_right", "OE_right"]


@pytest.mark.parametrize(("light", "probability"), [(Light.RED, 1.0), (Light.YELLOW, 0.5), (Light.GREY, 0.5), (Light.GREEN, 0.0)])
def test_the_light_stands_for_a_probability_that_is_not_known(light, probability):
    assert priorities([candidate("SACRUM", light)])["SACRUM"].probability == probability
    assert priorities([candidate("SACRUM", light, 0.3)])["SACRUM"].probability == 0.3


def leg(side, absent=(), **changes):
    muscles = ("AD", "BF", "GRAC", "RF", "SART")
    return [candidate(f"{name}_{side}", volume=None if name in absent else 100.0, **changes) for name in muscles]


def test_a_structure_that_only_one_side_has_may_have_been_missed():
    found = priorities([*leg("right"), *leg("left", absent=("GRAC",))])
    assert [key for key, one in found.items() if one.missed] == ["GRAC_left"]
    assert found["GRAC_left"].harm == found["GRAC_right"].weight > 0 and found["GRAC_left"].flagged


@pytest.mark.parametrize(
    "candidates",
    [
        [*leg("right"), *leg("left", absent=("AD", "BF", "GRAC"))],
        [*leg("right", truncated=True), *leg("left", absent=("GRAC",))],
        [*leg("right", absent=("GRAC",)), *leg("left", absent=("GRAC",))],
        leg("right"),
    ],
    ids=["most of the leg is missing", "the other side is cut", "neither side has it", "one leg was scanned"],
)
def test_what_is_not_in_the_scan_was_not_missed(candidates):
    found = priorities(candidates)
    assert not any(one.missed for one in found.values())
    assert all(found[one.segment.key].weight == 0 for one in candidates if one.volume_cc is None)


def test_an_empty_case_has_no_weight():
    found = priorities([Candidate(segment, Light.GREY) for segment in HIP_AND_THIGH.segments])
    assert {one.harm for one in found.values()} == {0.0} and len(found) == 43
    assert priorities([candidate("SACRUM", Light.RED, volume=0.0)])["SACRUM"].weight == 1.0


def test_open_flagged_ones_come_first_whatever_the_others_threaten():
    little, much = Priority(0.1, 0.01, flagged=True), Priority(1.0, 0.5)
    order = [
        place_in_queue(Light.YELLOW, little, True),
        place_in_queue(Light.GREEN, much, True, ReviewState.EDITED),
        place_in_queue(Light.GREY, much, True),
        place_in_queue(Light.GREEN, much, True),
        place_in_queue(Light.RED, much, True, ReviewState.ACCEPTED),
        place_in_queue(Light.GREY, much, False),
    ]
    assert order == sorted(order)
    assert place_in_queue(Light.GREY, replace(little, missed=True), False) < order[1]


@pytest.mark.parametrize(
    ("light", "probability", "flagged"),
    [
        (Light.RED, 0.1, True),
        (Light.YELLOW, None, True),
        (Light.GREEN, 0.9, False),
        (Light.GREY, None, False),
        (Light.GREY, 0.49, False),
        (Light.GREY, 0.5, True),
    ],
)
def test_what_is_flagged(light, probability, flagged):
    report = next(report for report in make_case()[0].reports if report.segment.key == "VM_left")
    report = replace(report, light=light, failure_probability=probability)
    (row,) = make_rows([report])
    assert row.needs_review == row.priority.flagged == flagged
    # Slicer's own status says the same.
    assert (review_status(report) == "flagged") == flagged


def test_the_table_goes_by_expected_harm():
    reports = make_case()[0].reports
    rows = worst_first(make_rows(reports))
    assert [row.key for row in rows[:6]] == ["GMAX_right", "GMED_left", "OE_right", "PI_left", "ST_left", "TFL_right"]
    likelier = [replace(r, failure_probability=0.6) if r.segment.key == "TFL_right" else r for r in reports]
    assert [row.key for row in worst_first(make_rows(likelier))[4:6]] == ["TFL_right", "ST_left"]


def test_a_missed_structure_is_flagged_says_why_and_can_be_accepted():
    result, volume = make_case()
    session = ReviewSession(result, volume, "Dr. Sato", clock=Clock())
    row = session.row("PI_left")
    assert row.needs_review and not row.found and row.texts["light"] == "not found"
    assert "The other side was found: this one may have been missed." in row.lines
    session.accept("PI_left")
    assert not session.row("PI_left").needs_review
    drawn = {"OE_right": mask_of(grown(result.labels, "OI_right", 1) & (result.labels == 0))}
    session.edit(drawn)
    row = session.row("OE_right")
    assert row.found and row.needs_review and not any("missed" in line for line in row.lines)


def test_a_correction_moves_no_other_row():
    result, volume = make_case()
    session = ReviewSession(result, volume, "Dr. Sato", clock=Clock())
    before = {row.key: row for row in session.rows()}
    session.edit({"PI_right": mask_of(result.labels == LABEL["PE_right"])})
    changed = {row.key for row in session.rows() if row != before[row.key]}
    assert changed == {"PI_right", "PE_right", "PE_left"}
    assert session.row("PI_left").needs_review


def test_the_command_line_names_what_to_look_at_first(capsys):
    result = make_case()[0]
    print_result(result, None)
    said = " ".join(capsys.readouterr().out.split())
    assert "To look at first: Gluteus maximus, right; Gluteus medius, left; Obturator externus, right; Piriformis, left; " in said
    assert "Semitendinosus, left; and 1 more" in said and "0.73 (0.65-0.77)" in said
    good = tuple(replace(report, light=Light.GREEN) for report in result.reports if report.measurements)
    print_result(replace(result, reports=good), None)
    assert "To look at first" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "below 1 %"), (0.004, "below 1 %"), (0.834, "83 %"), (0.999, "above 99 %"), (1.0, "above 99 %")]
)
def test_no_probability_is_called_certain(probability, text):
    assert probability_text(probability) == text.replace(" %", "\N{NO-BREAK SPACE}%")


def test_every_score_is_put_in_words_once_it_is_known():
    report = next(report for report in make_case()[0].reports if report.segment.key == "GMED_left")
    assert evidence_lines(report) == (
        "Uncertainty 0.80\N{NO-BREAK SPACE}‰, high for this structure (usual: 0.051 to 0.15\N{NO-BREAK SPACE}‰); "
        "by this score alone (Soufi et al. 2025) it would be rated good.",
        "The network's passes agree with each other to a Dice of 0.90, 0.75 in its worst slices.",
        "Standard deviation between the passes: volume 3.1 %, mean density 1.2 HU, fat 1.1 percentage points.",
        "2 loose pieces were removed, 4.0 % of what the network drew.",
        "Distance from ordinary patients in standard deviations: volume -1.5, place 0.8.",
        "Further scores: soft Dice 0.930, intersection over union of the passes 0.820, mean entropy 0.040.",
    )
    known = Scores(metal_distance_mm=12.4, stray_components=1, volume_cv=0.02)
    few = replace(report, uncertainty=None, paper_light=None, scores=known)
    assert evidence_lines(few) == (
        "Standard deviation between the passes: volume 2.0 %.",
        "1 loose piece was removed.",
        "The nearest metal is 12 mm away.",
    )
    # Results of before there were scores.
    assert evidence_lines(replace(report, paper_light=None, scores=None, usual_uncertainty=None)) == (
        "Uncertainty 0.80\N{NO-BREAK SPACE}‰.",
    )
    nothing = replace(few, scores=Scores(stray_components=0, stray_share=0.0))
    assert evidence_lines(nothing) == evidence_lines(replace(few, scores=None)) == ()
