"""The earlier scan beside the current one, at the same anatomical level of a structure."""

import slicer

from MSKSegmentLib.comparison import change_words as words
from MSKSegmentLib.language.catalogue import spoken_words
from MSKSegmentLib.language.catalogue import tr as _

from .layoutModes import showNote, showOwnLayout
from .widgets import signalsBlocked


class EarlierViews:
    """The button *Both scans*. The earlier scan is read when it is first pressed, and goes with the comparison.

    `firstKey` answers with the key of the structure to begin with.
    """

    def __init__(self, ui, layouts, messages, firstKey):
        self._ui = ui
        self._layouts = layouts
        self._messages = messages
        self._firstKey = firstKey
        self._case = self._pair = self._folder = self._key = None
        self._earlier = None
        self._slices = None
        self._levels = ()
        self._shown = ()
        self._hidden = None
        self._on = False
        self._link = None
        showNote(ui.earlierLevelLabel, "")
        layouts.offer(ui.earlierViewsButton, self._enter, self._left)
        ui.earlierLevelSelector.connect("currentIndexChanged(int)", self._goToLevel)

    def setPair(self, case, pair, folder):
        """Another comparison is shown, of the result in `folder` with that of the case; None: none is."""
        sameEarlier = pair is not None and self._pair is not None and pair.before is self._pair.before and case is self._case
        if not sameEarlier:
            self._forget()
        self._case, self._pair, self._folder = case, pair, folder
        for widget in (self._ui.earlierViewsButton, self._ui.earlierLevelSelector):
            widget.setVisible(pair is not None)
        if self._on:
            self._findLevels()
        self.follow(self._key)

    def follow(self, key):
        """The structure of that key is to be looked at in both scans; None: none is."""
        from MSKSegmentLib.comparison.same_level import levels_of_segment

        self._key = key
        both = self._pair.segments(key) if self._pair is not None and key is not None else None
        found = levels_of_segment(self._levels, *both) if self._on and both is not None else ()
        selector = self._ui.earlierLevelSelector
        with signalsBlocked(selector):
            selector.clear()
            for level in found:
                selector.addItem(_(level.name))
        selector.setEnabled(bool(found))
        self._shown = found
        self._goToLevel(0)

    def _enter(self):
        from MSKSegmentLib.review.source_ct import own_ct_at_hand
        from MSKSegmentLib.scene.earlier_nodes import add_earlier
        from MSKSegmentLib.scene.own_views import EARLIER, TWO_DATES
        from MSKSegmentLib.scene.segment_views import SegmentsHidden

        if self._pair is None:
            return False
        with self._messages.reported(), slicer.util.WaitCursor():
            volume = None if self._earlier is not None else own_ct_at_hand(self._folder)
            if self._earlier is None and volume is None:
                self._messages.showWarning(_(words.NO_EARLIER_CT))
                return False
            before, after = showOwnLayout(TWO_DATES)
            if self._earlier is None:
                self._earlier = add_earlier(slicer.mrmlScene, self._pair.before.result, volume, self._pair.before.title)
                self._slices = _levelsOf(self._pair.before.result, volume)
            # The frames of both scans have nothing to do with each other.
            self._hidden = SegmentsHidden(slicer.mrmlScene, (EARLIER.name,), (self._earlier.segmentation,))
            for widget, node, label in (
                (before, self._earlier.ct, words.BEFORE),
                (after, self._case.nodes.ct, words.AFTER),
            ):
                composite = widget.mrmlSliceCompositeNode()
                composite.SetDoPropagateVolumeSelection(False)
                composite.SetBackgroundVolumeID(node.GetID())
                widget.mrmlSliceNode().SetLayoutLabel(_(label))
            self._on = True
            self._findLevels()
            self.follow(self._key or self._firstKey())
            return True
        return False

    def _findLevels(self):
        from MSKSegmentLib.comparison.same_level import pairs_of_levels

        later = _levelsOf(self._pair.after.result, self._case.session.volume)
        self._levels = pairs_of_levels(self._slices, later)

    def _goToLevel(self, place):
        from MSKSegmentLib.scene import ras_of_lps
        from MSKSegmentLib.scene.earlier_nodes import same_window
        from MSKSegmentLib.scene.linked_slices import LinkedSlices
        from MSKSegmentLib.scene.own_views import CURRENT, EARLIER, aim_slice
        from MSKSegmentLib.wording.names import segment_name

        if not self._on:
            return
        self._unlink()
        if not 0 <= place < len(self._shown):
            showNote(self._ui.earlierLevelLabel, _(words.NO_COMMON_LEVEL))
            return
        level, both = self._shown[place], self._pair.segments(self._key)
        scans = self._earlier.ct, self._case.nodes.ct
        grids = self._pair.before.result.geometry, self._pair.after.result.geometry
        manager, nodes = slicer.app.layoutManager(), []
        for view, scan, where in zip((EARLIER, CURRENT), scans, level.places(grids, both), strict=True):
            nodes.append(manager.sliceWidget(view.name).mrmlSliceNode())
            aim_slice(nodes[-1], ras_of_lps(where.middle_lps, scan), 2 * where.half_mm)
        if self._case.session.task.in_hounsfield:
            same_window(*scans)
        self._link = LinkedSlices(*nodes)
        shown = _("{name}: {text}").format(name=segment_name(spoken_words(), both[1]), text=_(level.name))
        showNote(self._ui.earlierLevelLabel, f"{shown}. {_(words.SAME_LEVEL)}")

    def _unlink(self):
        if self._link is not None:
            self._link.close()
            self._link = None

    def _left(self):
        self._on = False
        self._unlink()
        showNote(self._ui.earlierLevelLabel, "")
        if self._hidden is not None:
            self._hidden.close()

    def _forget(self):
        """Another comparison comes: the earlier scan leaves the scene."""
        from MSKSegmentLib.scene.earlier_nodes import remove_earlier

        if self._on:
            self._layouts.leave()
        if self._earlier is not None and not slicer.mrmlScene.IsClosing():
            remove_earlier(self._earlier)
        self._earlier = self._slices = self._key = None
        self._levels = ()


def _levelsOf(result, volume):
    from MSKSegmentLib.comparison.same_level import scan_levels

    return scan_levels(result, volume)
