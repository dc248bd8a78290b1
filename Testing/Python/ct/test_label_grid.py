"""A label map on the voxels of a CT is brought there without loss, whatever the order of its axes; on others it is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_labels

from MSKSegmentLib.ct.label_grid import match_voxels, place_labels
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError

ORDERS = [AxisOrder(axes, signs) for axes in permutations((0, 1, 2)) for signs in product((1, -1), repeat=3)]
GRID = GEOMETRIES["oblique"]


def counts(labels):
    return np.bincount(labels.ravel(), minlength=256)


def rounded(geometry: Geometry, spacing=lambda v: float(np.float32(v)), origin=lambda v: float(np.float32(v))) -> Geometry:
    direction = tuple(tuple(float(np.float32(v)) for v in row) for row in geometry.direction)
    return replace(geometry, spacing=tuple(map(spacing, geometry.spacing)), origin=tuple(map(origin, geometry.origin)),
                   direction=direction)  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{order.axes}{order.signs}")
@pytest.mark.parametrize("name", ["axial", "oblique", "left_handed"])
def test_every_axis_order_comes_back_to_the_voxel(name, order):
    labels, grid = make_labels(), GEOMETRIES[name]
    turned, turned_grid = np.ascontiguousarray(order.apply(labels)), order.geometry(grid)
    placed = place_labels(turned, rounded(turned_grid), grid)
    np.testing.assert_array_equal(placed.labels, labels)
    assert not placed.outside.any()


@pytest.mark.parametrize("order", ORDERS[::5], ids=lambda order: f"{order.axes}{order.signs}")
def test_a_cropped_and_turned_map_is_put_where_it_was(order):
    labels, box = make_labels(), np.s_[2:12, 3:29, 2:38]
    labels[np.logical_not(np.indices(labels.shape)[0] >= 2)] = 0
    expected = np.zeros_like(labels)
    expected[box] = labels[box]
    part = GRID.cropped((2, 3, 2), (36, 26, 10))
    placed = place_labels(np.ascontiguousarray(order.apply(labels[box])), rounded(order.geometry(part)), GRID)
    np.testing.assert_array_equal(placed.labels, expected)
    assert not placed.outside.any()


@pytest.mark.parametrize("order", ORDERS[::7], ids=lambda order: f"{order.axes}{order.signs}")
def test_what_reaches_beyond_the_ct_is_counted(order):
    labels = make_labels()
    ct = GRID.cropped((10, 5, 4), (40, 20, 20))
    placed = place_labels(np.ascontiguousarray(order.apply(labels)), order.geometry(GRID), ct)
    expected = np.zeros(ct.shape, np.uint8)
    expected[:10, :, :30] = labels[4:, 5:25, 10:]
    np.testing.assert_array_equal(placed.labels, expected)
    lost = counts(labels) - counts(expected)
    lost[0] = 0
    np.testing.assert_array_equal(placed.outside, lost)
    assert lost.any()


def test_a_map_beside_the_ct_is_all_outside():
    away = replace(GRID, origin=tuple(GRID.to_physical((100, 0, 0))))
    placed = place_labels(make_labels(), away, GRID)
    assert not placed.labels.any() and placed.outside.sum() == np.count_nonzero(make_labels())


def test_the_same_grid_costs_no_copy():
    labels = make_labels()
    assert place_labels(labels, rounded(GRID), GRID).labels is labels


def test_headers_rounded_to_three_decimals_are_the_same_grid():
    grid = Geometry((512, 512, 300), (0.9765625, 0.9765625, 2.9999), (-249.51171875, -249.51171875, -1023.4567))
    short = rounded(grid, lambda v: round(v, 3), lambda v: round(v, 1))
    assert match_voxels(short, grid).is_identity


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spacing": (1.6, 1.8, 6.2)}, "differ in size"),
        ({"spacing": (0.8, 0.9, 3.3)}, "differ in size"),
        ({"origin": (-71.18, 33.25, -410.0)}, r"shifted against each other by a part of a voxel \(0.32, 0.00, 0.00 mm\)"),
        ({"direction": GEOMETRIES["oblique"].direction}, "turned against each other"),
        ({"size": (40, 30, 1), "spacing": (0.8, 0.9, 5.0)}, "differ in size"),
    ],
)
def test_another_grid_is_refused_with_both_stated(change, why):
    grid = GEOMETRIES["axial"]
    other = replace(grid, **change)
    with pytest.raises(InputError, match=why) as told:
        place_labels(np.zeros(other.shape, np.uint8), other, grid)
    text = str(told.value)
    assert "40 x 30 x 14 voxels of 0.8 x 0.9 x 3.1 mm" in text and "resample the labels" in text
    assert " x ".join(f"{step:.4g}" for step in other.spacing) in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"origin": (0.0, 0.0, 0.0)}, r"they lie 71.50, -33.25, 410.00 mm apart \(the segmentation begins at 0, 0, 0"),
        ({"origin": (928.9, 33.25, -410.0)}, r"they lie 1000.40, 0.00, 0.00 mm apart;"),
        ({"origin": (928.9, 33.25, -410.0), "size": (20, 30, 14)}, "beside each other, their middles 992.40, 0.00, 0.00 mm"),
        ({"origin": (-71.1, 33.25, -410.0), "size": (20, 30, 14)}, r"a part of a voxel \(-0.40, 0.00, 0.00 mm\)"),
    ],
)
def test_a_shift_is_told_whole(change, why):
    grid = GEOMETRIES["axial"]
    assert grid.origin == (-71.5, 33.25, -410.0)
    other = replace(grid, **change)
    with pytest.raises(InputError, match=why):
        place_labels(np.zeros(other.shape, np.uint8), other, grid)
