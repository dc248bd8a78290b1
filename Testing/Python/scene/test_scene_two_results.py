"""Two results of one CT in the scene: where they differ, both beside each other, a structure taken from the other and back."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer")

import slicer
from review_cases import mask_of
from scene_cases import BOXES, GEOMETRIES, make_ct, make_labels, make_result

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.results.result_reading import StoredCase
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.scene import add_ct, add_segmentation, segment_labels
from MSKSegmentLib.scene.compared_display import fill_faintly, hide_others_in_slices, show_as_before
from MSKSegmentLib.scene.differences import DIFFERENCE_COLORS, hide_differences, show_differences
from MSKSegmentLib.scene.edits import take_back, take_edit, take_from
from MSKSegmentLib.scene.geometry import array_of_image
from MSKSegmentLib.scene.own_views import OPEN, OTHER
from MSKSegmentLib.scene.side_by_side import SideBySide, add_other_result, find_other_result, remove_other_result
from MSKSegmentLib.two_results.differences import DifferenceKind, kinds_of_difference
from MSKSegmentLib.two_results.pair import pair_cases

pytest_plugins = ("scene_fixtures",)

LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}
TAKEN, NEIGHBOUR = "GMAX_right", "GMAX_left"


@pytest.fixture(params=["axial", "oblique_left_handed"])
def grid(request):
    return GEOMETRIES[request.param]


def other_labels():
    """The other result: less of one muscle, more of another, and a part of the one called the other."""
    labels = make_labels()
    labels[3:5][labels[3:5] == LABEL[TAKEN]] = 0
    labels[6:8, 12:20, 18:24] = LABEL[NEIGHBOUR]
    labels[9:10][labels[9:10] == LABEL[TAKEN]] = LABEL[NEIGHBOUR]
    return labels


def pair_on(grid):
    result = make_result(grid)
    other = replace(result, labels=other_labels())
    return pair_cases(StoredCase(result, result, ()), StoredCase(other, other, ()), make_ct(grid))


def test_the_kinds_of_difference(grid):
    mine, theirs, kinds = make_labels(), other_labels(), kinds_of_difference(pair_on(grid))
    assert np.array_equal(kinds > 0, mine != theirs)
    assert np.array_equal(kinds == DifferenceKind.ONLY_FIRST, (mine > 0) & (theirs == 0))
    assert np.array_equal(kinds == DifferenceKind.ONLY_SECOND, (mine == 0) & (theirs > 0))
    assert {int(kind) for kind in np.unique(kinds)} == {0, 1, 2, 3}


def test_differences_lie_over_the_ct_in_three_colours_and_go_away(scene, grid):
    ct, kinds = add_ct(scene, make_ct(grid)), kinds_of_difference(pair_on(grid))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    node = show_differences(scene, kinds, ct)
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1 and node.GetTransformNodeID() == transform.GetID()
    shown = np.zeros(kinds.shape, np.uint8)
    for kind in DifferenceKind:
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(kind.name, image)
        (x0, x1, y0, y1, z0, z1), inside = image.GetExtent(), array_of_image(image) > 0
        shown[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1][inside] = kind
        assert segmentation.GetSegment(kind.name).GetColor() == pytest.approx(DIFFERENCE_COLORS[kind])
    assert np.array_equal(shown, kinds)
    assert node.GetHideFromEditors() and not node.GetSaveWithScene() and not node.GetDisplayNode().GetVisibility3D()
    # Shown again, it is there once; without a difference it is not there at all.
    count = scene.GetNumberOfNodes()
    show_differences(scene, kinds, ct)
    assert scene.GetNumberOfNodes() == count
    assert show_differences(scene, np.zeros_like(kinds), ct) is None
    hide_differences(scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 0


def add_view(scene, name, orientation):
    node, composite = (scene.AddNewNodeByClass(f"vtkMRMLSlice{kind}", name) for kind in ("Node", "CompositeNode"))
    for one in (node, composite):
        one.SetLayoutName(name)
    node.SetOrientation(orientation)
    return node, composite


def test_both_results_stand_beside_each_other_and_move_together(scene):
    grid = GEOMETRIES["axial"]
    ct = add_ct(scene, make_ct(grid))
    own, other = add_segmentation(scene, make_result(grid), ct), add_other_result(scene, pair_on(grid), ct, "theirs")
    assert np.array_equal(segment_labels(other, grid), other_labels()) and not other.GetSaveWithScene()
    views = [add_view(scene, name, "Axial") for name in ("Red", OPEN.name, OTHER.name)]
    (red, _), (first, first_ct), (second, second_ct) = views
    differences = show_differences(scene, kinds_of_difference(pair_on(grid)), ct)
    both = SideBySide(ct, own)
    both.show_other(other)

    def seen(node):
        ids = node.GetDisplayNode().GetViewNodeIDs()
        return [view for view, _ in views if not ids or view.GetID() in ids]

    assert seen(own) == [red, first] and seen(other) == [second] and seen(differences) == [red, first, second]
    assert first_ct.GetBackgroundVolumeID() == second_ct.GetBackgroundVolumeID() == ct.GetID()
    # All segments are in sight: they reach over 34 of 0.8 mm.
    assert 34 * 0.8 < min(first.GetFieldOfView()[:2]) < 34 * 0.8 + 70 and first.GetSliceOffset() == second.GetSliceOffset()
    both.jump((0.0, 0.0, -395.0))
    assert first.GetSliceOffset() == second.GetSliceOffset() == pytest.approx(-395.0)
    # Compared again, the other result is another node.
    again = add_other_result(scene, pair_on(grid), ct, "theirs")
    both.show_other(again)
    assert seen(again) == [second] and seen(own) == [red, first]
    both.close()
    remove_other_result(scene)
    assert seen(own) == [red, first, second] and find_other_result(scene) is None
    first.SetSliceOffset(-400.0)
    assert second.GetSliceOffset() == pytest.approx(-395.0)


def test_what_is_compared_is_seen_alone_and_faint_and_a_saved_scene_can_be_put_right(scene):
    grid = GEOMETRIES["axial"]
    ct = add_ct(scene, make_ct(grid))
    own, foreign, off = (add_segmentation(scene, make_result(grid), ct, name) for name in ("own", "foreign", "off"))
    off.GetDisplayNode().SetVisibility2D(False)
    other, display = add_other_result(scene, pair_on(grid), ct, "theirs"), own.GetDisplayNode()
    before = display.GetOpacity2DFill()
    hide_others_in_slices(own)
    for _ in range(2):
        fill_faintly(own, True)
    seen = [node.GetDisplayNode().GetVisibility2D() for node in (own, foreign, off, other)]
    assert seen == [True, False, False, True] and display.GetOpacity2DFill() < before / 2
    # As after the scene was saved and opened.
    show_as_before(own)
    assert [node.GetDisplayNode().GetVisibility2D() for node in (own, foreign, off)] == [True, True, False]
    assert display.GetOpacity2DFill() == before
    display.SetOpacity2DFill(0.9)
    show_as_before(own)
    assert display.GetOpacity2DFill() == pytest.approx(0.9), "nothing is noted any more"


def test_a_structure_is_taken_in_scene_and_session_and_taken_back(scene, grid):
    session, ct = ReviewSession(make_result(grid), make_ct(grid)), add_ct(scene, make_ct(grid))
    node, before = add_segmentation(scene, session.result, ct), [session.report(key) for key in (TAKEN, NEIGHBOUR)]
    wanted = np.zeros(grid.shape, bool)
    # Reaches into the neighbour, and leaves some of its own.
    wanted[3:12, 12:28, 8:26] = True
    edit = take_from(node, session, TAKEN, mask_of(wanted), "Somebody's program")
    labels = make_labels()
    labels[labels == LABEL[TAKEN]] = 0
    labels[wanted] = LABEL[TAKEN]
    assert np.array_equal(session.result.labels, labels) and np.array_equal(segment_labels(node, grid), labels)
    assert take_edit(node, session) is None, "nothing is left to be measured"
    assert session.report(TAKEN).reasons[0].startswith("taken from another result (Somebody's program)")
    assert session.report(NEIGHBOUR).state is ReviewState.EDITED
    assert take_back(node, session, edit).keys == (TAKEN, NEIGHBOUR)
    assert np.array_equal(session.result.labels, make_labels()) and np.array_equal(segment_labels(node, grid), make_labels())
    assert [session.report(key) for key in (TAKEN, NEIGHBOUR)] == before
    assert take_back(node, session, edit) is None


def test_what_was_drawn_since_is_not_taken_back(scene):
    grid = GEOMETRIES["axial"]
    session = ReviewSession(make_result(grid), make_ct(grid))
    node = add_segmentation(scene, session.result, add_ct(scene, make_ct(grid)))
    wanted = make_labels() == LABEL[TAKEN]
    wanted[3:7] = False
    edit = take_from(node, session, TAKEN, mask_of(wanted), "theirs")
    drawn = session.result.labels.copy()
    drawn[BOXES[TAKEN]][0, :4] = LABEL["SACRUM"]
    session.edit({"SACRUM": mask_of(drawn == LABEL["SACRUM"])})
    take_back(node, session, edit)
    expected = np.where(drawn == LABEL["SACRUM"], drawn, make_labels())
    assert np.array_equal(session.result.labels, expected)
