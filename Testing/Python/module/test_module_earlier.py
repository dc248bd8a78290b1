"""What changed since the result of an earlier scan, in the panel."""

from dataclasses import replace

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from comparison_cases import phantom_case, phantom_scan, with_report, write_visit
from Host import host
from module_cases import PANEL_WIDTH, add_phantom, choose, click, show_result

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.comparison.change_words import CHOOSE_EARLIER, NARROW_CHANGE_TABLE, PATIENT_NOT_KNOWN

pytest_plugins = ("module_fixtures",)

LOST, FAILED = "GMAX_left", "GMED_left"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The result folder of the earlier scan."""
    folder = tmp_path_factory.mktemp("visits") / "visit 2023"
    write_visit(folder, phantom_case(digest="a", date="2023-05-01T10:00:00+00:00"), keep_ct=False)
    return folder


@pytest.fixture
def case(panel):
    later = phantom_case((LOST,), digest="b", passes=5, date="2024-05-01T10:00:00+00:00")
    later = with_report(later, FAILED, light=Light.RED)
    return show_result(panel, later, add_phantom(phantom_scan(later.labels, later.geometry), "visit 2024"))


def compare(panel, folder):
    host.answer(str(folder))
    click(panel.ui.earlierButton)


def texts(panel, key):
    """The cells of a structure's row."""
    table = panel.ui.changesTable
    place = next(number for number, row in enumerate(panel.earlier._table._rows) if row.key == key)
    return place, [table.item(place, column).text() for column in range(table.columnCount)]


def test_changes_are_told_with_interval_verdict_and_warnings(panel, case, earlier):
    ui = panel.ui
    ui.earlierSection.setCollapsed(False)
    assert ui.earlierDatesLabel.text == CHOOSE_EARLIER and not ui.changesTable.visible
    compare(panel, earlier)
    assert ui.earlierDatesLabel.text == "visit 2023 (segmented 2023-05-01) → visit 2024 (segmented 2024-05-01)"
    assert PATIENT_NOT_KNOWN in ui.cautionsLabel.text and "dropout passes (10 and 5)" in ui.cautionsLabel.text
    assert ui.changesLabel.text == "1 real change, 41 within the error, 1 not compared"
    assert ui.changesTable.rowCount == 43 and ui.changesTable.columnCount == len(NARROW_CHANGE_TABLE)
    place, cells = texts(panel, LOST)
    assert place == 0 and cells[4] == "▼ a real change" and cells[3].startswith("−") and " to −" in cells[3]
    assert texts(panel, FAILED)[1][3:] == ["", "not compared: failed (red light) after"]
    # Another quantity; bones have no composition.
    ui.quantitySelector.setCurrentIndex(2)
    assert ui.changesLabel.text.startswith("0 real change") and ui.changesTable.rowCount == 38


def test_a_click_goes_to_the_structure_and_a_correction_makes_the_table_old(panel, case, earlier):
    ui = panel.ui
    compare(panel, earlier)
    ui.searchEdit.setText("femur")
    ui.changesTable.selectRow(texts(panel, LOST)[0])
    host.processEvents(0.01)
    assert ui.titleLabel.text == case.session.report(LOST).segment.name and ui.searchEdit.text == ""
    assert not ui.earlierAgainButton.visible and ui.changesTable.enabled
    choose(panel, LOST)
    click(ui.acceptButton)
    ui.earlierSection.setCollapsed(False)
    assert ui.earlierAgainButton.visible and not ui.changesTable.enabled
    click(ui.earlierAgainButton)
    assert ui.changesTable.enabled and not ui.earlierAgainButton.visible


def test_what_cannot_be_compared_is_said_and_another_case_puts_the_table_away(panel, case, earlier, tmp_path):
    ui = panel.ui
    compare(panel, tmp_path)
    assert "holds no result" in ui.messageLabel.text or "no result" in ui.messageLabel.text
    write_visit(tmp_path / "again", replace(case.session.result), keep_ct=False)
    compare(panel, tmp_path / "again")
    assert "results of the same scan" in ui.messageLabel.text
    host.answer("")
    click(ui.earlierButton)
    assert ui.earlierDatesLabel.text == CHOOSE_EARLIER
    compare(panel, earlier)
    slicer.mrmlScene.Clear(0)
    assert ui.changesTable.rowCount == 0 and not ui.earlierSection.visible


def test_the_section_can_be_looked_at(panel, case, earlier, tmp_path):
    panel.ui.earlierSection.setCollapsed(False)
    for section in (panel.ui.inputSection, panel.ui.resultsSection):
        section.setCollapsed(True)
    compare(panel, earlier)
    host.grab(slicer.util.mainWindow(), tmp_path / "window.png", PANEL_WIDTH, 1000)
    picture = host.grab(panel.ui.earlierSection, tmp_path / "changes.png")
    table = panel.ui.changesTable
    assert picture.stat().st_size > 10_000 and table.horizontalHeader().length() <= table.viewport().width
