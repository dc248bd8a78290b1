"""Views of the project: radiographs where the CT lies, equal scales, two scans that move together, what others leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_result

from MSKSegmentLib.ct.checks.volume import METAL_HU
from MSKSegmentLib.ct.orientation import axis_order
from MSKSegmentLib.ct.radiograph import RayDirection, both_radiographs
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.scene import add_case, add_ct, jump_to, set_uncertainty_overlay
from MSKSegmentLib.scene.geometry import array_of_image
from MSKSegmentLib.scene.linked_slices import LinkedSlices
from MSKSegmentLib.scene.own_views import (
    CURRENT,
    EARLIER,
    RADIOGRAPHS,
    SIDES,
    TWO_DATES,
    aim_slice,
    equal_boxes,
    offer_layouts,
    shown_width,
)
from MSKSegmentLib.scene.radiograph_nodes import add_radiographs, fit_radiographs, radiograph_nodes
from MSKSegmentLib.scene.roles import is_own_view
from MSKSegmentLib.scene.segment_views import SegmentsHidden

pytest_plugins = ("scene_fixtures",)


def slice_node(scene, name, size=(400, 300)):
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
    node.SetLayoutName(name)
    node.SetOrientation("Axial")
    node.SetDimensions(*size, 1)
    return node


@pytest.mark.parametrize("name", ["axial", "feet_first", "oblique"])
def test_radiographs_lie_where_the_ct_lies_and_stay_with_the_case(scene, name):
    volume = make_ct(GEOMETRIES[name])
    hu = volume.hu.copy()
    hu[4:9, 12:18, 28:34] = METAL_HU + 500
    volume = CTVolume(hu, volume.geometry)
    ct = add_ct(scene, volume)
    case = add_case(scene, make_result(volume.geometry), ct)
    assert radiograph_nodes(case.state) is None
    nodes = add_radiographs(case.state, ct, volume)
    assert radiograph_nodes(case.state) == nodes
    order = axis_order(volume.geometry.direction)
    expected = both_radiographs(order.apply(hu), order.geometry(volume.geometry))
    bounds, whole = [0.0] * 6, [0.0] * 6
    ct.GetRASBounds(whole)
    for view, one in nodes.items():
        image = array_of_image(one.image.GetImageData())
        np.testing.assert_array_equal(np.squeeze(image, view.value), expected[view].water_mm)
        np.testing.assert_array_equal(np.squeeze(array_of_image(one.metal.GetImageData()), view.value), expected[view].metal)
        assert one.metal.GetImageData().GetScalarRange() == (0, 1)
        # One voxel that is as long as the rays: it fills the CT.
        one.image.GetRASBounds(bounds)
        np.testing.assert_allclose(bounds, whole, atol=1e-3)


def test_radiographs_are_shown_at_one_scale_and_as_a_whole(scene):
    volume = make_ct(GEOMETRIES["axial"])
    ct = add_ct(scene, volume)
    found = add_radiographs(add_case(scene, make_result(volume.geometry), ct).state, ct, volume)
    shown = [(slice_node(scene, name), found[view]) for name, view in zip(RADIOGRAPHS.slices, RayDirection, strict=True)]
    shown[1][0].SetDimensions(200, 500, 1)
    fit_radiographs(shown)
    scales = [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node, _ in shown]
    assert scales[0] == pytest.approx(scales[1])
    for (node, _), width in zip(shown, (40 * 0.8, 30 * 0.9), strict=True):
        assert node.GetFieldOfView()[0] >= width and node.GetFieldOfView()[1] >= 14 * 3.1


def test_the_views_of_others_leave_these_alone(scene):
    own, users = slice_node(scene, EARLIER.name), slice_node(scene, "Red")
    composites = []
    for name in (EARLIER.name, "Red"):
        composite = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name)
        composite.SetLayoutName(name)
        composites.append(composite)
    assert [is_own_view(node) for node in (own, users, *composites)] == [True, False, True, False]
    jump_to(scene, (0.0, 0.0, 25.0))
    assert users.GetSliceOffset() == 25 and own.GetSliceOffset() == 0
    volume = make_ct(GEOMETRIES["axial"])
    case = add_case(scene, make_result(volume.geometry), add_ct(scene, volume))
    set_uncertainty_overlay(scene, case.uncertainty, 0.5, True)
    assert composites[1].GetForegroundVolumeID() == case.uncertainty.GetID() and composites[0].GetForegroundVolumeID() is None


def test_two_scans_move_together_by_as_many_millimetres_at_one_scale(scene):
    before, after = slice_node(scene, EARLIER.name), slice_node(scene, CURRENT.name, (300, 420))
    aim_slice(before, (10.0, 20.0, -300.0), 150.0)
    aim_slice(after, (0.0, 0.0, 80.0), 150.0)
    link = LinkedSlices(before, after)
    after.SetSliceOffset(after.GetSliceOffset() + 12.5)
    assert before.GetSliceOffset() == pytest.approx(-287.5) and after.GetSliceOffset() == pytest.approx(92.5)
    before.SetSliceOffset(-300.0)
    assert after.GetSliceOffset() == pytest.approx(80.0)
    before.SetFieldOfView(100.0, 75.0, 1.0)
    assert shown_width(after) == pytest.approx(75.0)
    before.SetXYZOrigin(5.0, -3.0, 0.0)
    assert after.GetXYZOrigin()[:2] == (5.0, -3.0)
    # A window of another size is no zoom.
    after.SetDimensions(600, 840, 1)
    assert shown_width(before) == pytest.approx(75.0)
    link.close()
    after.SetSliceOffset(0.0)
    assert before.GetSliceOffset() == pytest.approx(-300.0)


def test_segments_are_hidden_from_some_views_until_these_are_left(scene):
    own, users = slice_node(scene, EARLIER.name), slice_node(scene, "Red")
    volume = make_ct(GEOMETRIES["axial"])
    displays = []
    for _ in range(3):
        case = add_case(scene, make_result(volume.geometry), add_ct(scene, volume))
        displays.append(case.segmentation.GetDisplayNode())
    displays[1].AddViewNodeID(users.GetID())
    hidden = SegmentsHidden(scene, (EARLIER.name,), (case.segmentation,))
    assert [display.IsDisplayableInView(own.GetID()) for display in displays] == [False, False, True]
    assert all(display.IsDisplayableInView(users.GetID()) for display in displays)
    hidden.close()
    assert displays[0].GetNumberOfViewNodeIDs() == 0 and displays[1].GetViewNodeIDs() == (users.GetID(),)


def test_boxes_are_made_equal_around_their_middles():
    small, large = (0.0, 2.0, 0.0, 2.0, 0.0, 2.0), (10.0, 20.0, -5.0, 1.0, 0.0, 4.0)
    boxes = equal_boxes([small, large])
    assert boxes[1] == large and boxes[0] == (-4.0, 6.0, -2.0, 4.0, -1.0, 3.0)


def test_the_layouts_are_known_to_slicer_s_own_layout_logic(scene):
    import slicer

    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(scene)
    layout = logic.GetLayoutNode()
    offer_layouts(layout)
    offer_layouts(layout)
    for one in (RADIOGRAPHS, SIDES, TWO_DATES):
        layout.SetViewArrangement(one.number)
        shown = logic.GetViewNodes()
        names = {shown.GetItemAsObject(number).GetLayoutName() for number in range(shown.GetNumberOfItems())}
        assert names == {view.name for row in one.rows for view in row}
    logic.SetMRMLScene(None)
