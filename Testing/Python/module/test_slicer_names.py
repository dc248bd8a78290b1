"""Every name of Slicer, CTK and Qt that module and test host use is on the list that was checked against their sources."""

import importlib.util
import subprocess
import textwrap
from pathlib import Path

import pytest
from Host.names_used import names_of_stand_ins, names_used, normalized

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tool():
    specification = importlib.util.spec_from_file_location("check_slicer_names", ROOT / "Tools" / "check_slicer_names.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def source_tree(tmp_path):
    """A module of a few lines, where a repository would have it."""

    def make(code, form=None):
        (tmp_path / "MSKSegment").mkdir()
        (tmp_path / "MSKSegmentLib" / "scene").mkdir(parents=True)
        (tmp_path / "MSKSegment" / "MSKSegment.py").write_text(textwrap.dedent(code))
        if form:
            (tmp_path / "MSKSegment" / "MSKSegment.ui").write_text(form)
        return tmp_path

    return make


def test_every_name_of_the_module_is_listed(tool):
    missing = {name: place for name, place in names_used(ROOT).items() if name not in tool.listed()}
    assert not missing, "run Tools/check_slicer_names.py with the sources"


def test_every_member_of_the_stand_ins_is_listed(tool):
    missing = {name: place for name, place in names_of_stand_ins(ROOT).items() if name not in tool.listed()}
    assert not missing, "the host offers what Slicer may not have; run Tools/check_slicer_names.py with the sources"


def test_the_list_says_where_each_name_was_found(tool):
    places = tool.listed().values()
    assert {repository for repository, _ in places} <= {*tool.versions_listed(), "PySide6-Essentials", "Kitware/VTK"}
    assert all(repository and file for repository, file in places)


def test_names_of_python_packages_classes_and_modules_are_read(source_tree):
    found = names_used(
        source_tree(
            """
            import qt, slicer
            from slicer.i18n import tr as _
            slicer.util.loadUI("a.ui")
            slicer.modules.plots.logic().ShowChartInLayout(None)
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
            qt.QFileDialog.getSaveFileName()
            """
        )
    )
    assert {
        "slicer.i18n.tr",
        "slicer.util.loadUI",
        "slicer.modules.plots",
        "vtkSlicerPlotsLogic.ShowChartInLayout",
        "vtkMRMLScene.AddNewNodeByClass",
        "QFileDialog",
        "QFileDialog.getSaveFileName",
    } <= set(found)
    assert found["slicer.util.loadUI"] == "MSKSegment/MSKSegment.py:4"


def test_members_belong_to_the_class_that_a_variable_holds(source_tree):
    found = names_used(
        source_tree(
            """
            import qt, slicer
            class Panel:
                def __init__(self, ui):
                    self.timer = qt.QTimer()
                    self.timer.connect("timeout()", self.run)
                    ui.button.connect("clicked(bool)", self.run)
                def run(self, row):
                    button = qt.QLabel()
                    button.setWordWrap(True)
                    row.setUnknownThing(self.timer.interval)
                    self.run("text".upper())
            def other(button: slicer.vtkSegment):
                button.GetTag("a", None)
            """,
            '<ui><widget class="QPushButton" name="button"/></ui>',
        )
    )
    assert {
        "QTimer.timeout()",
        "QTimer.connect",
        "QTimer.interval",
        "QPushButton.clicked(bool)",
        "QLabel.setWordWrap",
        "vtkSegment.GetTag",
        "*.setUnknownThing",
    } <= set(found)
    assert not {"*.upper", "*.run", "*.timer", "QLabel.GetTag"} & set(found)


def test_forms_name_classes_properties_and_connections(source_tree):
    found = names_used(
        source_tree(
            "",
            """<ui><widget class="qMRMLWidget" name="root"><layout class="QVBoxLayout" name="column">
            <property name="leftMargin"/><property name="spacing"/><item>
            <widget class="ctkPathLineEdit" name="path"><property name="showHistoryButton"/></widget></item></layout></widget>
            <connections><connection><sender>root</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
            <receiver>path</receiver><slot>setEnabled( bool )</slot></connection></connections></ui>""",
        )
    )
    assert set(found) == {
        "qMRMLWidget in .ui",
        "QVBoxLayout",
        "QVBoxLayout.spacing",
        "ctkPathLineEdit in .ui",
        "ctkPathLineEdit.showHistoryButton",
        "qMRMLWidget.mrmlSceneChanged(vtkMRMLScene*)",
        "ctkPathLineEdit.setEnabled(bool)",
    }


@pytest.fixture
def finder(tool, tmp_path):
    """A finder over made-up sources that are laid out as the real ones."""
    files = {
        tool.SLICER: {
            "Libs/qMRMLBox.h": """
                // void gone();
                class QMRML_EXPORT qMRMLBox : public ctkBase
                { Q_PROPERTY(bool noneEnabled READ noneEnabled)
                signals: void picked(const QString& id, bool byUser = false); };""",
            "Libs/vtkMRMLThing.h": """
                class vtkMRMLThing : public vtkObject
                { vtkSetMacro(Weight, double); vtkBooleanMacro(Shown, bool); };""",
            "Libs/DesignerPlugins/qMRMLBoxPlugin.h": "",
            "Base/Python/slicer/wrapped/__init__.py": "from .inner import *\n",
            "Base/Python/slicer/wrapped/inner.py": "def wrapped(cls):\n    pass\n",
            "Base/Python/slicer/util.py": "def loadUI(path):\n    pass\n",
            "Modules/Loadable/Plots/qSlicerPlotsModule.h": "",
        },
        tool.CTK: {"Libs/ctkBase.h": "class ctkBase : public QAbstractButton { void fold(); };"},
        tool.PYTHONQT: {
            "generated_cpp_515/gui/gui0.h": "class PythonQtWrapper_QWidget\n  void raise(QWidget* theWrappedObject);",
            "src/PythonQtStdDecorators.h": "  bool connect(QObject* sender, const QByteArray& signal);",
            "src/PythonQtInstanceWrapper.cpp": '  {"className", reinterpret_cast<PyCFunction>(f)}',
        },
        tool.PYTORCH: {"PyTorchUtils/PyTorchUtils.py": "class PyTorchUtilsLogic:\n  def installTorch(self):\n    pass\n"},
    }
    directories = {}
    for repository, contents in files.items():
        folder = tmp_path / repository.replace("/", "+")
        for path, text in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(textwrap.dedent(text))
        run = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "made up"]):
            subprocess.run([*run, *command], check=True)
        directories[repository] = str(folder)
    return tool.Finder(tool.Sources(directories))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("slicer.util.loadUI", "Base/Python/slicer/util.py"),
        ("slicer.util.loadUIs", None),
        ("slicer.wrapped", "Base/Python/slicer/wrapped/__init__.py"),
        ("slicer.wrapped.wrapped", "Base/Python/slicer/wrapped/inner.py"),
        ("slicer.wrapped.unwrapped", None),
        ("slicer.modules.plots", "Modules/Loadable/Plots/qSlicerPlotsModule.h"),
        ("slicer.modules.plot", None),
        ("qMRMLBox", "Libs/qMRMLBox.h"),
        ("qMRMLCircle", None),
        ("qMRMLBox in .ui", "Libs/DesignerPlugins/qMRMLBoxPlugin.h"),
        ("ctkBase in .ui", None),
        ("qMRMLBox.noneEnabled", "Libs/qMRMLBox.h"),
        ("qMRMLBox.gone", None),
        ("qMRMLBox.picked(QString)", "Libs/qMRMLBox.h"),
        ("qMRMLBox.picked(QString,bool)", "Libs/qMRMLBox.h"),
        ("qMRMLBox.picked(int)", None),
        ("qMRMLBox.fold", "Libs/ctkBase.h"),
        ("vtkMRMLThing.SetWeight", "Libs/vtkMRMLThing.h"),
        ("vtkMRMLThing.ShownOn", "Libs/vtkMRMLThing.h"),
        ("vtkMRMLThing.GetHeight", None),
        ("*.installTorch", "PyTorchUtils/PyTorchUtils.py"),
        ("*.uninstallTorch", None),
        ("*.ShownOn", "Libs/vtkMRMLThing.h"),
        ("*.HiddenOn", None),
        ("*.picked(QString)", "Libs/qMRMLBox.h"),
        ("*.picked(int)", None),
        ("*.className", "src/PythonQtInstanceWrapper.cpp"),
    ],
)
def test_names_are_looked_up_in_the_sources(finder, name, file):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    place = finder.place_of(name)
    assert (place and place[1]) == file


def test_members_of_qt_come_from_pythonqt_or_from_qt_itself(finder):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    assert finder.place_of("QWidget.raise") == ("MeVisLab/pythonqt", "generated_cpp_515/gui/gui0.h")
    assert finder.place_of("QWidget.connect") == ("MeVisLab/pythonqt", "src/PythonQtStdDecorators.h")
    for name, cls in (("QWidget.windowTitle", "QWidget"), ("QWidget.objectNameChanged(QString)", "QObject")):
        assert finder.place_of(name)[0] == "PySide6-Essentials" and f"of {cls}," in finder.place_of(name)[1]
    assert finder.place_of("QWidget.windowTittle") is None
    assert finder.place_of("QWidget.customContextMenuRequested(int)") is None


def test_signatures_are_compared_without_spaces_and_references():
    assert normalized("changed( const QString & , vtkMRMLNode * )") == "changed(QString,vtkMRMLNode*)"


def test_an_update_that_would_lose_a_name_leaves_the_list(tool, finder, monkeypatch, tmp_path, capsys):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    names = tmp_path / "names.json"
    names.write_text("as it was")
    monkeypatch.setattr(tool, "LIST", names)
    monkeypatch.setattr(tool, "Finder", lambda sources: finder)
    repositories = (tool.SLICER, tool.CTK, tool.PYTHONQT, tool.PYTORCH)
    sources = [option for name in repositories for option in ("--git", f"{name}={tmp_path / name.replace('/', '+')}")]
    monkeypatch.setattr("sys.argv", ["check_slicer_names", *sources, "--update"])
    monkeypatch.setattr(tool, "wanted", lambda: {"qMRMLBox": "a.py:1", "qMRMLBox.gone": "a.py:2"})
    assert tool.main() == 1 and names.read_text() == "as it was"
    assert "qMRMLBox.gone (a.py:2) was not found" in capsys.readouterr().out
    monkeypatch.setattr(tool, "wanted", lambda: {"qMRMLBox": "a.py:1"})
    assert tool.main() == 0 and set(tool.listed()) == {"qMRMLBox"}
