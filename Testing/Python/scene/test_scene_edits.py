from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_labels, make_result

slicer = pytest.importorskip("slicer")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.ct.boxes import Box, box_of_labels  # noqa: E402
from MSKSegmentLib.ct.volume import Geometry  # noqa: E402
from MSKSegmentLib.errors import InputError  # noqa: E402
from MSKSegmentLib.review import ReviewSession, SegmentMask  # noqa: E402
from MSKSegmentLib.scene import (  # noqa: E402
    add_ct,
    add_segmentation,
    ensure_segment,
    put_edit,
    put_mask,
    segment_labels,
    take_edit,
)
from MSKSegmentLib.scene.geometry import oriented_image  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]
LABELS = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}


def node_of(scene, geometry=AXIAL):
    return add_segmentation(scene, make_result(geometry), add_ct(scene, make_ct(geometry)))


def paint(node, key, where, geometry=AXIAL, alone=False):
    """Add voxels to a segment as the Segment Editor does: over all others, or `alone` with overlap allowed."""
    stroke = np.zeros(geometry.shape, np.uint8)
    stroke[where] = 1
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    others = [] if alone else [other for other in node.GetSegmentation().GetSegmentIDs() if other != key]
    assert logic.SetBinaryLabelmapToSegment(oriented_image(stroke, geometry), node, key, logic.MODE_MERGE_MASK, None, False, others)


def whole(mask: SegmentMask, shape) -> np.ndarray:
    full = np.zeros(shape, bool)
    full[mask.box.slices] = mask.mask
    return full


def session_of(geometry=AXIAL) -> ReviewSession:
    return ReviewSession(make_result(geometry), make_ct(geometry))


def changes(node, labels, geometry) -> dict[str, SegmentMask]:
    """What a session of these labels takes over from the node: the segments that changed, with all their voxels."""
    session = session_of(geometry)
    np.testing.assert_array_equal(session.result.labels, labels)
    edit = take_edit(node, session)
    return {key: session.mask(key) or SegmentMask.empty() for key in edit.keys} if edit else {}


def mask_of(full: np.ndarray) -> SegmentMask:
    box = box_of_labels(full.astype(np.uint8), [1])
    return SegmentMask.of_labels(full.astype(np.uint8), 1, box)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_nothing_is_edited_at_first(scene, name):
    assert changes(node_of(scene, GEOMETRIES[name]), make_labels(), GEOMETRIES[name]) == {}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_stroke_gives_the_segment_and_the_one_it_painted_over(scene, name):
    geometry = GEOMETRIES[name]
    node = node_of(scene, geometry)
    where = np.s_[4:7, 14:20, 14:26]  # from the right muscle into the left one
    paint(node, "GMAX_right", where, geometry)
    expected = make_labels()
    expected[where] = LABELS["GMAX_right"]
    found = changes(node, make_labels(), geometry)
    assert set(found) == {"GMAX_right", "GMAX_left"}
    for key, mask in found.items():
        np.testing.assert_array_equal(whole(mask, geometry.shape), expected == LABELS[key])
        assert mask.mask.any(axis=(1, 2)).all() and mask.mask.any(axis=(0, 1)).all(), "the box is not tight"


def test_strokes_outside_the_cropped_layer_and_outside_the_ct(scene):
    node = node_of(scene)
    wide = Geometry((60, 30, 20), AXIAL.spacing, tuple(AXIAL.to_physical((-10, 0, -3)).tolist()), AXIAL.direction)
    paint(node, "SACRUM", np.s_[0:20, 0:2, 0:60], wide)
    found = changes(node, make_labels(), AXIAL)
    expected = make_labels()
    expected[:, 0:2, :] = 3
    np.testing.assert_array_equal(whole(found["SACRUM"], AXIAL.shape), expected == 3)
    assert set(found) == {"SACRUM", "VM_left"}


def test_separate_layers_are_merged_as_slicer_exports_them(scene):
    node = node_of(scene)
    paint(node, "SACRUM", np.s_[4:7, 14:20, 5:10], alone=True)  # overlaps with the right muscle, which comes later
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    assert changes(node, make_labels(), AXIAL) == {}
    paint(node, "GMAX_left", np.s_[4:7, 14:20, 5:10], alone=True)  # comes after it
    found = changes(node, make_labels(), AXIAL)
    expected = make_labels()
    expected[4:7, 14:20, 5:10] = LABELS["GMAX_left"]
    np.testing.assert_array_equal(segment_labels(node, AXIAL), expected)
    assert set(found) == {"GMAX_left", "GMAX_right"}


def test_erased_and_deleted_segments_come_as_empty_masks(scene):
    node = node_of(scene)
    put_mask(node, "VM_left", SegmentMask.empty())
    node.GetSegmentation().RemoveSegment("SACRUM")
    found = changes(node, make_labels(), AXIAL)
    assert set(found) == {"VM_left", "SACRUM"}
    assert not any(mask.mask.any() for mask in found.values())


def test_who_observes_the_node_hears_that_a_segment_was_erased(scene):
    node = node_of(scene)
    segmentation, heard = node.GetSegmentation(), []
    segmentation.AddObserver(segmentation.SourceRepresentationModified, lambda caller, event: heard.append(event))
    before = segment_labels(node, AXIAL)
    put_mask(node, "VM_left", SegmentMask.empty())
    assert len(heard) == 1
    before[before == LABELS["VM_left"]] = 0
    np.testing.assert_array_equal(segment_labels(node, AXIAL), before)
    put_mask(node, "VM_left", SegmentMask.empty())
    assert len(heard) == 1, "nothing was left to erase"


def test_segments_of_other_origin_are_background(scene):
    node = node_of(scene)
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    paint(node, "tumour", np.s_[4:6, 14:16, 5:8])
    found = changes(node, make_labels(), AXIAL)
    assert set(found) == {"GMAX_right"}
    assert found["GMAX_right"].mask.sum() == (make_labels() == 4).sum() - 2 * 2 * 3


@pytest.mark.parametrize("name", GEOMETRIES)
def test_put_mask_replaces_the_segment_and_takes_from_others(scene, name):
    geometry = GEOMETRIES[name]
    node = node_of(scene, geometry)
    full = np.zeros(geometry.shape, bool)
    full[1:5, 13:20, 12:30] = True
    put_mask(node, "GMAX_right", mask_of(full))
    expected = make_labels()
    expected[expected == 4] = 0
    expected[full] = 4
    np.testing.assert_array_equal(segment_labels(node, geometry), expected)
    assert node.GetSegmentation().GetNumberOfLayers() == 1


def test_put_mask_takes_from_segments_in_other_layers(scene):
    node = node_of(scene)
    paint(node, "GMAX_left", np.s_[4:7, 14:20, 5:10], alone=True)
    full = np.zeros(AXIAL.shape, bool)
    full[4:7, 14:20, 5:10] = True
    put_mask(node, "SACRUM", mask_of(full))
    expected = make_labels()
    expected[expected == 3] = 0
    expected[full] = 3
    np.testing.assert_array_equal(segment_labels(node, AXIAL), expected)


def test_what_was_edited_can_be_put_back(scene):
    node, before, session = node_of(scene), make_labels(), session_of()
    paint(node, "GMAX_right", np.s_[4:7, 14:20, 14:26])
    edit = take_edit(node, session)
    np.testing.assert_array_equal(session.result.labels, segment_labels(node, AXIAL))
    assert take_edit(node, session) is None
    put_edit(node, session, session.edit_labels(edit.box, edit.before))
    np.testing.assert_array_equal(segment_labels(node, AXIAL), before)
    assert changes(node, before, AXIAL) == {}


def test_only_the_box_is_looked_at(scene):
    node, session = node_of(scene), session_of()
    paint(node, "GMAX_right", np.s_[4:7, 14:20, 14:26])
    painted = segment_labels(node, AXIAL)
    edit = take_edit(node, session, Box((0, 0, 4), (AXIAL.size[0], AXIAL.size[1], 2)))
    assert edit.box.start_xyz[2] == 4 and edit.box.size_xyz[2] == 2
    np.testing.assert_array_equal(session.result.labels[:6], painted[:6])
    np.testing.assert_array_equal(session.result.labels[6:], make_labels()[6:])


def test_a_structure_that_was_not_found_can_be_painted(scene):
    node = node_of(scene)
    ensure_segment(node, "PE_left")
    ensure_segment(node, "PE_left")
    segment = node.GetSegmentation().GetSegment("PE_left")
    expected = next(segment for segment in HIP_AND_THIGH.segments if segment.key == "PE_left")
    assert segment.GetName() == expected.name
    assert tuple(round(channel * 255) for channel in segment.GetColor()) == expected.color
    assert "SCT^7771000^Left" in segment.GetTerminology()
    assert changes(node, make_labels(), AXIAL) == {}
    paint(node, "PE_left", np.s_[12:14, 0:3, 0:3])
    found = changes(node, make_labels(), AXIAL)
    assert set(found) == {"PE_left"}
    assert found["PE_left"].box == Box((0, 0, 12), (3, 3, 2))
    assert node.GetSegmentation().GetNumberOfLayers() == 1


def test_painting_into_a_node_without_any_segment(scene):
    result = make_result(AXIAL)
    result.labels[:] = 0
    node = add_segmentation(scene, result)
    full = np.zeros(AXIAL.shape, bool)
    full[3:5, 4:9, 10:20] = True
    put_mask(node, "SM_right", mask_of(full))
    np.testing.assert_array_equal(segment_labels(node, AXIAL) == LABELS["SM_right"], full)


def test_another_reference_geometry_in_the_segment_editor_does_no_harm(scene):
    node = node_of(scene)
    node.GetSegmentation().SetConversionParameter("Reference image geometry", "1;0;0;0;0;1;0;0;0;0;1;0;0;0;0;1;0;9;0;9;0;9;")
    full = np.zeros(AXIAL.shape, bool)
    full[3:5, 4:9, 10:20] = True
    put_mask(node, "SACRUM", mask_of(full))
    np.testing.assert_array_equal(segment_labels(node, AXIAL) == 3, full)


def test_a_node_of_other_origin_is_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "someone else's")
    with pytest.raises(InputError, match="was not made by MSKSegment"):
        put_mask(node, "SACRUM", SegmentMask.empty())
    with pytest.raises(KeyError):
        ensure_segment(node, "HEART")
