"""Runs from the panel: the real engine in its child process, cancelled, refused, or gone wrong."""

import psutil
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from conftest import ROOT
from Host import host, packages
from module_cases import add_phantom, open_module, wait
from module_runs import child_of, start_run

from MSKSegmentLib.ct.volume import CTVolume

pytest_plugins = ("module_runs", "warm_children")


def test_segment_shows_progress_then_the_table_and_the_nodes(panel, ct):
    ui, seen = panel.ui, []
    ui.heightSpinBox.setValue(170)
    start_run(panel)
    assert ui.progressFrame.visible and ui.cancelButton.enabled and not ui.segmentButton.enabled
    folder = panel.run._run._folder
    # Every change, not what is there now and then: a fast machine is through with the slices between two looks.
    ui.progressBar.connect("valueChanged(int)", lambda value: seen.append((value, ui.stageLabel.text)))
    wait(lambda: not panel.run.running, 120)
    assert len({value for value, _ in seen}) > 5 and [value for value, _ in seen] == sorted(value for value, _ in seen)
    assert any(text.startswith("Segmenting: slice") for _, text in seen)
    assert not ui.progressFrame.visible and ui.segmentButton.enabled and not ui.cancelButton.enabled
    case = panel.review.case
    assert ui.resultsTable.rowCount == 43 and case.nodes.ct is ct and case.nodes.uncertainty is not None
    assert case.session.result.facts.height_m == 1.7
    assert case.session.result.facts.passes == 2
    assert not folder.exists(), "temporary files stay behind"


@pytest.mark.usefixtures("warm_children")
def test_cancel_ends_the_child_and_keeps_nothing(panel, ct):
    start_run(panel, samples=200)
    wait(lambda: panel.ui.progressBar.value > 100)
    child, folder = child_of(panel), panel.run._run._folder
    panel.ui.cancelButton.click()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists() and panel.review.case is None
    assert "cancelled" in panel.ui.messageLabel.text and panel.ui.segmentButton.enabled
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.parametrize("how", ["scene", "volume", "application"])
def test_what_takes_the_ct_away_cancels_the_run(panel, ct, how):
    # At once: that a run ends in the middle of its work as well is told above.
    start_run(panel, samples=200)
    child, folder = child_of(panel), panel.run._run._folder
    assert child.is_running() and folder.exists()
    if how == "scene":
        slicer.mrmlScene.Clear(False)
    elif how == "volume":
        slicer.mrmlScene.RemoveNode(ct)
        assert "CT was removed" in panel.ui.messageLabel.text
    else:
        slicer.app.moduleManager().unload("MSKSegment")
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()


@pytest.mark.usefixtures("warm_children")
def test_a_volume_that_is_no_ct_is_refused_in_one_sentence(panel, phantom):
    flat = CTVolume(phantom.hu * 0 + 40, phantom.geometry)
    panel.inputs.chooseCt(add_phantom(flat, "flat"))
    start_run(panel)
    wait(lambda: not panel.run.running)
    text = panel.ui.messageLabel.text
    assert panel.ui.messageFrame.visible and text.endswith(".") and "\n" not in text and "Traceback" not in text
    assert panel.review.case is None and panel.ui.segmentButton.enabled


def test_an_empty_volume_is_refused_before_a_child_starts(panel):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.inputs.chooseCt(node)
    start_run(panel)
    assert not panel.run.running and "holds no image" in panel.ui.messageLabel.text


def test_without_a_ct_segment_is_off_and_says_why(panel):
    assert not panel.ui.segmentButton.enabled and panel.ui.segmentButton.toolTip == "Choose a CT first"


def test_a_crash_shows_a_sentence_and_a_log_that_can_be_copied_without_paths(panel, ct, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'segment' in sys.argv:\n"
        "    import MSKSegmentLib.commands.segment as cli\n"
        f"    def broken(**_): raise ZeroDivisionError('planned in {tmp_path}/Yamada_Taro.nii')\n"
        "    cli.command.callback = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    start_run(panel)
    wait(lambda: not panel.run.running)
    ui = panel.ui
    assert "ZeroDivisionError" in ui.messageLabel.text and "Traceback" not in ui.messageLabel.text
    assert ui.detailsButton.visible and not ui.detailsText.visible
    ui.detailsButton.click()
    assert ui.detailsText.visible and "planned" in ui.detailsText.plainText
    ui.copyButton.click()
    copied = slicer.app.clipboard().text()
    assert "ZeroDivisionError" in copied and str(tmp_path) not in copied and "Yamada" not in copied
    ui.messageCloseButton.click()
    assert not ui.messageFrame.visible


def test_without_pytorch_and_its_extension_the_message_says_how_to_get_it(phantom):
    with open_module(pytorchExtension=False) as panel:
        packages.missing.add("torch")
        panel.inputs.chooseCt(add_phantom(phantom))
        start_run(panel)
        text = panel.ui.messageLabel.text
        assert not panel.run.running and "PyTorch" in text and "Extensions Manager" in text
        assert not packages.requests


def test_missing_pytorch_is_installed_after_asking_and_the_run_goes_on(panel, ct):
    import qt

    packages.missing.add("torch")
    host.answer(qt.QMessageBox.Cancel)
    start_run(panel)
    assert not panel.run.running and "click Segment again" in panel.ui.messageLabel.text
    panel.ui.segmentButton.click()
    assert packages.requests[-1][0] == "installTorch" and panel.run.running
    assert not panel.ui.messageFrame.visible
