"""Boxes of voxels and bounds in millimetres."""

import numpy as np
import pytest
from scene_cases import GEOMETRIES

from MSKSegmentLib.ct.bounds import bounds_of_box, bounds_of_points, corners_of, lps_and_ras
from MSKSegmentLib.ct.boxes import EMPTY_BOX, Box, box_of_labels, changed_box, label_boxes, tight_box, union_box


def labels_with(*boxes_and_labels):
    labels = np.zeros((9, 8, 7), np.uint8)
    for box, label in boxes_and_labels:
        labels[box.slices] = label
    return labels


A, B = Box((1, 2, 3), (2, 3, 4)), Box((4, 0, 8), (3, 1, 1))


def test_a_box_is_the_same_as_start_and_size_as_slices_and_as_first_and_stop():
    assert A.slices == np.s_[3:7, 2:5, 1:3] and A.shape == (4, 3, 2) == np.zeros((9, 8, 7))[A.slices].shape
    assert Box.of_slices(A.slices) == A == Box.between(A.start_xyz, A.stop_xyz)
    assert Box.whole((7, 8, 9)).shape == (9, 8, 7)
    assert A.slab(4, 6) == Box((1, 2, 4), (2, 3, 2))


def test_boxes_in_boxes():
    whole = Box.whole((7, 8, 9))
    assert whole.holds(A) and whole.holds(B) and not A.holds(B) and not A.holds(whole)
    assert A.shared_with(B) is None and A.shared_with(whole) == A
    around = union_box([A, None, EMPTY_BOX, B])
    assert around == Box((1, 0, 3), (6, 5, 6)) and union_box([None, EMPTY_BOX]) is None
    inside = A.relative_to(around)
    array = np.arange(9 * 8 * 7).reshape(9, 8, 7)
    np.testing.assert_array_equal(array[around.slices][inside.slices], array[A.slices])


def test_a_margin_ends_at_the_faces():
    assert A.grown((1, 0, 9), (7, 8, 9)) == Box((0, 2, 0), (4, 3, 9))


def test_the_boxes_of_labels_are_tight():
    labels = labels_with((A, 4), (B, 104))
    assert label_boxes(labels) == {4: A, 104: B} == {label: box_of_labels(labels, [label]) for label in (4, 104)}
    assert box_of_labels(labels, (4, 104)) == union_box([A, B])
    assert box_of_labels(labels, (5,)) is None and box_of_labels(labels, ()) is None
    assert label_boxes(np.zeros((2, 2, 2), np.uint8)) == {}
    part = Box((0, 1, 2), (7, 7, 7))
    assert tight_box(labels[part.slices] == 4, part) == A and tight_box(labels[part.slices] == 9, part) is None
    assert tight_box(np.zeros((0, 0, 0), bool), EMPTY_BOX) is None


def test_the_box_of_a_difference_is_tight():
    before, after = labels_with((A, 4)), labels_with((A, 4), (B, 104))
    assert changed_box(before, after) == B == changed_box(after, before) and changed_box(after, after.copy()) is None


@pytest.mark.parametrize("name", GEOMETRIES)
def test_bounds_hold_the_box_in_either_frame(name):
    geometry = GEOMETRIES[name]
    box = Box((2, 3, 1), (5, 4, 6))
    bounds = bounds_of_box(box, geometry, 2.0)
    voxels = np.stack(np.meshgrid(*(range(a, b) for a, b in zip(box.start_xyz, box.stop_xyz, strict=True))), axis=-1)
    points = geometry.to_physical(voxels.reshape(-1, 3))
    np.testing.assert_allclose(bounds[0::2], points.min(axis=0) - 2)
    np.testing.assert_allclose(bounds[1::2], points.max(axis=0) + 2)
    ras = lps_and_ras(bounds)
    assert ras == pytest.approx(bounds_of_points(corners_of(bounds) * (-1, -1, 1))) and lps_and_ras(ras) == pytest.approx(bounds)
    assert all(low < high for low, high in zip(ras[0::2], ras[1::2], strict=True))
