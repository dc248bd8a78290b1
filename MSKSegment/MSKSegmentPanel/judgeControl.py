"""The section that has a segmentation of another module judged: which one, and the button."""

from MSKSegmentLib.language.catalogue import tr as _

from .widgets import signalsBlocked

_SEGMENTATION = "judgedSegmentation"


class JudgeControl:
    """`onJudge` is called with the chosen segmentation when the button is clicked, `onChanged` when another one is chosen."""

    def __init__(self, ui, onJudge, onChanged):
        self._ui = ui
        self._onJudge = onJudge
        self._onChanged = onChanged
        self._node = None
        ui.judgedSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._chosen)
        ui.judgeButton.connect("clicked(bool)", self._clicked)

    @property
    def segmentationNode(self):
        """The chosen segmentation, or None."""
        return self._ui.judgedSelector.currentNode()

    def setParameterNode(self, node):
        """Show what a parameter node keeps, and keep changes in it; None forgets the node."""
        self._node = node
        if node is not None:
            with signalsBlocked(self._ui.judgedSelector):
                self._ui.judgedSelector.setCurrentNode(node.GetNodeReference(_SEGMENTATION))

    def refresh(self, hindrance):
        """Allow the button unless something hinders a run, which is said."""
        if not hindrance and self.segmentationNode is None:
            hindrance = _("Choose a segmentation of another module first")
        self._ui.judgeButton.setEnabled(not hindrance)
        self._ui.judgeButton.setToolTip(
            hindrance or _("Measure the chosen segmentation on the chosen CT and say what can be trusted")
        )

    def _chosen(self, node):
        if self._node is not None:
            self._node.SetNodeReferenceID(_SEGMENTATION, node.GetID() if node else None)
        self._onChanged()

    def _clicked(self, *args):
        self._onJudge(self.segmentationNode)
