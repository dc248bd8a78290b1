"""The Slicer module MSKSegment: hip and thigh muscle segmentation from CT that says when not to trust a number."""

import os
import sys
from contextlib import ExitStack

import slicer
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    import MSKSegmentLib  # noqa: F401
except ImportError:
    # Installed, the library lies beside this file; in a source tree one folder up, which Slicer does not search.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from MSKSegmentPanel.about import TITLE, aboutText, acknowledgementText, helpText
from MSKSegmentPanel.caseLogic import MSKSegmentLogic
from MSKSegmentPanel.panelState import panelState
from MSKSegmentPanel.reloading import forgetModules
from MSKSegmentPanel.sampleData import registerSampleData
from MSKSegmentPanel.selfTest import MSKSegmentTest

from MSKSegmentLib.language.catalogue import tr as _

__all__ = ["MSKSegment", "MSKSegmentLogic", "MSKSegmentTest", "MSKSegmentWidget"]


class MSKSegment(ScriptedLoadableModule):
    """What Slicer's module list says."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = TITLE
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["MSKSegment contributors"]
        self.parent.helpText = helpText()
        self.parent.acknowledgementText = acknowledgementText()
        slicer.app.connect("startupCompleted()", registerSampleData)


class MSKSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: puts its parts together and passes on what happens in scene and application."""

    def __init__(self, parent=None):
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._entered = False
        # Without a parent this calls setup().
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        """Make the panel; called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from MSKSegmentPanel.deviceLine import DeviceLine
        from MSKSegmentPanel.earlierControl import EarlierControl
        from MSKSegmentPanel.exportActions import ExportActions
        from MSKSegmentPanel.inputControl import InputControl
        from MSKSegmentPanel.judgeControl import JudgeControl
        from MSKSegmentPanel.layoutModes import LayoutModes
        from MSKSegmentPanel.learnControl import LearnControl
        from MSKSegmentPanel.messageArea import MessageArea
        from MSKSegmentPanel.otherControl import OtherControl
        from MSKSegmentPanel.panelLanguage import PanelLanguage
        from MSKSegmentPanel.resultSelector import ResultSelector
        from MSKSegmentPanel.reviewControl import ReviewControl
        from MSKSegmentPanel.runControl import RunControl
        from MSKSegmentPanel.runStarter import RunStarter
        from MSKSegmentPanel.sections import addSection, keepFolding
        from MSKSegmentPanel.shortcuts import Shortcuts
        from MSKSegmentPanel.siteControl import SiteControl
        from MSKSegmentPanel.widgets import singleShot

        panel = slicer.util.loadUI(self.resourcePath("UI/MSKSegment.ui"))
        self.layout.addWidget(panel)
        for name, before in (("OtherResult", "siteSection"), ("Learning", None)):
            addSection(panel, self.resourcePath(f"UI/{name}.ui"), before)
        self.ui = ui = slicer.util.childWidgetVariables(panel)
        self.logic = MSKSegmentLogic()
        self.language = PanelLanguage(panel, ui, self._languageChosen)
        self.messages = MessageArea(ui)
        self.run = RunControl(ui)
        self.inputs = InputControl(ui, self.messages, self._ctChosen, self._inputsChanged, self._heightChanged)
        self.device = DeviceLine(ui.deviceLabel, self.inputs)
        self.runs = RunStarter(
            ui, self.logic, self.messages, self.run, self.inputs, self.device, self._showCase, self._inputsChanged
        )
        self.layouts = LayoutModes()
        self.review = ReviewControl(ui, self.logic, self.messages, self.layouts, self)
        self.earlier = EarlierControl(ui, self.messages, self.layouts, self.review.choose)
        self.other = OtherControl(ui, self.logic, self.messages, self.layouts, self.review, self.runs.start)
        self.site = SiteControl(ui, self.messages, self.review.place)
        self.exports = ExportActions(ui, self.logic, self.messages, lambda: self.review.case, self.run, self._inputsChanged)
        self.judging = JudgeControl(ui, self.runs.judge, self._inputsChanged)
        self.learning = LearnControl(ui, self.messages, self.inputs)
        self.results = ResultSelector(ui.resultSelector, self.logic, self._showCase)
        self.keys = Shortcuts(
            panel,
            {
                "N": self.review.chooseNextFlagged,
                "A": self.review.accept,
                "E": self.review.edit,
                ",": self.review.previousSlice,
                ".": self.review.nextSlice,
            },
        )
        for section in (ui.judgeSection, ui.numbersSection, ui.viewsSection, ui.exportSection):
            section.connect("contentsCollapsed(bool)", keepFolding(section))
        panel.setMRMLScene(slicer.mrmlScene)
        ui.aboutButton.connect("clicked(bool)", self._about)
        self._loaded = singleShot(0, self._sceneLoaded)
        self._observeScene()
        self.results.refresh(self.review.case)
        self._initializeParameterNode()
        self._restore()

    def cleanup(self):
        """Leave nothing behind: the application ends or reloads the module."""
        with ExitStack() as steps:
            # From the last to the first, and all of them whatever fails.
            for step in (
                self.removeObservers,
                self.keys.remove,
                *(part.close for part in (self.review, self.earlier, self.other, self.learning, self.layouts)),
                lambda: self.review.showCase(None),
                self.device.stop,
                self.run.cancel,
                self._loaded.stop,
            ):
                steps.callback(step)

    def onReload(self):
        """Slicer's button Reload, for developers: panel and library are read anew too."""
        forgetModules()
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self):
        """The module comes to the front."""
        self._entered = True
        self._initializeParameterNode()
        self.review.enter()
        self.keys.setEnabled(True)
        self.device.start()

    def exit(self):
        """Another module comes to the front; edits are still measured."""
        self._entered = False
        self.keys.setEnabled(False)
        self.device.stop()

    def _observeScene(self):
        scene = slicer.mrmlScene
        for event, function in (
            (scene.StartCloseEvent, self._sceneCloses),
            (scene.EndCloseEvent, self._sceneClosed),
            # A wrapper would stumble over texts of an earlier version.
            (scene.StartImportEvent, lambda caller, event: self._setState(None)),
            (scene.EndImportEvent, self._sceneLoads),
            (scene.NodeRemovedEvent, self._nodeRemoved),
        ):
            self.addObserver(scene, event, function)

    def _initializeParameterNode(self):
        self._setState(panelState(self.logic.getParameterNode()))
        if self.inputs.ctNode is None and not slicer.mrmlScene.IsClosing():
            self.inputs.chooseFirstCt([case.nodes.uncertainty for case in self.logic.cases])

    def _setState(self, state):
        for part in (self.judging, self.inputs):
            part.setState(state)

    # Showing

    def _inputsChanged(self):
        hindrance = "" if self.inputs.ctNode else _("Choose a CT first")
        if self.run.running:
            hindrance = _("A run is under way")
        self.ui.segmentButton.setEnabled(not hindrance)
        self.ui.segmentButton.setToolTip(hindrance or _("Segment the chosen CT on this computer"))
        self.judging.refresh(hindrance)
        self.other.refresh(_("A run is under way") if self.run.running else "")
        self.exports.refresh()
        self.device.refresh()

    def _ctChosen(self, node):
        shown = self.review.case
        if shown is None or shown.nodes.ct is not node:
            self._showCase(self.logic.caseOfCt(node))

    def _heightChanged(self, heightCm):
        case = self.review.case
        if case is not None and case.nodes.ct is self.inputs.ctNode:
            with self.messages.reported():
                case.session.set_height(heightCm / 100 if heightCm else None)

    def _showCase(self, case):
        for part in (self.review, self.earlier, self.other, self.site):
            part.showCase(case)
        if case is not None:
            self.inputs.chooseCt(case.nodes.ct)
            self.inputs.showHeight(100 * case.session.height_m if case.session.height_m else None)
        self.exports.refresh()
        self.results.refresh(self.review.case)

    def _languageChosen(self):
        for part in (self.inputs, self.review, self.earlier, self.other, self.site, self.learning):
            part.showTexts()
        self._inputsChanged()

    def _about(self, *args):
        slicer.util.infoDisplay(aboutText(), windowTitle=_("About {name}").format(name=TITLE))

    # Scene

    def _restore(self):
        with self.messages.reported():
            restored, errors = self.logic.restoreCases()
            if restored:
                self._showCase(self.logic.caseOfCt(self.inputs.ctNode) or restored[-1])
            if errors:
                self.messages.showError(str(errors[0]))

    def _sceneCloses(self, caller, event):
        self.run.cancel()
        for part in (self.review, self.earlier, self.other, self.site):
            part.showCase(None)
        self.logic.forgetAll()
        self.exports.refresh()
        self._setState(None)
        self.messages.clear()

    def _sceneClosed(self, caller, event):
        self.results.refresh(self.review.case)
        if self._entered:
            self._initializeParameterNode()
        self._inputsChanged()

    def _sceneLoads(self, caller, event):
        # The node selectors learn of the new nodes after this event only.
        self._loaded.start()

    def _sceneLoaded(self):
        self._initializeParameterNode()
        self._restore()

    def _nodeRemoved(self, caller, event):
        scene = slicer.mrmlScene
        if scene.IsClosing():
            return
        if self.run.running and scene.GetNodeByID(self.run.ctNode.GetID() or "") is None:
            self.run.cancel()
            self.messages.showWarning(_("The run was cancelled because its CT was removed."))
            self._inputsChanged()
        for case in self.logic.cases:
            if case.nodes.segmentation is None or case.nodes.ct is None:
                self.logic.forget(case)
                self._showCase(None if case is self.review.case else self.review.case)
