"""The host itself: it loads and closes modules, and Qt behaves in it as in Slicer."""

import sys

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from Host import host

pytest_plugins = ("host_fixtures",)

MODULE = """
import qt, slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

CALLS = []

class Small(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Small")
        slicer.app.connect("startupCompleted()", lambda: CALLS.append("startup"))

class SmallWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/Small.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = ScriptedLoadableModuleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda *_: CALLS.append("scene closes"))
        self.ui.button.connect("clicked(bool)", lambda checked: CALLS.append("clicked"))

    def enter(self): CALLS.append("enter")
    def exit(self): CALLS.append("exit")

    def cleanup(self):
        self.removeObservers()
        CALLS.append("cleanup")
"""
FORM = """<ui version="4.0"><class>Small</class>
<widget class="qMRMLWidget" name="Small"><layout class="QVBoxLayout" name="column">
 <item><widget class="ctkCollapsibleButton" name="section"><property name="text"><string>Input</string></property>
  <property name="collapsed"><bool>true</bool></property><layout class="QVBoxLayout" name="inner">
  <item><widget class="qMRMLNodeComboBox" name="selector"><property name="nodeTypes"><stringlist>
   <string>vtkMRMLScalarVolumeNode</string></stringlist></property></widget></item></layout></widget></item>
 <item><widget class="QPushButton" name="button"><property name="text"><string>Apply</string></property></widget></item>
</layout></widget>
<connections><connection><sender>Small</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
 <receiver>selector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""


@pytest.fixture
def small(tmp_path):
    """The folder of a module with the usual parts."""
    folder = tmp_path / "Small"
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Small.py").write_text(MODULE)
    (folder / "Resources" / "UI" / "Small.ui").write_text(FORM)
    return folder


def test_properties_are_attributes_and_setters_are_methods(app):
    import qt

    button = qt.QPushButton("old")
    button.setText("new")
    button.enabled = False
    assert (button.text, button.enabled, button.isEnabled(), button.className()) == ("new", False, False, "QPushButton")
    with pytest.raises(AttributeError):
        button.colour = "red"
    table = qt.QTableWidget(2, 3)
    table.setItem(0, 0, qt.QTableWidgetItem("cell"))
    # Items are no QObjects: their text stays a function.
    assert (table.rowCount, table.item(0, 0).text()) == (2, "cell")
    assert not any(hasattr(qt, name) for name in ("Signal", "Slot", "QThread"))


def test_connections_pass_no_more_arguments_than_a_function_takes(app):
    import qt

    button, calls = qt.QPushButton(), []
    button.setCheckable(True)
    button.connect("toggled(bool)", lambda: calls.append("none"))
    button.connect("toggled(bool)", calls.append)
    # PythonQt counts arguments with defaults: the state replaces the intended key.
    button.connect("toggled(bool)", lambda key="key": calls.append(("key", key)))
    button.setChecked(True)
    assert calls == ["none", True, ("key", True)]
    assert button.disconnect("toggled(bool)", calls.append)
    assert not button.disconnect("toggled(bool)", calls.append)
    button.setChecked(False)
    assert calls[3:] == ["none", ("key", False)]
    with pytest.raises(ValueError, match=r"no signal toggeld\(bool\)"):
        button.connect("toggeld(bool)", calls.append)
    # A header is made by Qt, not by Python.
    table = qt.QTableWidget(1, 1)
    table.horizontalHeader().connect("sectionClicked(int)", calls.append)
    table.horizontalHeader().sectionClicked.emit(7)
    assert calls[5:] == [7]


def test_exceptions_in_slots_are_kept_and_do_not_spread(app):
    import qt

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    qt.QTimer.singleShot(0, lambda: {}["absent"])
    host.processEvents(0.05)
    first, second = host.errors()
    assert "ZeroDivisionError" in first and "KeyError" in second


def test_a_module_is_loaded_opened_left_and_unloaded(app, small):
    import slicer

    widget = host.loadModule("Small", small)
    calls = sys.modules["Small"].CALLS
    widget.ui.button.click()
    slicer.util.selectModule("SegmentEditor")
    slicer.util.selectModule("Small")
    slicer.mrmlScene.Clear(False)
    assert slicer.util.selectedModule() == "Small"
    assert calls == ["startup", "enter", "clicked", "exit", "enter", "scene closes"]
    assert slicer.modules.small.title == "Small"
    assert slicer.modules.SmallWidget is widget
    assert widget.ui.section.collapsed and not widget.ui.selector.visible
    host.close()
    assert calls[6:] == ["cleanup"]


def test_what_setup_raises_is_raised(app, small):
    (small / "Resources" / "UI" / "Small.ui").write_text(FORM.replace("qMRMLNodeComboBox", "qMRMLUnheardOfComboBox"))
    with pytest.raises(ValueError, match="no widget class qMRMLUnheardOfComboBox"):
        host.loadModule("Small", small)


def test_a_description_sets_only_what_slicer_has(app, small):
    (small / "Small.py").write_text(MODULE.replace("parent.title", "parent.tittle"))
    with pytest.raises(AttributeError, match="tittle"):
        host.loadModule("Small", small)


def test_parameters_survive_the_closing_of_the_scene(app, small):
    import slicer

    logic = host.loadModule("Small", small).logic
    node = logic.getParameterNode()
    assert logic.getParameterNode() is node
    slicer.mrmlScene.Clear(False)
    again = logic.getParameterNode()
    assert (again.GetSingletonTag(), again.GetAttribute("ModuleName")) == (node.GetSingletonTag(), logic.moduleName)


def test_pictures_show_the_panel(app, small, tmp_path):
    from PIL import Image

    widget = host.loadModule("Small", small)
    picture = np.asarray(Image.open(host.grab(widget, tmp_path / "panel.png", 400, 300)).convert("L"))
    assert picture.shape == (300, 400)
    # The word on the button: dark on light, in the button's middle.
    button = widget.ui.button
    corner = button.mapTo(widget.parent, button.rect.topLeft())
    word = picture[corner.y() : corner.y() + button.height, corner.x() : corner.x() + button.width]
    assert word[:, 60:-60].min() < 80 < 200 < np.median(word)
    with pytest.raises(OSError, match="could not be written"):
        host.grab(widget, tmp_path / "absent" / "panel.png")


def test_without_a_main_window_the_panel_is_made_but_not_entered(small):
    app = host.start(mainWindow=False)
    try:
        import slicer

        host.loadModule("Small", small)
        assert sys.modules["Small"].CALLS == ["startup"]
        assert (app.layoutManager(), slicer.util.mainWindow()) == (None, None)
        slicer.util.errorDisplay("Only logged.")
        assert host.messages() == ()
    finally:
        host.close()


def test_process_events_waits_for_a_condition(app):
    import qt

    done = []
    qt.QTimer.singleShot(20, lambda: done.append(True))
    assert host.processEvents(5, until=lambda: done)
    assert not host.processEvents(0.01, until=lambda: False)


def test_one_host_at_a_time_and_nothing_left_behind(monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "modules", "those of another host", raising=False)
    host.start()
    with pytest.raises(RuntimeError, match="already running"):
        host.start()
    host.close()
    host.close()
    assert "qt" not in sys.modules and "ctk" not in sys.modules
    assert not hasattr(slicer, "app") and not hasattr(slicer, "mrmlScene")
    assert slicer.modules == "those of another host"
