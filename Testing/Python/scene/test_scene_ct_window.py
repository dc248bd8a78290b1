from __future__ import annotations

import pytest
from scene_cases import GEOMETRIES, make_ct

pytest.importorskip("slicer")

from MSKSegmentLib.scene import add_ct, set_bone_window  # noqa: E402
from MSKSegmentLib.scene.ct_window import BONE  # noqa: E402

pytest_plugins = ("scene_fixtures",)


def window_of(display):
    return display.GetWindow(), display.GetLevel()


@pytest.mark.parametrize("automatic", [False, True])
def test_bones_have_their_window_and_then_the_users_own_comes_back(scene, automatic):
    node = add_ct(scene, make_ct(GEOMETRIES["axial"]))
    display = node.GetDisplayNode()
    display.SetWindowLevel(350, 50)
    display.SetAutoWindowLevel(automatic)
    before = window_of(display)
    set_bone_window(node, True)
    set_bone_window(node, True)
    assert window_of(display) == BONE
    set_bone_window(node, False)
    assert window_of(display) == before and bool(display.GetAutoWindowLevel()) == automatic


def test_a_window_that_the_user_chose_meanwhile_stays(scene):
    node = add_ct(scene, make_ct(GEOMETRIES["axial"]))
    display = node.GetDisplayNode()
    set_bone_window(node, True)
    display.SetWindowLevel(2500, 600)
    set_bone_window(node, True)
    assert window_of(display) == (2500, 600)
    set_bone_window(node, False)
    assert window_of(display) == (2500, 600)
    set_bone_window(node, False)
    assert window_of(display) == (2500, 600)
