"""What the panel keeps in the scene, with Slicer's parameterNodeWrapper and without: the same, in either direction."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import host
from module_cases import add_phantom, open_module
from review_cases import make_case


def chosen(panel):
    """What the panel shows."""
    ui = panel.ui
    numbers = ui.samplesSpinBox.value, ui.seedSpinBox.value, ui.heightSpinBox.value
    choices = ui.deviceSelector.currentIndex, ui.lightsSelector.currentIndex
    ticked = [box.checked for box in (ui.autoPassesCheckBox, ui.int8CheckBox, ui.previewCheckBox)]
    return numbers, choices, ticked, ui.heightSourceLabel.text


def choose_all(panel):
    ui = panel.ui
    panel.inputs.chooseCt(add_phantom(make_case()[1], "CT hip"))
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "hip")
    ui.roiSelector.setCurrentNode(roi)
    ui.samplesSpinBox.setValue(7)
    ui.seedSpinBox.setValue(3)
    ui.heightSpinBox.setValue(171.5)
    ui.deviceSelector.setCurrentIndex(1)
    ui.lightsSelector.setCurrentIndex(1)
    ui.int8CheckBox.setChecked(True)
    ui.previewCheckBox.setChecked(True)


def stored(node):
    """Every text and reference of the parameter node that says something."""
    texts = {name: node.GetParameter(name) for name in node.GetParameterNames() if node.GetParameter(name)}
    nodes = {role: node.GetNodeReference(role).GetName() for role in ("ct", "roi") if node.GetNodeReference(role)}
    return texts, nodes


@pytest.mark.parametrize("saved_with", [True, False])
@pytest.mark.parametrize("opened_with", [True, False])
def test_a_saved_scene_opens_with_the_wrapper_and_without_it(tmp_path, saved_with, opened_with):
    path = tmp_path / "scene.mrb"
    with open_module(wrapper=saved_with) as panel:
        state = panel.inputs._state
        assert hasattr(state, "allParameters") is saved_with, "the other kind of state is at work"
        choose_all(panel)
        before, texts = chosen(panel), stored(panel.logic.getParameterNode())
        assert slicer.mrmlScene.WriteToMRB(str(path))
    with open_module(wrapper=opened_with) as panel:
        assert chosen(panel) != before
        assert slicer.mrmlScene.ReadFromMRB(str(path))
        assert host.processEvents(5, lambda: panel.inputs.ctNode is not None)
        assert chosen(panel) == before and stored(panel.logic.getParameterNode()) == texts
        assert panel.inputs.ctNode.GetName() == "CT hip" and panel.inputs.roiNode.GetName() == "hip"


@pytest.mark.parametrize("wrapper", [True, False])
def test_a_scene_of_an_earlier_version_opens(wrapper):
    """Those had an empty text for what was not chosen, and references alone for nodes."""
    with open_module(wrapper=wrapper) as panel:
        ct = add_phantom(make_case()[1], "CT hip")
        node = panel.logic.getParameterNode()
        # As at the beginning of reading a scene.
        slicer.mrmlScene.StartState(slicer.mrmlScene.ImportState)
        for name in node.GetParameterNames():
            node.UnsetParameter(name)
        for name, text in {"samples": "", "seed": "", "heightCm": "168.0", "device": "", "preview": "True"}.items():
            node.SetParameter(name, text)
        node.SetNodeReferenceID("ct", ct.GetID())
        slicer.mrmlScene.EndState(slicer.mrmlScene.ImportState)
        assert host.processEvents(5, lambda: panel.inputs.ctNode is ct)
        ui = panel.ui
        assert (ui.samplesSpinBox.value, ui.seedSpinBox.value) == (0, -1)
        assert ui.heightSpinBox.value == 168 and ui.previewCheckBox.checked and ui.deviceSelector.currentIndex == 0
        assert panel.inputs.settings.passes is None and panel.inputs.settings.seed is None


def test_closing_a_scene_empties_the_state_and_the_panel_goes_on(tmp_path):
    for wrapper in (True, False):
        with open_module(wrapper=wrapper) as panel:
            choose_all(panel)
            slicer.mrmlScene.Clear(0)
            host.processEvents(0.05)
            assert panel.inputs.ctNode is None and panel.ui.samplesSpinBox.value == 0 and panel.ui.seedSpinBox.value == -1
            panel.ui.samplesSpinBox.setValue(4)
            assert panel.logic.getParameterNode().GetParameter("samples") == "4"


def test_the_stand_in_refuses_wrong_types_as_slicer_does():
    from MSKSegmentPanel.panelState import panelState

    with open_module() as panel:
        state = panelState(panel.logic.getParameterNode())
        for name, value in (("samples", 1.5), ("device", None), ("ct", "a name"), ("preview", 1)):
            with pytest.raises((TypeError, ValueError)):
                setattr(state, name, value)
        state.ct = None
        assert state.ct is None and state.seed == -1
