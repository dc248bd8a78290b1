"""What the views show of two results: where they differ over the slices, and both side by side."""

import slicer

from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.scene import jump_to, ras_of_lps
from MSKSegmentLib.scene.compared_display import fill_faintly, hide_others_in_slices, show_as_before
from MSKSegmentLib.scene.differences import DIFFERENCE_COLORS, hide_differences, show_differences
from MSKSegmentLib.scene.own_views import TWO_RESULTS
from MSKSegmentLib.scene.side_by_side import SideBySide, add_other_result, find_other_result, remove_other_result
from MSKSegmentLib.two_results.agreement_rows import DIFFERENCE_KINDS

from .layoutModes import showOwnLayout
from .widgets import legendText, signalsBlocked


class ComparedViews:
    """The two check boxes, and the legend of the colours."""

    def __init__(self, ui, layouts):
        self._ui = ui
        self._layouts = layouts
        self._case = None
        self._held = None
        self._both = None
        self._point = None
        ui.differencesCheckBox.connect("toggled(bool)", self._showDifferences)
        layouts.offer(ui.sideBySideCheckBox, self._enter, self._left)

    def setCase(self, case):
        """Another case is shown, or with None none."""
        self.show(None)
        self._case = case
        if case is not None:
            # Of a scene that was saved while two results were compared.
            show_as_before(case.nodes.segmentation)

    def show(self, held):
        """Another comparison, or one made again; with None there is none any more, and the views are as before."""
        ui, wasHeld = self._ui, self._held is not None
        self._held = held
        if held is None:
            self._point = None
            with signalsBlocked(ui.differencesCheckBox):
                ui.differencesCheckBox.setChecked(False)
            if self._both is not None:
                self._layouts.leave()
        for box in (ui.differencesCheckBox, ui.sideBySideCheckBox):
            box.setVisible(held is not None)
        self._showDifferences()
        own = self._case.nodes.segmentation if self._case is not None else None
        if slicer.mrmlScene.IsClosing() or own is None:
            return
        if held is not None:
            hide_others_in_slices(own)
        elif wasHeld:
            show_as_before(own)
        if self._both is not None:
            self._showOther()

    def jump(self, pointLps):
        """Bring a place of the CT into the views."""
        self._point = ras_of_lps(pointLps, self._case.nodes.ct)
        jump_to(slicer.mrmlScene, self._point)
        if self._both is not None:
            self._both.jump(self._point)

    def hideDifferences(self):
        """They are those of before a correction."""
        hide_differences(slicer.mrmlScene)
        for node in self._shown():
            fill_faintly(node, False)

    def _showDifferences(self, *args):
        ui = self._ui
        shown = ui.differencesCheckBox.checked and self._held is not None
        colors = [(DIFFERENCE_COLORS[kind], _(words)) for kind, words in DIFFERENCE_KINDS.items()]
        ui.differencesLegendLabel.setText(legendText(colors))
        ui.differencesLegendLabel.setVisible(shown)
        if slicer.mrmlScene.IsClosing():
            return
        if not shown:
            self.hideDifferences()
            return
        show_differences(slicer.mrmlScene, self._held.kinds, self._case.nodes.ct)
        for node in self._shown():
            fill_faintly(node, True)

    def _shown(self):
        """The segmentations that the differences lie over."""
        own = self._case.nodes.segmentation if self._case is not None else None
        return [node for node in (own, find_other_result(slicer.mrmlScene)) if node is not None]

    def _enter(self):
        if self._held is None:
            return False
        showOwnLayout(TWO_RESULTS)
        self._both = SideBySide(self._case.nodes.ct, self._case.nodes.segmentation)
        self._showOther()
        if self._point is not None:
            self._both.jump(self._point)
        return True

    def _showOther(self):
        node = add_other_result(slicer.mrmlScene, self._held.pair, self._case.nodes.ct, self._held.name)
        fill_faintly(node, self._ui.differencesCheckBox.checked)
        self._both.show_other(node)

    def _left(self):
        both, self._both = self._both, None
        if both is not None and not slicer.mrmlScene.IsClosing():
            both.close()
            remove_other_result(slicer.mrmlScene)
