"""The table: what rows say, what needs a look, in which order; published means as context."""

import json
import re
from dataclasses import replace

import pytest
from review_cases import make_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.resources import resource_file
from MSKSegmentLib.results.tables import table_row
from MSKSegmentLib.review import COLUMNS, RowFilter, make_rows, sorted_by, worst_first
from MSKSegmentLib.review.columns import COLUMN_OF
from MSKSegmentLib.review.reference import FILE, references


@pytest.fixture(scope="module")
def reports():
    return {report.segment.key: report for report in make_case()[0].reports}


@pytest.fixture(scope="module")
def rows(reports):
    return make_rows(reports.values())


def test_the_columns_that_both_front_ends_show():
    assert " ".join(column.name for column in COLUMNS) == (
        "light structure side volume_cc predicted_dice dice_good_from dice_failed_below volume_cc_per_m2 mean_hu "
        "fat_percent composite_percent lean_percent asymmetry_percent state"
    )
    assert all(column.title and column.tooltip for column in COLUMNS)
    assert [c.name for c in COLUMNS if not c.numeric] == ["light", "structure", "side", "state"]
    assert COLUMN_OF["volume_cc_per_m2"].heading == "Volume / height² (cc/m²)" and COLUMN_OF["side"].heading == "Side"


def test_a_row_for_each_segment_with_a_text_for_each_column(rows):
    assert [row.key for row in rows] == [segment.key for segment in HIP_AND_THIGH.segments]
    for row in rows:
        assert list(row.values) == list(row.texts) == [column.name for column in COLUMNS]
        assert all(row.texts.values())


def test_numbers_are_those_of_the_exported_table_and_read_well(rows, reports):
    row = next(row for row in rows if row.key == "GMAX_right")
    exported = table_row(reports["GMAX_right"])
    numeric = [column.name for column in COLUMNS if column.numeric]
    assert {name: row.values[name] for name in numeric} == {name: exported[name] for name in numeric}
    assert row.texts["volume_cc"] == f"{exported['volume_cc']:.1f}" and row.texts["predicted_dice"] == "0.70 (0.62–0.74)"
    assert row.uncertainty == exported["uncertainty"] and row.texts["asymmetry_percent"] == "+0.0"
    assert row.texts["light"] == "failed" and row.texts["state"] == row.state_text == "automatic"
    absent = next(row for row in rows if row.key == "PI_left")
    assert absent.texts["light"] == "not found" and absent.texts["volume_cc"] == "–" and not absent.found
    cut = next(row for row in rows if row.key == "FEMUR_left")
    assert cut.truncated and cut.state_text == "automatic, truncated" and cut.texts["asymmetry_percent"] == "–"


@pytest.mark.parametrize(("value", "text"), [(-0.04, "+0.0"), (-12.34, "-12.3"), (5.0, "+5.0"), (None, "–")])
def test_signed_numbers(value, text):
    assert COLUMN_OF["asymmetry_percent"].text(value) == text


@pytest.mark.parametrize("light", list(Light))
@pytest.mark.parametrize("state", list(ReviewState))
def test_what_needs_a_look(reports, light, state):
    (row,) = make_rows([replace(reports["GMAX_right"], light=light, state=state, failure_probability=None)])
    flagged = light in (Light.RED, Light.YELLOW) or state is ReviewState.EDITED
    assert row.needs_review == (flagged and state is not ReviewState.ACCEPTED)


def test_worst_first(rows, reports):
    keys = [row.key for row in worst_first(rows)]
    # Flagged ones by expected harm, truncated and uncalibrated, good ones; what was perhaps missed is flagged.
    assert keys[:6] == ["GMAX_right", "GMED_left", "OE_right", "PI_left", "ST_left", "TFL_right"]
    assert set(keys[6:14]) >= {"FEMUR_left", "VM_right", "GRAC_left"}
    states = {"GMAX_right": ReviewState.ACCEPTED, "SACRUM": ReviewState.EDITED, "PI_left": ReviewState.EDITED}
    changed = [replace(report, state=states.get(key, report.state)) for key, report in reports.items()]
    keys = [row.key for row in worst_first(make_rows(changed))]
    assert keys[:4] == ["GMED_left", "OE_right", "ST_left", "TFL_right"] and set(keys[4:6]) == {"SACRUM", "PI_left"}
    assert keys[-1] == "GMAX_right"


def test_equally_urgent_rows_go_by_uncertainty_where_no_dice_is_predicted(reports):
    nothing = {"predicted_dice": None, "failure_probability": 0.0}
    given = [replace(reports[key], light=Light.RED, uncertainty=value, **nothing) for key, value in (
        ("GMIN_left", None), ("BF_left", 1e-4), ("RF_left", 3e-4))]  # fmt: skip
    assert [row.key for row in worst_first(make_rows(given))] == ["RF_left", "BF_left", "GMIN_left"]


def test_sorting_by_number_keeps_unknown_last_either_way(rows):
    for descending in (False, True):
        ordered = sorted_by(rows, "predicted_dice", descending)
        values = [row.values["predicted_dice"] for row in ordered]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=descending) and values[len(known) :] == [None] * (43 - len(known))
        assert {row.key for row in ordered[-4:]} == {"GRAC_right", "GRAC_left", "OE_right", "PI_left"}


def test_sorting_by_text_and_by_light(rows):
    names = [row.structure for row in sorted_by(rows, "structure")]
    assert names == sorted(names, key=str.casefold) and names[0] == "Adductors"
    assert sorted_by(rows, "light") == worst_first(rows)
    # Equal rows keep their order.
    first = [row.key for row in sorted_by(rows, "side") if row.side == "left"]
    assert first == [row.key for row in rows if row.side == "left"]
    with pytest.raises(KeyError):
        sorted_by(rows, "price")


@pytest.mark.parametrize(
    ("row_filter", "count", "example"),
    [
        (RowFilter(), 43, "SACRUM"),
        (RowFilter(flagged_only=True), 6, "ST_left"),
        (RowFilter(group="bone"), 5, "SACRUM"),
        (RowFilter(group="hip", side="left"), 9, "GMAX_left"),
        (RowFilter(side="midline"), 1, "SACRUM"),
        (RowFilter(text=" GLUT max "), 2, "GMAX_left"),
        (RowFilter(text="gmax right"), 1, "GMAX_right"),
        (RowFilter(text="truncated", side="right"), 3, "VM_right"),
        (RowFilter(text="not found"), 2, "PI_left"),
        (RowFilter(text="liver"), 0, None),
    ],
)
def test_filter(rows, row_filter, count, example):
    shown = [row.key for row in rows if row_filter.matches(row)]
    assert len(shown) == count and (example is None or example in shown)


def test_tooltip_gives_reasons_and_context_but_no_norm(rows):
    text = next(row for row in rows if row.key == "GMAX_right").tooltip
    why = "Uncertainty 0.900\N{NO-BREAK SPACE}‰ is above 0.700\N{NO-BREAK SPACE}‰, where segments had failed."
    assert text.startswith(f"Gluteus maximus, right: failed\n{why}")
    held = "This structure counts as good from a predicted Dice of 0.85 on, and as failed below 0.76."
    likely = "Probability that it is inaccurate or failed: 96\N{NO-BREAK SPACE}%."
    assert f"Predicted Dice 0.70 (0.62 to 0.74).\n{held}\n{likely}" in text
    assert "Likely true values: volume 393.9 to 525.2 cc, mean density " in text
    assert text.index("Predicted Dice") < text.index("one cohort")
    assert text.index("one cohort") < text.index("Uncertainty 0.90\N{NO-BREAK SPACE}‰, high for this structure")
    assert "mean of 50 hip-osteoarthritis patients (one cohort, Soufi et al. 2025), not a norm" in text
    assert "230.3 cc/m² and 19.3 HU on the affected side; 255.4 cc/m² and 25.0 HU on the unaffected side." in text
    assert "94.2 cc/m² and 190.4 HU for both sides" in next(row for row in rows if row.key == "SACRUM").tooltip
    assert "cohort" not in next(row for row in rows if row.key == "PI_left").tooltip


def test_reference_values_cover_the_table_and_name_their_source():
    data = json.loads(resource_file("ReferenceValues", FILE).read_text(encoding="utf-8"))
    assert data["source"]["doi"] == "10.1038/s41598-024-83793-7" and data["source"]["license"] == "CC BY 4.0"
    assert list(references()) == [structure.abbreviation for structure in HIP_AND_THIGH.structures]
    for abbreviation, reference in references().items():
        sides = ["whole"] if abbreviation == "SACRUM" else ["affected", "unaffected"]
        assert list(reference.volume_cc_per_m2) == list(reference.mean_hu) == sides


def test_reference_values_are_those_of_the_paper(shared):
    found = {}
    for text in (path.read_text(encoding="utf-8") for path in (shared / "seeds").glob("*.txt")):
        for line in text[text.rfind("Normalized Volume [cc/m") :].splitlines() if "**Table 7.**" in text else ():
            cells = line.split("\t")
            if len(cells) == 16 and re.fullmatch("[A-Z]+", cells[1]):
                # Experts' means: volume affected, unaffected, HU affected, unaffected.
                found[cells[1]] = [float(cells[k]) for k in (2, 5, 9, 12) if cells[k] != "-"]
    assert len(found) == len(HIP_AND_THIGH.structures)
    own = {key: [*r.volume_cc_per_m2.values(), *r.mean_hu.values()] for key, r in references().items()}
    assert own == found
