from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_result

slicer = pytest.importorskip("slicer")

from MSKSegmentLib.scene import (  # noqa: E402
    HeadlessApplication,
    SliceView,
    add_ct,
    add_uncertainty,
    render_slice_png,
    set_uncertainty_overlay,
)
from MSKSegmentLib.scene.uncertainty import COLOR_NODE_NAME  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]


def composite(scene, name):
    node = slicer.vtkMRMLSliceCompositeNode()
    node.SetSingletonTag(name)
    node.SetLayoutName(name)
    return scene.AddNode(node)


def layers(node):
    return node.GetForegroundVolumeID(), node.GetForegroundOpacity()


def test_every_slice_view_shows_it_and_gets_its_own_foreground_back(scene):
    node = add_uncertainty(scene, make_result(AXIAL))
    other = add_ct(scene, make_ct(AXIAL), "other CT")
    red, yellow = composite(scene, "Red"), composite(scene, "Yellow")
    yellow.SetForegroundVolumeID(other.GetID())
    yellow.SetForegroundOpacity(0.25)
    set_uncertainty_overlay(scene, node, 0.7, True)
    assert layers(red) == layers(yellow) == (node.GetID(), 0.7)
    set_uncertainty_overlay(scene, node, 0.4, True)
    assert layers(red) == layers(yellow) == (node.GetID(), 0.4)
    set_uncertainty_overlay(scene, node, 0.4, False)
    assert layers(red) == (None, 0.0)
    assert layers(yellow) == (other.GetID(), 0.25)


def test_a_foreground_that_the_user_chose_meanwhile_stays(scene):
    node = add_uncertainty(scene, make_result(AXIAL))
    other = add_ct(scene, make_ct(AXIAL), "other CT")
    red = composite(scene, "Red")
    set_uncertainty_overlay(scene, node, 0.7, True)
    red.SetForegroundVolumeID(other.GetID())
    set_uncertainty_overlay(scene, node, 0.7, False)
    assert red.GetForegroundVolumeID() == other.GetID()


def test_the_window_is_set_only_when_given(scene):
    node = add_uncertainty(scene, make_result(AXIAL))
    display = node.GetDisplayNode()
    before = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    set_uncertainty_overlay(scene, node, 0.7, True)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == before
    set_uncertainty_overlay(scene, node, 0.7, True, (1e-4, 5e-3))
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((1e-4, 5e-3))
    assert 1e-4 < display.GetLowerThreshold() < 3e-4


def test_the_legend_explains_the_colours_while_they_are_shown(scene):
    node = add_uncertainty(scene, make_result(AXIAL))
    set_uncertainty_overlay(scene, node, 0.7, False)
    logic = slicer.vtkSlicerColorLogic
    assert logic.GetColorLegendDisplayNode(node) is None, "not needed yet"
    set_uncertainty_overlay(scene, node, 0.7, True, (0.0, 5e-3))
    legend = logic.GetColorLegendDisplayNode(node)
    assert legend.GetVisibility() and legend.GetTitleText() == "Uncertainty"
    assert legend.GetPrimaryDisplayNode().GetColorNode().GetName() == COLOR_NODE_NAME
    set_uncertainty_overlay(scene, node, 0.7, False)
    assert not legend.GetVisibility()
    set_uncertainty_overlay(scene, node, 0.7, True)
    assert legend.GetVisibility() and logic.GetNumberOfColorLegendDisplayNodes(node) == 1


def test_the_overlay_survives_saving(scene, tmp_path):
    node = add_uncertainty(scene, make_result(AXIAL))
    red = composite(scene, "Red")
    set_uncertainty_overlay(scene, node, 0.7, True)
    assert scene.WriteToMRB(str(tmp_path / "a.mrb"))
    with HeadlessApplication() as application:
        assert application.scene.ReadFromMRB(str(tmp_path / "a.mrb"))
        again = application.scene.GetFirstNode("Uncertainty", "vtkMRMLScalarVolumeNode")
        red = application.scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
        assert layers(red) == (again.GetID(), 0.7)
        set_uncertainty_overlay(application.scene, again, 0.7, False)
        assert layers(red) == (None, 0.0)
        assert np.isfinite(again.GetDisplayNode().GetWindowLevelMax())


def test_the_scene_s_legend_stays_out_of_slice_pictures_and_visible(tmp_path):
    with HeadlessApplication(views=True) as application:
        scene = application.scene
        ct = add_ct(scene, make_ct(AXIAL))
        node = add_uncertainty(scene, make_result(AXIAL), reference_volume_node=ct)
        view = SliceView(position_mm=float(AXIAL.to_physical((20, 15, 7))[2]), size=(300, 200))
        for name in ("before", "after"):
            render_slice_png(tmp_path / f"{name}.png", application.logic, ct, view, uncertainty_node=node)
            set_uncertainty_overlay(scene, node, 0.7, True)
        assert (tmp_path / "before.png").read_bytes() == (tmp_path / "after.png").read_bytes()
        assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node).GetVisibility()
