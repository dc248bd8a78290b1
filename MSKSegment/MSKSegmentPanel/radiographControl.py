"""The radiographs computed from the CT of the case, in two views."""

import slicer

from MSKSegmentLib.language.catalogue import tr as _

from .layoutModes import showNote, showOwnLayout


class RadiographControl:
    """The button *Radiographs*. They are computed when it is first pressed, and stay with the case."""

    def __init__(self, ui, layouts, messages):
        self._ui = ui
        self._messages = messages
        self._case = None
        self._hidden = None
        layouts.offer(ui.radiographsButton, self._enter, self._left)

    def setCase(self, case):
        """Another case is shown, or none."""
        self._case = case
        self._ui.radiographsButton.setEnabled(case is not None)
        # Rays sum up densities, which MR has none of.
        self._ui.radiographsButton.setVisible(case is None or case.session.task.in_hounsfield)

    def _enter(self):
        from MSKSegmentLib.ct.radiograph import RayDirection
        from MSKSegmentLib.scene.own_views import RADIOGRAPHS
        from MSKSegmentLib.scene.radiograph_nodes import (
            add_radiographs,
            fit_radiographs,
            radiograph_nodes,
            show_radiograph,
        )
        from MSKSegmentLib.scene.segment_views import SegmentsHidden

        nodes, session = self._case.nodes, self._case.session
        with self._messages.reported(), slicer.util.WaitCursor():
            found = radiograph_nodes(nodes.state) or add_radiographs(nodes.state, nodes.ct, session.volume)
            widgets = showOwnLayout(RADIOGRAPHS)
            self._hidden = SegmentsHidden(slicer.mrmlScene, RADIOGRAPHS.slices)
            shown = [found[view] for view in (RayDirection.FRONTAL, RayDirection.LATERAL)]
            for widget, one in zip(widgets, shown, strict=True):
                show_radiograph(widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode(), one)
            fit_radiographs([(widget.mrmlSliceNode(), one) for widget, one in zip(widgets, shown, strict=True)])
            isMetal = any(one.metal is not None for one in shown)
            metal = _("Metal is outlined in yellow.") if isMetal else _("No metal was found.")
            about = _("Computed from the CT, for position, coverage and metal: no clinical radiographs.")
            showNote(self._ui.layoutLabel, f"{about} {metal}")
            return True
        return False

    def _left(self):
        if self._hidden is not None:
            self._hidden.close()
        showNote(self._ui.layoutLabel, "")
