from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_labels
from scipy import ndimage

slicer = pytest.importorskip("slicer")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import CaseResult  # noqa: E402
from MSKSegmentLib.ct.boxes import Box  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume, Geometry  # noqa: E402
from MSKSegmentLib.measurement.density import FAT_BELOW_HU, LEAN_ABOVE_HU  # noqa: E402
from MSKSegmentLib.scene import add_ct, hide_density, show_density  # noqa: E402
from MSKSegmentLib.scene.density import density_look, opacities_of, set_transfer_functions  # noqa: E402
from MSKSegmentLib.scene.density_volume import FULL_OPACITY, HELD_TO_HU, masked_copy  # noqa: E402
from MSKSegmentLib.scene.geometry import array_of_image  # noqa: E402
from MSKSegmentLib.scene.smooth_mask import ROOM_VOXELS  # noqa: E402
from MSKSegmentLib.scene.volume_node import geometry_of_node  # noqa: E402

pytest_plugins = ("scene_fixtures",)

AXIAL = GEOMETRIES["axial"]
INSIDE = np.s_[3:11, 5:25, 6:34]


# As opaque everywhere, so that the second value of a copy is how much of a voxel is seen.
EVERYWHERE = [(-200, 1.0), (200, 1.0)]


def shown(node):
    """HU and opacity of the rendered copy, and its grid."""
    array = array_of_image(node.GetImageData())
    return array[..., 0], array[..., 1], geometry_of_node(node)


def copy_of(hu, mask, box, geometry):
    array, grid = masked_copy(hu, mask, box, geometry, EVERYWHERE)
    return array[..., 0], array[..., 1], grid


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
    array, opacity, grid = shown(
        show_density(scene, add_ct(scene, CTVolume(hu, geometry)), CaseResult(labels, geometry, ()), ["GMAX_right"])
    )
    assert np.prod(grid.size) > 4 * labels.astype(bool).sum(), "long voxels were not halved"
    index = np.argwhere(opacity > 0)[:, ::-1]
    at = geometry.to_index(grid.to_physical(index))
    # All that is seen lies in the segment, or less than a voxel outside.
    low, high = np.array([6, 5, 3]) - 1.01, np.array([33, 24, 10]) + 1.01
    assert ((at >= low) & (at <= high)).all()
    seen = opacity / np.interp(array, [-31, -29, 29, 31], [1000, 200, 200, 350])
    volume = seen.sum() * grid.voxel_volume_mm3
    assert volume == pytest.approx((labels > 0).sum() * geometry.voxel_volume_mm3, rel=0.15)
    # Inside, the values are those of the CT, or beyond the limits of composite as they are.
    deep = ((at >= [8, 7, 5]) & (at <= [31, 22, 8])).all(axis=1)
    assert deep.sum() > 1000
    middle = geometry.to_physical((np.array(geometry.size) - 1) / 2)
    expected = (grid.to_physical(index[deep]) - middle) @ [1.1, -0.9, 1.7]
    found = array[tuple(index[deep, ::-1].T)]
    composite = np.abs(expected) < 28
    np.testing.assert_allclose(found[composite], expected[composite], atol=2)
    assert composite.sum() > 300 and (found[expected < -32] < -30).all() and (found[expected > 32] > 30).all()


def test_values_of_neighbours_do_not_leak_in():
    hu = np.full((20, 20, 20), -100, np.int16)
    mask = np.zeros(hu.shape, bool)
    mask[6:14, 6:14, 6:14] = True
    hu[mask] = 55
    box = Box((5, 5, 5), (10, 10, 10))
    array, opacity, _ = copy_of(hu, mask[5:15, 5:15, 5:15], box, Geometry((20, 20, 20), (2, 2, 3)))
    # Nor beside what is seen, where the renderer interpolates.
    near = ndimage.binary_dilation(opacity > 0, np.ones((3, 3, 3)))
    assert (array[near] >= HELD_TO_HU).all()
    assert opacity.min() == 0 and opacity.max() == FULL_OPACITY


def test_the_edge_fades_over_a_voxel_and_has_no_steps():
    """A slanted plane: the surface at half opacity is as even as the plane, where a sharp edge would follow the voxels."""
    z, y, x = np.indices((30, 30, 30))
    mask = 2 * x + y + 3 * z < 100
    array, opacity, grid = copy_of(
        np.full(mask.shape, 0, np.int16), mask, Box((0, 0, 0), (30, 30, 30)), Geometry((30, 30, 30), (2, 2, 2))
    )
    edge = (opacity > 300) & (opacity < 700)
    index = np.argwhere(edge)[:, ::-1]
    voxels = grid.to_physical(index) / 2
    inner = ((voxels > 6) & (voxels < 23)).all(axis=1)
    distance = (voxels[inner] @ [2, 1, 3] - 99.5) / np.sqrt(14)
    assert inner.sum() > 500 and np.abs(distance).max() < 0.5


def test_calcium_and_gas_are_held_to_the_ends_of_the_scale():
    hu = np.full((9, 9, 9), 55, np.int16)
    hu[4, 4, 4], hu[2, 2, 2] = 900, -1000
    array, _, _ = copy_of(hu, np.ones(hu.shape, bool), Box((0, 0, 0), (9, 9, 9)), Geometry((9, 9, 9), (0.7, 0.7, 0.7)))
    middle, corner = 4 + ROOM_VOXELS, 2 + ROOM_VOXELS
    assert array[middle, middle, middle] > HELD_TO_HU and array[corner, corner, corner] < -HELD_TO_HU
    assert array.shape == (9 + 2 * ROOM_VOXELS,) * 3, "small voxels need no halving"


def test_what_is_one_voxel_thin_stays():
    mask = np.zeros((11, 30, 30), bool)
    mask[5] = True
    hu = np.full(mask.shape, 55, np.int16)
    _, opacity, _ = copy_of(hu, mask, Box((0, 0, 0), (30, 30, 11)), Geometry((30, 30, 11), (2, 2, 3)))
    assert (opacity > 0.5 * FULL_OPACITY).any(axis=0)[15:-15, 15:-15].all()


def test_only_named_muscles_are_shown_and_no_bones(scene):
    labels = make_labels()
    ct = add_ct(scene, make_ct(AXIAL))
    node = show_density(scene, ct, CaseResult(labels, AXIAL, ()), ["GMAX_left", "SACRUM"])
    _, opacity, grid = shown(node)
    index = np.argwhere(opacity > 0)[:, ::-1]
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
    array, opacity, grid = copy_of(hu, mask, Box((0, 0, 0), large.size), large)
    assert opacity.sum(dtype=np.int64) == mask.sum() * FULL_OPACITY
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
    property_node = node.GetDisplayNode().GetVolumePropertyNode()
    preset = slicer.vtkMRMLVolumePropertyNode()
    look = density_look()
    set_transfer_functions(preset.GetVolumeProperty(), look)
    step = look.step_hu
    # Each voxel's opacity by its HU, where the mask is whole.
    hu = np.tile(np.arange(-250, 250, dtype=np.int16), (9, 9, 1))
    copied, _ = masked_copy(
        hu, np.ones(hu.shape, bool), Box((0, 0, 0), (500, 9, 9)), Geometry((500, 9, 9), (0.5, 0.5, 0.5)), opacities_of(look)
    )
    row = copied[4 + ROOM_VOXELS, 4 + ROOM_VOXELS, ROOM_VOXELS:-ROOM_VOXELS]
    for value, tissue in (
        (-200, look.fat),
        (FAT_BELOW_HU - step, look.fat),
        (FAT_BELOW_HU + step, look.composite),
        (0, look.composite),
        (LEAN_ABOVE_HU - step, look.composite),
        (LEAN_ABOVE_HU + step, look.lean),
        (200, look.lean),
    ):
        for functions in (property_node, preset):
            assert functions.GetColor().GetColor(value) == pytest.approx(tissue.color)
        assert preset.GetScalarOpacity().GetValue(value) == pytest.approx(tissue.opacity)
        drawn, opacity = row[int(value) + 250].tolist()
        assert property_node.GetColor().GetColor(drawn) == pytest.approx(tissue.color)
        assert opacity == pytest.approx(FULL_OPACITY * tissue.opacity, abs=0.5)
    assert property_node.GetScalarOpacity().GetValue(FULL_OPACITY * 0.35) == pytest.approx(0.35)
    for value in (220, 1000, 3000):
        assert preset.GetScalarOpacity().GetValue(value) == 0
