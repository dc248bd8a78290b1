"""Removal of components that lie apart from their structure."""

from __future__ import annotations

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.segmentation import clean_components
from MSKSegmentLib.segmentation.components import parts_of

GMAX = HIP_AND_THIGH.structure("GMAX").index
SACRUM = HIP_AND_THIGH.structure("SACRUM").index
RF = HIP_AND_THIGH.structure("RF").index


def grid(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> Geometry:
    return Geometry((shape[2], shape[1], shape[0]), spacing)


def box(classes: np.ndarray, index: int, start: tuple[int, int, int], size: tuple[int, int, int]) -> None:
    classes[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = index


@pytest.fixture
def scene() -> np.ndarray:
    """Two muscles of 15,625 voxels (125 cc) each, 80 mm apart."""
    classes = np.zeros((60, 40, 120), np.uint8)
    box(classes, GMAX, (10, 8, 5), (25, 25, 25))
    box(classes, GMAX, (10, 8, 70), (25, 25, 25))
    return classes


def test_both_sides_and_other_structures_stay(scene):
    box(scene, RF, (40, 10, 10), (5, 5, 5))
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], scene)


def test_distant_island_goes_and_input_is_untouched(scene):
    clean = scene.copy()
    box(scene, GMAX, (50, 20, 40), (6, 6, 6))
    dirty = scene.copy()
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], clean)
    assert np.array_equal(scene, dirty)


def test_distant_component_of_ten_cc_stays(scene):
    box(scene, GMAX, (44, 10, 40), (12, 12, 9))  # 1,296 voxels of 8 mm3: 10.4 cc, 8 % of the largest
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], scene)


@pytest.mark.parametrize(("gap_voxels", "stays"), [(3, True), (7, False)])
def test_torn_off_piece_stays_when_near(scene, gap_voxels, stays):
    clean = scene.copy()
    box(scene, GMAX, (10, 10, 30 + gap_voxels), (8, 8, 4))  # 256 voxels: 1.6 %
    result = clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0]
    assert np.array_equal(result, scene if stays else clean)


def test_near_speck_goes(scene):
    clean = scene.copy()
    box(scene, GMAX, (10, 10, 32), (2, 2, 2))
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], clean)


def test_a_touching_muscle_holds_no_speck_of_another(scene):
    box(scene, RF, (40, 10, 10), (5, 5, 5))
    clean = scene.copy()
    clean[34, 20, 20] = 0
    scene[34, 20, 20] = RF  # at the rim of the large muscle, 1 of 126 voxels of its own
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], clean)


def test_distance_is_in_millimetres(scene):
    clean = scene.copy()
    box(scene, GMAX, (10, 10, 33), (8, 8, 4))  # three voxels away: 4 steps of 2 mm, or of 3 mm
    assert np.array_equal(clean_components(scene, grid(scene.shape), HIP_AND_THIGH)[0], scene)
    assert np.array_equal(clean_components(scene, grid(scene.shape, (3.0, 1.0, 1.0)), HIP_AND_THIGH)[0], clean)


def test_sacrum_is_one():
    classes = np.zeros((60, 40, 120), np.uint8)
    box(classes, SACRUM, (10, 8, 5), (25, 25, 25))
    clean = classes.copy()
    box(classes, SACRUM, (10, 8, 80), (20, 20, 20))
    assert np.array_equal(clean_components(classes, grid(classes.shape), HIP_AND_THIGH)[0], clean)


def test_never_drops_everything():
    classes = np.zeros((20, 20, 20), np.uint8)
    classes[3, 3, 3] = classes[15, 15, 15] = GMAX
    classes[10, 2, 2] = SACRUM
    result = clean_components(classes, grid(classes.shape), HIP_AND_THIGH)[0]
    assert (result == GMAX).any()
    assert (result == SACRUM).sum() == 1


def test_structures_one_voxel_thin():
    for shape in [(1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 1, 1), (1, 4, 5)]:
        classes = np.zeros(shape, np.uint8)
        classes.flat[0] = classes.flat[-1] = RF
        assert np.array_equal(clean_components(classes, grid(shape), HIP_AND_THIGH)[0], classes)


def test_empty_map():
    classes = np.zeros((5, 6, 7), np.uint8)
    assert not clean_components(classes, grid(classes.shape), HIP_AND_THIGH)[0].any()


def test_voxels_that_share_an_edge_hang_together():
    classes = np.zeros((4, 4, 4), np.uint8)
    classes[1, 1, 1] = classes[2, 2, 1] = classes[3, 3, 2] = RF
    (parts,) = parts_of(classes, HIP_AND_THIGH)
    assert parts.voxels.tolist() == [3]
    assert np.allclose(parts.centroids, [[2, 2, 4 / 3]])
