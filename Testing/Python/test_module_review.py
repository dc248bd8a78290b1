"""The review in the panel, as a user does it: table, rows, edits, acceptance, views, export, scene files."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import host
from module_cases import cell, choose, open_module, paint, show_case, smaller, wait
from review_cases import ABSENT, LABEL

from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.review import COLUMNS, worst_first


@pytest.fixture
def panel():
    with open_module() as panel:
        yield panel


@pytest.fixture
def case(panel):
    return show_case(panel)


def _click(button):
    assert button.enabled, f"{button.name} is off"
    button.click()
    host.processEvents(0.02)


def _slice_offset(view="Red"):
    return slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode().GetSliceOffset()


def test_the_table_shows_every_segment_worst_first_with_words_and_shapes(panel, case):
    table = panel.ui.resultsTable
    assert panel.review._table.shown == tuple(row.key for row in worst_first(case.session.rows()))
    assert table.rowCount == 43 and table.columnCount == len(COLUMNS)
    words = {cell(panel, key, "light") for key in panel.review._table.shown}
    assert words == {"failed", "inaccurate", "not rated", "good", "not found"}
    pictures = {table.item(row, 0).text(): table.item(row, 0).icon().pixmap(16, 16).toImage() for row in range(43)}
    grey = {word: image.convertToFormat(image.Format.Format_Grayscale8) for word, image in pictures.items()}
    shapes = [grey[word] for word in ("failed", "inaccurate", "not rated", "good")]
    assert all(one != other for i, one in enumerate(shapes) for other in shapes[i + 1 :])
    assert "one cohort" in table.item(0, 0).toolTip() and "norm" in table.item(0, 0).toolTip()
    assert "2 failed" in panel.ui.summaryLabel.text


def test_headings_sort_and_unknown_numbers_stay_last(panel, case):
    header = panel.ui.resultsTable.horizontalHeader()
    column = [entry.name for entry in COLUMNS].index("volume_cc")
    for descending in (True, False):
        header.sectionClicked.emit(column)
        values = [case.session.row(key).values["volume_cc"] for key in panel.review._table.shown]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=descending) and values[-len(ABSENT) :] == [None] * len(ABSENT)


def test_filters_hide_rows_and_flagged_only_shows_what_is_left_to_do(panel, case):
    ui = panel.ui
    ui.flaggedOnlyCheckBox.setChecked(True)
    assert set(panel.review._table.shown) == {"GMAX_right", "GMED_left", "TFL_right", "ST_left"}
    ui.sideFilter.setCurrentIndex(1)
    assert set(panel.review._table.shown) == {"GMAX_right", "TFL_right"}
    ui.groupFilter.setCurrentIndex(2)
    assert panel.review._table.shown == ("GMAX_right",)
    ui.searchEdit.setText("no such muscle")
    assert panel.review._table.shown == () and ui.shownLabel.text == "0 of 43 rows"
    # What is to be looked at next is shown whatever the filters say.
    panel.review.chooseNextFlagged()
    assert panel.review._table.chosen == "GMAX_right" and not ui.flaggedOnlyCheckBox.checked


def test_a_row_leaves_the_filter_only_after_another_is_chosen(panel, case):
    panel.ui.flaggedOnlyCheckBox.setChecked(True)
    choose(panel, "GMAX_right")
    _click(panel.ui.acceptButton)
    assert "GMAX_right" in panel.review._table.shown and panel.ui.acceptButton.text == "Reopen"
    _click(panel.ui.nextFlaggedButton)
    panel.ui.flaggedOnlyCheckBox.setChecked(False)
    panel.ui.flaggedOnlyCheckBox.setChecked(True)
    assert "GMAX_right" not in panel.review._table.shown


def test_choosing_a_row_goes_to_its_most_uncertain_slice_and_on(panel, case):
    ui = panel.ui
    choose(panel, "GMED_left")
    slices = case.session.worst_slices("GMED_left")
    assert _slice_offset() == pytest.approx(slices[0].point_lps[2])
    assert ui.titleLabel.text == "Gluteus medius, left" and not ui.previousSliceButton.enabled
    assert ui.reasonsLabel.text.startswith("Failed: uncertainty")
    assert "Predicted Dice" in ui.valuesLabel.text and ui.sliceLabel.text == f"Slice 1 of {len(slices)} by uncertainty"
    _click(ui.nextSliceButton)
    assert _slice_offset() == pytest.approx(slices[1].point_lps[2])
    _click(ui.previousSliceButton)
    assert _slice_offset() == pytest.approx(slices[0].point_lps[2])


def test_an_absent_structure_can_be_chosen_and_drawn(panel, case):
    choose(panel, ABSENT[0])
    assert panel.ui.sliceLabel.text == "no slice shows it" and not panel.ui.nextSliceButton.enabled
    _click(panel.ui.editButton)
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
    dice = case.session.dice_to_automatic(key)
    assert f"{dice:.2f}" in panel.ui.valuesLabel.text and f"{dice:.2f}" in panel.ui.historyLabel.text
    automatic = np.count_nonzero(case.session.automatic.labels == LABEL[key])
    assert automatic > np.count_nonzero(case.session.result.labels == LABEL[key])
    import qt

    host.answer(qt.QMessageBox.Cancel)
    _click(panel.ui.revertButton)
    assert cell(panel, key, "state") == "edited", "the question was answered with no"
    _click(panel.ui.revertButton)
    host.processEvents(0.5)
    assert cell(panel, key, "state") == "automatic" and float(cell(panel, key, "volume_cc")) == before
    assert host.messages()[-1].text.startswith("Throw away all edits of Tensor fasciae latae, right")


def test_accepting_marks_row_history_and_slicers_own_status(panel, case):
    key = "GMAX_right"
    choose(panel, key)
    flagged = panel.ui.nextFlaggedButton.text
    _click(panel.ui.acceptButton)
    segment = case.nodes.segmentation.GetSegmentation().GetSegment(key)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert case.session.report(key).state is ReviewState.ACCEPTED and cell(panel, key, "state").startswith("accepted")
    assert logic.GetSegmentStatus(segment) == logic.Completed
    assert panel.ui.nextFlaggedButton.text != flagged and panel.ui.historyLabel.text.startswith("Accepted by ")
    _click(panel.ui.acceptButton)
    assert case.session.report(key).state is ReviewState.AUTOMATIC and logic.GetSegmentStatus(segment) == logic.Flagged


def test_next_flagged_walks_through_all_and_says_when_nothing_is_left(panel, case):
    seen = []
    while panel.ui.nextFlaggedButton.enabled:
        _click(panel.ui.nextFlaggedButton)
        seen.append(panel.review._table.chosen)
        _click(panel.ui.acceptButton)
    assert set(seen) == {"GMAX_right", "GMED_left", "TFL_right", "ST_left"}
    panel.review.chooseNextFlagged()
    assert "Nothing is left" in panel.ui.messageLabel.text


def test_edit_hands_over_to_segment_editor_and_one_button_leads_back(panel, case):
    choose(panel, "GMED_left")
    _click(panel.ui.editButton)
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
    _click(panel.ui.editButton)
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
    offset = _slice_offset()
    keys["."].activated.emit()
    assert _slice_offset() != offset
    keys[","].activated.emit()
    assert _slice_offset() == offset
    keys["E"].activated.emit()
    assert slicer.util.selectedModule() == "SegmentEditor"


def test_height_changes_the_normalised_volumes(panel, case):
    assert panel.ui.heightSpinBox.value == pytest.approx(160)
    before = case.session.row("GMAX_right").values["volume_cc_per_m2"]
    panel.ui.heightSpinBox.setValue(180)
    after = float(cell(panel, "GMAX_right", "volume_cc_per_m2"))
    assert after == pytest.approx(before * 160**2 / 180**2, abs=0.06)
    panel.ui.heightSpinBox.setValue(20)
    assert "impossible" in panel.ui.messageLabel.text


def test_the_uncertainty_lies_over_the_ct_while_it_is_switched_on(panel, case):
    ui = panel.ui
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    ui.uncertaintyCheckBox.setChecked(True)
    ui.opacitySlider.setValue(35)
    assert composite.GetForegroundVolumeID() == case.nodes.uncertainty.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.35) and ui.opacityLabel.text == "35 %"
    fitting = ui.windowHighSpinBox.value
    ui.windowHighSpinBox.setValue(fitting / 2)
    assert case.nodes.uncertainty.GetDisplayNode().GetWindowLevelMax() == pytest.approx(fitting / 2, abs=1e-5)
    _click(ui.windowResetButton)
    assert ui.windowHighSpinBox.value == pytest.approx(fitting)
    ui.uncertaintyCheckBox.setChecked(False)
    assert composite.GetForegroundVolumeID() != case.nodes.uncertainty.GetID()


def test_density_and_surfaces_follow_the_selected_structure(panel, case):
    ui = panel.ui
    ui.densitySelector.setCurrentIndex(1)
    volumes = slicer.util.getNodesByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    assert not any(node.GetVisibility() for node in volumes), "something is rendered although nothing is selected"
    choose(panel, "GMAX_right")
    (display,) = slicer.util.getNodesByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    assert display.GetVisibility()
    first = display.GetVolumeNode().GetImageData().GetDimensions()
    choose(panel, "TFL_right")
    assert display.GetVolumeNode().GetImageData().GetDimensions() != first
    ui.densitySelector.setCurrentIndex(0)
    assert not display.GetVisibility()
    shown = _visible_in_3d(case)
    assert shown == {"TFL_right"}
    ui.surfaceSelector.setCurrentIndex(0)
    assert _visible_in_3d(case) == set()


def _visible_in_3d(case):
    display = case.nodes.segmentation.GetDisplayNode()
    keys = case.nodes.segmentation.GetSegmentation().GetSegmentIDs()
    return {key for key in keys if display.GetSegmentVisibility3D(key)}


def test_the_histogram_comes_with_a_plot_view_and_the_layout_goes_back(panel, case):
    manager = slicer.app.layoutManager()
    before = manager.layout
    choose(panel, "GMAX_right")
    panel.ui.histogramButton.setChecked(True)
    assert manager.layout != before
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert "Gluteus maximus, right" in chart.GetTitle()
    choose(panel, "TFL_right")
    assert "Tensor fasciae latae, right" in chart.GetTitle()
    panel.ui.histogramButton.setChecked(False)
    assert manager.layout == before


def test_exports_hold_the_review(panel, case, tmp_path):
    key = "TFL_right"
    drawn = smaller(case, key)
    choose(panel, key)
    paint(case, key, drawn)
    wait(lambda: cell(panel, key, "state") == "edited", 5)
    host.answer(str(tmp_path / "table"))
    _click(panel.ui.exportCsvButton)
    rows = {
        (row["structure"], row["side"]): row for row in csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8"))
    }
    row = next(row for row in rows.values() if row["state"] == "edited")
    assert row["side"] == "right" and float(row["dice_to_automatic"]) < 1
    assert panel.ui.messageLabel.text == "table.csv was written."
    host.answer(str(tmp_path / "labels.seg.nrrd"))
    _click(panel.ui.exportSegmentationButton)
    host.answer(str(tmp_path))
    _click(panel.ui.exportFolderButton)
    content = json.loads((tmp_path / "CT_hip_MSKSegment" / "result.json").read_text(encoding="utf-8"))
    assert [event["key"] for event in content["history"] if event["what"] == "edited"]
    from MSKSegmentLib.ct import read_labels

    labels, _ = read_labels(tmp_path / "labels.seg.nrrd")
    assert np.count_nonzero(labels == LABEL[key]) == np.count_nonzero(drawn)


def test_export_to_an_impossible_place_says_so(panel, case, tmp_path):
    host.answer(str(tmp_path / "missing" / "table.csv"))
    _click(panel.ui.exportCsvButton)
    assert panel.ui.messageLabel.text.startswith("table.csv could not be written")
    host.answer("")
    panel.messages.clear()
    _click(panel.ui.exportCsvButton)
    assert not panel.ui.messageFrame.visible, "cancelling the file dialog is no message"


def test_a_saved_scene_brings_back_table_states_and_history(panel, case, tmp_path):
    choose(panel, "GMAX_right")
    _click(panel.ui.acceptButton)
    paint(case, "TFL_right", smaller(case, "TFL_right"))
    wait(lambda: cell(panel, "TFL_right", "state") == "edited", 5)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    before = {key: [cell(panel, key, column.name) for column in COLUMNS] for key in panel.review._table.shown}
    history = case.session.history
    slicer.mrmlScene.Clear(False)
    assert panel.review.case is None and panel.ui.resultsTable.rowCount == 0
    slicer.util.loadScene(str(path))
    host.processEvents(0.1)
    again = panel.review.case
    assert again is not None and again is not case
    assert {key: [cell(panel, key, column.name) for column in COLUMNS] for key in panel.review._table.shown} == before
    assert again.session.history == history and again.session.report("TFL_right").state is ReviewState.EDITED
    assert panel.inputs.ctNode is again.nodes.ct
    # The automatic version came along.
    choose(panel, "TFL_right")
    _click(panel.ui.revertButton)
    assert cell(panel, "TFL_right", "state") == "automatic"


def test_a_stroke_right_before_saving_is_measured_when_the_scene_opens(panel, case, tmp_path):
    paint(case, "TFL_right", smaller(case, "TFL_right"))
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.processEvents(0.1)
    assert cell(panel, "TFL_right", "state") == "edited"


def test_removing_the_nodes_takes_the_case_out_of_the_panel(panel, case):
    slicer.mrmlScene.RemoveNode(case.nodes.segmentation)
    assert panel.review.case is None and panel.logic.cases == () and not panel.ui.exportCsvButton.enabled


def test_several_results_are_told_apart(panel, case):
    other = show_case(panel)
    assert panel.ui.resultSelector.visible and panel.review.case is other
    panel.ui.resultSelector.activated.emit(0)
    assert panel.review.case is case and panel.inputs.ctNode is case.nodes.ct
    panel.inputs.chooseCt(other.nodes.ct)
    assert panel.review.case is other


def test_a_case_under_a_transform_jumps_to_its_place_in_the_world(panel, case):
    import vtk

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(2, 3, 500.0)
    transform.SetMatrixTransformToParent(shift)
    for node in (case.nodes.ct, case.nodes.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    choose(panel, "GMED_left")
    assert _slice_offset() == pytest.approx(case.session.worst_slices("GMED_left")[0].point_lps[2] + 500)


def test_another_case_does_not_inherit_the_overlay(panel, case):
    panel.ui.uncertaintyCheckBox.setChecked(True)
    show_case(panel)
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetForegroundVolumeID() != case.nodes.uncertainty.GetID()
    assert not panel.ui.uncertaintyCheckBox.checked


def test_the_surface_follows_an_edit(panel, case):
    from MSKSegmentLib.scene.surfaces import surface_node

    def points():
        segment = surface_node(case.nodes.segmentation).GetSegmentation().GetSegment("GMAX_right")
        return segment.GetRepresentation("Closed surface").GetNumberOfPoints()

    choose(panel, "GMAX_right")
    before = points()
    paint(case, "GMAX_right", smaller(case, "GMAX_right"))
    wait(lambda: points() < before, 5)


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
        _click(panel.ui.acceptButton)
        assert case.session.report("GMAX_right").state is ReviewState.ACCEPTED and not host.errors(), host.errors()
    finally:
        host.close()
