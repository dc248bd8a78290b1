"""Stand-ins for Slicer's own widgets that show nodes of the scene."""

from __future__ import annotations

import functools
from typing import Any

import slicer
from PySide6.QtCore import Property, QEvent, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget

# With the priorities of Slicer's scene model: selectors know of a node before others who look at the scene.
_SCENE_EVENTS = {"NodeAddedEvent": 10.0, "NodeRemovedEvent": 10.0, "EndCloseEvent": 0.0, "EndImportEvent": 0.0}


class qMRMLWidget(QWidget):
    """A widget that knows a scene and hands it on to whoever listens."""

    mrmlSceneChanged = Signal(object)
    cppSignals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    """The usual root of a module's .ui file."""


def _removeObservers(observed: list[tuple[Any, int]], *_: Any) -> None:
    for subject, tag in observed:
        subject.RemoveObserver(tag)
    observed.clear()


class qMRMLNodeComboBox(QWidget):
    """A combo box of the scene's nodes of some classes.

    As in Slicer, without a "None" item the first node that appears is selected by itself, hidden nodes are left out,
    and the widget is enabled only while it has a scene.
    """

    currentNodeChanged = Signal(object)
    currentNodeValid = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    cppSignals = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "currentNodeValid",
        "currentNodeIDChanged(QString)": "currentNodeIDChanged",
        "nodeActivated(vtkMRMLNode*)": "nodeActivated",
        "nodeAdded(vtkMRMLNode*)": "nodeAdded",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
    }
    hostOnly = ("event",)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._box = QComboBox(self)
        self._box.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        row.addWidget(self._box)
        self._scene: slicer.vtkMRMLScene | None = None
        self._observed: list[tuple[Any, int]] = []
        self._ids: list[str | None] = []
        self._texts: list[str] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._nodeTypes: list[str] = []
        self._flags = {
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "showHidden": False,
            "showChildNodeTypes": True,
            "selectNodeUponCreation": True,
        }
        self._strings = {"noneDisplay": "None", "baseName": ""}
        self._announced: str | None = ""
        self._box.currentIndexChanged.connect(lambda _index: self._announce())
        self._box.activated.connect(lambda _index: self.nodeActivated.emit(self.currentNode()))
        self.setEnabled(False)
        # A method of the widget would be disconnected before the widget is gone.
        self.destroyed.connect(functools.partial(_removeObservers, self._observed))

    def event(self, event: QEvent) -> bool:
        # Qt keeps what `setProperty` is given for a property that only Python knows as a dynamic one.
        if event.type() == QEvent.DynamicPropertyChange:
            name = bytes(event.propertyName().data()).decode()
            if name in self._strings:
                self._setString(name, self.property(name))
        return super().event(event)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is self._scene:
            return
        _removeObservers(self._observed)
        self._scene = scene
        if scene is not None:
            for event, priority in _SCENE_EVENTS.items():
                self._observe(scene, getattr(slicer.vtkMRMLScene, event), priority)
        self.setEnabled(scene is not None)
        self._refresh()

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def nodeCount(self) -> int:
        return sum(nodeId is not None for nodeId in self._ids)

    def nodeFromIndex(self, index: int) -> Any:
        nodes = [nodeId for nodeId in self._ids if nodeId is not None]
        return self._scene.GetNodeByID(nodes[index]) if self._scene and 0 <= index < len(nodes) else None

    def currentNode(self) -> Any:
        nodeId = self._currentId()
        return self._scene.GetNodeByID(nodeId) if self._scene and nodeId else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeId: str | None) -> None:
        wanted = nodeId or None
        self._box.setCurrentIndex(self._ids.index(wanted) if wanted in self._ids else -1 + (None in self._ids))

    def addAttribute(self, _nodeType: str, name: str, value: Any = None) -> None:
        self._attributes.append((_nodeType, name, None if value is None else str(value)))
        self._refresh()

    def addNode(self, nodeType: str = "") -> Any:
        name = self._strings["baseName"]
        node = self._scene.AddNewNodeByClass(nodeType or self._nodeTypes[0], name)
        if self._flags["selectNodeUponCreation"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def setNodeTypes(self, nodeTypes: list[str]) -> None:
        self._nodeTypes = list(nodeTypes)
        self._refresh()

    def _currentId(self) -> str | None:
        index = self._box.currentIndex
        return self._ids[index] if 0 <= index < len(self._ids) else None

    def _fits(self, node: Any) -> bool:
        children, hidden = self._flags["showChildNodeTypes"], self._flags["showHidden"]
        kind = any(node.IsA(name) if children else node.GetClassName() == name for name in self._nodeTypes)
        return (
            kind
            and (hidden or not node.GetHideFromEditors())
            and all(
                node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
                for nodeType, name, value in self._attributes
                if node.IsA(nodeType)
            )
        )

    def _refresh(self) -> None:
        """List the scene's nodes anew; the selection stays, or falls to the last node when its own went away."""
        if self._scene is not None and (self._scene.IsImporting() or self._scene.IsClosing()):
            return
        every = [] if self._scene is None else [self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes())]
        nodes = [node for node in every if self._fits(node)]
        ids: list[str | None] = [node.GetID() for node in nodes]
        texts = [node.GetName() or "" for node in nodes]
        if self._flags["noneEnabled"]:
            ids, texts = [None, *ids], [self._strings["noneDisplay"], *texts]
        if (ids, texts) == (self._ids, self._texts):
            return
        current, added = self._currentId(), [node for node in nodes if node.GetID() not in self._ids]
        self._box.blockSignals(True)
        self._ids, self._texts = ids, texts
        self._box.clear()
        self._box.addItems(texts)
        self._box.setCurrentIndex(self._indexAfterRefresh(current, bool(nodes)))
        self._box.blockSignals(False)
        for node in added:
            self._observe(node, "ModifiedEvent")
            self.nodeAdded.emit(node)
        self._announce()

    def _indexAfterRefresh(self, current: str | None, hasNodes: bool) -> int:
        if current is not None and current in self._ids:
            return self._ids.index(current)
        if self._flags["noneEnabled"] and current is None:
            return 0
        if not hasNodes:
            return 0 if self._flags["noneEnabled"] else -1
        return len(self._ids) - 1 if current is not None else 0

    def _announce(self) -> None:
        nodeId = self._currentId()
        if nodeId == self._announced or (not nodeId and not self._announced):
            return
        self._announced = nodeId
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self.currentNodeValid.emit(node is not None)
        self.currentNodeIDChanged.emit(nodeId or "")

    def _observe(self, subject: Any, event: Any, priority: float = 0.0) -> None:
        self._observed.append((subject, subject.AddObserver(event, lambda *_: self._refresh(), priority)))

    def _setFlag(self, name: str, value: bool) -> None:
        self._flags[name] = bool(value)
        self._refresh()

    def _setString(self, name: str, value: str) -> None:
        self._strings[name] = value
        self._refresh()

    nodeTypes = Property("QStringList", lambda self: self._nodeTypes, setNodeTypes)
    currentNodeID = Property(str, lambda self: self._currentId() or "", setCurrentNodeID)


def _addSettings() -> None:
    """Give the node combo box its on-off and text properties, each with a setter as in C++."""

    def add(name: str, kind: type, store: str, write: str) -> None:
        def getter(self: Any) -> Any:
            return getattr(self, store)[name]

        def setter(self: Any, value: Any) -> None:
            getattr(self, write)(name, value)

        setattr(qMRMLNodeComboBox, name, Property(kind, getter, setter))
        setattr(qMRMLNodeComboBox, f"set{name[0].upper()}{name[1:]}", setter)

    for name in ("noneEnabled", "addEnabled", "removeEnabled", "editEnabled", "renameEnabled", "showHidden"):
        add(name, bool, "_flags", "_setFlag")
    for name in ("showChildNodeTypes", "selectNodeUponCreation"):
        add(name, bool, "_flags", "_setFlag")
    for name in ("noneDisplay", "baseName"):
        add(name, str, "_strings", "_setString")


_addSettings()


class qSlicerMarkupsPlaceWidget(qSlicerWidget):
    """Buttons to place a markups node by clicking into a view; here placing is only switched on and off."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._node: Any = None
        self._colour, self._place, self._delete = QToolButton(self), QToolButton(self), QToolButton(self)
        self._buttons = {self._colour: "", self._place: "+", self._delete: "x"}
        for button, text in self._buttons.items():
            button.setText(text)
            row.addWidget(button)
        self._place.setCheckable(True)
        self.setCurrentNode(None)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        if node is not self._node:
            self._place.setChecked(False)
        self._node = node
        for button in self._buttons:
            button.setEnabled(node is not None)

    def placeButton(self) -> QToolButton:
        return self._place

    def deleteButton(self) -> QToolButton:
        return self._delete

    def setPlaceModeEnabled(self, enable: bool) -> None:
        self._place.setChecked(bool(enable) and self._node is not None)

    def setButtonsVisible(self, visible: bool) -> None:
        for button in self._buttons:
            button.setVisible(visible)

    placeModeEnabled = Property(bool, lambda self: self._place.isChecked(), setPlaceModeEnabled)
    buttonsVisible = Property(bool, lambda self: not self._colour.isHidden(), setButtonsVisible)


WIDGETS = {cls.__name__: cls for cls in (qMRMLWidget, qSlicerWidget, qMRMLNodeComboBox, qSlicerMarkupsPlaceWidget)}
