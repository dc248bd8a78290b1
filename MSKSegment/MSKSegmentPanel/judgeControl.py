"""The section that has a segmentation of another module judged: which one, and the button."""

from MSKSegmentLib.language.catalogue import tr as _

from .widgets import signalsBlocked


class JudgeControl:
    """`onJudge` is called with the chosen segmentation when the button is clicked, `onChanged` when another one is chosen."""

    def __init__(self, ui, onJudge, onChanged):
        self._ui = ui
        self._onJudge = onJudge
        self._onChanged = onChanged
        self._state = None
        ui.judgedSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._chosen)
        ui.judgeButton.connect("clicked(bool)", self._clicked)

    @property
    def segmentationNode(self):
        """The chosen segmentation, or None."""
        return self._ui.judgedSelector.currentNode()

    def setState(self, state):
        """Show what the scene keeps (`panelState`), and keep changes in it; None forgets it."""
        self._state = state
        if state is not None:
            with signalsBlocked(self._ui.judgedSelector):
                self._ui.judgedSelector.setCurrentNode(state.judgedSegmentation)

    def refresh(self, hindrance):
        """Allow the button unless something hinders a run, which is said."""
        if not hindrance and self.segmentationNode is None:
            hindrance = _("Choose a segmentation of another module first")
        self._ui.judgeButton.setEnabled(not hindrance)
        self._ui.judgeButton.setToolTip(
            hindrance or _("Measure the chosen segmentation on the chosen CT and say what can be trusted")
        )

    def _chosen(self, node):
        if self._state is not None:
            self._state.judgedSegmentation = node
        self._onChanged()

    def _clicked(self, *args):
        self._onJudge(self.segmentationNode)
