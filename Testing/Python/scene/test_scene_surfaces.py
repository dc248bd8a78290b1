from __future__ import annotations

import numpy as np
import pytest
from scene_cases import BOXES, GEOMETRIES, make_ct, make_labels, make_result

slicer = pytest.importorskip("slicer")
import vtk  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.ct.boxes import Box  # noqa: E402
from MSKSegmentLib.ct.volume import Geometry  # noqa: E402
from MSKSegmentLib.review.masks import SegmentMask  # noqa: E402
from MSKSegmentLib.scene import (  # noqa: E402
    add_ct,
    add_segmentation,
    bounds_ras,
    ensure_closed_surface,
    put_mask,
    segment_labels,
    show_only_3d,
)
from MSKSegmentLib.scene.geometry import oriented_image, vtk_matrix  # noqa: E402
from MSKSegmentLib.scene.smooth_surface import smooth_surface  # noqa: E402
from MSKSegmentLib.scene.surfaces import BONE_3D_COLOR, CLOSED_SURFACE, surface_node  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]


def node_of(scene, geometry=AXIAL):
    return add_segmentation(scene, make_result(geometry), add_ct(scene, make_ct(geometry)))


def surface(node, key):
    return surface_node(node).GetSegmentation().GetSegment(key).GetRepresentation(CLOSED_SURFACE)


def shown(node):
    display = node.GetDisplayNode()
    return {key for key in node.GetSegmentation().GetSegmentIDs() if display.GetSegmentVisibility3D(key)}


def erase_sacrum_but_one_slice(node):
    mask = np.zeros(AXIAL.shape, bool)
    mask[4, 4:10, 15:22] = True
    put_mask(node, "SACRUM", SegmentMask(Box((0, 0, 0), AXIAL.size), mask))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_surface_lies_where_slicers_own_lies_and_numbers_stay(scene, name):
    geometry = GEOMETRIES[name]
    node, other = node_of(scene, geometry), node_of(scene, geometry)
    before = segment_labels(node, geometry)
    ensure_closed_surface(node, ["GMAX_right", "VM_left"])
    np.testing.assert_array_equal(segment_labels(node, geometry), before)
    other.CreateClosedSurfaceRepresentation()
    for key in ("GMAX_right", "VM_left"):
        made = surface(node, key)
        slicers = other.GetSegmentation().GetSegment(key).GetRepresentation(CLOSED_SURFACE)
        np.testing.assert_allclose(made.GetBounds(), slicers.GetBounds(), atol=0.8 * max(geometry.spacing))
        assert bounds_ras(node, [key]) == pytest.approx(made.GetBounds(), abs=1e-3)
        assert bounds_ras(other, [key]) == pytest.approx(slicers.GetBounds(), abs=1e-3)
    volume = (before == HIP_AND_THIGH.segment("GMAX_right").label).sum() * geometry.voxel_volume_mm3
    # Positive: the triangles face outwards, also on mirrored grids.
    assert enclosed(surface(node, "GMAX_right")) == pytest.approx(volume, rel=0.1)


def enclosed(polydata):
    """The volume inside a surface (mm3), from the flux through its triangles: negative where they face inwards."""
    points = vtk_to_numpy(polydata.GetPoints().GetData()).astype(float)
    a, b, c = points[vtk_to_numpy(polydata.GetPolys().GetConnectivityArray()).reshape(-1, 3)].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def test_a_thin_oblique_sheet_is_one_surface_without_holes(scene):
    """Such as the wing of the ilium; a crack of two voxels in it is bridged for the eye, and stays a crack in the labels."""
    size = (40, 40, 30)
    z, y, x = np.indices(size[::-1])
    plane = y - 8 - 0.6 * x
    # The voxels nearest to an oblique plane along y: one layer, of which some touch by their edges only.
    sheet = (plane > -0.5) & (plane <= 0.5) & (abs(x - 20) < 14) & (abs(z - 15) < 10)
    sheet[14:16] = False
    image = oriented_image(sheet.astype(np.uint8), Geometry(size, (2.0, 2.0, 3.0)))
    made = smooth_surface(image, is_bone=True)
    parts = vtk.vtkPolyDataConnectivityFilter()
    parts.SetInputData(made)
    parts.SetExtractionModeToAllRegions()
    parts.Update()
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(made)
    edges.FeatureEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.Update()
    triangles, corners = made.GetNumberOfPolys(), made.GetNumberOfPoints()
    assert parts.GetNumberOfExtractedRegions() == 1 and edges.GetOutput().GetNumberOfCells() == 0
    # Euler: a closed surface without a hole through it has 2 more corners and faces than edges.
    assert corners - 3 * triangles // 2 + triangles == 2


def test_only_what_is_asked_for_is_made(scene):
    node = node_of(scene)
    assert bounds_ras(node, ["GMAX_right"]) is None
    ensure_closed_surface(node, ["GMAX_right", "not there"])
    assert list(surface_node(node).GetSegmentation().GetSegmentIDs()) == ["GMAX_right"]
    assert not node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE), "a view would convert all segments"
    beside = surface_node(node)
    assert beside.GetHideFromEditors() and not beside.GetSaveWithScene() and not beside.GetDisplayNode().GetSaveWithScene()
    assert not beside.GetDisplayNode().GetVisibility2D()
    segment = beside.GetSegmentation().GetSegment("GMAX_right")
    assert segment.GetColor() == node.GetSegmentation().GetSegment("GMAX_right").GetColor()
    ensure_closed_surface(node, ["SACRUM"])
    assert beside.GetSegmentation().GetSegment("SACRUM").GetColor() == pytest.approx(BONE_3D_COLOR)


def test_a_surface_is_made_anew_when_its_segment_changed_and_only_then(scene):
    node = node_of(scene)
    ensure_closed_surface(node, ["SACRUM", "GMAX_right"])
    before = {key: surface(node, key) for key in ("SACRUM", "GMAX_right")}
    erase_sacrum_but_one_slice(node)
    ensure_closed_surface(node, ["SACRUM", "GMAX_right"])
    assert surface(node, "GMAX_right") is before["GMAX_right"]
    low, high = bounds_ras(node, ["SACRUM"])[4:]
    assert high - low < 2.1 * AXIAL.spacing[2]
    put_mask(node, "SACRUM", SegmentMask.empty())
    ensure_closed_surface(node, ["SACRUM"])
    assert surface(node, "SACRUM").GetNumberOfPoints() == 0
    assert bounds_ras(node, ["SACRUM"]) is None


def test_only_the_named_segments_are_shown(scene):
    node = node_of(scene)
    show_only_3d(node, ["GMAX_right", "SACRUM"])
    assert shown(surface_node(node)) == {"GMAX_right", "SACRUM"}
    show_only_3d(node, ["VM_left"])
    assert shown(surface_node(node)) == {"VM_left"}
    show_only_3d(node, None)
    assert shown(surface_node(node)) == set(BOXES)
    show_only_3d(node, [])
    assert shown(surface_node(node)) == set()
    assert node.GetDisplayNode().GetSegmentVisibility("GMAX_right"), "slice views must stay as they are"


def test_surfaces_that_the_segmentation_has_itself_are_used(scene):
    node = node_of(scene)
    show_only_3d(node, ["GMAX_right"])
    node.CreateClosedSurfaceRepresentation()  # "Show 3D"
    show_only_3d(node, ["SACRUM"])
    assert shown(node) == {"SACRUM"}
    assert shown(surface_node(node)) == set(), "it would be drawn twice"
    erase_sacrum_but_one_slice(node)
    low, high = bounds_ras(node, ["SACRUM"])[4:]
    assert high - low < 2.1 * AXIAL.spacing[2]


def test_surfaces_move_with_the_segmentation(scene):
    node = node_of(scene)
    show_only_3d(node, ["SACRUM"])
    r0, r1, a0, a1, s0, s1 = bounds_ras(node, ["SACRUM"])
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = [[0, -1, 0, 40], [1, 0, 0, -5], [0, 0, 1, 7], [0, 0, 0, 1]]
    transform.SetMatrixTransformToParent(vtk_matrix(np.array(turn, float)))
    node.SetAndObserveTransformNodeID(transform.GetID())
    show_only_3d(node, ["SACRUM"])
    assert surface_node(node).GetTransformNodeID() == transform.GetID()
    assert bounds_ras(node, ["SACRUM"]) == pytest.approx((40 - a1, 40 - a0, r0 - 5, r1 - 5, s0 + 7, s1 + 7), abs=1e-3)


def test_a_deleted_surface_node_is_made_again(scene):
    node = node_of(scene)
    show_only_3d(node, ["SACRUM"])
    scene.RemoveNode(surface_node(node))
    show_only_3d(node, ["SACRUM"])
    assert surface(node, "SACRUM").GetNumberOfPoints()
    assert (make_labels() == 3).any()
