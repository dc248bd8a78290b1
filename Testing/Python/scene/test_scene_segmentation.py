from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from scene_cases import BOXES, GEOMETRIES, NASTY_REASONS, lps_of_ras, make_ct, make_labels, make_result, tag  # noqa: E402

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.anatomy.terminology import terminology_entry  # noqa: E402
from MSKSegmentLib.case_result import Light, ReviewState, SegmentReport  # noqa: E402
from MSKSegmentLib.ct.volume import Geometry  # noqa: E402
from MSKSegmentLib.errors import InputError  # noqa: E402
from MSKSegmentLib.results.segmentation_file import SCORE_TAGS  # noqa: E402
from MSKSegmentLib.scene import (  # noqa: E402
    absent_segments,
    add_ct,
    add_segmentation,
    segment_labels,
    update_tags,
    write_seg_nrrd,
)
from MSKSegmentLib.scene.geometry import oriented_image  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]


def test_segments_carry_all_that_is_known(scene):
    node = add_segmentation(scene, make_result(AXIAL), name="左右")
    segmentation = node.GetSegmentation()
    assert node.GetName() == "左右"
    present = [segment for segment in HIP_AND_THIGH.segments if segment.key in BOXES]
    assert list(segmentation.GetSegmentIDs()) == [segment.key for segment in present]
    assert segmentation.GetNumberOfLayers() == 1
    for expected in present:
        segment = segmentation.GetSegment(expected.key)
        assert (segment.GetName(), segment.GetLabelValue()) == (expected.name, expected.label)
        assert tuple(round(channel * 255) for channel in segment.GetColor()) == expected.color
        assert tag(segment, "TerminologyEntry") == segment.GetTerminology() == terminology_entry(expected, HIP_AND_THIGH)
        assert json.loads(tag(segment, "MSKSegment.Reasons")) == list(NASTY_REASONS)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segmentation.GetSegment("GMAX_right")) == logic.Flagged
    assert set(absent_segments(node)) == {segment.key for segment in HIP_AND_THIGH.segments} - set(BOXES)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_voxels_lie_where_simpleitk_puts_them(scene, name):
    geometry, labels = GEOMETRIES[name], make_labels()
    node = add_segmentation(scene, make_result(geometry))
    image = geometry.image_of(labels)
    for label, key in ((104, "GMAX_left"), (4, "GMAX_right"), (3, "SACRUM")):
        indices = np.argwhere(labels == label)[:, ::-1]
        centre = np.mean([image.TransformIndexToPhysicalPoint(index.tolist()) for index in indices], axis=0)
        single = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(key, single)
        matrix = vtk.vtkMatrix4x4()
        single.GetImageToWorldMatrix(matrix)
        (i0, i1, j0, j1, k0, k1) = single.GetExtent()
        found = [
            matrix.MultiplyPoint((i, j, k, 1))[:3]
            for k in range(k0, k1 + 1)
            for j in range(j0, j1 + 1)
            for i in range(i0, i1 + 1)
            if single.GetScalarComponentAsDouble(i, j, k, 0) > 0
        ]
        assert len(found) == len(indices)
        np.testing.assert_allclose(lps_of_ras(np.mean(found, axis=0)), centre, atol=1e-3)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_labels_come_back_unchanged(scene, name):
    node = add_segmentation(scene, make_result(GEOMETRIES[name]))
    labels = segment_labels(node, GEOMETRIES[name])
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, make_labels())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_labels_come_back_from_the_file_of_the_node(scene, tmp_path, name):
    node = add_segmentation(scene, make_result(GEOMETRIES[name]))
    path = tmp_path / "編集.seg.nrrd"
    write_seg_nrrd(node, path)
    again = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(again)
    np.testing.assert_array_equal(segment_labels(again, GEOMETRIES[name]), make_labels())
    assert tag(again.GetSegmentation().GetSegment("SACRUM"), "MSKSegment.Light") == "green"
    image = sitk.ReadImage(str(path))
    assert Geometry.of_image(image).matches(GEOMETRIES[name])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def edit(node, key, mask, geometry=AXIAL):
    """Add the voxels of a mask to a segment as the Segment Editor does, with overlap allowed."""
    painted = oriented_image(mask.astype(np.uint8), geometry)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(painted, node, key, logic.MODE_MERGE_MASK)


def test_edits_come_back(scene):
    node = add_segmentation(scene, make_result(AXIAL))
    stroke = np.zeros(AXIAL.shape, bool)
    stroke[13, 0:3, 0:5] = True  # outside the cropped labelmap, over background
    edit(node, "SACRUM", stroke)
    expected = make_labels()
    expected[stroke] = 3
    np.testing.assert_array_equal(segment_labels(node, AXIAL), expected)


@pytest.mark.parametrize("order", [("GMAX_right", "GMAX_left"), ("GMAX_left", "GMAX_right")])
def test_the_later_segment_wins_an_overlap(scene, order):
    node = add_segmentation(scene, make_result(AXIAL))
    segmentation = node.GetSegmentation()
    segmentation.SetSegmentIndex(order[1], segmentation.GetNumberOfSegments() - 1)
    stroke = np.zeros(AXIAL.shape, bool)
    stroke[5:8, 15:20, 26:30] = True  # inside GMAX_left
    segmentation.SeparateSegmentLabelmap("GMAX_right")
    edit(node, "GMAX_right", stroke)
    assert segmentation.GetNumberOfLayers() == 2
    expected = make_labels()
    expected[stroke] = 104 if order[1] == "GMAX_left" else 4
    np.testing.assert_array_equal(segment_labels(node, AXIAL), expected)


def test_foreign_segments_do_not_count(scene):
    node = add_segmentation(scene, make_result(AXIAL))
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    node.GetSegmentation().SeparateSegmentLabelmap("tumour")
    mask = np.zeros(AXIAL.shape, bool)
    mask[12:, 28:, :] = True
    edit(node, "tumour", mask)
    np.testing.assert_array_equal(segment_labels(node, AXIAL), make_labels())


def test_a_node_without_our_segments_gives_zeros(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert absent_segments(node) == ()
    assert not segment_labels(node, AXIAL).any()


def test_a_shifted_window_of_the_grid_is_cut_and_padded(scene):
    node = add_segmentation(scene, make_result(GEOMETRIES["oblique"]))
    window = GEOMETRIES["oblique"].cropped((10, -5, 4), (45, 25, 6))
    expected = np.zeros(window.shape, np.uint8)
    expected[:, 5:, :30] = make_labels()[4:10, :20, 10:]
    np.testing.assert_array_equal(segment_labels(node, window), expected)
    elsewhere = GEOMETRIES["oblique"].cropped((100, 0, 0), (5, 5, 5))
    assert not segment_labels(node, elsewhere).any()


@pytest.mark.parametrize("name", ["axial", "oblique", "left_handed"])
def test_another_grid_gets_the_nearest_voxels(scene, name):
    geometry = GEOMETRIES[name]
    node = add_segmentation(scene, make_result(geometry))
    moved = geometry.to_physical((-0.3, 0.2, 0.1))
    finer = replace(geometry, size=(75, 55, 26), spacing=(0.43, 0.47, 1.63), origin=tuple(float(v) for v in moved))
    image = geometry.image_of(make_labels())
    target = finer.image_of(np.zeros(finer.shape, np.uint8))
    expected = sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkNearestNeighbor))
    found = segment_labels(node, finer)
    assert np.count_nonzero(expected) > 10_000
    np.testing.assert_array_equal(found, expected)


def test_a_turned_grid_gets_the_nearest_voxels(scene):
    geometry = GEOMETRIES["oblique"]
    node = add_segmentation(scene, make_result(geometry))
    centre = geometry.to_physical(np.array(geometry.size) / 2)
    turned = Geometry((60, 60, 60), (1.0, 1.0, 1.0), tuple(float(v) for v in centre - 30))
    target = turned.image_of(np.zeros(turned.shape, np.uint8))
    image = geometry.image_of(make_labels())
    expected = sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkNearestNeighbor))
    found = segment_labels(node, turned)
    assert np.count_nonzero(expected) > 5_000
    # a voxel centre exactly between two others may go to either
    assert np.count_nonzero(found != expected) < 0.001 * np.count_nonzero(expected)


def test_surfaces_alone_are_refused_in_words(scene):
    node = add_segmentation(scene, make_result(AXIAL))
    assert node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()
    with pytest.raises(InputError, match="surfaces only"):
        segment_labels(node, AXIAL)


@pytest.mark.parametrize("name", ["axial", "oblique_left_handed"])
def test_surfaces_enclose_the_voxels(scene, name):
    geometry, labels = GEOMETRIES[name], make_labels()
    node = add_segmentation(scene, make_result(geometry))
    node.GetSegmentation().SetConversionParameter("Smoothing factor", "0")
    assert node.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation("GMAX_right", surface)
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    voxels = np.count_nonzero(labels == 4) * geometry.voxel_volume_mm3
    assert mass.GetVolume() == pytest.approx(voxels, rel=0.03)


def test_tags_follow_a_review(scene):
    result = make_result(AXIAL)
    node = add_segmentation(scene, result)
    edited = tuple(replace(r, light=Light.GREEN, state=ReviewState.EDITED, reasons=()) for r in result.reports)
    update_tags(node, edited)
    segment = node.GetSegmentation().GetSegment("GMAX_right")
    assert tag(segment, "MSKSegment.State") == "edited"
    assert json.loads(tag(segment, "MSKSegment.Reasons")) == []
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segment) == logic.InProgress
    accepted = node.GetSegmentation().GetSegment("GMAX_left")
    assert all(tag(accepted, name) for name in SCORE_TAGS)
    # A correction takes all scores with it.
    bare = tuple(SegmentReport(report.segment, Light.GREY, ()) for report in edited)
    update_tags(node, bare)
    assert not [name for name in SCORE_TAGS for one in (segment, accepted) if tag(one, name) is not None]


def test_the_node_follows_its_ct(scene):
    ct = add_ct(scene, make_ct(AXIAL))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    node = add_segmentation(scene, make_result(AXIAL), ct)
    assert node.GetParentTransformNode() is transform
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is ct


def test_an_unwritable_place_is_reported(scene, tmp_path):
    node = add_segmentation(scene, make_result(AXIAL))
    with pytest.raises(InputError, match=r"a\.seg\.nrrd could not be written"):
        write_seg_nrrd(node, tmp_path / "missing" / "a.seg.nrrd")
