"""The module open in the test host, with a CT or a reviewed case in its scene; shared by the tests of the module."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from Host import host
from review_cases import LABEL, make_case

PANEL_WIDTH = 480


@contextmanager
def open_module(**options):
    """The panel of the module; what its slots raised meanwhile fails the test."""
    host.start(**options)
    import slicer

    try:
        panel = host.loadModule("MSKSegment")
        if slicer.util.mainWindow() is not None:
            slicer.util.mainWindow().show()
        yield panel
        assert not host.errors(), "\n".join(host.errors())
    finally:
        host.close()


def add_phantom(volume, name="CT"):
    """A `CTVolume` as a node of the scene."""
    import slicer

    from MSKSegmentLib.scene import add_ct

    return add_ct(slicer.mrmlScene, volume, name)


def show_case(panel):
    """A rated case of every light, put into the scene as the end of a run would; returns it."""
    import slicer

    from MSKSegmentLib.scene import add_ct

    result, volume = make_case()
    return show_result(panel, result, add_ct(slicer.mrmlScene, volume, "CT hip"))


def show_result(panel, result, ct_node):
    """A result of a CT in the scene as it would be at the end of a run; returns the case."""

    class FinishedRun:
        ctNode = ct_node
        judgedNode = None

        def __init__(self):
            from MSKSegmentLib.scene import volume_of_node

            self.volume = volume_of_node(ct_node, result.task.modality)

        def result(self):
            return result

        def close(self):
            pass

    panel.runs.take(FinishedRun())
    return panel.review.case


def choose(panel, key):
    """Click the row of a key."""
    panel.ui.resultsTable.selectRow(panel.review._table.shown.index(key))
    host.processEvents(0.01)


def click(button):
    """Press a button that is on."""
    assert button.enabled, f"{button.name} is off"
    button.click()
    host.processEvents(0.02)


def slice_offset(view="Red"):
    """Where a slice view stands (mm)."""
    import slicer

    return slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode().GetSliceOffset()


def cell(panel, key, column):
    """The text in the table."""
    from MSKSegmentLib.review.columns import ALL_COLUMNS

    place = [entry.name for entry in ALL_COLUMNS].index(column)
    return panel.ui.resultsTable.item(panel.review._table.shown.index(key), place).text()


def paint(case, key, mask):
    """Give a segment of the node other voxels, bool ``[z, y, x]`` of the whole grid, as an effect of Segment Editor does."""
    from review_cases import mask_of

    from MSKSegmentLib.scene import put_mask

    put_mask(case.nodes.segmentation, key, mask_of(mask))


def smaller(case, key):
    """The segment without its upper half, bool ``[z, y, x]`` of the whole grid."""
    inside = case.session.result.labels == LABEL[key]
    levels = np.flatnonzero(inside.any(axis=(1, 2)))
    inside[levels[len(levels) // 2] :] = False
    return inside


def wait(condition, seconds=60):
    """Let Qt work until the condition holds."""
    assert host.processEvents(seconds, condition), "it did not happen in time"
