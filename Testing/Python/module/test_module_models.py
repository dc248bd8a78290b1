"""The panel's selector of models: bundles, other programs that are installed, and folders of either."""

import os

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

from module_cases import open_module, wait
from other_programs import add_totalsegmentator_weights, make_environment, make_trained_folder

from MSKSegmentLib.settings import OtherModel

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")


def test_the_selector_lists_what_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("MSKSEG_MODEL_ENV", str(make_environment(tmp_path / "tools", "TotalSegmentator")))
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(add_totalsegmentator_weights(tmp_path / "weights")))
    folder = make_trained_folder(tmp_path / "thighs", {"femur": 1})
    asked = []
    with open_module() as panel:
        from MSKSegmentPanel import modelSelector

        monkeypatch.setattr(modelSelector, "askFolder", lambda *words: asked.pop())
        selector, inputs = panel.ui.bundleSelector, panel.inputs
        texts = [selector.itemText(index) for index in range(selector.count)]
        # MuscleMap is not installed, and cannot be chosen.
        assert texts[-2:] == ["TotalSegmentator", "Other folder..."] and "MuscleMap" not in texts
        panel.ui.samplesSpinBox.setValue(7)
        panel.ui.heightSpinBox.setValue(171)
        assert inputs.settings.bundle and inputs.settings.passes == 7 and inputs.settings.model is None
        _choose(selector, len(texts) - 2)
        settings = inputs.settings
        # Passes mean nothing to it.
        assert settings.model == OtherModel("totalsegmentator") and settings.passes is None and settings.height_m == 1.71
        assert panel.logic.getParameterNode().GetParameter("bundle") == "totalsegmentator"
        wait(lambda: "not known" in panel.ui.deviceLabel.text)
        asked.append(str(folder))
        _choose(selector, len(texts) - 1)
        assert inputs.settings.model == OtherModel(str(folder))
        assert panel.logic.getParameterNode().GetParameter("bundle") == "thighs"
        # What is no model leaves the choice as it was.
        asked.append(str(tmp_path / "weights"))
        _choose(selector, selector.count - 1)
        assert inputs.settings.model == OtherModel(str(folder)) and panel.ui.messageLabel.text
        inputs._model.select("totalsegmentator")
        assert inputs.settings.model == OtherModel("totalsegmentator")
        inputs._model.select("a model that is gone")
        assert inputs.settings.bundle and inputs.settings.passes == 7


def _choose(selector, index):
    """As a user does, who sees the text change before the program knows."""
    selector.setCurrentIndex(index)
    selector.activated.emit(index)
