"""Hands a structure to Segment Editor, where one button leads back."""

import qt
import slicer

from MSKSegmentLib.language.catalogue import tr as _

_EDITOR = "SegmentEditor"


class EditHandover:
    """The way to Segment Editor and back to the module called `moduleName`."""

    def __init__(self, moduleName):
        self._moduleName = moduleName
        self._bar = None
        self._label = None

    def edit(self, nodes, key, name):
        """Open Segment Editor on a case's nodes with the segment of that key chosen; `name` is the structure's for people."""
        slicer.util.selectModule(_EDITOR)
        widget = slicer.modules.segmenteditor.widgetRepresentation().self()
        widget.editor.setSegmentationNode(nodes.segmentation)
        widget.editor.setSourceVolumeNode(nodes.ct)
        widget.editor.setCurrentSegmentID(key)
        if self._bar is None:
            self._makeBar(widget.layout)
        self._label.setText(_("Editing {name} for MSKSegment").format(name=name))
        self._bar.setVisible(True)

    def close(self):
        """The user is back: Segment Editor looks as it always does."""
        if self._bar is not None:
            self._bar.setVisible(False)

    def remove(self):
        """Take the button out of Segment Editor."""
        if self._bar is not None:
            self._bar.setParent(None)
            self._bar = self._label = None

    def _makeBar(self, layout):
        self._bar = qt.QFrame()
        self._bar.setFrameShape(qt.QFrame.StyledPanel)
        self._bar.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Maximum)
        row = qt.QHBoxLayout(self._bar)
        self._label = qt.QLabel()
        self._label.setWordWrap(True)
        row.addWidget(self._label, 1)
        button = qt.QPushButton(_("Back to MSKSegment"))
        button.setObjectName("backToMSKSegmentButton")
        button.connect("clicked(bool)", self._back)
        row.addWidget(button)
        layout.insertWidget(0, self._bar)

    def _back(self, *args):
        slicer.util.selectModule(self._moduleName)
