"""Layouts of the module: right and left beside each other, radiographs, both scans of a patient; and the user's comes back."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from comparison_cases import phantom_case, phantom_scan, write_visit
from Host import host
from module_cases import add_phantom, choose, click, paint, show_case, show_result, wait
from review_cases import LABEL

from MSKSegmentLib.comparison.change_words import NO_EARLIER_CT, SAME_LEVEL
from MSKSegmentLib.review.sections import widest_section
from MSKSegmentLib.scene.own_views import (
    CURRENT,
    EARLIER,
    LEFT,
    LEFT_3D,
    RADIOGRAPHS,
    RIGHT,
    RIGHT_3D,
    SIDES,
    TWO_DATES,
    shown_width,
)
from MSKSegmentLib.scene.surfaces import surface_node

pytest_plugins = ("module_fixtures",)

RIGHT_KEY, LEFT_KEY = "GMAX_right", "GMAX_left"


@pytest.fixture
def case(panel):
    return show_case(panel)


def layout():
    return slicer.app.layoutManager().layout


def slice_node(view):
    return slicer.app.layoutManager().sliceWidget(view.name).mrmlSliceNode()


def background(view):
    return slicer.app.layoutManager().sliceWidget(view.name).mrmlSliceCompositeNode().GetBackgroundVolumeID()


def visible_in_3d(case):
    display = case.nodes.segmentation.GetDisplayNode()
    return {key for key in case.nodes.segmentation.GetSegmentation().GetSegmentIDs() if display.GetSegmentVisibility3D(key)}


def view_node(view):
    return slicer.app.layoutManager().threeDWidget(view.name).mrmlViewNode()


def seen_in(view, case):
    """The segments whose surfaces or density a 3D view shows."""
    node, seen, place = surface_node(case.nodes.segmentation), set(), view_node(view).GetID()
    for display in (node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())):
        if display.IsDisplayableInView(place):
            seen |= {key for key in node.GetSegmentation().GetSegmentIDs() if display.GetSegmentVisibility3D(key)}
    return seen


def rendered_in(view):
    """How many volumes a 3D view renders."""
    displays = slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    return sum(display.GetVisibility() and display.IsDisplayableInView(view_node(view).GetID()) for display in displays)


def camera(view):
    return next(node for node in slicer.util.getNodesByClass("vtkMRMLCameraNode") if node.GetLayoutName() == view.name)


def test_both_sides_stand_beside_each_other_where_each_is_largest(panel, case):
    ui, before = panel.ui, layout()
    assert not ui.sidesButton.enabled and not ui.layoutLabel.visible
    choose(panel, LEFT_KEY)
    users = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceOffset()
    ui.sidesButton.setChecked(True)
    assert layout() == SIDES.number
    sections = [widest_section(case.session, key) for key in (RIGHT_KEY, LEFT_KEY)]
    for view, section in zip((RIGHT, LEFT), sections, strict=True):
        node = slice_node(view)
        assert node.GetSliceOffset() == pytest.approx(section.middle_lps[2]) and background(view) == case.nodes.ct.GetID()
        # The middle of the view, in RAS; nothing is mirrored: columns run to the patient's left.
        to_ras = node.GetSliceToRAS()
        assert to_ras.GetElement(0, 3) == pytest.approx(-section.middle_lps[0]) and to_ras.GetElement(0, 0) == -1
    assert shown_width(slice_node(RIGHT)) == pytest.approx(shown_width(slice_node(LEFT)))
    assert f"Right: {sections[0].area_cm2:.1f} cm² in slice {sections[0].index + 1}" in ui.layoutLabel.text
    assert visible_in_3d(case) == {RIGHT_KEY, LEFT_KEY}
    assert (seen_in(RIGHT_3D, case), seen_in(LEFT_3D, case)) == ({RIGHT_KEY}, {LEFT_KEY})
    assert camera(RIGHT_3D).GetFocalPoint()[0] > 0 > camera(LEFT_3D).GetFocalPoint()[0]
    assert camera(RIGHT_3D).GetParallelScale() == pytest.approx(camera(LEFT_3D).GetParallelScale())
    assert slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceOffset() == users
    ui.sidesButton.setChecked(False)
    assert layout() == before and visible_in_3d(case) == {LEFT_KEY} and ui.layoutLabel.text == ""
    assert surface_node(case.nodes.segmentation).GetNumberOfDisplayNodes() == 1, "what was shown apart is left behind"
    assert seen_in(RIGHT_3D, case) == seen_in(LEFT_3D, case) == {LEFT_KEY}


def test_the_sides_follow_selection_and_edits(panel, case):
    ui, before = panel.ui, layout()
    choose(panel, RIGHT_KEY)
    click(ui.sidesButton)
    choose(panel, "TFL_left")
    assert (seen_in(RIGHT_3D, case), seen_in(LEFT_3D, case)) == ({"TFL_right"}, {"TFL_left"})
    at = slice_node(LEFT).GetSliceOffset()
    assert at == pytest.approx(widest_section(case.session, "TFL_left").middle_lps[2])
    rest = case.session.result.labels == LABEL["TFL_left"]
    rest[widest_section(case.session, "TFL_left").index :] = False
    paint(case, "TFL_left", rest)
    wait(lambda: slice_node(LEFT).GetSliceOffset() < at, 5)
    assert seen_in(LEFT_3D, case) == {"TFL_left"}
    assert slice_node(LEFT).GetSliceOffset() == pytest.approx(widest_section(case.session, "TFL_left").middle_lps[2])
    # A bone of the midline has no sides: the user's layout comes back.
    choose(panel, "SACRUM")
    assert layout() == before and not ui.sidesButton.checked and not ui.sidesButton.enabled


def test_density_is_not_hidden_in_the_surface_of_the_same_muscle(panel, case):
    choose(panel, RIGHT_KEY)
    assert visible_in_3d(case) == {RIGHT_KEY}
    panel.ui.densitySelector.setCurrentIndex(1)
    assert visible_in_3d(case) == set()
    panel.ui.densitySelector.setCurrentIndex(0)
    assert visible_in_3d(case) == {RIGHT_KEY}


def test_each_side_is_rendered_in_its_view_alone(panel, case):
    choose(panel, RIGHT_KEY)
    click(panel.ui.sidesButton)
    panel.ui.densitySelector.setCurrentIndex(1)
    assert (rendered_in(RIGHT_3D), rendered_in(LEFT_3D)) == (1, 1)
    middles = []
    for display in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"):
        if display.GetVisibility():
            bounds = [0.0] * 6
            display.GetVolumeNode().GetRASBounds(bounds)
            middles.append((display.GetViewNodeIDs(), bounds[0] + bounds[1]))
    assert len(middles) == 2
    for (place,), middle in middles:
        # The patient's right is where R grows.
        assert (middle > 0) == (place == view_node(RIGHT_3D).GetID())
    assert seen_in(RIGHT_3D, case) == seen_in(LEFT_3D, case) == set()
    click(panel.ui.sidesButton)
    shown = [one for one in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode") if one.GetVisibility()]
    assert len(shown) == 1 and not shown[0].GetViewNodeIDs()


def test_radiographs_are_computed_once_and_saved_with_the_scene(panel, case):
    ui, before = panel.ui, layout()
    display = case.nodes.segmentation.GetDisplayNode()
    click(ui.radiographsButton)
    assert layout() == RADIOGRAPHS.number and "Computed from the CT" in ui.layoutLabel.text
    shown = [slicer.mrmlScene.GetNodeByID(background(view)) for (view,) in zip(RADIOGRAPHS.rows[0], strict=True)]
    assert [node.GetName() for node in shown] == ["Radiograph from the front", "Radiograph from the right"]
    assert all(node.GetSaveWithScene() for node in shown)
    assert not any(display.IsDisplayableInView(slice_node(view).GetID()) for view in RADIOGRAPHS.rows[0])
    # They are no CT to segment.
    panel.inputs.chooseFirstCt([])
    assert panel.inputs.ctNode is case.nodes.ct
    click(ui.radiographsButton)
    assert layout() == before and display.GetNumberOfViewNodeIDs() == 0
    click(ui.radiographsButton)
    assert background(RADIOGRAPHS.rows[0][0]) == shown[0].GetID()


def test_one_button_at_a_time_and_a_layout_that_the_user_chose_stays(panel, case):
    ui, before = panel.ui, layout()
    choose(panel, RIGHT_KEY)
    click(ui.sidesButton)
    click(ui.radiographsButton)
    assert not ui.sidesButton.checked and layout() == RADIOGRAPHS.number
    click(ui.histogramButton)
    assert not ui.radiographsButton.checked and layout() != RADIOGRAPHS.number
    click(ui.sidesButton)
    click(ui.sidesButton)
    assert layout() == before
    click(ui.sidesButton)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert not ui.sidesButton.checked and layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    click(ui.radiographsButton)
    slicer.mrmlScene.Clear(0)
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView and not ui.radiographsButton.checked


@pytest.fixture
def visits(panel, tmp_path):
    """Two visits of one made-up patient, the earlier one elsewhere in its scanner; returns the folder of the earlier one."""
    from dataclasses import replace

    later = phantom_case(digest="b", date="2024-05-01T10:00:00+00:00")
    show_result(panel, later, add_phantom(phantom_scan(later.labels, later.geometry), "visit 2024"))
    earlier = phantom_case(digest="a", date="2023-05-01T10:00:00+00:00")
    x, y, z = earlier.geometry.origin
    return replace(earlier, geometry=replace(earlier.geometry, origin=(x + 30, y, z - 120))), tmp_path / "visit 2023"


def compare(panel, folder):
    host.answer(str(folder))
    panel.ui.earlierSection.setCollapsed(False)
    click(panel.ui.earlierButton)


def test_both_scans_stand_beside_each_other_at_one_level_and_a_row_goes_there(panel, visits):
    earlier, folder = visits
    write_visit(folder, earlier)
    compare(panel, folder)
    ui, before = panel.ui, layout()
    click(ui.earlierViewsButton)
    assert layout() == TWO_DATES.number, ui.messageLabel.text
    rows = [row.key for row in panel.earlier._table._rows]
    ui.changesTable.selectRow(rows.index("PSOAS_left"))
    host.processEvents(0.02)
    assert ui.titleLabel.text == "Psoas major, left" and f"Psoas major, left: S1. {SAME_LEVEL}" == ui.earlierLevelLabel.text
    # The same bones, 120 mm apart.
    assert slice_node(CURRENT).GetSliceOffset() - slice_node(EARLIER).GetSliceOffset() == pytest.approx(120, abs=0.1)
    assert shown_width(slice_node(CURRENT)) == pytest.approx(shown_width(slice_node(EARLIER)))
    slice_node(CURRENT).SetSliceOffset(slice_node(CURRENT).GetSliceOffset() + 7)
    assert slice_node(CURRENT).GetSliceOffset() - slice_node(EARLIER).GetSliceOffset() == pytest.approx(120, abs=0.1)
    ct = slicer.mrmlScene.GetNodeByID(background(EARLIER))
    assert ct.GetName().startswith("visit 2023") and background(CURRENT) == panel.review.case.nodes.ct.GetID()
    segments = {node.GetName(): node.GetDisplayNode() for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")}
    own = panel.review.case.nodes.segmentation.GetName()
    in_before = slice_node(EARLIER).GetID()
    assert not segments[own].IsDisplayableInView(in_before) and segments[ct.GetName()].IsDisplayableInView(in_before)
    assert not segments[ct.GetName()].IsDisplayableInView(slice_node(CURRENT).GetID())
    click(ui.earlierViewsButton)
    assert layout() == before and segments[own].GetNumberOfViewNodeIDs() == 0
    # Another case puts the earlier scan away.
    show_case(panel)
    assert ct.GetScene() is None


def test_without_the_earlier_scan_its_numbers_are_compared_all_the_same(panel, visits):
    earlier, folder = visits
    write_visit(folder, earlier, keep_ct=False)
    compare(panel, folder)
    before = layout()
    click(panel.ui.earlierViewsButton)
    assert panel.ui.messageLabel.text == NO_EARLIER_CT and layout() == before and not panel.ui.earlierViewsButton.checked
    assert panel.ui.changesTable.rowCount == 43
