from __future__ import annotations

import numpy as np
import pytest
from scene_cases import GEOMETRIES, lps_of_ras, make_ct, make_result
from skimage.color import rgb2lab

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.scene import add_ct, add_uncertainty
from MSKSegmentLib.scene.geometry import array_of_image
from MSKSegmentLib.scene.uncertainty import COLOR_NODE_NAME, uncertainty_colors, uncertainty_range

pytest_plugins = ("scene_fixtures",)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_volumes_hold_the_same_values_at_the_same_places(scene, name):
    geometry, result, volume = GEOMETRIES[name], make_result(GEOMETRIES[name]), make_ct(GEOMETRIES[name])
    vtk = pytest.importorskip("vtk")
    for node, expected in ((add_ct(scene, volume), volume.hu), (add_uncertainty(scene, result), result.uncertainty)):
        array = array_of_image(node.GetImageData())
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        for index in ((0, 0, 0), (39, 0, 0), (0, 29, 0), (0, 0, 13), (7, 11, 5)):
            position = lps_of_ras(matrix.MultiplyPoint((*index, 1))[:3])
            reference = geometry.image_of(expected).TransformIndexToPhysicalPoint(index)
            np.testing.assert_allclose(position, reference, atol=1e-4)


def test_the_node_keeps_its_own_copy(scene):
    result = make_result(GEOMETRIES["axial"])
    before = result.uncertainty.copy()
    node = add_uncertainty(scene, result)
    result.uncertainty[:] = 7
    np.testing.assert_array_equal(array_of_image(node.GetImageData()), before)


def test_ct_is_shown_with_the_soft_tissue_window(scene):
    display = add_ct(scene, make_ct(GEOMETRIES["axial"])).GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (400, 40)
    assert not display.GetAutoWindowLevel()


def test_zero_is_transparent_and_high_is_opaque(scene):
    result = make_result(GEOMETRIES["axial"])
    node = add_uncertainty(scene, result)
    display = node.GetDisplayNode()
    display.GetImageDataConnection().GetProducer().Update()
    shown = display.GetImageDataConnection().GetProducer().GetOutputDataObject(0)
    rgba = array_of_image_rgba(shown)
    assert (rgba[result.uncertainty == 0, 3] == 0).all()
    low, high = uncertainty_range(result.uncertainty)
    certain = result.uncertainty > 0.05 * high
    assert certain.sum() > 1000
    assert (rgba[certain, 3] == 255).all()
    top = rgba[result.uncertainty >= high, :3]
    np.testing.assert_allclose(top, np.broadcast_to(uncertainty_colors()[-1] * 255, top.shape), atol=1.5)
    assert (low, high) == (display.GetWindowLevelMin(), pytest.approx(display.GetWindowLevelMax()))


def array_of_image_rgba(image):
    from vtk.util.numpy_support import vtk_to_numpy

    x, y, z = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(z, y, x, 4)


def test_one_color_node_serves_all(scene):
    nodes = [add_uncertainty(scene, make_result(GEOMETRIES["axial"]), name) for name in ("a", "b")]
    colors = {node.GetDisplayNode().GetColorNode() for node in nodes}
    assert len(colors) == 1
    node = colors.pop()
    assert node.GetName() == COLOR_NODE_NAME
    assert node.GetNumberOfColors() == 256


def test_lightness_rises_evenly():
    steps = np.diff(rgb2lab(uncertainty_colors()[None])[0, :, 0])
    assert steps.min() > 0.7 * steps.mean()
    assert steps.max() < 1.3 * steps.mean()


def test_range_ignores_zeros_and_single_outliers():
    values = np.zeros((20, 50, 50), np.float32)
    values[5:15] = np.linspace(1e-5, 1e-3, 25_000, dtype=np.float32).reshape(10, 50, 50)
    values[0, 0, 0], values[0, 0, 1] = 0.2, np.nan
    low, high = uncertainty_range(values)
    assert low == 0
    assert high == pytest.approx(0.995e-3, rel=0.01)
    assert uncertainty_range(np.zeros((2, 2, 2), np.float32)) == (0, 1)


def test_range_of_a_large_map_is_that_of_its_sample():
    random = np.random.default_rng(3)
    values = random.gamma(2, 1e-3, (60, 300, 300)).astype(np.float32)
    assert uncertainty_range(values)[1] == pytest.approx(np.percentile(values, 99.5), rel=0.02)


def test_without_uncertainty_it_says_so(scene):
    with pytest.raises(InputError, match="no uncertainty"):
        add_uncertainty(scene, make_result(GEOMETRIES["axial"], with_uncertainty=False))
