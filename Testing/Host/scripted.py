"""Scripted modules: the base classes that a module file imports, and the C++ objects that Slicer wraps around them."""

from __future__ import annotations

import importlib.util
import os
import sys
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from . import qmrml_widgets

_EXPORTS = (
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleWidget",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
)
__all__ = list(_EXPORTS)


class ScriptedLoadableModule:
    """Base of a module's description."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title, parent.categories, parent.dependencies = "", [], []
        for extension in (".svg", ".png"):
            icon = self.resourcePath(f"Icons/{self.moduleName}{extension}")
            if os.path.isfile(icon):
                parent.icon = QIcon(icon)
                break
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        address = docPage if docPage else slicer.app.moduleDocumentationUrl(self.moduleName)
        return f'<p>For more information, see the <a href="{address}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        testCase = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")()
        testCase.messageDelay = msec
        testCase.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """Base of a module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent
        if parent is None:
            self.parent = qmrml_widgets.qMRMLWidget()
            self.parent.setLayout(QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)

    def setup(self) -> None:
        """Make the panel; the real base adds the developer's "Reload and Test" section, which is off by default."""

    def cleanup(self) -> None:
        """Undo what `setup` did; called before the module is unloaded."""

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """Base of a module's work without a panel; keeps its settings in a node of the scene."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is not None:
                # Closing a scene empties the attributes of the singletons that stay.
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        for node in self.getAllParameterNodes():
            return node
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of a module's own tests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messageDelay = 100

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        slicer.util.delayDisplay(message, self.messageDelay or requestedDelay or msec)

    def runTest(self) -> None:
        for name in (name for name in dir(self) if name.startswith("test")):
            self.setUp()
            getattr(self, name)()
            self.tearDown()


class qSlicerAbstractCoreModule(QObject):
    """A module as the application lists it; C++ modules have no more than a name, a logic and perhaps a panel."""

    def __init__(self, name: str, logic: Any = None, makeWidget: Any = None) -> None:
        super().__init__()
        self.setObjectName(name)
        self.title, self.path = name, ""
        self._logic, self._makeWidget, self._widget = logic, makeWidget, None

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> Any:
        if self._widget is None and self._makeWidget is not None:
            self._widget = self._makeWidget()
        return self._widget


class qSlicerScriptedLoadableModule(qSlicerAbstractCoreModule):
    """The C++ side of a scripted module: what its description fills in, and its panel on demand."""

    # What Slicer's class offers; setting anything else fails there too.
    _MAY_BE_SET = {
        "title",
        "categories",
        "dependencies",
        "contributors",
        "helpText",
        "acknowledgementText",
        "icon",
        "hidden",
        "index",
        "associatedNodeTypes",
        "widgetRepresentationCreationEnabled",
        "path",
    }

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, makeWidget=self._makeScriptedWidget)
        self.path = path
        self.categories, self.dependencies, self.contributors = [], [], []
        self.helpText = self.acknowledgementText = ""
        self.hidden, self.icon = False, QIcon()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self._MAY_BE_SET:
            raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")
        QObject.__setattr__(self, name, value)

    def logic(self) -> Any:
        """Slicer gives a C++ logic without any function of the module's own here."""
        if self._logic is None:
            self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        return self._logic

    def _makeScriptedWidget(self) -> qSlicerScriptedLoadableModuleWidget:
        return qSlicerScriptedLoadableModuleWidget(getattr(sys.modules[self.name], f"{self.name}Widget"))


class qSlicerScriptedLoadableModuleWidget(qmrml_widgets.qMRMLWidget):
    """The frame that Slicer puts around a scripted panel."""

    def __init__(self, makeSelf: Any) -> None:
        super().__init__()
        QVBoxLayout(self)
        self.isEntered = False
        self.setMRMLScene(slicer.mrmlScene)
        self._fill(makeSelf)

    def _fill(self, makeSelf: Any) -> None:
        self._self = makeSelf(self)
        setattr(slicer.modules, makeSelf.__name__, self._self)
        self._self.setup()

    def self(self) -> Any:
        return self._self

    def reload(self) -> None:
        """Make the panel anew from the class that the module's file has now."""
        name = type(self._self).__name__
        self._fill(getattr(sys.modules[name.removesuffix("Widget")], name))
        if self.isEntered:
            self._call("enter")

    def enter(self) -> None:
        self.isEntered = True
        self._call("enter")

    def exit(self) -> None:
        self.isEntered = False
        self._call("exit")

    def _call(self, name: str) -> None:
        if hasattr(self._self, name):
            getattr(self._self, name)()


def loadScriptedModule(path: Path) -> qSlicerScriptedLoadableModule:
    """Import the module file and describe it to the application, as Slicer does at start-up; no panel is made yet."""
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    wrapper = qSlicerScriptedLoadableModule(name, str(path))
    description = getattr(module, name)(wrapper)
    setattr(slicer.modules, name.lower(), wrapper)
    setattr(slicer.modules, f"{name}Instance", description)
    return wrapper
