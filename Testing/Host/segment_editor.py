"""The Segment Editor module's panel as far as another module hands work over to it."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QWidget

from .qmrml_widgets import qMRMLWidget
from .scripted import ScriptedLoadableModuleWidget


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor: which segmentation, volume and segment are selected lies in a real segment editor node."""

    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    currentSegmentIDChanged = Signal(str)
    cppSignals = {
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": "segmentationNodeChanged",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": "sourceVolumeNodeChanged",
        "currentSegmentIDChanged(QString)": "currentSegmentIDChanged",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node else None

    def setSegmentationNode(self, node: Any) -> None:
        self._node.SetAndObserveSegmentationNode(node)
        segmentation = node.GetSegmentation() if node is not None else None
        first = segmentation.GetNthSegmentID(0) if segmentation and segmentation.GetNumberOfSegments() else ""
        self.segmentationNodeChanged.emit(node)
        self.setCurrentSegmentID(first)

    def segmentationNodeID(self) -> str:
        return _id(self.segmentationNode())

    def sourceVolumeNodeID(self) -> str:
        return _id(self.sourceVolumeNode())

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node else None

    def setSourceVolumeNode(self, node: Any) -> None:
        self._node.SetAndObserveSourceVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""

    def setCurrentSegmentID(self, segmentId: str) -> None:
        segmentation = self.segmentationNode()
        if segmentId and (segmentation is None or segmentation.GetSegmentation().GetSegment(segmentId) is None):
            return
        self._node.SetSelectedSegmentID(segmentId)
        self.currentSegmentIDChanged.emit(segmentId)


def _id(node: Any) -> str:
    return node.GetID() if node is not None else ""


class SegmentEditorWidget(ScriptedLoadableModuleWidget, slicer.util.VTKObservationMixin):
    """The Python side of the panel, which ``widgetRepresentation().self()`` returns."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        slicer.util.VTKObservationMixin.__init__(self)
        self.parameterSetNode: Any = None
        self.editor: Any = None

    def setup(self) -> None:
        self.editor = qMRMLSegmentEditorWidget()
        self.selectParameterNode()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(QLabel("Segment Editor"))
        self.layout.addWidget(self.editor)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)

    def selectParameterNode(self) -> None:
        """Take the scene's segment editor node, or make it."""
        node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag("SegmentEditor")
            node = slicer.mrmlScene.AddNode(node)
        if node is not self.parameterSetNode:
            self.parameterSetNode = node
            self.editor.setMRMLSegmentEditorNode(node)

    def enter(self) -> None:
        """As in Slicer, opening the editor takes or makes a segmentation when none is selected."""
        self.selectParameterNode()
        if self.editor.segmentationNode() is None:
            node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
            self.editor.setSegmentationNode(node or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode"))

    def onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self.parameterSetNode = None
        self.editor.setSegmentationNode(None)

    def onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        if self.parent.isEntered:
            self.selectParameterNode()

    onSceneEndImport = onSceneEndClose

    def cleanup(self) -> None:
        self.removeObservers()
