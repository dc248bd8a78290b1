from __future__ import annotations

import json

import numpy as np
import pytest
from scene_cases import BOXES, GEOMETRIES, NASTY_REASONS, make_ct, make_labels, make_result, tag

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.anatomy.terminology import terminology_entry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.scene import HeadlessApplication, absent_segments, save_scene, segment_labels
from MSKSegmentLib.scene.geometry import array_of_image

pytest.importorskip("slicer")


@pytest.mark.parametrize("name", ["axial", "oblique"])
def test_a_bundle_is_read_back_unchanged(tmp_path, name, capfd):
    folder = tmp_path / "患者 データ"
    folder.mkdir()
    path = folder / "結果 1.mrb"
    geometry = GEOMETRIES[name]
    result, volume = make_result(geometry), make_ct(geometry)
    save_scene(result, volume, path)
    printed = capfd.readouterr()
    assert printed.out == "" and "ERR" not in printed.err
    assert [file.name for file in folder.iterdir()] == [path.name]

    with HeadlessApplication() as application:
        scene = application.scene
        assert scene.ReadFromMRB(str(path))
        ct = scene.GetFirstNode("CT", "vtkMRMLScalarVolumeNode")
        np.testing.assert_array_equal(array_of_image(ct.GetImageData()), volume.hu)
        assert ct.GetDisplayNode().GetWindow() == 400
        uncertainty = scene.GetFirstNode("Uncertainty", "vtkMRMLScalarVolumeNode")
        values = array_of_image(uncertainty.GetImageData())
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, result.uncertainty)
        display = uncertainty.GetDisplayNode()
        assert display.GetColorNode().GetName() == "MSKSegment uncertainty"
        assert display.GetApplyThreshold() and display.GetLowerThreshold() > 0

        node = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        np.testing.assert_array_equal(segment_labels(node, geometry), make_labels())
        segmentation = node.GetSegmentation()
        assert list(segmentation.GetSegmentIDs()) == [segment.key for segment in HIP_AND_THIGH.segments if segment.key in BOXES]
        for expected in HIP_AND_THIGH.segments:
            if expected.key in BOXES:
                segment = segmentation.GetSegment(expected.key)
                assert segment.GetName() == expected.name
                assert tuple(round(channel * 255) for channel in segment.GetColor()) == expected.color
                assert tag(segment, "TerminologyEntry") == terminology_entry(expected, HIP_AND_THIGH)
                assert json.loads(tag(segment, "MSKSegment.Reasons")) == list(NASTY_REASONS)
        assert tag(segmentation.GetSegment("GMAX_left"), "Segmentation.Status") == "completed"
        assert set(absent_segments(node)) == {segment.key for segment in HIP_AND_THIGH.segments} - set(BOXES)
        assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
        assert node.GetDisplayNode().GetOpacity2DFill() == pytest.approx(0.4)

        composites = [
            scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")
            for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode"))
        ]
        assert {composite.GetLayoutName() for composite in composites} == {"Red", "Yellow", "Green"}
        assert {composite.GetBackgroundVolumeID() for composite in composites} == {ct.GetID()}
        assert {composite.GetForegroundVolumeID() for composite in composites} == {uncertainty.GetID()}


def test_a_bundle_without_uncertainty(tmp_path):
    path = tmp_path / "scene.mrb"
    save_scene(make_result(GEOMETRIES["axial"], with_uncertainty=False), make_ct(GEOMETRIES["axial"]), path)
    with HeadlessApplication() as application:
        assert application.scene.ReadFromMRB(str(path))
        assert application.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_an_unwritable_place_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"scene\.mrb could not be written") as caught:
        save_scene(make_result(GEOMETRIES["axial"]), make_ct(GEOMETRIES["axial"]), tmp_path / "no" / "scene.mrb")
    assert str(tmp_path) not in str(caught.value)
