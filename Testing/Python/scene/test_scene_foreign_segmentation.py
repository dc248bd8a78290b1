"""Segmentation nodes of other modules, written for an import: what they are recognised as, where they lie, surfaces."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer")

import slicer
import vtk
from foreign_masks import drawn_by, names_of
from foreign_nodes import musclemap_node, totalsegmentator_node
from given_labels import body

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.label_resampling import place_or_resample
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import read_mask, translate
from MSKSegmentLib.scene import add_ct, volume_of_node, write_foreign_segmentation
from MSKSegmentLib.scene.geometry import oriented_image

pytest_plugins = ("scene_fixtures",)


@pytest.fixture(scope="module")
def case():
    return body()


def translated(node, ct, path):
    """The translation of a node's file, and its labels on the CT's grid: Slicer writes the part of it that is not empty."""
    write_foreign_segmentation(node, ct, path)
    found = translate(read_mask(path), HIP_AND_THIGH)
    return replace(found, labels=place_or_resample(found.labels, found.geometry, volume_of_node(ct).geometry)[0].labels)


def test_a_label_map_without_names_is_known_by_the_values_in_slicers_names(scene, case, tmp_path):
    labels, volume = case
    ct = add_ct(scene, volume, "CT")
    node = musclemap_node(scene, drawn_by("musclemap", labels), volume.geometry)
    assert {name[:6] for name in names(node)} == {"Label_"}
    whole = translated(node, ct, tmp_path / "whole.seg.nrrd")
    assert whole.label_table.name == "musclemap" and whole.recognised_by == "its values"
    assert (whole.labels == labels).all()
    # A segment that was painted on gets a layer of its own, in which its value is another one.
    segmentation = node.GetSegmentation()
    alone = (labels == HIP_AND_THIGH.segment("PSOAS_left").label).astype(np.uint8)
    segmentation.GetNthSegment(0).AddRepresentation("Binary labelmap", oriented_image(alone, volume.geometry))
    segmentation.GetNthSegment(0).SetLabelValue(1)
    assert segmentation.GetNumberOfLayers() == 2
    again = translated(node, ct, tmp_path / "again.seg.nrrd")
    assert segmentation.GetNthSegment(0).GetLabelValue() != 5121
    assert again.label_table.name == "musclemap" and (again.labels == labels).all()


def test_totalsegmentators_identifiers_tell_whatever_its_segments_are_called(scene, case, tmp_path):
    labels, volume = case
    node = totalsegmentator_node(scene, drawn_by("totalsegmentator", labels), volume.geometry, names_of("totalsegmentator"))
    assert "left gluteus maximus muscle" in names(node)
    found = translated(node, add_ct(scene, volume, "CT"), tmp_path / "ts.seg.nrrd")
    assert found.label_table.name == "totalsegmentator" and found.recognised_by == "its names"
    same = np.isin(labels, [HIP_AND_THIGH.segment(key).label for key in ("GMAX_left", "FEMUR_right", "SACRUM")])
    assert (found.labels[same] == labels[same]).all() and "ILPS" in {one.abbreviation for one in found.table.structures}


def test_surfaces_become_voxels_and_the_node_keeps_its_surfaces(scene, case, tmp_path):
    labels, volume = case
    ct = add_ct(scene, volume, "CT")
    node = musclemap_node(scene, np.where(labels == 2, 6172, np.where(labels == 102, 6171, 0)), volume.geometry)
    segmentation = node.GetSegmentation()
    surface = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    segmentation.SetConversionParameter("Smoothing factor", "0")
    assert segmentation.CreateRepresentation(surface)
    segmentation.SetSourceRepresentationName(surface)
    segmentation.RemoveRepresentation("Binary labelmap")
    found = translated(node, ct, tmp_path / "surface.seg.nrrd")
    both = (found.labels == 2) & (labels == 2)
    assert 2 * both.sum() / ((found.labels == 2).sum() + (labels == 2).sum()) > 0.8
    assert segmentation.GetSourceRepresentationName() == surface and not segmentation.ContainsRepresentation("Binary labelmap")


def test_a_segmentation_that_lies_elsewhere_or_is_empty_is_refused(scene, case, tmp_path):
    labels, volume = case
    ct = add_ct(scene, volume, "CT")
    node = musclemap_node(scene, drawn_by("musclemap", labels), volume.geometry)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 20)
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="under another transform than the CT"):
        write_foreign_segmentation(node, ct, tmp_path / "out.seg.nrrd")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    write_foreign_segmentation(node, ct, tmp_path / "out.seg.nrrd")
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    with pytest.raises(InputError, match="nothing has no segments"):
        write_foreign_segmentation(empty, ct, tmp_path / "none.seg.nrrd")
    assert not (tmp_path / "none.seg.nrrd").exists()


def names(node):
    segmentation = node.GetSegmentation()
    return {segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())}
