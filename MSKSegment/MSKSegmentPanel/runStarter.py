"""Starts runs, one at a time, and takes up what comes of them."""

import slicer

from MSKSegmentLib.language.catalogue import tr as _


class RunStarter:
    """The buttons *Segment* and *Cancel*, and the runs that other sections ask for.

    `onCase` is called with a new case, `onChange` when a run begins, ends or is cancelled.
    """

    def __init__(self, ui, logic, messages, control, inputs, device, onCase, onChange):
        self._ui = ui
        self._logic = logic
        self._messages = messages
        self._control = control
        self._inputs = inputs
        self._device = device
        self._onCase = onCase
        self._onChange = onChange
        ui.segmentButton.connect("clicked(bool)", self._segment)
        ui.cancelButton.connect("clicked(bool)", self._cancel)

    def judge(self, segmentationNode):
        """Have a segmentation of another module judged on the chosen CT."""
        inputs = self._inputs
        self.start(self.take, self._logic.startJudgement, inputs.ctNode, segmentationNode, inputs.settings)

    def start(self, onEnd, start, *options):
        """Start a run by calling `start` with the options; `onEnd` is called with it when it has ended by itself."""
        from .dependencies import ensureRequirements

        def ended(run):
            onEnd(run)
            self._onChange()

        self._messages.clear()
        with self._messages.reported():
            ensureRequirements()
            # Packages may have been installed since the line was written.
            self._device.askAgain()
            self._control.watch(start(*options), ended)
        self._onChange()

    def take(self, run):
        """Show the case of a run that has ended."""
        with self._messages.reported():
            case = self._logic.finishSegmentation(run)
            self._onCase(case)
            # The room is needed for what was found.
            self._ui.inputSection.setCollapsed(True)
            if slicer.app.layoutManager() is not None:
                slicer.util.setSliceViewerLayers(background=case.nodes.ct)
            if case.session.result.warnings:
                self._messages.showWarning("\n".join(case.session.result.warnings))

    def _segment(self, *args):
        inputs = self._inputs
        self.start(self.take, self._logic.startSegmentation, inputs.ctNode, inputs.settings, inputs.roiNode)

    def _cancel(self, *args):
        if self._control.running:
            self._control.cancel()
            self._messages.showInfo(_("The run was cancelled; nothing was kept."))
        self._onChange()
