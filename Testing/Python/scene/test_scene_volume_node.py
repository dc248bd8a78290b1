from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from MSKSegmentLib.errors import InputError  # noqa: E402
from MSKSegmentLib.scene import add_ct, volume_of_node  # noqa: E402
from MSKSegmentLib.scene.geometry import add_scalar_volume, vtk_matrix  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]


def under_transform(scene, node, matrix):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtk_matrix(np.asarray(matrix, float)))
    node.SetAndObserveTransformNodeID(transform.GetID())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_ct_comes_back_as_it_went_in(scene, name):
    volume = make_ct(GEOMETRIES[name])
    found = volume_of_node(add_ct(scene, volume))
    assert found.geometry.matches(volume.geometry, 1e-6)
    assert found.geometry.direction == pytest.approx(np.array(volume.geometry.direction), abs=1e-9)
    np.testing.assert_array_equal(found.hu, volume.hu)


def test_int16_is_shared_and_protected(scene):
    node = add_ct(scene, make_ct(AXIAL))
    first, second = volume_of_node(node), volume_of_node(node)
    assert np.shares_memory(first.hu, second.hu)
    with pytest.raises(ValueError, match="read-only"):
        first.hu[0] = 1


def test_float_values_are_rounded(scene):
    values = np.full(AXIAL.shape, 55.4, np.float32)
    values[0, 0, 0], values[0, 0, 1] = -30.6, 1e9
    hu = volume_of_node(add_scalar_volume(scene, values, AXIAL, "float")).hu
    assert hu.dtype == np.int16
    assert (hu[0, 0, 0], hu[0, 0, 1], hu[5, 5, 5]) == (-31, 32767, 55)


def test_an_extent_that_does_not_begin_at_zero(scene):
    node = add_ct(scene, make_ct(AXIAL))
    node.GetImageData().SetExtent(3, 42, -2, 27, 1, 14)
    assert volume_of_node(node).geometry.origin == pytest.approx(AXIAL.to_physical((3, -2, 1)))


def test_a_turned_and_shifted_volume_keeps_its_own_frame(scene):
    node = add_ct(scene, make_ct(AXIAL))
    under_transform(scene, node, [[0, -1, 0, 40], [1, 0, 0, -5], [0, 0, 1, 7], [0, 0, 0, 1]])
    assert volume_of_node(node).geometry.matches(AXIAL)


@pytest.mark.parametrize(
    "matrix", [np.diag([1.1, 1, 1, 1]), np.diag([-1, 1, 1, 1]), [[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]
)
def test_scaling_mirroring_and_shearing_transforms_are_refused(scene, matrix):
    node = add_ct(scene, make_ct(AXIAL))
    under_transform(scene, node, matrix)
    with pytest.raises(InputError, match="harden the transform"):
        volume_of_node(node)


def test_a_bending_transform_is_refused(scene):
    node = add_ct(scene, make_ct(AXIAL))
    warp = vtk.vtkThinPlateSplineTransform()
    points = [vtk.vtkPoints(), vtk.vtkPoints()]
    for point in np.eye(4, 3) * 50:
        points[0].InsertNextPoint(*point)
        points[1].InsertNextPoint(*(point * [1, 2, 1] + [0, 0, 3]))
    warp.SetSourceLandmarks(points[0])
    warp.SetTargetLandmarks(points[1])
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(warp)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="harden the transform"):
        volume_of_node(node)


def test_what_is_no_ct_is_refused(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    with pytest.raises(InputError, match="holds no image"):
        volume_of_node(empty)
    labelmap = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    with pytest.raises(InputError, match="not a CT"):
        volume_of_node(labelmap)
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colours")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_SHORT, 3)
    vector.SetAndObserveImageData(image)
    with pytest.raises(InputError, match="3 values per voxel"):
        volume_of_node(vector)
    values = np.zeros(AXIAL.shape, np.float32)
    values[3, 3, 3] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        volume_of_node(add_scalar_volume(scene, values, AXIAL, "holes"))
