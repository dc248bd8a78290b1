"""Runs from the panel and from scripts: the real engine in its child process, cancelled, refused, or gone wrong."""

import subprocess
import sys
import unittest
from pathlib import Path

import psutil
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from conftest import ROOT
from Host import host, packages
from module_cases import add_phantom, open_module, wait
from run_settings import OTHERS

from MSKSegmentLib.ct.region import Region
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.processes import lives
from MSKSegmentLib.settings import Settings


@pytest.fixture
def panel(tiny_bundle, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    with open_module() as panel:
        panel.inputs._selectBundle([Path(folder).name for folder in panel.inputs._folders].index("tiny"))
        # One child less beside every run; the device line has a test of its own.
        panel.device.stop()
        yield panel


@pytest.fixture
def ct(panel, phantom):
    node = add_phantom(phantom)
    panel.inputs.chooseCt(node)
    return node


def _segment(panel, samples=2):
    panel.ui.samplesSpinBox.setValue(samples)
    panel.ui.seedSpinBox.setValue(1)
    assert panel.ui.segmentButton.enabled
    panel.ui.segmentButton.click()


def _child(panel):
    return psutil.Process(panel.run._run._engine._process.pid)


def test_segment_shows_progress_then_the_table_and_the_nodes(panel, ct):
    ui, seen = panel.ui, []
    ui.heightSpinBox.setValue(170)
    _segment(panel)
    assert ui.progressFrame.visible and ui.cancelButton.enabled and not ui.segmentButton.enabled
    folder = panel.run._run._folder

    def ended():
        seen.append((ui.progressBar.value, ui.stageLabel.text))
        return not panel.run.running

    wait(ended, 120)
    assert len({value for value, _ in seen}) > 5 and [value for value, _ in seen] == sorted(value for value, _ in seen)
    assert any(text.startswith("Segmenting: slice") for _, text in seen)
    assert not ui.progressFrame.visible and ui.segmentButton.enabled and not ui.cancelButton.enabled
    case = panel.review.case
    assert ui.resultsTable.rowCount == 43 and case.nodes.ct is ct and case.nodes.uncertainty is not None
    assert case.session.result.facts.height_m == 1.7
    assert case.session.result.facts.passes == 2
    assert not folder.exists(), "temporary files stay behind"


def test_cancel_ends_the_child_and_keeps_nothing(panel, ct):
    _segment(panel, samples=200)
    wait(lambda: panel.ui.progressBar.value > 100)
    child, folder = _child(panel), panel.run._run._folder
    panel.ui.cancelButton.click()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists() and panel.review.case is None
    assert "cancelled" in panel.ui.messageLabel.text and panel.ui.segmentButton.enabled
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.parametrize("how", ["scene", "volume", "application"])
def test_what_takes_the_ct_away_cancels_the_run(panel, ct, how):
    _segment(panel, samples=200)
    wait(lambda: panel.ui.progressBar.value > 50)
    child, folder = _child(panel), panel.run._run._folder
    if how == "scene":
        slicer.mrmlScene.Clear(False)
    elif how == "volume":
        slicer.mrmlScene.RemoveNode(ct)
        assert "CT was removed" in panel.ui.messageLabel.text
    else:
        slicer.app.moduleManager().unload("MSKSegment")
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()


def test_a_volume_that_is_no_ct_is_refused_in_one_sentence(panel, phantom):
    flat = CTVolume(phantom.hu * 0 + 40, phantom.geometry)
    panel.inputs.chooseCt(add_phantom(flat, "flat"))
    _segment(panel)
    wait(lambda: not panel.run.running)
    text = panel.ui.messageLabel.text
    assert panel.ui.messageFrame.visible and text.endswith(".") and "\n" not in text and "Traceback" not in text
    assert panel.review.case is None and panel.ui.segmentButton.enabled


def test_an_empty_volume_is_refused_before_a_child_starts(panel):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.inputs.chooseCt(node)
    _segment(panel)
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
    _segment(panel)
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
        _segment(panel)
        text = panel.ui.messageLabel.text
        assert not panel.run.running and "PyTorch" in text and "Extensions Manager" in text
        assert not packages.requests


def test_missing_pytorch_is_installed_after_asking_and_the_run_goes_on(panel, ct):
    import qt

    packages.missing.add("torch")
    host.answer(qt.QMessageBox.Cancel)
    _segment(panel)
    assert not panel.run.running and "click Segment again" in panel.ui.messageLabel.text
    panel.ui.segmentButton.click()
    assert packages.requests[-1][0] == "installTorch" and panel.run.running
    assert not panel.ui.messageFrame.visible


def test_a_region_of_interest_limits_the_run(panel, ct, phantom):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "ROI")
    low = phantom.geometry.to_physical((0, 0, 6))
    high = phantom.geometry.to_physical((phantom.geometry.size[0] - 1, phantom.geometry.size[1] - 1, 17))
    middle, size = (low + high) / 2, abs(high - low) + 1
    roi.SetCenter(-middle[0], -middle[1], middle[2])
    roi.SetSize(*size)
    panel.ui.roiSelector.setCurrentNode(roi)
    _segment(panel)
    wait(lambda: not panel.run.running, 120)
    labels = panel.review.case.session.result.labels
    assert labels[6:18].any() and not labels[:6].any() and not labels[18:].any()
    assert "region of interest" in panel.ui.messageLabel.text
    # An empty region is refused in words.
    panel.ui.roiSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "empty"))
    _segment(panel)
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
    before = panel.inputs.settings
    chosen = {"device": "cpu", "passes": 7, "seed": 0, "height_m": 1.71, "preview": True, "lights": "paper", "auto_passes": True}
    assert before == Settings(**chosen, bundle=before.bundle)
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


def test_the_device_line_names_device_and_time(tiny_bundle, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    with open_module() as panel:
        wait(lambda: "CPU" in panel.ui.deviceLabel.text or "NVIDIA" in panel.ui.deviceLabel.text, 120)
        engine = panel.device._engine
        assert engine is None and any(word in panel.ui.deviceLabel.text for word in ("second", "minute"))


@pytest.mark.parametrize("what", ["leave", "another CT", "unload"])
def test_a_question_under_way_is_dropped_without_psutil(tiny_bundle, phantom, monkeypatch, what):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    monkeypatch.setitem(sys.modules, "psutil", None)
    with open_module() as panel:
        panel.inputs.chooseCt(add_phantom(phantom))
        wait(lambda: panel.device._engine is not None)
        pid = panel.device._engine._process.pid
        if what == "leave":
            slicer.util.selectModule("Data")
        elif what == "another CT":
            panel.inputs.chooseCt(add_phantom(phantom, "another"))
            panel.device._drop()
        else:
            slicer.app.moduleManager().unload("MSKSegment")
        assert not lives(pid) and panel.device._engine is None
        assert what != "unload" or not panel.Observations


def test_the_device_line_is_asked_again_after_an_installation(tiny_bundle, phantom, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    with open_module() as panel:
        packages.missing.add("torch")
        panel.inputs.chooseCt(add_phantom(phantom))
        asked = []
        monkeypatch.setattr(panel.device, "_ask", lambda: asked.append(panel.device._asked))
        panel.device._settle.timeout.disconnect()
        panel.device._settle.timeout.connect(panel.device._ask)
        panel.device._asked = panel.device._request()
        _segment(panel, samples=200)
        assert packages.requests and panel.run.running
        wait(lambda: bool(asked), 10)
        assert asked[0] is None
        panel.run.cancel()


def test_a_question_that_failed_is_asked_again_when_inputs_change(tiny_bundle, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    with open_module() as panel:
        panel.device.stop()
        panel.device._active = True

        class Failed:
            exit_code, message, answer = 2, "PyTorch is not installed.", {}

            def poll(self):
                return []

        panel.device._engine, panel.device._asked = Failed(), "the same"
        panel.device._poll()
        assert panel.ui.deviceLabel.text == "PyTorch is not installed." and panel.device._asked is None
        panel.device.stop()


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


def test_reload_reads_panel_and_library_anew():
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT / 'Testing')!r}]\n"
        "from Host import host\n"
        "host.start()\n"
        "import slicer\n"
        "panel = host.loadModule('MSKSegment')\n"
        "kept = {name: module for name, module in sys.modules.items() if name.startswith(('MSKSegmentPanel', 'MSKSegmentLib'))}\n"
        "panel.onReload()\n"
        "new = slicer.modules.MSKSegmentWidget\n"
        "assert new is not panel and not panel.Observations and new.Observations\n"
        "stale = [name for name, module in kept.items() if sys.modules.get(name) is module]\n"
        "assert type(new.review) is not type(panel.review) and type(new.logic) is not type(panel.logic)\n"
        "host.processEvents(0.1)\n"
        "assert not host.errors(), host.errors()\n"
        "print('stale', stale)\n"
        "slicer.app.moduleManager().unload('MSKSegment')\n"
        "assert not new.Observations and not host.errors(), host.errors()\n"
        "host.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1:] == ["stale []"], done.stdout + done.stderr


def test_a_script_segments_without_panel_and_window(tiny_bundle, phantom, tmp_path):
    host.start()
    try:
        folder = str(ROOT / "MSKSegment")
        sys.path.insert(0, folder)
        from MSKSegment import MSKSegmentLogic

        stages = []
        logic = MSKSegmentLogic()
        options = {"bundle": str(tiny_bundle), "samples": 2, "seed": 1, "heightCm": 165, "preview": True}
        case = logic.segment(add_phantom(phantom), lambda event: stages.append(event.stage), **options)
        assert "inference" in stages and logic.cases == (case,)
        assert "PREVIEW" in case.session.result.warnings[0]
        key = next(row.key for row in case.session.rows() if row.found)
        case.session.accept(key)
        logic.exportCsv(case, tmp_path / "table.csv")
        assert "accepted" in (tmp_path / "table.csv").read_text(encoding="utf-8")
        with pytest.raises(Exception, match="bundle"):
            logic.segment(case.nodes.ct, bundle="no such bundle")
    finally:
        sys.path.remove(folder)
        host.close()


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


def test_opening_the_module_loads_no_torch_and_asks_nothing():
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT / 'Testing')!r}]\n"
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from Host import host\n"
        "host.start()\n"
        "host.loadModule('MSKSegment')\n"
        "host.processEvents(0.2)\n"
        "assert not host.errors(), host.errors()\n"
        "assert not host.messages(), host.messages()\n"
        "heavy = {'torch', 'SimpleITK', 'scipy', 'pydicom', 'monai', 'skimage'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "host.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_the_modules_own_test_is_skipped_in_sight_where_packages_are_missing(capfd):
    """As on the machines that build extensions: Slicer's runner looks for tests in the module and counts failures."""
    with open_module(pytorchExtension=False):
        packages.missing.add("torch")
        suite = unittest.TestLoader().loadTestsFromName("MSKSegment")
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        assert result.wasSuccessful() and [reason for _, reason in result.skipped] == ["a run needs torch>=2.4"]
        # The part that needs no packages was run.
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert "a run needs torch" in capfd.readouterr().err


def test_the_modules_own_test_passes_with_the_bundled_model():
    """What Slicer runs as MSKSegmentTest: the sample CT, the bundled model with a single pass."""
    with open_module() as panel:
        panel.device.stop()
        slicer.selfTests["MSKSegment"](msec=1)
