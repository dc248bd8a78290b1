"""The review in the panel, as a user does it: table, filters, edits, acceptance, keys."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import host
from module_cases import cell, choose, click, paint, show_case, show_result, slice_offset, smaller, wait
from review_cases import ABSENT, LABEL, make_case

from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.review import worst_first
from MSKSegmentLib.review.columns import ALL_COLUMNS

pytest_plugins = ("module_fixtures",)


@pytest.fixture
def case(panel):
    return show_case(panel)


def test_the_table_shows_every_segment_worst_first_with_words_and_shapes(panel, case, tmp_path):
    table = panel.ui.resultsTable
    assert panel.review._table.shown == tuple(row.key for row in worst_first(case.session.rows()))
    assert table.rowCount == 43 and table.columnCount == len(ALL_COLUMNS)
    words = {cell(panel, key, "light") for key in panel.review._table.shown}
    assert words == {"failed", "inaccurate", "not rated", "good", "not found"}
    pictures = {table.item(row, 0).text(): table.item(row, 0).icon().pixmap(16, 16).toImage() for row in range(43)}
    grey = {word: image.convertToFormat(image.Format.Format_Grayscale8) for word, image in pictures.items()}
    shapes = [grey[word] for word in ("failed", "inaccurate", "not rated", "good", "not found")]
    assert all(one != other for i, one in enumerate(shapes) for other in shapes[i + 1 :])
    assert "one cohort" in table.item(0, 0).toolTip() and "norm" in table.item(0, 0).toolTip()
    # One scrolls the panel, never the table inside of it; density and fat are in sight.
    host.grab(slicer.util.mainWindow(), tmp_path / "panel.png", 500, 700)
    choose(panel, "GMAX_left")
    header = table.horizontalHeader()
    assert table.height >= header.height + table.verticalHeader().length() and header.length() <= table.viewport().width
    for column in ("mean_hu", "fat_percent"):
        assert not table.isColumnHidden([entry.name for entry in ALL_COLUMNS].index(column))
    assert "2 failed" in panel.ui.summaryLabel.text and panel.ui.summaryLabel.text.endswith("2 perhaps missed.")


def test_a_cut_structure_that_probably_failed_does_not_look_harmless(panel):
    from MSKSegmentLib.scene import add_ct

    result, volume = make_case()
    # The scan cuts both femora.
    failed = {"failure_probability": 0.87, "part_light": Light.RED}
    reports = tuple(replace(one, **failed) if one.segment.key == "FEMUR_left" else one for one in result.reports)
    show_result(panel, replace(result, reports=reports), add_ct(slicer.mrmlScene, volume, "CT hip"))
    order = panel.review._table.shown
    assert cell(panel, "FEMUR_left", "light") == "likely wrong" and cell(panel, "FEMUR_right", "light") == "not rated"
    assert order.index("FEMUR_left") < order.index("TFL_right") < order.index("FEMUR_right")
    table = panel.ui.resultsTable
    icons = [table.item(order.index(key), 0).icon().pixmap(16, 16).toImage() for key in ("FEMUR_left", "FEMUR_right", "PI_left")]
    assert icons[0] != icons[1] != icons[2] != icons[0]
    assert "1 likely wrong" in panel.ui.summaryLabel.text
    choose(panel, "FEMUR_left")
    assert panel.ui.reasonsLabel.text.startswith("Not rated, likely wrong: cut by the field of view")
    assert "Good from" in panel.ui.valuesLabel.text and "Failed below" in panel.ui.valuesLabel.text


def test_headings_sort_and_unknown_numbers_stay_last(panel, case):
    header = panel.ui.resultsTable.horizontalHeader()
    column = [entry.name for entry in ALL_COLUMNS].index("volume_cc")
    for descending in (True, False):
        header.sectionClicked.emit(column)
        values = [case.session.row(key).values["volume_cc"] for key in panel.review._table.shown]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=descending) and values[-len(ABSENT) :] == [None] * len(ABSENT)


def test_filters_hide_rows_and_flagged_only_shows_what_is_left_to_do(panel, case):
    ui = panel.ui
    ui.flaggedOnlyCheckBox.setChecked(True)
    assert set(panel.review._table.shown) == {"GMAX_right", "GMED_left", "TFL_right", "ST_left", "OE_right", "PI_left"}
    ui.sideFilter.setCurrentIndex(1)
    assert set(panel.review._table.shown) == {"GMAX_right", "TFL_right", "OE_right"}
    ui.groupFilter.setCurrentIndex(2)
    assert panel.review._table.shown == ("GMAX_right", "OE_right")
    ui.searchEdit.setText("no such muscle")
    assert panel.review._table.shown == () and ui.shownLabel.text == "0 of 43 rows"
    # What is to be looked at next is shown whatever the filters say.
    panel.review.chooseNextFlagged()
    assert panel.review._table.chosen == "GMAX_right" and not ui.flaggedOnlyCheckBox.checked


def test_a_row_leaves_the_filter_only_after_another_is_chosen(panel, case):
    panel.ui.flaggedOnlyCheckBox.setChecked(True)
    choose(panel, "GMAX_right")
    click(panel.ui.acceptButton)
    assert "GMAX_right" in panel.review._table.shown and panel.ui.acceptButton.text == "Reopen"
    click(panel.ui.nextFlaggedButton)
    panel.ui.flaggedOnlyCheckBox.setChecked(False)
    panel.ui.flaggedOnlyCheckBox.setChecked(True)
    assert "GMAX_right" not in panel.review._table.shown


def test_an_absent_structure_can_be_chosen_and_drawn(panel, case):
    choose(panel, ABSENT[0])
    assert panel.ui.sliceLabel.text == "no slice shows it" and not panel.ui.nextSliceButton.enabled
    assert panel.ui.reasonsLabel.text == "Not found in this scan; the other side was found: this one may have been missed."
    click(panel.ui.editButton)
    mask = np.zeros(case.session.result.labels.shape, bool)
    mask[5:9, 20:30, 20:30] = True
    paint(case, ABSENT[0], mask)
    wait(lambda: cell(panel, ABSENT[0], "state") == "edited", 5)
    assert float(cell(panel, ABSENT[0], "volume_cc")) > 0


def test_an_edit_in_the_scene_is_measured_and_the_automatic_version_kept(panel, case):
    key = "TFL_right"
    choose(panel, key)
    before, place = float(cell(panel, key, "volume_cc")), panel.review._table.shown.index(key)
    paint(case, key, smaller(case, key))
    wait(lambda: cell(panel, key, "state") == "edited", 5)
    assert float(cell(panel, key, "volume_cc")) < 0.7 * before
    assert panel.review._table.shown.index(key) == place, "the row jumped away under the pointer"
    assert cell(panel, key, "light") == "not rated" and "edited" in panel.ui.stateLabel.text
    assert cell(panel, key, "structure") == "Tensor fasciae latae, edited", "the column of the state is out of sight"
    dice = case.session.report(key).dice_to_automatic
    assert f"{dice:.2f}" in panel.ui.valuesLabel.text and f"{dice:.2f}" in panel.ui.historyLabel.text
    automatic = np.count_nonzero(case.session.automatic.labels == LABEL[key])
    assert automatic > np.count_nonzero(case.session.result.labels == LABEL[key])
    import qt

    host.answer(qt.QMessageBox.Cancel)
    click(panel.ui.revertButton)
    assert cell(panel, key, "state") == "edited", "the question was answered with no"
    click(panel.ui.revertButton)
    host.processEvents(0.5)
    assert cell(panel, key, "state") == "automatic" and float(cell(panel, key, "volume_cc")) == before
    assert host.messages()[-1].text.startswith("Throw away all edits of Tensor fasciae latae, right")


def test_a_wholly_erased_structure_is_not_found(panel, case):
    paint(case, "TFL_right", np.zeros(case.session.result.labels.shape, bool))
    wait(lambda: not case.session.row("TFL_right").found, 5)
    assert cell(panel, "TFL_right", "volume_cc") == "–"


def test_accepting_marks_row_history_and_slicers_own_status(panel, case):
    key = "GMAX_right"
    choose(panel, key)
    flagged = panel.ui.nextFlaggedButton.text
    click(panel.ui.acceptButton)
    segment = case.nodes.segmentation.GetSegmentation().GetSegment(key)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert case.session.report(key).state is ReviewState.ACCEPTED and cell(panel, key, "state").startswith("accepted")
    assert logic.GetSegmentStatus(segment) == logic.Completed
    assert panel.ui.nextFlaggedButton.text != flagged and panel.ui.historyLabel.text.startswith("Accepted by ")
    click(panel.ui.acceptButton)
    assert case.session.report(key).state is ReviewState.AUTOMATIC and logic.GetSegmentStatus(segment) == logic.Flagged


def test_next_flagged_walks_through_all_and_says_when_nothing_is_left(panel, case):
    seen = []
    while panel.ui.nextFlaggedButton.enabled:
        click(panel.ui.nextFlaggedButton)
        seen.append(panel.review._table.chosen)
        click(panel.ui.acceptButton)
    # Down the queue: by expected harm, with those that may have been missed.
    assert seen == ["GMAX_right", "GMED_left", "OE_right", "PI_left", "ST_left", "TFL_right"]
    panel.review.chooseNextFlagged()
    assert "Nothing is left" in panel.ui.messageLabel.text


def test_edit_hands_over_to_segment_editor_and_one_button_leads_back(panel, case):
    choose(panel, "GMED_left")
    click(panel.ui.editButton)
    assert slicer.util.selectedModule() == "SegmentEditor"
    widget = slicer.modules.segmenteditor.widgetRepresentation()
    editor = widget.self().editor
    assert editor.segmentationNode() is case.nodes.segmentation and editor.sourceVolumeNode() is case.nodes.ct
    assert editor.currentSegmentID() == "GMED_left"
    # Edits count while the panel is out of sight.
    paint(case, "GMED_left", smaller(case, "GMED_left"))
    wait(lambda: case.session.report("GMED_left").state is ReviewState.EDITED, 5)
    back = slicer.util.findChild(widget, "backToMSKSegmentButton")
    assert back.isVisible() and not panel.keys._shortcuts[0].enabled
    back.click()
    host.processEvents(0.05)
    assert slicer.util.selectedModule() == "MSKSegment" and panel.review._table.chosen == "GMED_left"
    assert not back.isVisible() and panel.keys._shortcuts[0].enabled


def test_coming_back_at_once_does_not_lose_the_last_stroke(panel, case):
    choose(panel, "GMED_left")
    click(panel.ui.editButton)
    paint(case, "GMED_left", smaller(case, "GMED_left"))
    slicer.util.selectModule("MSKSegment")
    assert cell(panel, "GMED_left", "state") == "edited"


def test_keys_do_what_the_buttons_do(panel, case):
    keys = {shortcut.key.toString(): shortcut for shortcut in panel.keys._shortcuts}
    keys["N"].activated.emit()
    first = panel.review._table.chosen
    assert first == case.session.next_flagged()
    keys["A"].activated.emit()
    assert case.session.report(first).state is ReviewState.ACCEPTED
    keys["N"].activated.emit()
    offset = slice_offset()
    keys["."].activated.emit()
    assert slice_offset() != offset
    keys[","].activated.emit()
    assert slice_offset() == offset
    keys["E"].activated.emit()
    assert slicer.util.selectedModule() == "SegmentEditor"


@pytest.mark.parametrize("name", ["searchEdit", "heightSpinBox", "groupFilter", "samplesSpinBox", "ctSelector", "detailsText"])
def test_keys_are_left_to_a_field_that_has_the_focus(panel, case, name):
    widget = getattr(panel.ui, name)
    # A selector of nodes is a frame around a combo box.
    widget = getattr(widget, "_box", widget)
    choose(panel, "GMAX_right")
    assert all(shortcut.enabled for shortcut in panel.keys._shortcuts)
    panel.keys._focusChanged(widget)
    assert not any(shortcut.enabled for shortcut in panel.keys._shortcuts)
    # Coming back to the module does not bring them back while the focus stays.
    panel.keys._focusChanged(panel.ui.resultsTable)
    assert all(shortcut.enabled for shortcut in panel.keys._shortcuts)
    panel.exit()
    panel.keys._focusChanged(panel.ui.resultsTable)
    assert not any(shortcut.enabled for shortcut in panel.keys._shortcuts)


def test_typing_into_the_search_field_accepts_nothing(panel, case):
    from PySide6.QtTest import QTest

    slicer.util.mainWindow().activateWindow()
    choose(panel, "GMAX_right")
    panel.ui.searchEdit.setFocus()
    host.processEvents(0.1)
    if not panel.ui.searchEdit.hasFocus():
        pytest.skip("this platform gives no window the focus")
    QTest.keyClicks(panel.ui.searchEdit, "a")
    panel.ui.groupFilter.setFocus()
    host.processEvents(0.05)
    QTest.keyClicks(panel.ui.groupFilter, "a")
    assert panel.ui.searchEdit.text == "a" and case.session.report("GMAX_right").state is ReviewState.AUTOMATIC
    panel.ui.resultsTable.setFocus()
    host.processEvents(0.05)
    panel.ui.searchEdit.clear()
    choose(panel, "GMAX_right")
    QTest.keyClicks(panel.ui.resultsTable, "a")
    host.processEvents(0.05)
    assert case.session.report("GMAX_right").state is ReviewState.ACCEPTED


def test_height_changes_the_normalised_volumes(panel, case):
    assert panel.ui.heightSpinBox.value == pytest.approx(160)
    before = case.session.row("GMAX_right").values["volume_cc_per_m2"]
    panel.ui.heightSpinBox.setValue(180)
    after = float(cell(panel, "GMAX_right", "volume_cc_per_m2"))
    assert after == pytest.approx(before * 160**2 / 180**2, abs=0.06)
    panel.ui.heightSpinBox.setValue(20)
    assert "impossible" in panel.ui.messageLabel.text


def test_what_goes_wrong_unexpectedly_is_a_sentence_with_details(panel, case, monkeypatch):
    def broken(case):
        raise ZeroDivisionError("planned")

    monkeypatch.setattr(panel.logic, "remeasure", broken)
    paint(case, "GMAX_right", smaller(case, "GMAX_right"))
    wait(lambda: "ZeroDivisionError" in panel.ui.messageLabel.text, 5)
    assert "Traceback" not in panel.ui.messageLabel.text and panel.ui.detailsButton.visible
    assert "planned" in panel.ui.detailsText.plainText


def test_the_panel_works_without_a_main_window(monkeypatch):
    host.start()
    try:
        from Host import scripted

        monkeypatch.setattr(slicer.util, "mainWindow", lambda *args: None)
        monkeypatch.setattr(type(slicer.app), "layoutManager", lambda self: None)
        slicer.app.moduleManager().add(scripted.loadScriptedModule(host.REPOSITORY / "MSKSegment" / "MSKSegment.py"))
        panel = slicer.util.getModuleWidget("MSKSegment")
        panel.enter()
        case = show_case(panel)
        choose(panel, "GMAX_right")
        panel.ui.histogramButton.setChecked(True)
        panel.ui.histogramButton.setChecked(False)
        click(panel.ui.acceptButton)
        assert case.session.report("GMAX_right").state is ReviewState.ACCEPTED and not host.errors(), host.errors()
    finally:
        host.close()
