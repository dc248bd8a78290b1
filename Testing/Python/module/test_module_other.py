"""Another result of the open one's CT in the panel: agreement, differences over the slices, side by side, a structure taken."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from foreign_masks import drawn_by, names_of
from foreign_nodes import musclemap_node, totalsegmentator_node
from given_labels import LABEL, body
from Host import host
from module_cases import PANEL_WIDTH, add_phantom, cell, choose, click, paint, show_result, slice_offset, smaller, wait

from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.scene.own_views import TWO_RESULTS
from MSKSegmentLib.scene.segmentation import FILL_OPACITY_2D

pytest_plugins = ("module_fixtures", "warm_children")

LOST, ABSENT = "GMAX_left", "AD_left"


@pytest.fixture(scope="module")
def body_case():
    """The phantom measured, and labels of another reader who lost a slab of one muscle."""
    labels, volume = body()
    other = labels.copy()
    levels = np.flatnonzero((labels == LABEL[LOST]).any(axis=(1, 2)))
    slab = slice(levels[len(levels) // 2], levels[len(levels) // 2] + 4)
    other[slab][other[slab] == LABEL[LOST]] = 0
    return measure_case(labels, volume.geometry, volume), volume, other


@pytest.fixture
def case(panel, body_case):
    result, volume, other = body_case
    # The open result is the one that lost something.
    open_result = measure_case(other, volume.geometry, volume)
    return show_result(panel, open_result, add_phantom(volume, "CT hip"))


@pytest.fixture
def folder(body_case, tmp_path):
    result, _, _ = body_case
    write_result(tmp_path / "reader B", result)
    return tmp_path / "reader B"


def compare_folder(panel, folder):
    host.answer(str(folder))
    click(panel.ui.otherFolderButton)
    assert not panel.ui.messageLabel.text, panel.ui.messageLabel.text


def rows_of(panel):
    return {row.key: place for place, row in enumerate(panel.other._table._rows)}


def click_row(panel, key):
    panel.ui.agreementTable.selectRow(rows_of(panel)[key])
    host.processEvents(0.01)


def texts(panel, key):
    table, place = panel.ui.agreementTable, rows_of(panel)[key]
    return [table.item(place, column).text() for column in range(table.columnCount)]


def nodes_called(name):
    return [node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if node.GetName() == name]


def differences():
    return nodes_called("Differences")


def test_a_result_folder_is_compared_looked_at_taken_and_taken_back(panel, case, folder):
    ui, session = panel.ui, case.session
    ui.otherSection.setCollapsed(False)
    assert not ui.agreementTable.visible and not ui.takeButton.visible and not ui.compareButton.enabled
    compare_folder(panel, folder)
    assert "Second: reader B" in ui.otherLabel.text and "no proof" in ui.otherLabel.text
    assert ui.otherSummaryLabel.text.startswith("Mean Dice coefficient of the 43 segments that both draw: 0.9")
    # The least agreeing comes first; a click goes to where it differs most, whatever the table of results hides.
    assert rows_of(panel)[LOST] == 0 and texts(panel, LOST)[1] < "1" and texts(panel, LOST)[4].startswith("+")
    ui.searchEdit.setText("femur")
    click_row(panel, LOST)
    row = panel.other._table.chosen
    point = session.geometry.to_physical((0, 0, row.slices[0].index))
    assert slice_offset("Red") == pytest.approx(point[2]) and ui.titleLabel.text == session.report(LOST).segment.name
    assert ui.nextDifferenceButton.enabled is (len(row.slices) > 1) and "1 of" in ui.nextDifferenceButton.text
    # Where they differ lies over the slices, with a legend.
    ui.differencesCheckBox.setChecked(True)
    (node,) = differences()
    own = case.nodes.segmentation.GetDisplayNode()
    assert own.GetOpacity2DFill() < 0.2
    assert node.GetSegmentation().GetSegmentIDs() == ("ONLY_SECOND",) and "only in the second" in ui.differencesLegendLabel.text
    before = cell(panel, LOST, "volume_cc")
    click(ui.takeButton)
    assert cell(panel, LOST, "volume_cc") == texts(panel, LOST)[3] and float(cell(panel, LOST, "volume_cc")) > float(before)
    report = session.report(LOST)
    assert report.light is Light.GREY and report.state is ReviewState.EDITED and "taken from another result" in report.reasons[0]
    assert not differences() and texts(panel, LOST)[1] == "1.000" and not ui.takeButton.enabled and panel.other._table.chosen
    assert "taken from" in ui.historyLabel.text or session.history[-1].details["taken_from"]
    click(ui.takeBackButton)
    assert cell(panel, LOST, "volume_cc") == before and session.report(LOST).state is ReviewState.AUTOMATIC
    assert differences() and not ui.takeBackButton.enabled
    click(ui.otherEndButton)
    assert not differences() and not ui.agreementTable.visible and not ui.differencesCheckBox.checked
    assert own.GetOpacity2DFill() == pytest.approx(FILL_OPACITY_2D)


def test_both_results_stand_side_by_side_and_the_views_come_back(panel, case, folder):
    ui, manager = panel.ui, slicer.app.layoutManager()
    before = manager.layout
    compare_folder(panel, folder)
    ui.sideBySideCheckBox.setChecked(True)
    assert manager.layout == TWO_RESULTS.number
    views = [manager.sliceWidget(name).mrmlSliceNode() for name in TWO_RESULTS.slices]
    own = case.nodes.segmentation.GetDisplayNode()
    assert views[0].GetID() in own.GetViewNodeIDs() and views[1].GetID() not in own.GetViewNodeIDs()
    click_row(panel, LOST)
    index = panel.other._table.chosen.slices[0].index
    level = pytest.approx(case.session.geometry.to_physical((0, 0, index))[2])
    assert [node.GetSliceOffset() for node in views] == [level, level] and slice_offset("Red") == level
    # Taken and compared again, they are still side by side.
    click(ui.takeButton)
    others = nodes_called("reader B")
    assert len(others) == 1 and others[0].GetDisplayNode().GetViewNodeIDs() == (views[1].GetID(),)
    assert others[0] not in [ui.otherSelector.nodeFromIndex(i) for i in range(ui.otherSelector.nodeCount())]
    ui.sideBySideCheckBox.setChecked(False)
    assert manager.layout == before and not own.GetViewNodeIDs() and not nodes_called("reader B")
    # Whoever chooses another layout has left it.
    ui.sideBySideCheckBox.setChecked(True)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert not ui.sideBySideCheckBox.checked and not nodes_called("reader B")
    # A closed scene leaves nothing behind either.
    before = manager.layout
    ui.sideBySideCheckBox.setChecked(True)
    slicer.mrmlScene.Clear(0)
    assert manager.layout == before and not ui.otherSection.visible


def test_a_segmentation_of_another_module_is_read_by_the_engine_and_compared(panel, case, body_case):
    ui, (result, volume, _) = panel.ui, body_case
    node = totalsegmentator_node(
        slicer.mrmlScene, drawn_by("totalsegmentator", result.labels), volume.geometry, names_of("totalsegmentator")
    )
    ui.otherSelector.setCurrentNode(case.nodes.segmentation)
    assert not ui.compareButton.enabled and "open result itself" in ui.compareButton.toolTip
    ui.otherSelector.setCurrentNode(node)
    click(ui.compareButton)
    assert panel.run.running and not ui.compareButton.enabled
    wait(lambda: not panel.run.running, 120)
    assert not ui.messageLabel.text and "by TotalSegmentator" in ui.otherLabel.text and ui.compareButton.enabled
    # What that program never draws is said and not counted.
    assert texts(panel, ABSENT)[1] == "" and texts(panel, ABSENT)[4].startswith("not drawn by TotalSegmentator")
    assert "Not drawn by TotalSegmentator, and not counted" in ui.otherSummaryLabel.text
    click_row(panel, ABSENT)
    assert ui.titleLabel.text == case.session.report(ABSENT).segment.name and not ui.takeButton.enabled
    # An iliopsoas in one piece stands for two of ours, and cannot be taken into them.
    click_row(panel, "ILPS_left")
    assert ui.titleLabel.text == case.session.report("ILI_left").segment.name and not ui.takeButton.enabled
    click_row(panel, LOST)
    click(ui.takeButton)
    assert np.array_equal(case.session.result.labels, result.labels)
    assert "TotalSegmentator" in case.session.report(LOST).reasons[0]
    # Only what is compared is seen in the slices, until it is put away.
    assert case.nodes.segmentation.GetDisplayNode().GetVisibility2D() and not node.GetDisplayNode().GetVisibility2D()
    click(ui.otherEndButton)
    assert node.GetDisplayNode().GetVisibility2D()


def test_another_result_of_the_scene_is_compared_at_once_and_a_correction_makes_the_table_old(panel, case, body_case):
    ui, (result, _, _) = panel.ui, body_case
    second = show_result(panel, replace(result), case.nodes.ct)
    panel._showCase(case)
    ui.otherSelector.setCurrentNode(second.nodes.segmentation)
    click(ui.compareButton)
    assert not panel.run.running and texts(panel, LOST)[1] < "1"
    ui.differencesCheckBox.setChecked(True)
    # Accepting changes no voxel.
    choose(panel, "FEMUR_left")
    click(ui.acceptButton)
    assert ui.agreementTable.enabled and differences()
    paint(case, LOST, smaller(case, LOST))
    wait(lambda: not ui.agreementTable.enabled)
    assert not differences() and ui.compareAgainButton.enabled
    agreed = texts(panel, LOST)[1]
    click(ui.compareAgainButton)
    assert ui.agreementTable.enabled and texts(panel, LOST)[1] < agreed and differences()
    # Another case puts it away.
    panel._showCase(second)
    assert not panel.other._table._rows and not differences()


def test_what_cannot_be_compared_is_said(panel, case, body_case, tmp_path):
    ui, (result, volume, _) = panel.ui, body_case
    write_result(tmp_path / "elsewhere", replace(result, facts=replace(result.facts, input_digest="0" * 64)))
    for place, sentence in ((tmp_path / "elsewhere", "is of another scan than the open one"), (tmp_path, "no result")):
        host.answer(str(place))
        click(ui.otherFolderButton)
        assert sentence in ui.messageLabel.text and not panel.other._table._rows
    # A label map that stands for nothing known is the engine's to refuse.
    node = musclemap_node(slicer.mrmlScene, np.where(result.labels > 0, 60000 // 2, 0), volume.geometry)
    ui.otherSelector.setCurrentNode(node)
    click(ui.compareButton)
    wait(lambda: not panel.run.running, 120)
    assert ui.messageLabel.text and not panel.other._table._rows and ui.compareButton.enabled
    click(ui.compareButton)
    click(ui.cancelButton)
    assert "cancelled" in ui.messageLabel.text and not panel.run.running


def test_the_section_can_be_looked_at(panel, case, folder, tmp_path):
    ui, window = panel.ui, slicer.util.mainWindow()
    ui.otherSection.setCollapsed(False)
    compare_folder(panel, folder)
    ui.differencesCheckBox.setChecked(True)
    host.grab(window, tmp_path / "window.png", PANEL_WIDTH, 1000)
    click_row(panel, LOST)
    picture = host.grab(ui.otherSection, tmp_path / "other.png")
    table = ui.agreementTable
    assert picture.stat().st_size > 10_000 and table.horizontalHeader().length() <= table.viewport().width
