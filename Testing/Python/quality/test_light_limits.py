"""What a predicted Dice is held against, the ceiling, runs with too few passes, and grey lights that are likely wrong."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from light_cases import LABEL, PASSES, learned, measurements, report, scores

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.case_result import CaseResult, DiceLimits, Light, ReviewState, SegmentReport, asks_for_a_look
from MSKSegmentLib.commands.console import print_result
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.findings import warning
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.guards import segment_cautions
from MSKSegmentLib.quality.limits import ALWAYS_GOOD_FROM, CEILING_MARGIN
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.quality.traffic_light import rate
from MSKSegmentLib.quality.wording import dice_texts, uncertainty_texts
from MSKSegmentLib.results.result_folder import report_json
from MSKSegmentLib.results.result_reading import report_from_json
from MSKSegmentLib.results.segmentation_file import review_status, segment_tags
from MSKSegmentLib.results.tables import CSV_COLUMNS, table_row, write_measurements
from MSKSegmentLib.review.columns import COLUMN_OF
from MSKSegmentLib.review.rows import make_rows, worst_first
from MSKSegmentLib.web.case.result_list import list_results
from MSKSegmentLib.web.page.table import light_counts, selected_row

NUMBERS = (
    "predicted_dice", "dice_interval", "dice_limits", "volume_interval_cc", "mean_hu_interval", "failure_probability", "part_light",
)  # fmt: skip


def narrow(**changes: object) -> Calibration:
    """A calibration whose femora scatter so little that good ones would have to be predicted above 0.98."""
    calibration = learned()
    strict = {"dice_inaccurate": 0.965, "dice_failed": 0.955, "green_from": 0.98, "red_below": 0.96, "lower_from": 0.8}
    one = replace(calibration.model.limits["FEMUR"], **{**strict, **changes})
    limits = {**calibration.model.limits, "FEMUR": one}
    return replace(calibration, model=replace(calibration.model, limits=limits))


def femur(dice: float, calibration: Calibration | None = None, cautions: tuple[str, ...] = ()):
    """The rating of a femur whose predicted Dice is about so much."""
    steps = [rate("FEMUR", scores("FEMUR", bad), (), calibration or narrow(), 10, cautions) for bad in np.linspace(0, 0.2, 400)]
    return min(steps, key=lambda one: abs(one.predicted_dice - dice))


def test_from_the_ceiling_on_no_threshold_makes_a_structure_inaccurate():
    for dice in (0.971, 0.972):
        rating = femur(dice)
        assert rating.predicted_dice == pytest.approx(dice, abs=0.003) and rating.light is Light.GREEN
        (reason,) = rating.reasons
        assert "every structure counts as good" in reason and "0.98" in reason
        assert rating.limits == DiceLimits(ALWAYS_GOOD_FROM + CEILING_MARGIN, ALWAYS_GOOD_FROM)
    # Between the ceiling and its margin neither good nor failed.
    assert femur(0.955).light is Light.YELLOW is femur(0.966).light
    assert femur(0.93).light is Light.RED and "0.95" in femur(0.93).reasons[0]
    assert femur(0.93, narrow(red_below=0.8)).light is Light.YELLOW


@pytest.mark.parametrize(
    ("calibration", "cautions", "reason"),
    [
        (narrow(), ("metal lies within 30 mm of it",), "metal lies"),
        (narrow(), ("the scan's Hounsfield units are shifted",), "shifted"),
        (narrow(lower_from=0.99), (), "lower end of its range"),
        (narrow(green_from=None), (), "found no value"),
    ],
)
def test_the_ceiling_overrides_no_guard(calibration, cautions, reason):
    rating = femur(0.974, calibration, cautions)
    assert rating.light is Light.YELLOW and any(reason in text for text in rating.reasons)


def test_the_ceiling_changes_nothing_below_it():
    for name in ("OE", "SACRUM"):
        limits = learned().model.limits[name]
        assert limits.held_against == DiceLimits(limits.green_from, limits.red_below) and limits.green_from < ALWAYS_GOOD_FROM


def test_the_probability_of_an_error_is_that_of_less_than_the_ceiling():
    strict, usual = narrow(dice_inaccurate=0.99), narrow(dice_inaccurate=0.95)
    here = scores("FEMUR", 0.01)
    assert strict.model.limits["FEMUR"].inaccurate_below == ALWAYS_GOOD_FROM
    assert strict.model.estimate("FEMUR", here).failure_probability == usual.model.estimate("FEMUR", here).failure_probability


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ((0.96, 0.95), ("0.96", "0.95")),
        ((0.9496, 0.95), ("0.9496", "0.9500")),
        ((0.947, 0.95, 0.9), ("0.947", "0.950", "0.900")),
        ((0.952, 0.95, 0.9), ("0.95", "0.95", "0.90")),
        ((0.95, 0.95, None), ("0.95", "0.95")),
    ],
)
def test_what_is_below_a_limit_looks_so(numbers, texts):
    assert dice_texts(*numbers) == texts


def test_an_uncertainty_above_its_limit_looks_so():
    assert uncertainty_texts(4.004e-4, 4e-4) == ("4.004e-04", "4.000e-04")
    assert uncertainty_texts(4e-4, 4.004e-4) == ("4.00e-04", "4.00e-04")


def everywhere(one: SegmentReport) -> dict[str, str]:
    """Where the two limits of a report stand, by place."""
    (row,) = make_rows([one])
    table = table_row(one)
    return {
        "CSV": f"{table['dice_good_from']} {table['dice_failed_below']}",
        "result.json": json.dumps(report_json(one)["dice_limits"]),
        "tags": " ".join(value for tag, value in segment_tags(one).items() if "GoodFrom" in tag or "FailedBelow" in tag),
        "columns": " ".join(row.texts[name] for name in ("dice_good_from", "dice_failed_below")),
        "lines": " ".join(row.lines),
        "tooltip": row.tooltip,
    }


def test_the_limits_stand_wherever_the_predicted_dice_does(capsys):
    one = report("OE_right", 0.0)
    good, failed = one.dice_limits.good_from, one.dice_limits.failed_below
    for place, text in everywhere(one).items():
        assert f"{good:.2f}"[:4] in text or f"{good}"[:5] in text, place
        assert f"{failed:.2f}"[:4] in text or f"{failed}"[:5] in text, place
    assert "counts as good from a predicted Dice of" in everywhere(one)["lines"]
    assert {"dice_good_from", "dice_failed_below"} <= set(CSV_COLUMNS) and {"dice_good_from", "dice_failed_below"} <= set(COLUMN_OF)
    assert report_from_json(json.loads(json.dumps(report_json(one))), HIP_AND_THIGH) == one
    print_result(_result(one), None)
    assert f"{good:.2f}/{failed:.2f}" in capsys.readouterr().out


def test_results_of_before_have_no_limits():
    data = report_json(report("OE_right"))
    del data["dice_limits"], data["part_light"]
    assert report_from_json(data, HIP_AND_THIGH).dice_limits is None and report_from_json(data, HIP_AND_THIGH).part_light is None


def test_a_light_by_the_paper_is_not_held_against_the_other_rule_s_limits():
    assert report("OE_right", lights="paper").dice_limits is None
    fitted = learned().structures["OE"]
    old = report("OE_right", kind="old", lights="paper")
    assert old.dice_limits == DiceLimits(max(fitted.dice_inaccurate, 0.8), max(fitted.dice_failed, 0.6))


@pytest.mark.parametrize("lights", ["calibrated", "paper"])
@pytest.mark.parametrize("kind", ["whole", "old", "few patients"])
@pytest.mark.parametrize("passes", [1, 2, 9])
def test_with_fewer_passes_nothing_is_predicted(passes, kind, lights, tmp_path):
    one = report("GMAX_right", passes=passes, kind=kind, lights=lights, pairwise_dice=1.0)
    assert one.light is Light.GREY and not one.suspect and [getattr(one, name) for name in NUMBERS] == [None] * len(NUMBERS)
    said = one.reasons[0]
    assert "fewer than the 10" in said or (kind == "few patients" and lights == "calibrated" and "uncalibrated" in said)
    write_measurements(tmp_path / "a.csv", _result(one))
    row = next(row for row in csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8")) if row["light"])
    assert {row[name] for name in ("predicted_dice", "dice_low", "dice_good_from", "failure_probability", "volume_low_cc")} == {""}
    (shown,) = make_rows([one])
    assert shown.texts["predicted_dice"] == "–" and "redicted Dice" not in shown.tooltip
    # One pass cannot vary: an uncertainty of 0 would look sure.
    assert (one.uncertainty is None) == (one.scores.mean_variance is None) == (passes == 1)
    assert not any("Uncertainty" in line for line in shown.evidence) or passes > 1


def test_enough_passes_predict():
    assert report("GMAX_right", passes=10).predicted_dice == report("GMAX_right", passes=11).predicted_dice > 0.9


@pytest.mark.parametrize("key", ["GMAX_right", "FEMUR_left"])
def test_a_cut_segment_that_probably_failed_does_not_look_harmless(key, tmp_path, capsys):
    bad, fine = report(key, 1.0, cut=("superior",)), report(key, 0.0, cut=("superior",))
    assert bad.light is fine.light is Light.GREY and bad.suspect and not fine.suspect
    assert bad.part_light is Light.RED and fine.part_light is Light.GREEN
    rows = {name: make_rows([one])[0] for name, one in {"bad": bad, "fine": fine}.items()}
    assert rows["bad"].mark == "suspect" and rows["bad"].texts["light"] == "likely wrong" and rows["bad"].needs_review
    assert rows["fine"].mark == "grey" and rows["fine"].texts["light"] == "not rated" and not rows["fine"].needs_review
    assert rows["bad"].tooltip.split("\n")[0].endswith(": not rated, likely wrong")
    assert review_status(bad) == "flagged" and segment_tags(bad)["MSKSegment.Verdict"] == "not rated, likely wrong"
    assert review_status(fine) == "notstarted" and segment_tags(fine)["MSKSegment.Verdict"] == "not rated"
    assert table_row(bad)["likely_wrong"] == "yes" and table_row(fine)["likely_wrong"] is None
    shown = selected_row(rows["bad"], bad, paired=True)
    assert shown["light"] == "suspect" and shown["verdict"] == "not rated, likely wrong"
    assert [count["text"] for count in light_counts(rows.values())] == ["1 likely wrong", "1 not rated"]
    good = report("OE_left", 0.0)
    assert good.light is Light.GREEN
    other = replace(fine, segment=next(s for s in HIP_AND_THIGH.segments if s.structure.abbreviation == "GRAC"))
    order = worst_first(make_rows([good, other, bad]))
    assert [row.key for row in order] == [key, other.segment.key, "OE_left"]
    print_result(_result(bad), None)
    out = capsys.readouterr().out
    assert "◐ likely wrong" in out and "1 not rated but likely wrong" in out and "To look at first" in out
    _write_listed(tmp_path / "harmless", fine)
    _write_listed(tmp_path / "wrong", bad)
    listed = list_results(tmp_path)
    assert [(one.name, one.mark, one.text) for one in listed] == [
        ("wrong", "suspect", "1 likely wrong"),
        ("harmless", "grey", "1 not rated"),
    ]


@pytest.mark.parametrize("kind", ["whole", "old"])
@pytest.mark.parametrize("lights", ["calibrated", "paper"])
def test_what_is_known_of_the_part_counts_under_every_rule(kind, lights):
    one = report("GMAX_right", 1.0, kind=kind, lights=lights, cut=("superior",))
    assert one.light is Light.GREY and one.part_light is Light.RED and one.suspect


@pytest.mark.parametrize(
    ("light", "probability", "part", "look"),
    [
        (Light.GREY, None, None, False),
        (Light.GREY, 0.49, None, False),
        (Light.GREY, 0.5, None, True),
        (Light.GREY, 0.1, Light.RED, True),
        (Light.GREY, 0.1, Light.YELLOW, False),
        (Light.GREY, None, Light.YELLOW, True),
        (Light.GREY, None, Light.GREEN, False),
        (Light.YELLOW, 0.0, None, True),
        (Light.GREEN, 0.99, None, False),
    ],
)
def test_what_asks_for_a_look(light, probability, part, look):
    assert asks_for_a_look(light, probability, part) == look
    one = SegmentReport(HIP_AND_THIGH.segments[0], light, (), failure_probability=probability, part_light=part)
    assert one.asks_for_a_look == look and one.suspect == (look and light is Light.GREY)


def test_an_edit_ends_the_suspicion():
    from MSKSegmentLib.review.corrections import corrected

    bad = report("GMAX_right", 1.0, cut=("superior",))
    edited = corrected(bad, measurements(("superior",)), 0.8)
    assert not edited.suspect and "not rated, but likely wrong" in edited.reasons[0] and edited.state is ReviewState.EDITED


def test_a_segment_without_uncertainty_is_not_called_missing():
    reports = make_reports(HIP_AND_THIGH, {4: measurements()}, {104: scores("GMAX", 0.0)}, learned(), 10)
    (one,) = [one for one in reports if one.measurements]
    assert one.light is Light.GREY and one.reasons == ("the network said nothing of its uncertainty",)


def _result(one: SegmentReport) -> CaseResult:
    return CaseResult(np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), (1.0, 1.0, 1.0)), (one,))


def _write_listed(folder, one: SegmentReport) -> None:
    folder.mkdir()
    data = {"format": "mskseg-result", "provenance": {"date": "2026-05-04"}, "segments": [report_json(one)]}
    (folder / "result.json").write_text(json.dumps(data), encoding="utf-8")


def test_a_segment_that_may_lie_on_the_other_side_is_not_green():
    """The segment alone: what is found on it says nothing of the others."""
    doubt = warning("side_unsure", "A part of this segment may belong to the other side.", "GMAX_right")
    found = {LABEL[key]: measurements() for key in ("GMAX_right", "GMAX_left")}
    evidence = {label: scores("GMAX", 0.0) for label in found}
    own = segment_cautions([doubt, warning("side_unsure", "Of no segment.")])
    reports = {one.segment.key: one for one in make_reports(HIP_AND_THIGH, found, evidence, learned(), PASSES, own_cautions=own)}
    assert reports["GMAX_left"].light is Light.GREEN
    assert reports["GMAX_right"].light is Light.YELLOW and "other side" in " ".join(reports["GMAX_right"].reasons)
    seen = Observation("p", "GMAX", "right", None, 0.9, scores("GMAX", 0.0), own_cautions=own["GMAX_right"])
    assert seen.cautions == own["GMAX_right"]
