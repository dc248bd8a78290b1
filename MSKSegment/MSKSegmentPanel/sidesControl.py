"""Right and left of the selected structure beside each other, in slices and in 3D."""

import slicer

from MSKSegmentLib.language.catalogue import tr as _

from .layoutModes import showNote, showOwnLayout


class SidesControl:
    """The button *Right and left*. `onChange` is called when 3D views are to show other structures: those of `keys`."""

    def __init__(self, ui, layouts, onChange):
        self._ui = ui
        self._layouts = layouts
        self._onChange = onChange
        self._case = None
        self._key = None
        self._on = False
        self._apart = None
        showNote(ui.layoutLabel, "")
        layouts.offer(ui.sidesButton, self._enter, self._left)

    @property
    def keys(self):
        """The segments of both sides while they are shown; else none."""
        return tuple(segment.key for segment in self._pair or ()) if self._on else ()

    @property
    def keyOfView(self):
        """Which segment each 3D view is of while they are shown; else nothing."""
        from MSKSegmentLib.scene.sides_apart import SIDE_VIEWS

        return dict(zip(SIDE_VIEWS, self.keys, strict=False))

    def setCase(self, case):
        """Another case is shown, or none."""
        self._case = case
        self.follow(None)

    def follow(self, key):
        """Another structure is selected; None: none is. The surfaces are the caller's to show, before `show`."""
        self._key = key
        if self._on and self._pair is None:
            self._layouts.leave()
        self._ui.sidesButton.setEnabled(self._pair is not None)

    def showSurfaces(self, keys):
        """Show the surfaces of these segments, which were made, each in the view of its side alone, while these are shown."""
        if self._on:
            self._apart.show({view: key for view, key in self.keyOfView.items() if key in keys})

    def show(self):
        """Bring both sides into their views, while these are shown."""
        from MSKSegmentLib.review.sections import widest_section
        from MSKSegmentLib.scene import bounds_ras
        from MSKSegmentLib.scene.own_views import LEFT, RIGHT, aim_view, equal_boxes

        if not self._on:
            return
        session, nodes = self._case.session, self._case.nodes
        sections = [widest_section(session, segment.key) for segment in self._pair]
        self._aimSlices((RIGHT, LEFT), sections)
        showNote(self._ui.layoutLabel, "\n".join(map(_told, self._pair, sections)))
        boxes = {view: box for view, key in self.keyOfView.items() if (box := bounds_ras(nodes.segmentation, (key,))) is not None}
        for view, box in zip(boxes, equal_boxes(boxes.values()) if boxes else (), strict=True):
            aim_view(slicer.mrmlScene, view, box)

    @property
    def _pair(self):
        from MSKSegmentLib.review.sections import pair_of

        return pair_of(self._case.session, self._key) if self._case is not None and self._key is not None else None

    def _aimSlices(self, views, sections):
        from MSKSegmentLib.scene import ras_of_lps
        from MSKSegmentLib.scene.own_views import aim_slice

        found = [section for section in sections if section is not None]
        manager, ct = slicer.app.layoutManager(), self._case.nodes.ct
        for view, section in zip(views, sections, strict=True):
            composite = manager.sliceWidget(view.name).mrmlSliceCompositeNode()
            composite.SetDoPropagateVolumeSelection(False)
            composite.SetBackgroundVolumeID(ct.GetID())
            # A side that was not found is looked for at the level of the other one.
            shown = section or (found[0] if found else None)
            if shown is not None:
                width = 2 * max(one.half_mm for one in found)
                node = manager.sliceWidget(view.name).mrmlSliceNode()
                aim_slice(node, ras_of_lps(shown.middle_lps, ct), width)

    def _enter(self):
        from MSKSegmentLib.scene.own_views import SIDES
        from MSKSegmentLib.scene.sides_apart import SidesApart

        if self._pair is None:
            return False
        self._on = True
        showOwnLayout(SIDES)
        self._apart = SidesApart(slicer.mrmlScene, self._case.nodes.segmentation)
        self._onChange()
        self.show()
        return True

    def _left(self):
        self._on = False
        showNote(self._ui.layoutLabel, "")
        apart, self._apart = self._apart, None
        if apart is not None and not slicer.mrmlScene.IsClosing():
            apart.close()
        if self._case is not None and not slicer.mrmlScene.IsClosing():
            self._onChange()


def _told(segment, section):
    side = _(segment.side.value)
    side = f"{side[:1].upper()}{side[1:]}"
    if section is None:
        return _("{name}: {text}").format(name=side, text=_("not found"))
    text = _("{side}: {area} cm² in slice {number}, where it is largest")
    return text.format(side=side, area=f"{section.area_cm2:.1f}", number=section.index + 1)
