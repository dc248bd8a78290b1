"""The application object, its main window and its list of modules."""

from __future__ import annotations

import functools
import logging
import tempfile
from typing import Any

import slicer
from PySide6.QtCore import QEvent, QObject, QProcessEnvironment, QSettings, Signal, qInstallMessageHandler
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from . import segment_editor
from .file_io import qSlicerCoreIOManager
from .scripted import qSlicerAbstractCoreModule, qSlicerScriptedLoadableModuleWidget
from .views import qSlicerLayoutManager

_LOG = logging.getLogger(__name__)

VERSION = (5, 10, 0)
# Modules of Slicer whose C++ logic slicer-core has, by the name under which the application logic keeps it.
_CORE_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Texts": "vtkSlicerTextsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}


class qSlicerApplication(QApplication):
    """``slicer.app``. One per process, as Qt wants it; `open` and `close` give it one scene after another."""

    startupCompleted = Signal()
    hostOnly = ("open", "closeScene", "setTestingEnabled")

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        qInstallMessageHandler(_logQtMessage)
        self.setStyle("Fusion")
        self.setFont(QFont("DejaVu Sans", 9))
        self.setApplicationName("Slicer")
        self.setOrganizationName("NA-MIC")
        self._testing = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def open(self, headless: Any, mainWindow: bool) -> None:
        """Take over the scene and logics of a HeadlessApplication, with views and main window or without."""
        self._folder = tempfile.TemporaryDirectory(prefix="msk-host-")
        # No test may read or change the settings of a real Slicer.
        QSettings.setDefaultFormat(QSettings.IniFormat)
        for scope in (QSettings.UserScope, QSettings.SystemScope):
            QSettings.setPath(QSettings.IniFormat, scope, self._folder.name)
        self.temporaryPath = self._folder.name
        self._headless, self._testing = headless, False
        self._settings = QSettings()
        self._ioManager = qSlicerCoreIOManager(headless.logic)
        self._moduleManager = qSlicerModuleManager()
        self._layoutManager = qSlicerLayoutManager(headless.logic) if mainWindow else None
        self._mainWindow = qSlicerMainWindow(self._moduleManager) if mainWindow else None

    def closeScene(self) -> None:
        """Unload the modules, drop the windows, empty the temporary folder."""
        for name in list(self._moduleManager.modules):
            self._moduleManager.unload(name)
        if self._layoutManager is not None:
            self._layoutManager.close()
        for window in self.topLevelWidgets():
            window.hide()
            window.deleteLater()
        self._mainWindow = None
        # Outside of a running event loop, processEvents leaves what is to be deleted later.
        self.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        self.processEvents()
        if self._folder is not None:
            self._folder.cleanup()

    def applicationLogic(self) -> Any:
        return self._headless.logic

    def mrmlScene(self) -> Any:
        return self._headless.scene

    def layoutManager(self) -> qSlicerLayoutManager | None:
        return self._layoutManager

    def moduleManager(self) -> qSlicerModuleManager:
        return self._moduleManager

    def coreIOManager(self) -> qSlicerCoreIOManager:
        return self._ioManager

    ioManager = coreIOManager

    def mainWindow(self) -> qSlicerMainWindow | None:
        return self._mainWindow

    def settings(self) -> QSettings:
        return self._settings

    userSettings = revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return self._testing

    def setTestingEnabled(self, enabled: bool) -> None:
        """Act as if Slicer had been started with ``--testing``."""
        self._testing = enabled

    def translate(self, _context: str, text: str, *_arguments: Any) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def pauseRender(self) -> None:
        """Nothing renders here."""

    def resumeRender(self) -> None:
        """Nothing renders here."""

    applicationVersion = property(lambda self: ".".join(map(str, VERSION)))
    majorVersion = property(lambda self: VERSION[0])
    minorVersion = property(lambda self: VERSION[1])
    revision = property(lambda self: "0")
    documentationBaseUrl = property(lambda self: "https://slicer.readthedocs.io/en/latest/")
    slicerHome = property(lambda self: self.temporaryPath)


def _logQtMessage(_kind: Any, _context: Any, text: str) -> None:
    # Said by the offscreen platform at every window, and of no interest.
    if "propagateSizeHints" not in text:
        _LOG.warning("Qt: %s", text)


class qSlicerModuleFactoryManager(QObject):
    """Which modules there are."""

    def __init__(self, modules: dict[str, qSlicerAbstractCoreModule]) -> None:
        super().__init__()
        self._modules = modules

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules


class qSlicerModuleManager(QObject):
    """The modules by their names."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)
    hostOnly = ("add", "unload")

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, qSlicerAbstractCoreModule] = {}
        self._factoryManager = qSlicerModuleFactoryManager(self.modules)

    def module(self, name: str) -> qSlicerAbstractCoreModule | None:
        return self.modules.get(name)

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factoryManager

    def add(self, module: qSlicerAbstractCoreModule) -> None:
        """Register a module and show it as ``slicer.modules.<name>``."""
        self.modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)
        self.moduleLoaded.emit(module.name)

    def unload(self, name: str) -> None:
        """Let the module clean up and forget it."""
        self.moduleAboutToBeUnloaded.emit(name)
        self.modules.pop(name)


class qSlicerModuleSelectorToolBar(QObject):
    """The module menu of the main window."""

    moduleSelected = Signal(str)

    def __init__(self, manager: qSlicerModuleManager, panel: qSlicerModulePanel) -> None:
        super().__init__(panel)
        self._manager, self._panel = manager, panel
        self.selectedModule = ""

    def selectModule(self, name: str) -> None:
        module = self._manager.module(name)
        if module is None or name == self.selectedModule:
            return
        self._panel.setModule(module)
        self.selectedModule = name
        self.moduleSelected.emit(name)


class qSlicerModulePanel(QWidget):
    """Shows one module's panel at a time and tells it when it comes and goes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._title, self._area = QLabel("", self), QScrollArea(self)
        self._area.setWidgetResizable(True)
        layout.addWidget(self._area)
        self._shown: Any = None

    def setModule(self, module: qSlicerAbstractCoreModule) -> None:
        if self._shown is not None:
            self._shown.exit()
            self._area.takeWidget()
        self._shown = module.widgetRepresentation()
        if self._shown is not None:
            self._area.setWidget(self._shown)
            self._shown.show()
            self._shown.enter()


class qSlicerMainWindow(QMainWindow):
    """The window with the module panel; the views are not drawn in it."""

    def __init__(self, manager: qSlicerModuleManager) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._panel = qSlicerModulePanel(self)
        self._selector = qSlicerModuleSelectorToolBar(manager, self._panel)
        self.setCentralWidget(self._panel)

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector


def addCoreModules(application: qSlicerApplication) -> None:
    """Register the C++ modules of Slicer that slicer-core has logics for, and the Segment Editor."""
    logic = application.applicationLogic()
    for name, cls in _CORE_LOGICS.items():
        moduleLogic = logic.GetModuleLogic(name)
        if moduleLogic is None:
            moduleLogic = getattr(slicer, cls)()
            moduleLogic.SetMRMLApplicationLogic(logic)
            moduleLogic.SetMRMLScene(application.mrmlScene())
            logic.SetModuleLogic(name, moduleLogic)
        application.moduleManager().add(qSlicerAbstractCoreModule(name, moduleLogic))
    for name in ("Data", "Welcome", "DICOM"):
        application.moduleManager().add(qSlicerAbstractCoreModule(name))
    # The Segment Editor is a scripted module with a panel; its description is of no interest here.
    makeEditor = functools.partial(qSlicerScriptedLoadableModuleWidget, segment_editor.SegmentEditorWidget)
    application.moduleManager().add(qSlicerAbstractCoreModule("SegmentEditor", makeWidget=makeEditor))
