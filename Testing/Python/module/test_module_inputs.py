"""What the panel asks of a run: region, height and options, kept in the scene."""

import sys

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from conftest import ROOT
from Host import host
from module_cases import add_phantom, wait
from module_runs import start_run
from run_settings import OTHERS

from MSKSegmentLib.ct.region import Region
from MSKSegmentLib.settings import Settings

pytest_plugins = ("module_runs", "warm_children")


@pytest.mark.usefixtures("warm_children")
def test_a_region_of_interest_limits_the_run(panel, ct, phantom):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "ROI")
    low = phantom.geometry.to_physical((0, 0, 6))
    high = phantom.geometry.to_physical((phantom.geometry.size[0] - 1, phantom.geometry.size[1] - 1, 17))
    middle, size = (low + high) / 2, abs(high - low) + 1
    roi.SetCenter(-middle[0], -middle[1], middle[2])
    roi.SetSize(*size)
    panel.ui.roiSelector.setCurrentNode(roi)
    start_run(panel)
    wait(lambda: not panel.run.running, 120)
    labels = panel.review.case.session.result.labels
    assert labels[6:18].any() and not labels[:6].any() and not labels[18:].any()
    assert "region of interest" in panel.ui.messageLabel.text
    # An empty region is refused in words.
    panel.ui.roiSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "empty"))
    start_run(panel)
    assert not panel.run.running and "region of interest" in panel.ui.messageLabel.text


def test_the_inputs_are_kept_in_the_scene(panel, ct):
    ui = panel.ui
    ui.heightSpinBox.setValue(171)
    ui.samplesSpinBox.setValue(7)
    ui.seedSpinBox.setValue(0)
    ui.deviceSelector.setCurrentIndex(1)
    ui.previewCheckBox.setChecked(True)
    ui.lightsSelector.setCurrentIndex(1)
    ui.autoPassesCheckBox.setChecked(True)
    ui.int8CheckBox.setChecked(True)
    before = panel.inputs.settings
    chosen = {"device": "cpu", "passes": 7, "seed": 0, "height_m": 1.71, "preview": True, "lights": "paper", "auto_passes": True}
    assert before == Settings(**chosen, int8=True, bundle=before.bundle)
    ui.previewCheckBox.setChecked(False)
    assert panel.logic.getParameterNode().GetParameter("preview") == "False"
    ui.previewCheckBox.setChecked(True)
    slicer.util.selectModule("Data")
    slicer.util.selectModule("MSKSegment")
    assert panel.inputs.settings == before and panel.inputs.ctNode is ct and before.seed == 0
    assert before.preview and ui.previewCheckBox.checked
    node = panel.logic.getParameterNode()
    assert node.GetNodeReference("ct") is ct and "/" not in node.GetParameter("bundle")


def test_another_ct_does_not_inherit_the_height(panel, ct, phantom):
    panel.ui.heightSpinBox.setValue(171)
    panel.inputs.chooseCt(add_phantom(phantom, "another"))
    assert panel.ui.heightSpinBox.value == 0 and "needed" in panel.ui.heightSourceLabel.text


@pytest.mark.parametrize(("header", "height"), [("1.68", 168), ("0", 0), ("168", 0), ("", 0)])
def test_height_comes_from_the_dicom_header(panel, phantom, monkeypatch, header, height):
    class Database:
        isOpen = True

        def fileForInstance(self, uid):
            return f"/somewhere/{uid}"

        def fileValue(self, path, tag):
            assert (path, tag) == ("/somewhere/1.2.3", "0010,1020")
            return header

    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    node = add_phantom(phantom, "from DICOM")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    panel.inputs.chooseCt(node)
    assert panel.ui.heightSpinBox.value == pytest.approx(height)
    assert ("DICOM" in panel.ui.heightSourceLabel.text) == bool(height)


def test_a_new_region_is_placed_by_the_next_click(panel, ct):
    ui = panel.ui
    assert not ui.roiPlaceWidget.placeButton().enabled
    node = ui.roiSelector.addNode()
    assert ui.roiSelector.currentNode() is node and ui.roiPlaceWidget.currentNode() is node
    assert ui.roiPlaceWidget.placeModeEnabled and ui.roiPlaceWidget.placeButton().isVisibleTo(ui.roiPlaceWidget)
    ui.roiSelector.setCurrentNode(None)
    assert ui.roiPlaceWidget.currentNode() is None and not ui.roiPlaceWidget.placeModeEnabled
    slicer.mrmlScene.Clear(False)
    assert ui.roiPlaceWidget.currentNode() is None


def test_whatever_may_be_chosen_for_a_run_reaches_the_engine(phantom, monkeypatch):
    host.start()
    try:
        folder = str(ROOT / "MSKSegment")
        sys.path.insert(0, folder)
        from MSKSegmentPanel import segmentationRun

        from MSKSegment import MSKSegmentLogic

        requests = []
        monkeypatch.setattr(segmentationRun.EngineRun, "segment", lambda request, *others: requests.append(request))
        logic, node = MSKSegmentLogic(), add_phantom(phantom)
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "part")
        roi.SetXYZ(-10, 20, 30)
        roi.SetRadiusXYZ(1, 2, 3)
        for given, expected in (
            ({"settings": Settings(**OTHERS)}, Settings(**OTHERS)),
            ({}, Settings()),
            ({"settings": Settings(seed=4), "roiNode": roi}, Settings(seed=4, region=Region((9, 11, -22, -18, 27, 33)))),
        ):
            logic.startSegmentation(node, **given).close()
            assert requests.pop().settings == expected
        assert segmentationRun.settingsOf(heightCm=168, samples=9, seed=1) == Settings(passes=9, seed=1, height_m=1.68)
        assert segmentationRun.settingsOf(samples="auto", lights="paper") == Settings(auto_passes=True, lights="paper")
    finally:
        sys.path.remove(folder)
        host.close()
