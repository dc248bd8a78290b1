"""What the views show: uncertainty over the CT, density and surfaces in 3D, the histogram in the plot view."""

import slicer
from slicer.i18n import tr as _

from .widgets import signalsBlocked, singleShot

_OFF, _SELECTED, _ALL = range(3)


class ViewControl:
    """The section Views, the histogram button, and jumping to a place."""

    def __init__(self, ui):
        self._ui = ui
        self._case = None
        self._key = None
        self._layoutBefore = None
        self._changed = set()
        self._later = singleShot(0, self._refreshNow)
        ui.uncertaintyCheckBox.connect("toggled(bool)", self._showUncertainty)
        ui.opacitySlider.connect("valueChanged(int)", self._showUncertainty)
        ui.windowLowSpinBox.connect("valueChanged(double)", self._showUncertainty)
        ui.windowHighSpinBox.connect("valueChanged(double)", self._showUncertainty)
        ui.windowResetButton.connect("clicked(bool)", self._resetWindow)
        ui.densitySelector.connect("currentIndexChanged(int)", self._showDensity)
        ui.surfaceSelector.connect("currentIndexChanged(int)", self._showSurfaces)
        ui.histogramButton.connect("toggled(bool)", self._toggleHistogram)
        ui.densityLegendLabel.setText(_densityLegend())
        self.setCase(None)

    def setCase(self, case):
        """Show another case, or none."""
        ui = self._ui
        self._leave()
        self._case, self._key = case, None
        self._later.stop()
        self._changed = set()
        uncertainty = case.nodes.uncertainty if case else None
        ui.viewsSection.setEnabled(case is not None)
        ui.histogramButton.setEnabled(case is not None)
        for widget in (
            ui.uncertaintyCheckBox,
            ui.opacitySlider,
            ui.windowLowSpinBox,
            ui.windowHighSpinBox,
            ui.windowResetButton,
        ):
            widget.setEnabled(uncertainty is not None)
        with signalsBlocked(ui.uncertaintyCheckBox, ui.densitySelector):
            ui.uncertaintyCheckBox.setChecked(False)
            ui.densitySelector.setCurrentIndex(_OFF)
        ui.opacityLabel.setText(f"{ui.opacitySlider.value} %")
        if uncertainty is not None:
            self._resetWindow()

    def _leave(self):
        """Take off what belongs to the case shown so far."""
        from MSKSegmentLib.scene import hide_density, set_uncertainty_overlay

        if self._case is None or slicer.mrmlScene.IsClosing():
            return
        if self._ui.uncertaintyCheckBox.checked and self._case.nodes.uncertainty is not None:
            set_uncertainty_overlay(slicer.mrmlScene, self._case.nodes.uncertainty, 0.0, False)
        if self._ui.densitySelector.currentIndex != _OFF:
            hide_density(slicer.mrmlScene)

    def follow(self, key):
        """The selected structure is another one; None: none is selected."""
        if key == self._key:
            return
        self._key = key
        if self._ui.densitySelector.currentIndex == _SELECTED:
            self._showDensity()
        if self._ui.surfaceSelector.currentIndex == _SELECTED:
            self._showSurfaces()
            self._lookAtSelected()
        self._showHistogram()

    def refresh(self, keys):
        """The voxels of these structures changed; the views follow as soon as the panel has shown the numbers."""
        self._changed.update(keys)
        self._later.start()

    def _refreshNow(self):
        keys, self._changed = self._changed, set()
        if keys.intersection(self._densityKeys()):
            self._showDensity()
        if self._key in keys:
            self._showSurfaces()
            self._showHistogram()

    def jump(self, pointLps):
        """Bring a place of the CT into all slice views."""
        from MSKSegmentLib.scene import jump_to, ras_of_lps

        jump_to(slicer.mrmlScene, ras_of_lps(pointLps, self._case.nodes.ct))

    def _showUncertainty(self, *args):
        from MSKSegmentLib.scene import set_uncertainty_overlay

        ui = self._ui
        ui.opacityLabel.setText(f"{ui.opacitySlider.value} %")
        window = (ui.windowLowSpinBox.value, ui.windowHighSpinBox.value)
        node = self._case.nodes.uncertainty if self._case else None
        if node is None or window[0] >= window[1]:
            return
        shown = ui.uncertaintyCheckBox.checked
        set_uncertainty_overlay(
            slicer.mrmlScene,
            self._case.nodes.uncertainty,
            ui.opacitySlider.value / 100,
            shown,
            window if shown else None,
        )

    def _resetWindow(self, *args):
        from MSKSegmentLib.scene import uncertainty_range

        low, high = uncertainty_range(self._case.session.result.uncertainty)
        with signalsBlocked(self._ui.windowLowSpinBox, self._ui.windowHighSpinBox):
            self._ui.windowLowSpinBox.setValue(low)
            self._ui.windowHighSpinBox.setValue(high)
        self._showUncertainty()

    def _densityKeys(self):
        choice = self._ui.densitySelector.currentIndex
        segments = self._case.session.table.segments if self._case else ()
        muscles = tuple(segment.key for segment in segments if segment.structure.has_composition)
        if choice == _ALL:
            return muscles
        return (self._key,) if choice == _SELECTED and self._key in muscles else ()

    def _showDensity(self, *args):
        from MSKSegmentLib.scene import hide_density, show_density

        keys = self._densityKeys()
        if keys:
            show_density(slicer.mrmlScene, self._case.nodes.ct, self._case.session.result, keys)
        else:
            hide_density(slicer.mrmlScene)

    def _showSurfaces(self, *args):
        from MSKSegmentLib.scene import show_only_3d

        if self._case is None:
            return
        choice, node = self._ui.surfaceSelector.currentIndex, self._case.nodes.segmentation
        if choice == _ALL:
            # All surfaces of a large scan take ten seconds.
            with slicer.util.WaitCursor():
                show_only_3d(node, None)
            return
        show_only_3d(node, (self._key,) if choice == _SELECTED and self._key else ())

    def _lookAtSelected(self):
        from MSKSegmentLib.scene import bounds_ras, look_at

        bounds = bounds_ras(self._case.nodes.segmentation, (self._key,)) if self._key else None
        if bounds is not None:
            look_at(slicer.mrmlScene, bounds)

    def _toggleHistogram(self, shown):
        """Bring the plot view in, and give the views back as they were."""
        manager = slicer.app.layoutManager()
        if shown:
            self._layoutBefore = manager.layout if manager else None
            self._showHistogram()
        elif manager and self._layoutBefore is not None:
            manager.setLayout(self._layoutBefore)

    def _showHistogram(self):
        from MSKSegmentLib.scene import show_histogram

        if not self._ui.histogramButton.checked or self._case is None or self._key is None:
            return
        report, histogram = self._case.session.report(self._key), self._case.session.histogram(self._key)
        if histogram is not None:
            chart = show_histogram(slicer.mrmlScene, histogram, report.segment.name)
            slicer.modules.plots.logic().ShowChartInLayout(chart)


def _densityLegend():
    """The colours of the density rendering with their words."""
    from MSKSegmentLib.scene.density import density_look

    look = density_look()
    words = ((look.fat, _("fat")), (look.composite, _("composite")), (look.lean, _("lean")))
    squares = (f'<span style="color:{_hex(tissue.color)}">&#9632;</span> {word}' for tissue, word in words)
    return "&nbsp;&nbsp;".join(squares)


def _hex(color):
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)
