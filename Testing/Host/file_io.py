"""Loading and saving through the scene's own storage nodes, behind the calls of Slicer's input-output manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

# File type -> the node class that it makes; the order of `_ENDINGS` matters, longer endings first.
_NODE_CLASSES = {
    "VolumeFile": "vtkMRMLScalarVolumeNode",
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "TextFile": "vtkMRMLTextNode",
    "TableFile": "vtkMRMLTableNode",
    "ColorTableFile": "vtkMRMLColorTableNode",
}
_ENDINGS = {
    ".seg.nrrd": "SegmentationFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".nii.gz": "VolumeFile",
    ".nii": "VolumeFile",
    ".nrrd": "VolumeFile",
    ".mha": "VolumeFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".ctbl": "ColorTableFile",
    ".txt": "TextFile",
    ".json": "TextFile",
}


class qSlicerCoreIOManager:
    """What ``slicer.util.load*`` and ``save*`` call; `loaded` keeps the file types and names for tests."""

    def __init__(self, applicationLogic: Any) -> None:
        self._applicationLogic = applicationLogic
        self.loaded: list[tuple[str, str]] = []

    def fileType(self, filename: str) -> str:
        return next((kind for ending, kind in _ENDINGS.items() if str(filename).lower().endswith(ending)), "NoFile")

    def fileWriterFileType(self, node: Any, _format: str = "") -> str:
        return next((kind for kind, cls in _NODE_CLASSES.items() if node.IsA(cls)), "NoFile")

    def loadScene(self, filename: str, clear: bool = True) -> bool:
        return self.loadNodes("SceneFile", {"fileName": filename, "clear": clear})

    def saveScene(self, filename: str, _screenShot: Any = None, _userMessages: Any = None) -> bool:
        return self.saveNodes("SceneFile", {"fileName": filename})

    def loadNodes(self, fileType: str, properties: dict[str, Any], loadedNodes: Any = None, userMessages: Any = None) -> bool:
        name = str(properties["fileName"])
        self.loaded.append((fileType, name))
        if fileType == "SceneFile":
            return self._loadScene(name, bool(properties.get("clear", True)))
        node = self._read(fileType, name, properties) if fileType in _NODE_CLASSES and Path(name).exists() else None
        if node is None:
            if userMessages is not None:
                userMessages.AddMessage(vtk.vtkCommand.ErrorEvent, f"{name} could not be read.")
            return False
        if loadedNodes is not None:
            loadedNodes.AddItem(node)
        return True

    def saveNodes(self, fileType: str, properties: dict[str, Any], _userMessages: Any = None) -> bool:
        name = str(properties["fileName"])
        if fileType == "SceneFile":
            if not name.endswith(".mrb"):
                slicer.mrmlScene.SetURL(name)
                return bool(slicer.mrmlScene.Commit(name))
            return bool(slicer.mrmlScene.WriteToMRB(name))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node is None or not node.AddDefaultStorageNode(name):
            return False
        node.GetStorageNode().SetFileName(name)
        return bool(node.GetStorageNode().WriteData(node))

    def _read(self, fileType: str, name: str, properties: dict[str, Any]) -> Any:
        title = properties.get("name") or Path(name).name.split(".")[0]
        if fileType == "VolumeFile" and not properties.get("labelmap"):
            logic = self._applicationLogic.GetModuleLogic("Volumes")
            node = logic.AddArchetypeVolume(name, title)
            if node is not None and properties.get("show", True):
                self._applicationLogic.GetSelectionNode().SetActiveVolumeID(node.GetID())
                self._applicationLogic.PropagateVolumeSelection(1)
            return node
        nodeClass = "vtkMRMLLabelMapVolumeNode" if properties.get("labelmap") else _NODE_CLASSES[fileType]
        node = slicer.mrmlScene.AddNewNodeByClass(nodeClass, title)
        node.AddDefaultStorageNode(name)
        node.GetStorageNode().SetFileName(name)
        if not node.GetStorageNode().ReadData(node):
            slicer.mrmlScene.RemoveNode(node)
            return None
        node.CreateDefaultDisplayNodes()
        return node

    def _loadScene(self, name: str, clear: bool) -> bool:
        if not Path(name).exists():
            return False
        if clear:
            slicer.mrmlScene.Clear(False)
        if name.endswith(".mrb"):
            return bool(slicer.mrmlScene.ReadFromMRB(name, clear))
        slicer.mrmlScene.SetURL(name)
        return bool(slicer.mrmlScene.Import())
