from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.scene import HeadlessApplication
from MSKSegmentLib.scene.geometry import add_scalar_volume

ROOT = Path(__file__).parents[3]


def test_importing_the_package_does_not_load_slicer():
    heavy = ("slicer", "vtk", "SimpleITK", "scipy")
    code = f"import sys, MSKSegmentLib.scene; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_volume_can_be_added_without_a_word_on_the_console(capfd):
    pytest.importorskip("slicer")
    with HeadlessApplication(views=True) as application:
        add_scalar_volume(application.scene, np.ones((4, 5, 6), np.int16), Geometry((6, 5, 4), (1, 1, 1)), "ones")
        assert application.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_closing_frees_scene_and_logic():
    pytest.importorskip("slicer")
    gone = []
    application = HeadlessApplication(views=True)
    folder = Path(application.logic.GetTemporaryPath())
    assert folder.is_dir()
    application.scene.AddObserver("DeleteEvent", lambda *_: gone.append("scene"))
    application.logic.AddObserver("DeleteEvent", lambda *_: gone.append("logic"))
    application.close()
    application.close()
    del application
    assert sorted(gone) == ["logic", "scene"]
    assert not folder.exists()


def test_two_scenes_do_not_share_nodes():
    pytest.importorskip("slicer")
    with HeadlessApplication() as one, HeadlessApplication() as other:
        one.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "only here")
        assert other.scene.GetFirstNodeByName("only here") is None


def test_logics_are_found_by_name():
    pytest.importorskip("slicer")
    with HeadlessApplication() as application:
        for name in ("Colors", "Volumes", "Segmentations", "VolumeRendering", "Terminologies", "Plots", "Tables"):
            assert application.logic.GetModuleLogic(name).IsA("vtkMRMLAbstractLogic"), name
        assert application.logic.GetModuleLogic("NoSuchModule") is None


def test_the_nodes_of_the_views_are_known():
    pytest.importorskip("slicer")
    with HeadlessApplication() as application:
        for name in ("GPURayCastVolumeRenderingDisplay", "VolumeProperty", "PlotChart", "PlotSeries", "ColorLegendDisplay"):
            assert application.scene.AddNewNodeByClass(f"vtkMRML{name}Node").GetClassName() == f"vtkMRML{name}Node"
