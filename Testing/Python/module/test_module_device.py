"""The line about the device: asked for in a child process, dropped and asked again."""

import sys

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import packages
from module_cases import add_phantom, open_module, wait
from module_runs import start_run

from MSKSegmentLib.processes import lives

pytest_plugins = ("warm_children",)


@pytest.mark.usefixtures("warm_children")
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
        start_run(panel, samples=200)
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
