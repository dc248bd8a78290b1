"""Corrections on the real scene with trame-slicer's tools: what is painted is what is measured, and everything can be undone."""

import asyncio

import numpy as np
import pytest
from scene_cases import GEOMETRIES
from web_sessions import make_session

pytest.importorskip("trame_slicer")

SETTINGS = {
    "brush_mm": 6.0,
    "brush_sphere": True,
    "scissors_mode": "erase_inside",
    "scissors_slice": True,
    "threshold_low": 50.0,
    "threshold_high": 3000.0,
    "smooth_mode": "median",
    "smooth_mm": 4.0,
    "islands_mode": "keep_largest",
    "islands_voxels": 20,
}
KEY, LABEL = "GMAX_right", 4


class Bench:
    """A session, its segmentation in a scene, and the tools."""

    def __init__(self, app, geometry):
        from MSKSegmentLib.scene import add_ct, add_segmentation
        from MSKSegmentLib.web.views.editing import Editing, ToolSettings

        self.app = app
        self.session = make_session(geometry)
        self.ct = add_ct(app.scene, self.session.volume)
        self.node = add_segmentation(app.scene, self.session.result, self.ct)
        self.steps = 0
        self.editing = Editing(self, self.session, self.node, self.ct, self._step)
        self.settings = ToolSettings(**SETTINGS)

    def _step(self):
        self.steps += 1

    def render(self):
        """Views would draw here."""

    def use(self, key, tool, **settings):
        from MSKSegmentLib.web.views.editing import ToolSettings

        self.editing.choose(key)
        self.editing.activate(tool, ToolSettings(**{**SETTINGS, **settings}))

    def stroke(self, *indices):
        """Draw with the tool in hand through voxels ``(x, y, z)``."""
        import vtk

        points = vtk.vtkPoints()
        for index in indices:
            x, y, z = self.session.geometry.to_physical(index)
            points.InsertNextPoint(-x, -y, z)
        brush = vtk.vtkSphereSource()
        brush.SetRadius(SETTINGS["brush_mm"] / 2)
        brush.SetPhiResolution(16)
        brush.SetThetaResolution(16)
        brush.Update()
        self.app.segmentation_editor.active_effect.paint_glyph_at_world_coordinates(brush.GetOutput(), points)

    @property
    def labels(self):
        """The session's labels, after checking that the scene holds the same."""
        from MSKSegmentLib.scene import segment_labels

        np.testing.assert_array_equal(segment_labels(self.node, self.session.geometry), self.session.result.labels)
        return self.session.result.labels.copy()

    def volume(self, key=KEY):
        return self.session.row(key).values["volume_cc"]

    def close(self):
        self.editing.close()
        for node in (self.node, self.ct):
            self.app.scene.RemoveNode(node)


@pytest.fixture(autouse=True)
def _event_loop():
    """As in the server: the threshold's blinking asks for the loop, and an earlier test may have closed the thread's own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="module")
def app():
    import slicer
    from trame_slicer.core import SlicerApp

    made = SlicerApp()
    yield made
    for factory in (slicer.vtkMRMLSliceViewDisplayableManagerFactory, slicer.vtkMRMLThreeDViewDisplayableManagerFactory):
        factory.GetInstance().SetMRMLApplicationLogic(None)


@pytest.fixture
def bench(app):
    made = Bench(app, GEOMETRIES["axial"])
    yield made
    made.close()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_stroke_changes_the_numbers_and_undo_brings_them_back(app, name):
    bench = Bench(app, GEOMETRIES[name])
    try:
        before, volume = bench.labels, bench.volume()
        bench.use(KEY, "paint")
        bench.stroke((19, 20, 7), (20, 20, 7))
        painted = bench.labels
        voxels = np.count_nonzero(painted == LABEL) - np.count_nonzero(before == LABEL)
        assert voxels > 20
        assert painted[7, 20, 20] == LABEL
        grown = voxels * bench.session.geometry.voxel_volume_mm3 / 1000
        assert bench.volume() == pytest.approx(volume + grown)
        assert bench.session.row(KEY).state_text.startswith("edited")
        assert bench.editing.can_undo and not bench.editing.can_redo
        bench.editing.undo()
        np.testing.assert_array_equal(bench.labels, before)
        assert bench.volume() == volume and bench.session.row(KEY).state_text.startswith("automatic")
        bench.editing.redo()
        np.testing.assert_array_equal(bench.labels, painted)
        assert bench.steps >= 3
    finally:
        bench.close()


def test_painting_over_a_neighbour_takes_its_voxels_and_undo_returns_them(bench):
    before, neighbour = bench.labels, bench.volume("SACRUM")
    bench.use(KEY, "paint")
    bench.stroke((18, 7, 4))
    assert bench.volume("SACRUM") < neighbour
    assert {event.key for event in bench.session.history} == {KEY, "SACRUM"}
    bench.editing.undo()
    np.testing.assert_array_equal(bench.labels, before)


def test_the_rubber_only_takes_from_the_chosen_segment(bench):
    before = bench.labels
    bench.use(KEY, "erase")
    bench.stroke((8, 20, 7))
    after = bench.labels
    assert after[7, 20, 8] == 0
    assert set(np.unique(before[before != after])) == {LABEL}
    bench.use("SACRUM", "erase")
    bench.stroke((8, 24, 7))
    np.testing.assert_array_equal(bench.labels, after)


def test_a_structure_that_was_not_found_can_be_painted(bench):
    assert not bench.session.row("PSOAS_left").found
    bench.use("PSOAS_left", "paint")
    bench.stroke((20, 22, 7))
    assert bench.session.row("PSOAS_left").found
    assert np.count_nonzero(bench.labels == 112) > 20


def test_a_stroke_that_changes_nothing_is_no_correction(bench):
    bench.use(KEY, "erase")
    bench.stroke((37, 3, 1))
    assert not bench.editing.can_undo and not bench.session.history


def test_the_threshold_keeps_what_is_within_it(bench):
    hu, before = bench.session.volume.hu, bench.labels
    bench.use(KEY, "threshold")
    assert bench.editing.apply("threshold")
    expected = (before == LABEL) & (hu >= SETTINGS["threshold_low"])
    np.testing.assert_array_equal(bench.labels == LABEL, expected)
    assert not bench.editing.apply("threshold"), "a second time there is nothing left to do"


def test_islands_leave_the_largest_piece_or_drop_small_ones(bench):
    bench.use(KEY, "paint")
    bench.stroke((20, 26, 7))
    bench.stroke((33, 5, 3))
    pieces = bench.labels == LABEL
    bench.use(KEY, "islands", islands_mode="remove_small", islands_voxels=10_000)
    bench.editing.apply("islands")
    assert not (bench.labels == LABEL).any()
    bench.editing.undo()
    np.testing.assert_array_equal(bench.labels == LABEL, pieces)
    bench.use(KEY, "islands")
    bench.editing.apply("islands")
    left = bench.labels == LABEL
    assert left[7, 20, 8] and not left[3, 5, 33] and (pieces | ~left).all()


@pytest.mark.parametrize("mode", ["median", "opening", "closing", "gaussian"])
def test_smoothing_spares_the_neighbours(bench, mode):
    bench.use(KEY, "paint")
    bench.stroke((16, 20, 7))
    before = bench.labels
    bench.use(KEY, "smooth", smooth_mode=mode)
    bench.editing.apply("smooth")
    after = bench.labels
    others = ~np.isin(before, (0, LABEL))
    np.testing.assert_array_equal(after[others], before[others])
    core = np.zeros_like(others)
    core[5:10, 16:24, 6:12] = True
    assert (after[core] == LABEL).all(), "the inside stays"
    if mode in ("median", "gaussian", "opening"):
        assert (before != after).any()


def test_revert_brings_the_automatic_version_back_and_can_be_undone(bench):
    automatic = bench.labels
    bench.use(KEY, "erase")
    bench.stroke((8, 20, 7))
    erased = bench.labels
    bench.editing.revert(KEY)
    np.testing.assert_array_equal(bench.labels, automatic)
    assert [event.what for event in bench.session.history][-1] == "reverted"
    bench.editing.undo()
    np.testing.assert_array_equal(bench.labels, erased)


def test_tools_that_are_put_away_touch_the_session_no_more(bench):
    bench.use(KEY, "paint")
    effect = bench.app.segmentation_editor.active_effect
    bench.editing.close()
    assert effect.after_stroke is None
    assert bench.app.segmentation_editor.active_effect is not effect
