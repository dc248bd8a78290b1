from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from MSKSegmentLib.scene import add_ct, jump_to, look_at, ras_of_lps  # noqa: E402
from MSKSegmentLib.scene.geometry import array_of_matrix, vtk_matrix  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]


def slice_node(scene, name, orientation):
    node = scene.CreateNodeByClass("vtkMRMLSliceNode")
    node.UnRegister(None)
    node.SetLayoutName(name)
    node.SetSingletonTag(name)
    node = scene.AddNode(node)
    node.SetOrientation(orientation)
    node.SetDimensions(200, 100, 1)
    node.SetFieldOfView(400, 200, 1)
    return node


def in_slice(node, point):
    """Where a point lies seen from the middle of the view: right, up, out of the plane (mm)."""
    return np.linalg.inv(array_of_matrix(node.GetSliceToRAS()))[:3] @ [*point, 1]


@pytest.mark.parametrize("orientation", ["Axial", "Sagittal", "Coronal"])
def test_the_slice_goes_to_the_point_and_keeps_its_frame(scene, orientation):
    node = slice_node(scene, "Red", orientation)
    point = (30.0, -25.0, 41.0)
    before = in_slice(node, point)
    jump_to(scene, point)
    after = in_slice(node, point)
    assert after[2] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(after[:2], before[:2], atol=1e-6)


def test_a_point_out_of_sight_becomes_the_middle(scene):
    axial, sagittal = slice_node(scene, "Red", "Axial"), slice_node(scene, "Yellow", "Sagittal")
    point = (10.0, 150.0, -60.0)  # too far to the front for the axial view, in sight of the sagittal one
    jump_to(scene, point)
    np.testing.assert_allclose(in_slice(axial, point), 0, atol=1e-6)
    assert in_slice(sagittal, point)[2] == pytest.approx(0, abs=1e-6)
    assert abs(in_slice(sagittal, point)[0]) == pytest.approx(150)


def test_the_crosshair_follows(scene):
    jump_to(scene, (1.0, 2.0, 3.0))
    assert scene.GetFirstNodeByClass("vtkMRMLCrosshairNode").GetCrosshairRAS() == pytest.approx((1, 2, 3))


def test_points_of_a_result_are_found_under_a_transform(scene):
    node = add_ct(scene, make_ct(AXIAL))
    assert ras_of_lps((3.0, -4.0, 5.0), node) == pytest.approx((-3, 4, 5))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = [[0, -1, 0, 40], [1, 0, 0, -5], [0, 0, 1, 7], [0, 0, 0, 1]]
    transform.SetMatrixTransformToParent(vtk_matrix(np.array(turn, float)))
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert ras_of_lps((3.0, -4.0, 5.0), node) == pytest.approx((-4 + 40, -3 - 5, 5 + 7))


def test_cameras_turn_to_a_box_and_keep_their_direction(scene):
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode")
    camera.SetPosition(0, -500, 0)
    camera.SetFocalPoint(0, 0, 0)
    look_at(scene, (-40, 20, 100, 160, -10, 50))
    assert camera.GetFocalPoint() == pytest.approx((-10, 130, 20))
    away = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    assert away[0] == pytest.approx(0) and away[2] == pytest.approx(0) and away[1] < 0
    radius = np.linalg.norm([60, 60, 60]) / 2
    half_angle = np.degrees(np.arcsin(radius / np.linalg.norm(away)))
    assert 0.8 * camera.GetViewAngle() / 2 < half_angle < camera.GetViewAngle() / 2
