"""What the review in the panel shows of a row: columns, its worst slices, the overlay, surfaces, density, the histogram."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from module_cases import choose, click, paint, show_case, slice_offset, smaller, wait

from MSKSegmentLib.review.columns import ALL_COLUMNS

pytest_plugins = ("module_fixtures",)


@pytest.fixture
def case(panel):
    return show_case(panel)


def test_the_uncertainty_lies_over_the_ct_while_it_is_switched_on(panel, case):
    ui = panel.ui
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    ui.uncertaintyCheckBox.setChecked(True)
    ui.opacitySlider.setValue(35)
    assert composite.GetForegroundVolumeID() == case.nodes.uncertainty.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.35) and ui.opacityLabel.text == "35 %"
    usual = case.nodes.uncertainty.GetDisplayNode().GetWindowLevelMax()
    assert ui.windowSelector.currentText == "the most uncertain 0.5 % of uncertain voxels"
    ui.windowSelector.setCurrentIndex(3)
    assert 0 < case.nodes.uncertainty.GetDisplayNode().GetWindowLevelMax() < usual
    ui.windowSelector.setCurrentIndex(0)
    assert case.nodes.uncertainty.GetDisplayNode().GetWindowLevelMax() == pytest.approx(usual)
    ui.uncertaintyCheckBox.setChecked(False)
    assert composite.GetForegroundVolumeID() != case.nodes.uncertainty.GetID()


def test_density_and_surfaces_follow_the_selected_structure(panel, case):
    ui = panel.ui
    ui.densitySelector.setCurrentIndex(1)
    volumes = slicer.util.getNodesByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    assert not any(node.GetVisibility() for node in volumes), "something is rendered although nothing is selected"
    choose(panel, "GMAX_right")
    (display,) = slicer.util.getNodesByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    assert display.GetVisibility()
    first = display.GetVolumeNode().GetImageData().GetDimensions()
    choose(panel, "TFL_right")
    assert display.GetVolumeNode().GetImageData().GetDimensions() != first
    ui.densitySelector.setCurrentIndex(0)
    assert not display.GetVisibility()
    shown = _visible_in_3d(case)
    assert shown == {"TFL_right"}
    ui.surfaceSelector.setCurrentIndex(0)
    assert _visible_in_3d(case) == set()


def test_a_bone_is_looked_at_in_its_own_window_unless_that_is_switched_off(panel, case):
    display = case.nodes.ct.GetDisplayNode()
    before = display.GetWindow()
    choose(panel, "FEMUR_left")
    assert display.GetWindow() > 1000
    panel.ui.boneWindowCheckBox.setChecked(False)
    assert display.GetWindow() == before
    panel.ui.boneWindowCheckBox.setChecked(True)
    choose(panel, "GMED_left")
    assert display.GetWindow() == before


def test_the_colours_of_density_are_a_preset_of_volume_rendering(panel):
    logic = slicer.modules.volumerendering.logic()
    preset = logic.GetPresetByName("MSKSegment muscle density")
    opacity = preset.GetVolumeProperty().GetScalarOpacity()
    assert opacity.GetValue(-1000) == 0 < opacity.GetValue(-100) and opacity.GetValue(500) == 0


def _visible_in_3d(case):
    display = case.nodes.segmentation.GetDisplayNode()
    keys = case.nodes.segmentation.GetSegmentation().GetSegmentIDs()
    return {key for key in keys if display.GetSegmentVisibility3D(key)}


def test_the_histogram_comes_with_a_plot_view_and_the_layout_goes_back(panel, case):
    manager = slicer.app.layoutManager()
    before = manager.layout
    choose(panel, "GMAX_right")
    panel.ui.histogramButton.setChecked(True)
    assert manager.layout != before
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert "Gluteus maximus, right" in chart.GetTitle()
    assert chart.GetNthPlotSeriesNode(3).GetName() == "Gluteus maximus, left"
    choose(panel, "TFL_right")
    assert "Tensor fasciae latae, right" in chart.GetTitle()
    panel.ui.histogramButton.setChecked(False)
    assert manager.layout == before


def test_a_case_under_a_transform_jumps_to_its_place_in_the_world(panel, case):
    import vtk

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(2, 3, 500.0)
    transform.SetMatrixTransformToParent(shift)
    for node in (case.nodes.ct, case.nodes.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    choose(panel, "GMED_left")
    assert slice_offset() == pytest.approx(case.session.worst_slices("GMED_left")[0].point_lps[2] + 500)


def test_another_case_does_not_inherit_the_overlay(panel, case):
    panel.ui.uncertaintyCheckBox.setChecked(True)
    show_case(panel)
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetForegroundVolumeID() != case.nodes.uncertainty.GetID()
    assert not panel.ui.uncertaintyCheckBox.checked


def test_the_surface_follows_an_edit(panel, case):
    from MSKSegmentLib.scene.surfaces import surface_node

    def points():
        segment = surface_node(case.nodes.segmentation).GetSegmentation().GetSegment("GMAX_right")
        return segment.GetRepresentation("Closed surface").GetNumberOfPoints()

    choose(panel, "GMAX_right")
    before = points()
    paint(case, "GMAX_right", smaller(case, "GMAX_right"))
    wait(lambda: points() < before, 5)


def test_choosing_a_row_goes_to_its_most_uncertain_slice_and_on(panel, case):
    ui = panel.ui
    choose(panel, "GMED_left")
    slices = case.session.worst_slices("GMED_left")
    assert slice_offset() == pytest.approx(slices[0].point_lps[2])
    assert ui.titleLabel.text == "Gluteus medius, left" and not ui.previousSliceButton.enabled
    assert ui.reasonsLabel.text.startswith("Failed: uncertainty")
    assert "Predicted Dice" in ui.valuesLabel.text and ui.sliceLabel.text == f"Slice 1 of {len(slices)} by uncertainty"
    low, high = case.session.report("GMED_left").volume_interval_cc
    assert f" cc ({low:.0f}–{high:.0f})" in ui.valuesLabel.text and "0.73 (0.65–0.77)" in ui.valuesLabel.text
    assert "Probability of error" in ui.valuesLabel.text and "84\N{NO-BREAK SPACE}%" in ui.valuesLabel.text
    assert "pass" in ui.valuesLabel.toolTip and "0.80\N{NO-BREAK SPACE}‰" in ui.valuesLabel.text
    click(ui.nextSliceButton)
    assert slice_offset() == pytest.approx(slices[1].point_lps[2])
    click(ui.previousSliceButton)
    assert slice_offset() == pytest.approx(slices[0].point_lps[2])


def test_the_choice_of_columns_and_folding_is_kept(panel, case):
    place = [entry.name for entry in ALL_COLUMNS].index("asymmetry_percent")
    actions = {action.text: action for action in panel.ui.columnsButton.menu().actions()}
    assert panel.ui.resultsTable.isColumnHidden(place) and "Light" not in actions
    actions["Asymmetry (%)"].setChecked(True)
    assert not panel.ui.resultsTable.isColumnHidden(place)
    panel.ui.viewsSection.setCollapsed(False)
    assert slicer.util.settingsValue("MSKSegment/Folded/viewsSection", True, converter=slicer.util.toBool) is False
    import qt
    from MSKSegmentPanel.columnChoice import ColumnChoice

    assert "asymmetry_percent" in ColumnChoice(qt.QToolButton(), lambda: None).chosen
