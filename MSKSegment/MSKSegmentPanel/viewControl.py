"""What the views show: uncertainty over the CT, density and surfaces in 3D, the histogram in the plot view."""

from contextlib import nullcontext

import slicer

from MSKSegmentLib.language.catalogue import tr as _

from .radiographControl import RadiographControl
from .sidesControl import SidesControl
from .widgets import legendText, signalsBlocked, singleShot

_OFF, _SELECTED, _ALL = range(3)
# Percent of a scan's uncertain voxels that have the brightest colour; the first that is offered is the usual one.
_BRIGHTEST = (0.5, 0.1, 2, 10)
_BONE_SETTING = "MSKSegment/BoneWindow"


class ViewControl:
    """The section Views, the buttons for other layouts, and jumping to a place."""

    def __init__(self, ui, layouts, messages):
        from MSKSegmentLib.scene.density import register_preset

        self._ui = ui
        self._layouts = layouts
        self._sides = SidesControl(ui, layouts, self._showSelected)
        self._radiographs = RadiographControl(ui, layouts, messages)
        self._case = None
        self._key = None
        self._changed = set()
        self._later = singleShot(0, self._refreshNow)
        ui.uncertaintyCheckBox.connect("toggled(bool)", self._showUncertainty)
        ui.opacitySlider.connect("valueChanged(int)", self._showUncertainty)
        for percent in _BRIGHTEST:
            ui.windowSelector.addItem(f"{percent} %")
        ui.windowSelector.connect("currentIndexChanged(int)", self._showUncertainty)
        ui.boneWindowCheckBox.setChecked(slicer.util.settingsValue(_BONE_SETTING, True, converter=slicer.util.toBool))
        ui.boneWindowCheckBox.connect("toggled(bool)", self._chooseBoneWindow)
        ui.densitySelector.connect("currentIndexChanged(int)", lambda place: self._showSelected())
        ui.surfaceSelector.connect("currentIndexChanged(int)", self._showSurfaces)
        layouts.offer(ui.histogramButton, self._enterHistogram, lambda: None)
        register_preset(slicer.modules.volumerendering.logic())
        self.setCase(None)

    def setCase(self, case):
        """Show another case, or none."""
        ui = self._ui
        self._leave()
        self._case, self._key = case, None
        self._sides.setCase(case)
        self._radiographs.setCase(case)
        self._later.stop()
        self._changed = set()
        uncertainty = case.nodes.uncertainty if case else None
        ui.viewsSection.setEnabled(case is not None)
        ui.histogramButton.setEnabled(case is not None)
        for widget in (ui.uncertaintyCheckBox, ui.opacitySlider, ui.windowSelector):
            widget.setEnabled(uncertainty is not None)
        with signalsBlocked(ui.uncertaintyCheckBox, ui.densitySelector):
            ui.uncertaintyCheckBox.setChecked(False)
            ui.densitySelector.setCurrentIndex(_OFF)
        ui.opacityLabel.setText(f"{ui.opacitySlider.value} %")
        self._showWords(case.session.task if case else None)
        self._showWindow()

    def _showWords(self, task):
        """What the scan is called, and no controls for densities where it has none; None: as of a CT."""
        ui, isDense = self._ui, task is None or task.in_hounsfield
        hasComposition = task is None or task.measures("composition")
        for widget in (ui.densityLabel, ui.densitySelector, ui.densityLegendLabel):
            widget.setVisible(hasComposition)
        for widget in (ui.histogramButton, ui.boneWindowCheckBox):
            widget.setVisible(isDense)
        ui.densityLegendLabel.setText(_densityLegend())
        for place, percent in enumerate(_BRIGHTEST):
            text = _("the most uncertain {percent} % of uncertain voxels").format(percent=percent)
            ui.windowSelector.setItemText(place, text)
        scan = _(task.words.scan) if task else "CT"
        ui.ctLabel.setText(f"{scan}:")
        ui.uncertaintyCheckBox.setToolTip(_("Lay the voxel uncertainty over the {scan} in all slice views").format(scan=scan))

    def _leave(self):
        """Take off what belongs to the case shown so far."""
        from MSKSegmentLib.scene import hide_density, set_uncertainty_overlay

        self._layouts.leave()
        if self._case is None or slicer.mrmlScene.IsClosing():
            return
        self._key = None
        self._showWindow()
        if self._ui.uncertaintyCheckBox.checked and self._case.nodes.uncertainty is not None:
            set_uncertainty_overlay(slicer.mrmlScene, self._case.nodes.uncertainty, 0.0, False)
        if self._ui.densitySelector.currentIndex != _OFF:
            hide_density(slicer.mrmlScene)

    def follow(self, key):
        """The selected structure is another one; None: none is selected."""
        if key == self._key:
            return
        self._key = key
        self._sides.follow(key)
        if self._ui.densitySelector.currentIndex == _SELECTED:
            self._showDensity()
        if self._sides.keys or self._ui.surfaceSelector.currentIndex == _SELECTED:
            self._showSurfaces()
            self._sides.show()
            self._lookAtSelected()
        self._showHistogram()
        self._showWindow()

    def refresh(self, keys):
        """The voxels of these structures changed; the views follow as soon as the panel has shown the numbers."""
        self._changed.update(keys)
        self._later.start()

    def _refreshNow(self):
        keys, self._changed = self._changed, set()
        if keys.intersection(self._densityKeys()):
            self._showDensity()
        if self._key in keys or keys.intersection(self._sides.keys):
            self._showSurfaces()
            self._sides.show()
            self._showHistogram()

    def jump(self, pointLps):
        """Bring a place of the CT into all slice views."""
        from MSKSegmentLib.scene import jump_to, ras_of_lps

        jump_to(slicer.mrmlScene, ras_of_lps(pointLps, self._case.nodes.ct))

    def _showUncertainty(self, *args):
        from MSKSegmentLib.scene import set_uncertainty_overlay, uncertainty_range

        ui = self._ui
        ui.opacityLabel.setText(f"{ui.opacitySlider.value} %")
        if self._case is None or self._case.nodes.uncertainty is None:
            return
        shown = ui.uncertaintyCheckBox.checked
        percent = _BRIGHTEST[ui.windowSelector.currentIndex]
        set_uncertainty_overlay(
            slicer.mrmlScene,
            self._case.nodes.uncertainty,
            ui.opacitySlider.value / 100,
            shown,
            uncertainty_range(self._case.session.result.uncertainty, percent) if shown else None,
        )

    def _chooseBoneWindow(self, chosen):
        slicer.app.settings().setValue(_BONE_SETTING, chosen)
        self._showWindow()

    def _showWindow(self):
        """The CT in the window for bone while a bone is selected."""
        from MSKSegmentLib.scene import set_bone_window

        if self._case is None or self._case.nodes.ct is None:
            return
        session = self._case.session
        isBone = self._key is not None and session.report(self._key).segment.structure.is_bone and session.task.in_hounsfield
        set_bone_window(self._case.nodes.ct, isBone and self._ui.boneWindowCheckBox.checked)

    def _densityKeys(self):
        choice = self._ui.densitySelector.currentIndex
        if self._case and not self._case.session.task.measures("composition"):
            return ()
        segments = self._case.session.table.segments if self._case else ()
        muscles = tuple(segment.key for segment in segments if segment.structure.has_composition)
        if choice == _ALL:
            return muscles
        shown = self._sides.keys or (self._key,)
        return tuple(key for key in shown if key in muscles) if choice == _SELECTED else ()

    def _showDensity(self, *args):
        from MSKSegmentLib.scene import hide_density, show_density
        from MSKSegmentLib.scene.sides_apart import SIDE_VIEWS

        keys, sides = self._densityKeys(), self._sides.keyOfView
        shown = {view: (key,) for view, key in sides.items() if key in keys}
        # While the sides have views of their own, none of the others is to be seen.
        shown[None] = () if sides else keys
        for view in (None, *SIDE_VIEWS):
            if shown.get(view):
                show_density(slicer.mrmlScene, self._case.nodes.ct, self._case.session.result, shown[view], view)
            else:
                hide_density(slicer.mrmlScene, view)

    def _showSurfaces(self, *args):
        from MSKSegmentLib.scene import ensure_closed_surface, show_only_3d

        if self._case is None:
            return
        choice, node = self._ui.surfaceSelector.currentIndex, self._case.nodes.segmentation
        shown = self._sides.keys or ((self._key,) if choice == _SELECTED and self._key else ())
        # Views are aimed by the surfaces, also where they are not shown because they would hide the density inside of them.
        ensure_closed_surface(node, shown)
        solid = set(shown).difference(self._densityKeys())
        # All surfaces of a large scan take ten seconds.
        with slicer.util.WaitCursor() if choice == _ALL else nullcontext():
            show_only_3d(node, None if choice == _ALL else solid)
        self._sides.showSurfaces(solid)

    def _showSelected(self):
        """What follows the selected structure in 3D, or both of its sides."""
        self._showDensity()
        self._showSurfaces()

    def _lookAtSelected(self):
        from MSKSegmentLib.scene import bounds_ras, look_at

        bounds = bounds_ras(self._case.nodes.segmentation, (self._key,)) if self._key else None
        if bounds is not None:
            look_at(slicer.mrmlScene, bounds)

    def _enterHistogram(self):
        """Bring the plot view in."""
        self._showHistogram()
        return True

    def _showHistogram(self):
        from MSKSegmentLib.scene import show_histogram

        if not self._ui.histogramButton.checked or self._case is None or self._key is None:
            return
        session = self._case.session
        segment, histogram = session.report(self._key).segment, session.histogram(self._key)
        if histogram is not None:
            others = [one.key for one in session.table.segments if one.structure == segment.structure and one.key != segment.key]
            other = session.histogram(others[0]) if others else None
            chart = show_histogram(slicer.mrmlScene, histogram, segment.name, other)
            slicer.modules.plots.logic().ShowChartInLayout(chart)


def _densityLegend():
    """The colours of the density rendering with their words."""
    from MSKSegmentLib.scene.density import density_look

    look = density_look()
    words = ((look.fat, _("fat")), (look.composite, _("composite")), (look.lean, _("lean")))
    return legendText((tissue.color, word) for tissue, word in words)
