"""The page's rows: the shared ones as JSON, in their order, with their words."""

import json
from dataclasses import replace

import pytest
from review_cases import make_case
from scene_cases import GEOMETRIES
from web_sessions import make_session

from MSKSegmentLib.case_result import HistoryEvent, ReviewState
from MSKSegmentLib.review import COLUMNS, RowFilter, make_rows, worst_first
from MSKSegmentLib.web.page import table
from MSKSegmentLib.web.page.state import initial_state


@pytest.fixture
def rows():
    session = make_session(GEOMETRIES["axial"])
    session.accept("VM_left")
    return session.rows()


def keys(shown):
    return [row["key"] for row in shown]


def test_rows_are_worst_first_until_a_column_is_chosen(rows):
    assert keys(table.shown_rows(rows, RowFilter(), "", False)) == [row.key for row in worst_first(rows)]
    by_name = keys(table.shown_rows(rows, RowFilter(), "structure", True))
    assert by_name[0].startswith("VM") and len(by_name) == 43


def test_every_cell_has_the_words_of_the_desktop_and_fits_into_json(rows):
    shown = json.loads(json.dumps(table.shown_rows(rows, RowFilter(), "", False)))
    texts = {row["key"]: row["texts"] for row in shown}
    for row in rows:
        assert texts[row.key] == {column.name: row.texts[column.name] for column in COLUMNS}


def test_the_range_of_the_predicted_dice_stands_apart_and_scores_behind_reasons(rows):
    report = next(report for report in make_case()[0].reports if report.segment.key == "GMED_left")
    (row,) = make_rows([report])
    shown = table.selected_row(row, report, paired=True)
    assert (shown["uncertainty"]["word"], shown["uncertainty"]["at"]) == ("high", 100.0)
    usual = table.selected_row(row, replace(report, uncertainty=1e-4, usual_uncertainty=(0.5e-4, 1.5e-4)), paired=True)
    assert (usual["uncertainty"]["word"], usual["uncertainty"]["at"]) == ("usual", 50.0)
    older = table.selected_row(row, replace(report, usual_uncertainty=None), paired=True)["uncertainty"]
    assert older["word"] == "" and older["value"] == "0.80\N{NO-BREAK SPACE}‰" and "8.00e-04" in older["tooltip"]
    assert table.selected_row(row, replace(report, uncertainty=None), paired=True)["uncertainty"] is None
    assert (shown["dice"], shown["interval"]) == ("0.73", "(0.65–0.77)")
    assert f"{shown['dice']} {shown['interval']}" == shown["texts"]["predicted_dice"]
    assert shown["lines"] == row.lines and shown["evidence"] == row.evidence and shown["evidence"]
    assert "Predicted Dice 0.73 (0.65 to 0.77)." in shown["lines"]
    sacrum = next(report for report in make_session(GEOMETRIES["axial"]).result.reports if report.segment.key == "SACRUM")
    bare = table.selected_row(next(row for row in rows if row.key == "SACRUM"), sacrum, paired=False)
    assert (bare["dice"], bare["interval"]) == ("–", "")


def test_what_was_perhaps_missed_has_a_mark_of_its_own():
    rows = make_rows(make_case()[0].reports)
    shown = {row["key"]: row for row in table.shown_rows(rows, RowFilter(flagged_only=True), "", False)}
    assert list(shown) == ["GMAX_right", "GMED_left", "OE_right", "PI_left", "ST_left", "TFL_right"]
    assert shown["PI_left"]["light"] == "missed" and shown["PI_left"]["texts"]["light"] == "not found"
    count = next(count for count in table.light_counts(rows) if count["light"] == "missed")
    assert count["text"] == "2 perhaps missed"


def test_the_filter_is_the_shared_one(rows):
    assert keys(table.shown_rows(rows, RowFilter(flagged_only=True), "", False)) == ["GMAX_left", "GMAX_right"]
    assert set(keys(table.shown_rows(rows, RowFilter(text="gluteus max"), "", False))) == {"GMAX_right", "GMAX_left"}


def test_refreshed_rows_stay_where_they_are(rows):
    shown = table.shown_rows(rows, RowFilter(), "", False)
    accepted = tuple(replace(row, state=ReviewState.ACCEPTED) if row.key == "GMAX_right" else row for row in rows)
    again = table.refreshed_rows(shown, accepted)
    assert keys(again) == keys(shown)
    assert [row["accepted"] for row in again if row["key"] == "GMAX_right"] == [True]


def test_counts_name_every_row_once(rows):
    counts = table.light_counts(rows)
    assert [count["text"] for count in counts] == ["1 failed", "1 inaccurate", "1 good", "1 accepted"]
    assert sum(int(count["text"].split()[0]) for count in counts) == sum(row.found for row in rows)


def test_the_history_is_told_latest_first():
    events = (
        HistoryEvent("2026-01-02T10:11:12+00:00", "ann", "edited", "GMAX_left",
                     {"volume_before_cc": 10.0, "volume_after_cc": 12.34, "strokes": 3, "dice_to_automatic": 0.9}),
        HistoryEvent("2026-01-02T10:12:00+00:00", "", "accepted", "GMAX_left"),
    )  # fmt: skip
    accepted, edited = table.history_lines(events, make_rows(make_case()[0].reports))
    assert accepted == {"when": "2026-01-02 10:12", "who": "–", "segment": "Gluteus maximus, left", "what": "accepted"}
    assert edited["what"] == "corrected, 10.0 to 12.3 cc, 3 strokes, Dice to the automatic version 0.90"


def test_the_page_has_all_columns_and_a_narrow_table_keeps_the_state():
    columns = initial_state()["columns"]
    assert [column["name"] for column in columns] == [column.name for column in COLUMNS]
    narrow = {column["name"] for column in columns if column["narrow"]}
    assert {"light", "structure", "side", "volume_cc", "predicted_dice", "state"} <= narrow < {c.name for c in COLUMNS}
