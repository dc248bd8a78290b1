from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_labels

slicer = pytest.importorskip("slicer")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import CaseResult  # noqa: E402
from MSKSegmentLib.ct.boxes import Box  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume, Geometry  # noqa: E402
from MSKSegmentLib.measurement.density import FAT_BELOW_HU, LEAN_ABOVE_HU  # noqa: E402
from MSKSegmentLib.scene import add_ct, hide_density, show_density  # noqa: E402
from MSKSegmentLib.scene.density import density_look  # noqa: E402
from MSKSegmentLib.scene.density_volume import UNDRAWN_HU, masked_copy  # noqa: E402
from MSKSegmentLib.scene.geometry import array_of_image  # noqa: E402
from MSKSegmentLib.scene.smooth_mask import ROOM_VOXELS  # noqa: E402
from MSKSegmentLib.scene.volume_node import geometry_of_node  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]
INSIDE = np.s_[3:11, 5:25, 6:34]


def shown(node):
    """The rendered copy and its grid."""
    return array_of_image(node.GetImageData()), geometry_of_node(node)


def ramp(geometry: Geometry) -> np.ndarray:
    """HU that rise along an oblique line in the patient."""
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_physical(np.stack([x, y, z], axis=-1))
    middle = geometry.to_physical((np.array(geometry.size) - 1) / 2)
    return np.rint((points - middle) @ [1.1, -0.9, 1.7]).astype(np.int16)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_copy_lies_where_the_ct_lies(scene, name):
    geometry = GEOMETRIES[name]
    labels = np.zeros(geometry.shape, np.uint8)
    labels[INSIDE] = 4
    hu = ramp(geometry)
    array, grid = shown(
        show_density(scene, add_ct(scene, CTVolume(hu, geometry)), CaseResult(labels, geometry, ()), ["GMAX_right"])
    )
    assert np.prod(grid.size) > 4 * labels.astype(bool).sum(), "long voxels were not halved"
    index = np.argwhere(array < 1000)[:, ::-1]
    at = geometry.to_index(grid.to_physical(index))
    # All that is seen lies in the segment, or less than half a voxel outside.
    low, high = np.array([6, 5, 3]) - 0.51, np.array([33, 24, 10]) + 0.51
    assert ((at >= low) & (at <= high)).all()
    volume = (array < UNDRAWN_HU // 2).sum() * grid.voxel_volume_mm3
    assert volume == pytest.approx((labels > 0).sum() * geometry.voxel_volume_mm3, rel=0.15)
    # Inside, the values are those of the CT.
    deep = ((at >= [8, 7, 5]) & (at <= [31, 22, 8])).all(axis=1)
    assert deep.sum() > 1000
    middle = geometry.to_physical((np.array(geometry.size) - 1) / 2)
    expected = (grid.to_physical(index[deep]) - middle) @ [1.1, -0.9, 1.7]
    found = array[tuple(index[deep, ::-1].T)]
    np.testing.assert_allclose(found, np.clip(expected, -200, 200), atol=2)


def test_values_of_neighbours_do_not_leak_in():
    hu = np.full((20, 20, 20), -100, np.int16)
    mask = np.zeros(hu.shape, bool)
    mask[6:14, 6:14, 6:14] = True
    hu[mask] = 55
    array, _ = masked_copy(hu, mask[5:15, 5:15, 5:15], Box((5, 5, 5), (10, 10, 10)), Geometry((20, 20, 20), (2, 2, 3)))
    assert array.min() == 55
    assert array.max() == UNDRAWN_HU


def test_calcium_and_gas_are_held_to_the_ends_of_the_scale():
    hu = np.full((9, 9, 9), 55, np.int16)
    hu[4, 4, 4], hu[2, 2, 2] = 900, -1000
    array, _ = masked_copy(hu, np.ones(hu.shape, bool), Box((0, 0, 0), (9, 9, 9)), Geometry((9, 9, 9), (0.7, 0.7, 0.7)))
    middle, corner = 4 + ROOM_VOXELS, 2 + ROOM_VOXELS
    assert (array[middle, middle, middle], array[corner, corner, corner]) == (200, -200)
    assert array.shape == (9 + 2 * ROOM_VOXELS,) * 3, "small voxels need no halving"


def test_what_is_one_voxel_thin_stays():
    mask = np.zeros((11, 30, 30), bool)
    mask[5] = True
    hu = np.full(mask.shape, 55, np.int16)
    array, _ = masked_copy(hu, mask, Box((0, 0, 0), (30, 30, 11)), Geometry((30, 30, 11), (2, 2, 3)))
    assert (array == 55).any(axis=0)[15:-15, 15:-15].all()


def test_only_named_muscles_are_shown_and_no_bones(scene):
    labels = make_labels()
    ct = add_ct(scene, make_ct(AXIAL))
    node = show_density(scene, ct, CaseResult(labels, AXIAL, ()), ["GMAX_left", "SACRUM"])
    array, grid = shown(node)
    index = np.argwhere(array < 300)[:, ::-1]
    x = AXIAL.to_index(grid.to_physical(index))[:, 0]
    assert x.min() > 23, "the sacrum or the other side is shown"
    assert show_density(scene, ct, CaseResult(labels, AXIAL, ()), ["SACRUM"]) is None
    assert not node.GetDisplayNode().GetVisibility()
    assert node.GetImageData() is None
    assert show_density(scene, ct, CaseResult(labels, AXIAL, ()), ["GRAC_left"]) is None, "it has no voxel"
    assert show_density(scene, ct, CaseResult(labels, AXIAL, ()), ["GMAX_right"]) is node
    assert node.GetDisplayNode().GetVisibility()
    hide_density(scene)
    assert not node.GetDisplayNode().GetVisibility()


def test_everything_at_once_stays_small_enough():
    large = Geometry((400, 300, 200), (1.0, 1.0, 1.0))
    hu, mask = np.full(large.shape, 55, np.int16), np.ones(large.shape, bool)
    array, grid = masked_copy(hu, mask, Box((0, 0, 0), large.size), large)
    assert array.shape == tuple(size + 2 * ROOM_VOXELS for size in large.shape)
    assert grid.spacing == large.spacing


def test_the_copy_is_hidden_unsaved_and_moves_with_the_ct(scene):
    ct = add_ct(scene, make_ct(AXIAL))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    before = scene.GetNumberOfNodes()
    node = show_density(scene, ct, CaseResult(make_labels(), AXIAL, ()), ["GMAX_left"])
    display = node.GetDisplayNode()
    for made in (node, display, display.GetVolumePropertyNode()):
        assert made.GetHideFromEditors() and not made.GetSaveWithScene()
    assert node.GetTransformNodeID() == transform.GetID()
    made = scene.GetNumberOfNodes() - before
    show_density(scene, ct, CaseResult(make_labels(), AXIAL, ()), [segment.key for segment in HIP_AND_THIGH.segments])
    assert scene.GetNumberOfNodes() - before == made, "nodes pile up"


def test_classes_change_at_the_limits_of_the_measurements(scene):
    node = show_density(scene, add_ct(scene, make_ct(AXIAL)), CaseResult(make_labels(), AXIAL, ()), ["GMAX_left"])
    properties = node.GetDisplayNode().GetVolumePropertyNode()
    color, opacity = properties.GetColor(), properties.GetScalarOpacity()
    look = density_look()
    step = look.step_hu
    for hu, tissue in (
        (-200, look.fat),
        (FAT_BELOW_HU - step, look.fat),
        (FAT_BELOW_HU + step, look.composite),
        (0, look.composite),
        (LEAN_ABOVE_HU - step, look.composite),
        (LEAN_ABOVE_HU + step, look.lean),
        (200, look.lean),
    ):
        assert color.GetColor(hu) == pytest.approx(tissue.color)
        assert opacity.GetValue(hu) == pytest.approx(tissue.opacity)
    for hu in (220, 1000, UNDRAWN_HU):
        assert opacity.GetValue(hu) == 0
