"""The layout and its views, without pixels: real layout, slice and view logics behind stand-in widgets."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget

_VIEW_CLASSES = {
    "slice": "vtkMRMLSliceNode",
    "threeD": "vtkMRMLViewNode",
    "plot": "vtkMRMLPlotViewNode",
}


class _View(QWidget):
    """What is inside of a view widget: rendering would happen here."""

    def __init__(self, parent: QWidget, node: Any) -> None:
        super().__init__(parent)
        self._node = node
        self.renders = 0

    def mrmlViewNode(self) -> Any:
        return self._node

    def scheduleRender(self) -> None:
        self.renders += 1

    def forceRender(self) -> None:
        self.renders += 1

    def resetFocalPoint(self) -> None:
        self.renders += 1

    def fitToContent(self) -> None:
        self.renders += 1


class _Controller(QWidget):
    """The bar above a view."""

    def __init__(self, parent: QWidget, logic: Any = None) -> None:
        super().__init__(parent)
        self._logic = logic

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    def setSliceVisible(self, visible: bool) -> None:
        self._logic.GetSliceNode().SetSliceVisible(visible)

    def resetFocalPoint(self) -> None:
        """Nothing is drawn, so there is no camera to move."""


class qMRMLSliceWidget(QWidget):
    """One slice view; its slice logic is Slicer's own."""

    def __init__(self, node: Any, applicationLogic: Any) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetSliceNode(node)
        applicationLogic.GetSliceLogics().AddItem(self._logic)
        self._view, self._controller = _View(self, node), _Controller(self, self._logic)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceLogic(self) -> Any:
        return self._logic

    def sliceView(self) -> _View:
        return self._view

    def sliceController(self) -> _Controller:
        return self._controller

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


class qMRMLThreeDWidget(QWidget):
    """One 3D view."""

    def __init__(self, node: Any, applicationLogic: Any) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._node = node
        applicationLogic.GetViewLogics().AddItem(self._logic)
        self._view, self._controller = _View(self, node), _Controller(self)

    def mrmlViewNode(self) -> Any:
        return self._node

    def viewLogic(self) -> Any:
        return self._logic

    def threeDView(self) -> _View:
        return self._view

    def threeDController(self) -> _Controller:
        return self._controller


class qMRMLPlotWidget(QWidget):
    """One plot view."""

    def __init__(self, node: Any, _applicationLogic: Any) -> None:
        super().__init__()
        self._view, self._controller = _View(self, node), _Controller(self)

    def mrmlPlotViewNode(self) -> Any:
        return self._view.mrmlViewNode()

    def plotView(self) -> _View:
        return self._view

    def plotController(self) -> _Controller:
        return self._controller


class qSlicerLayoutManager(QWidget):
    """Which views there are, decided by Slicer's own layout logic; a view widget is made when it is first asked for."""

    layoutChanged = Signal(int)
    hostOnly = ("close",)

    def __init__(self, applicationLogic: Any) -> None:
        super().__init__()
        self._applicationLogic = applicationLogic
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._widgets: dict[str, QWidget] = {}
        self.resets = {"slices": 0, "threeD": 0}
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
        # A slice logic fills its composite node by itself: every slice view of the layout needs one from the start.
        for name in self.sliceViewNames():
            self.sliceWidget(name)
        self.threeDWidget(0)

    def close(self) -> None:
        """Let go of the scene."""
        self._widgets.clear()
        self._logic.SetMRMLScene(None)

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)
        self.layoutChanged.emit(layout)

    def sliceViewNames(self) -> tuple[str, ...]:
        # PythonQt turns a list of strings into a tuple.
        return tuple(node.GetLayoutName() for node in self._shown("slice"))

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        for node in self._nodes("slice"):
            if node.GetLayoutName() == name:
                return self._widget(node, qMRMLSliceWidget)
        return None

    def threeDWidget(self, view: int | str) -> qMRMLThreeDWidget | None:
        if isinstance(view, str):
            nodes = [node for node in self._nodes("threeD") if node.GetLayoutName() == view]
            return self._widget(nodes[0], qMRMLThreeDWidget) if nodes else None
        return self._nth("threeD", view, qMRMLThreeDWidget)

    def plotWidget(self, index: int) -> qMRMLPlotWidget | None:
        return self._nth("plot", index, qMRMLPlotWidget)

    def activeMRMLPlotViewNode(self) -> Any:
        return next(iter(self._shown("plot")), None)

    def activeMRMLThreeDViewNode(self) -> Any:
        return next(iter(self._shown("threeD")), None)

    def resetSliceViews(self) -> None:
        self.resets["slices"] += 1
        self._applicationLogic.FitSliceToAll()

    def resetThreeDViews(self) -> None:
        self.resets["threeD"] += 1

    def pauseRender(self) -> None:
        """Nothing renders here."""

    def resumeRender(self) -> None:
        """Nothing renders here."""

    def viewport(self) -> QWidget:
        return self

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: len(self._shown("threeD")))
    plotViewCount = Property(int, lambda self: len(self._shown("plot")))

    def _nodes(self, kind: str) -> list[Any]:
        return list(slicer.util.getNodesByClass(_VIEW_CLASSES[kind]))

    def _shown(self, kind: str) -> list[Any]:
        """The view nodes of the current layout, in its order."""
        views: vtk.vtkCollection = self._logic.GetViewNodes()
        nodes = [views.GetItemAsObject(index) for index in range(views.GetNumberOfItems())]
        return [node for node in nodes if node.GetClassName() == _VIEW_CLASSES[kind]]

    def _nth(self, kind: str, index: int, cls: type) -> Any:
        nodes = self._shown(kind)
        return self._widget(nodes[index], cls) if 0 <= index < len(nodes) else None

    def _widget(self, node: Any, cls: type) -> Any:
        if node.GetID() not in self._widgets:
            self._widgets[node.GetID()] = cls(node, self._applicationLogic)
        return self._widgets[node.GetID()]
