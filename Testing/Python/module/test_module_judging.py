"""A segmentation of another module judged by one button, corrected afterwards, cancelled, refused."""

import numpy as np
import psutil
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from foreign_masks import drawn_by
from foreign_nodes import musclemap_node
from given_labels import LABEL, body
from module_cases import add_phantom, cell, choose, click, paint, smaller, wait
from module_runs import child_of

from MSKSegmentLib.case_result import Light, ReviewState

pytest_plugins = ("module_runs",)


@pytest.fixture
def segmentation(panel):
    """MuscleMap's segmentation of the phantom, whose right gluteus maximus was left out."""
    labels, volume = body()
    ct = add_phantom(volume, "CT hip")
    node = musclemap_node(
        slicer.mrmlScene, drawn_by("musclemap", np.where(labels == LABEL["GMAX_right"], 0, labels)), volume.geometry
    )
    panel.inputs.chooseCt(ct)
    return node


def test_a_segmentation_is_judged_shown_and_corrected(panel, segmentation):
    ui, stages = panel.ui, []
    assert not ui.judgeButton.enabled and ui.judgeButton.toolTip == "Choose a segmentation of another module first"
    ui.judgedSelector.setCurrentNode(segmentation)
    ui.heightSpinBox.setValue(170)
    click(ui.judgeButton)
    folder = panel.run._run._folder
    assert ui.progressFrame.visible and ui.cancelButton.enabled and not ui.judgeButton.enabled and not ui.segmentButton.enabled

    def ended():
        stages.append(ui.stageLabel.text)
        return not panel.run.running

    wait(ended, 300)
    assert any(text.startswith("Comparing the segmentation with the network: slice") for text in stages), ui.messageLabel.text
    # Nothing is segmented here.
    assert not any("Segmenting" in text for text in stages)
    case = panel.review.case
    result = case.session.result
    assert case.nodes.ct is panel.inputs.ctNode and not folder.exists() and result.facts.height_m == 1.7
    assert result.facts.record["imported"]["labels"] == "musclemap" and result.facts.record["rated"]["passes"] == 3
    # The table, its lights and reasons; nothing is green of a network that was never calibrated.
    assert ui.resultsTable.rowCount == 43 and cell(panel, "GMAX_left", "volume_cc")
    assert not any(report.light is Light.GREEN for report in result.reports)
    choose(panel, "GMAX_left")
    assert "cannot judge: uncalibrated" in ui.reasonsLabel.text
    assert "compared with the network of tiny 1" in ui.messageLabel.text
    assert not segmentation.GetDisplayNode().GetVisibility() and case.nodes.segmentation.GetDisplayNode().GetVisibility()
    # Corrected as Segment Editor does: numbers follow, and the other module's segmentation stays as it was.
    before = cell(panel, "GMAX_left", "volume_cc")
    click(ui.editButton)
    paint(case, "GMAX_left", smaller(case, "GMAX_left"))
    slicer.util.selectModule("MSKSegment")
    wait(lambda: case.session.report("GMAX_left").state is ReviewState.EDITED)
    assert float(cell(panel, "GMAX_left", "volume_cc")) < float(before)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == len(np.unique(drawn_by("musclemap", body()[0]))) - 2


def test_a_cancelled_judgement_keeps_nothing(panel, segmentation):
    panel.ui.judgedSelector.setCurrentNode(segmentation)
    click(panel.ui.judgeButton)
    child, folder = child_of(panel), panel.run._run._folder
    click(panel.ui.cancelButton)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists() and panel.review.case is None and segmentation.GetDisplayNode().GetVisibility()
    assert "cancelled" in panel.ui.messageLabel.text and panel.ui.judgeButton.enabled


def test_what_cannot_be_handed_over_is_said_before_a_child_starts(panel, segmentation):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    panel.ui.judgedSelector.setCurrentNode(empty)
    click(panel.ui.judgeButton)
    assert not panel.run.running and "nothing has no segments" in panel.ui.messageLabel.text
