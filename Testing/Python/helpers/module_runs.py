"""The panel with a tiny bundle and a CT, ready for a run; for files that name this one in pytest_plugins."""

import psutil
import pytest
from module_cases import add_phantom, open_module


@pytest.fixture
def panel(tiny_bundle, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    with open_module() as panel:
        panel.inputs._model.select("tiny")
        assert panel.inputs._model.name == "tiny"
        # One child less beside every run; the device line has a test of its own.
        panel.device.stop()
        yield panel


@pytest.fixture
def ct(panel, phantom):
    node = add_phantom(phantom)
    panel.inputs.chooseCt(node)
    return node


def start_run(panel, samples=2):
    panel.ui.samplesSpinBox.setValue(samples)
    panel.ui.seedSpinBox.setValue(1)
    assert panel.ui.segmentButton.enabled
    panel.ui.segmentButton.click()


def child_of(panel):
    return psutil.Process(panel.run._run._engine._process.pid)
