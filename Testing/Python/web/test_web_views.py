"""The views of the page without a browser: what they draw, and what they are fitted to."""

import asyncio

import numpy as np
import pytest
from scene_cases import GEOMETRIES
from web_sessions import make_session

pytest.importorskip("trame_slicer")

SIZES = {"Red": (420, 300), "Green": (300, 200), "Yellow": (300, 200), "ThreeD": (200, 200)}


class Shown:
    """A case in views of known sizes."""

    def __init__(self, views, scene, session):
        self.views, self.scene, self.session = views, scene, session

    def node(self, name):
        return self.views.slice_view(name).get_view_node()

    def picture(self, name):
        """What a view shows, uint8 ``[y, x, 3]``."""
        import vtk
        from vtk.util.numpy_support import vtk_to_numpy

        window = self.views.slice_view(name).render_window()
        window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.Update()
        x, y, _ = grab.GetOutput().GetDimensions()
        return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(y, x, -1)[::-1, :, :3].astype(int)

    def resize(self, name, width, height):
        from trame_slicer.rca_view.rca_view_factory import RcaWindow

        view = self.views.slice_view(name)
        RcaWindow(view.render_window(), self.views._state, "cursor").process_resize_event(width, height)


@pytest.fixture(scope="module")
def shown():
    import slicer
    from trame.app import get_server

    from MSKSegmentLib.web.page.state import initial_state
    from MSKSegmentLib.web.views.case_scene import CaseScene
    from MSKSegmentLib.web.views.four_views import Views

    async def make():
        server = get_server("views", client_type="vue3")
        server.state.update(initial_state())
        views = Views(server)
        for name, size in SIZES.items():
            views.app.view_manager.get_view(name).update_size(*size)
        session = make_session(GEOMETRIES["axial"])
        return Shown(views, CaseScene(views, session), session)

    loop = asyncio.new_event_loop()
    made = loop.run_until_complete(make())
    yield made
    made.scene.close()
    made.views.close()
    for factory in (slicer.vtkMRMLSliceViewDisplayableManagerFactory, slicer.vtkMRMLThreeDViewDisplayableManagerFactory):
        factory.GetInstance().SetMRMLApplicationLogic(None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def middle_of(session, key):
    """LPS position inside a segment, and its place as a share of the axial view's width and height."""
    mask = session.mask(key)
    start, size = np.array(mask.box.start_xyz), np.array(mask.box.size_xyz)
    return session.geometry.to_physical(start + size // 2)


def pixel(shown, name, point_lps):
    """Row and column of a point in a view's picture."""
    import vtk

    to_xy = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(shown.node(name).GetXYToRAS(), to_xy)
    x, y, _, _ = to_xy.MultiplyPoint((-point_lps[0], -point_lps[1], point_lps[2], 1.0))
    return SIZES[name][1] - 1 - round(y), round(x)


def test_the_fill_of_a_segment_lies_on_the_ct_and_not_on_black(shown):
    shown.scene.emphasize("GMAX_left")
    point = middle_of(shown.session, "GMAX_left")
    shown.views.jump(tuple(point), shown.scene.ct)
    row, column = pixel(shown, "Red", point)
    filled = shown.picture("Red")[row - 2 : row + 3, column - 2 : column + 3].mean(axis=(0, 1))
    shown.scene.show_segments(False)
    bare = shown.picture("Red")[row - 2 : row + 3, column - 2 : column + 3].mean(axis=(0, 1))
    shown.scene.show_segments(True)
    color = np.array([160, 42, 40])
    assert np.ptp(bare) < 3 and bare.mean() == pytest.approx((55 - 40) / 400 * 255 + 127.5, abs=8)
    np.testing.assert_allclose(filled, 0.6 * bare + 0.4 * color, atol=6)


def test_a_jump_brings_all_slices_through_the_point(shown):
    point = middle_of(shown.session, "SACRUM")
    shown.views.jump(tuple(point), shown.scene.ct)
    for name, axis, in_ras in (("Red", 2, point[2]), ("Green", 1, -point[1]), ("Yellow", 0, -point[0])):
        assert shown.node(name).GetSliceToRAS().GetElement(axis, 3) == pytest.approx(in_ras, abs=1.6)


def test_slices_fill_their_views_and_stay_so_when_these_change_their_size(shown):
    bounds = (-60.0, 20.0, -40.0, 10.0, -380.0, -300.0)
    shown.views.fit(bounds)
    for size in (SIZES["Red"], (200, 420), (420, 300)):
        shown.resize("Red", *size)
        across, up, _ = shown.node("Red").GetFieldOfView()
        assert across >= 80 and up >= 50
        assert across < 1.1 * 80 or up < 1.1 * 50, "one direction is filled"
        assert across / up == pytest.approx(size[0] / size[1])


def test_a_view_that_was_zoomed_keeps_that(shown):
    shown.views.fit((-60.0, 20.0, -40.0, 10.0, -380.0, -300.0))
    shown.views.slice_view("Red").zoom(0.5)
    before = shown.node("Red").GetFieldOfView()[0] / 420
    shown.resize("Red", 400, 300)
    assert shown.node("Red").GetFieldOfView()[0] / 400 == pytest.approx(before, rel=0.1)
    shown.resize("Red", 420, 300)


def test_window_presets_are_those_that_are_named(shown):
    display = shown.scene.ct.GetDisplayNode()
    shown.scene.set_window("bone")
    assert (display.GetWindow(), display.GetLevel()) == (1800, 400)
    shown.scene.set_window("soft")
    assert (display.GetWindow(), display.GetLevel()) == (400, 40)


def test_the_overlay_is_made_when_it_is_first_shown(shown):
    composite = shown.views.slice_view("Red")
    assert composite.get_foreground_volume_id() is None
    top, unit = shown.scene.show_uncertainty(0.7).split("\u00a0")
    assert unit == "‰" and float(top) == pytest.approx(1000 * shown.session.result.uncertainty.max(), rel=0.02)
    assert composite.get_foreground_opacity() == pytest.approx(0.7)
    shown.scene.show_uncertainty(0.0)
    assert composite.get_foreground_volume_id() is None


def test_3d_shows_the_segment_among_the_bones_or_the_density(shown):
    from MSKSegmentLib.scene.surfaces import surface_node

    assert set(shown.scene.missing_surfaces("segment", "GMAX_left")) == {"GMAX_left", "SACRUM"}
    assert shown.scene.show_three_d("segment", "GMAX_left")
    display = surface_node(shown.scene.segmentation).GetDisplayNode()
    assert display.GetSegmentOpacity3D("GMAX_left") == 1.0 and display.GetSegmentOpacity3D("SACRUM") < 0.5
    assert shown.scene.missing_surfaces("segment", "GMAX_left") == []
    assert shown.scene.show_three_d("density", "GMAX_left")
    assert not display.GetSegmentVisibility3D("GMAX_left")
    assert not shown.scene.show_three_d("density", "SACRUM"), "a bone has no muscle density"
    assert not shown.scene.show_three_d("segment", "PSOAS_left"), "not found"


class Mouse:
    """The left button in the axial view, with the events that the page sends."""

    def __init__(self, shown):
        from trame_slicer.rca_view.rca_view_factory import RcaWindow

        self.window = RcaWindow(shown.views.slice_view("Red").render_window(), shown.views._state, "cursor")

    def send(self, kind, x, y):
        held = dict.fromkeys(("ctrlKey", "shiftKey", "altKey"), 0)
        self.window.process_interaction_event({"type": kind, "x": x, "y": y, "w": SIZES["Red"][0], "h": SIZES["Red"][1], **held})

    def drag(self, *points):
        self.send("MouseMove", *points[0])
        self.send("LeftButtonPress", *points[0])
        for point in points[1:]:
            self.send("MouseMove", *point)
        self.send("LeftButtonRelease", *points[-1])


def test_a_drag_changes_the_window_and_a_click_brings_the_other_views(shown):
    from MSKSegmentLib.web.views.mouse import MouseActions, follow_mouse

    free, points, window = [True], [], [(400.0, 40.0)]
    actions = MouseActions(lambda: free[0], lambda: window[-1], window.append, points.append)
    follow_mouse(shown.views.slice_view("Red"), actions)
    mouse, (width, height) = Mouse(shown), SIZES["Red"]
    mouse.drag((100, 100), (100 + width // 2, 100 + height // 3))
    wider, level = window[-1]
    assert wider == pytest.approx(400 * 6**0.5, rel=0.01) and level == pytest.approx(40 - 400 / 3, abs=2) and not points
    target = middle_of(shown.session, "GMAX_left")
    shown.views.jump(tuple(middle_of(shown.session, "SACRUM")), shown.scene.ct)
    shown.views.step("Red", 1)
    row, column = pixel(shown, "Red", target)
    before = len(window)
    mouse.drag((column, height - 1 - row))
    ((r, a, _),) = points
    assert (r, a) == pytest.approx((-target[0], -target[1]), abs=1.5) and len(window) == before
    # A tool has the button.
    free[0] = False
    mouse.drag((100, 100), (200, 200))
    mouse.drag((100, 100))
    assert len(window) == before and len(points) == 1


def test_steps_and_fitting_keep_to_the_scan_and_undo_what_a_hand_has_moved(shown):
    low, high = shown.views.slice_view("Red").get_slice_range()
    shown.views.step("Red", -1000)
    assert shown.views.slice_view("Red").get_slice_value() == pytest.approx(low)
    shown.views.step("Red", 1)
    assert shown.views.slice_view("Red").get_slice_value() == pytest.approx(low + shown.views.slice_view("Red").get_slice_step())
    shown.node("Red").SetXYZOrigin(30, 20, 0)
    shown.scene.fit()
    assert shown.node("Red").GetXYZOrigin() == (0, 0, 0)
