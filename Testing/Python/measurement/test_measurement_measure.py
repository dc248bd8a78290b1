"""Measurements by hand, against an independent implementation, from any axis order, and one segment at a time."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Measurements
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.measurement import asymmetry_percent, measure, measure_one


def naive(labels: np.ndarray, hu: np.ndarray, geometry: Geometry, label: int, height_m: float | None) -> dict:
    """The same numbers from boolean masks and numpy's own statistics, for a grid whose axes are in order."""
    mask = labels == label
    values = hu[mask].astype(float)
    has_composition = label % 100 > 3
    areas = mask.sum(axis=(1, 2))
    level = int(np.flatnonzero(areas == areas.max())[0])
    y, x = np.nonzero(mask[level])
    cc = float(mask.sum()) * np.prod(geometry.spacing) / 1000
    edges = [-np.inf, *range(-190, 300, 10), np.inf]
    return {
        "voxels": int(mask.sum()),
        "volume_cc": cc,
        "volume_cc_per_m2": None if height_m is None else cc / height_m / height_m,
        "mean_hu": values.mean(),
        "sd_hu": values.std(),
        "median_hu": np.median(values),
        "fat_fraction": np.mean(values < -30) if has_composition else None,
        "composite_fraction": np.mean((values >= -30) & (values <= 30)) if has_composition else None,
        "lean_fraction": np.mean(values > 30) if has_composition else None,
        "histogram": tuple(int(((values >= low) & (values < high)).sum()) for low, high in zip(edges[:-1], edges[1:], strict=True)),
        "max_area_cm2": float(areas.max()) * geometry.spacing[0] * geometry.spacing[1] / 100,
        "max_area_level_mm": geometry.to_physical((x.mean(), y.mean(), level))[2],
    }


def assert_same(found: Measurements, expected: dict) -> None:
    for name, value in expected.items():
        if name == "histogram" or value is None:
            assert getattr(found, name) == value, name
        else:
            assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


def random_case(seed: int, shape: tuple[int, int, int], values: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    chosen = np.array([0, 1, 4, 104, 122], np.uint8)[:values]
    return random.choice(chosen, shape), random.integers(-1000, 1500, shape).astype(np.int16)


def test_by_hand():
    labels = np.zeros((4, 5, 6), np.uint8)
    hu = np.full(labels.shape, -90, np.int16)
    labels[1, 1, 1:5] = 4
    labels[2, 1:4, 1:5] = 4
    hu[1, 1, 1:5] = (-31, -30, 30, 31)
    hu[2, 1:4, 1:5] = 100
    geometry = Geometry((6, 5, 4), (2.0, 3.0, 5.0), (-10.0, 0.0, 100.0))
    found = measure(labels, hu, geometry, HIP_AND_THIGH, height_m=2.0)
    assert list(found) == [4]
    m = found[4]
    assert m.voxels == 16
    assert m.volume_cc == pytest.approx(0.48)
    assert m.volume_cc_per_m2 == pytest.approx(0.12)
    assert m.mean_hu == pytest.approx(75.0)
    assert m.median_hu == 100.0
    assert m.sd_hu == pytest.approx(np.sqrt((2 * 31**2 + 2 * 30**2 + 12 * 100**2) / 16 - 75**2))
    assert (m.fat_fraction, m.composite_fraction, m.lean_fraction) == (1 / 16, 2 / 16, 13 / 16)
    assert m.max_area_cm2 == pytest.approx(0.72)
    assert m.max_area_level_mm == pytest.approx(110.0)
    assert m.truncated_by == ()
    assert len(m.histogram) == 50 and sum(m.histogram) == 16
    assert (m.histogram[16], m.histogram[17], m.histogram[23], m.histogram[30]) == (1, 1, 2, 12)


def test_one_voxel_and_absent_label():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[2, 3, 1] = 117
    hu = np.full(labels.shape, 7, np.int16)
    geometry = Geometry((6, 5, 4), (1.0, 1.0, 1.0))
    found = measure(labels, hu, geometry, HIP_AND_THIGH)
    m = found[117]
    assert (m.voxels, m.mean_hu, m.sd_hu, m.median_hu, m.volume_cc_per_m2) == (1, 7.0, 0.0, 7.0, None)
    assert measure_one(labels, hu, geometry, HIP_AND_THIGH, 117) == m
    assert measure_one(labels, hu, geometry, HIP_AND_THIGH, 4) is None
    assert measure_one(labels, hu, geometry, HIP_AND_THIGH, 4, box=Box((0, 0, 0), (3, 3, 3))) is None


def test_no_label_at_all():
    labels, hu = np.zeros((3, 4, 5), np.uint8), np.zeros((3, 4, 5), np.int16)
    assert measure(labels, hu, Geometry((5, 4, 3), (1.0, 1.0, 1.0)), HIP_AND_THIGH) == {}


def test_extreme_values_are_exact():
    labels = np.ones((2, 2, 2), np.uint8)
    hu = np.array([-32768, 32767] * 4, np.int16).reshape(2, 2, 2)
    m = measure(labels, hu, Geometry((2, 2, 2), (1.0, 1.0, 1.0)), HIP_AND_THIGH)[1]
    assert (m.mean_hu, m.median_hu, m.sd_hu) == (-0.5, -0.5, 32767.5)
    assert (m.histogram[0], m.histogram[-1]) == (4, 4)


def test_of_equal_cross_sections_the_most_inferior_is_named():
    labels = np.zeros((5, 3, 3), np.uint8)
    labels[1, 1, 1] = labels[3, 1, 1] = 2
    geometry = Geometry((3, 3, 5), (1.0, 1.0, 4.0))
    assert measure(labels, np.zeros(labels.shape, np.int16), geometry, HIP_AND_THIGH)[2].max_area_level_mm == 4.0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    seed=st.integers(0, 2**32 - 1),
    height=st.one_of(st.none(), st.floats(1.0, 2.2)),
)
def test_equals_the_naive_implementation(shape, spacing, seed, height):
    labels, hu = random_case(seed, shape)
    geometry = Geometry((shape[2], shape[1], shape[0]), spacing, (3.0, -7.0, 11.0))
    found = measure(labels, hu, geometry, HIP_AND_THIGH, height)
    assert list(found) == [int(value) for value in np.unique(labels) if value]
    for label, measurements in found.items():
        assert_same(measurements, naive(labels, hu, geometry, label, height))
        assert sum(measurements.histogram) == measurements.voxels
        assert measure_one(labels, hu, geometry, HIP_AND_THIGH, label, height) == measurements


def test_chunks_do_not_show(monkeypatch):
    labels, hu = random_case(3, (13, 8, 9))
    hu[:, :, :3] = -1024
    geometry = Geometry((9, 8, 13), (0.9, 0.8, 2.0))
    whole = measure(labels, hu, geometry, HIP_AND_THIGH)
    for voxels in (1, 72 * 2, 72 * 5):
        monkeypatch.setattr(import_module("MSKSegmentLib.measurement.measure"), "CHUNK_VOXELS", voxels)
        assert measure(labels, hu, geometry, HIP_AND_THIGH) == whole


ORDERS = [AxisOrder((a, b, c), (i, j, k)) for a, b, c in permutations((0, 1, 2)) for i, j, k in product((1, -1), repeat=3)]


@pytest.fixture(scope="module")
def posed() -> tuple[np.ndarray, np.ndarray, Geometry]:
    """Two muscles, one of them cut at the top and by the round field of view, in a padded scan."""
    shape = (14, 30, 40)
    random = np.random.default_rng(5)
    labels = np.zeros(shape, np.uint8)
    hu = random.integers(-150, 150, shape).astype(np.int16)
    y, x = np.mgrid[: shape[1], : shape[2]]
    hu[:, ((x - 19.5) / 20) ** 2 + ((y - 14.5) / 15) ** 2 > 1] = -2000
    labels[4:, 8:20, 2:14] = 21
    labels[3:9, 10:18, 24:33] = 121
    labels[hu == -2000] = 0
    return labels, hu, Geometry((40, 30, 14), (1.5, 1.25, 4.0), (-30.0, 12.0, -400.0))


def test_posed_case_is_what_it_says(posed):
    found = measure(*posed, HIP_AND_THIGH)
    assert found[21].truncated_by == ("superior", "field of view")
    assert found[121].truncated_by == ()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_any_axis_order_gives_the_same_numbers(posed, order):
    labels, hu, geometry = posed
    turned = order.geometry(geometry)
    found = measure(order.apply(labels), order.apply(hu), turned, HIP_AND_THIGH, 1.7)
    assert list(found) == [21, 121]
    for label, expected in measure(labels, hu, geometry, HIP_AND_THIGH, 1.7).items():
        one, two = asdict(found[label]), asdict(expected)
        assert one.pop("max_area_level_mm") == pytest.approx(two.pop("max_area_level_mm"), abs=1e-9)
        assert one == two
        assert measure_one(order.apply(labels), order.apply(hu), turned, HIP_AND_THIGH, label, 1.7) == found[label]


@pytest.mark.parametrize("order", ORDERS[::7], ids=str)
def test_box_in_any_axis_order(posed, order):
    labels, hu = (order.apply(array) for array in posed[:2])
    geometry = order.geometry(posed[2])
    measured = measure(labels, hu, geometry, HIP_AND_THIGH)
    assert list(measured) == [21, 121]
    for label, expected in measured.items():
        found = [np.flatnonzero((labels == label).any(axis=tuple({0, 1, 2} - {axis}))) for axis in (2, 1, 0)]
        (i, ni), (j, nj), (k, nk) = ((int(where[0]), int(where[-1] - where[0]) + 1) for where in found)
        assert measure_one(labels, hu, geometry, HIP_AND_THIGH, label, box=Box((i, j, k), (ni, nj, nk))) == expected


def test_oblique_grid():
    """A grid turned by 20 degrees about x: areas are those of its slices, the level that of the section's centroid."""
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[2:4, 2:6, 2:6] = 5
    labels[3, 2:6, 6] = 5
    c, s = float(np.cos(np.radians(20))), float(np.sin(np.radians(20)))
    geometry = Geometry((8, 8, 6), (2.0, 2.0, 3.0), (5.0, 6.0, 7.0), ((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
    m = measure(labels, np.zeros(labels.shape, np.int16), geometry, HIP_AND_THIGH)[5]
    assert m.volume_cc == pytest.approx(36 * 12 / 1000)
    assert m.max_area_cm2 == pytest.approx(0.8)
    assert m.max_area_level_mm == pytest.approx(7.0 + s * 2.0 * 3.5 + c * 3.0 * 3)


@pytest.mark.parametrize("wrong", ["labels", "hu", "valid", "shape"])
def test_wrong_arrays(wrong):
    shape = (3, 4, 5)
    labels, hu, valid = np.zeros(shape, np.uint8), np.zeros(shape, np.int16), np.ones(shape, bool)
    if wrong == "labels":
        labels = labels.astype(np.int32)
    elif wrong == "hu":
        hu = hu.astype(np.float32)
    elif wrong == "valid":
        valid = valid.astype(np.uint8)
    else:
        hu = hu[:2]
    with pytest.raises(ValueError, match="must"):
        measure(labels, hu, Geometry((5, 4, 3), (1.0, 1.0, 1.0)), HIP_AND_THIGH, valid=valid)


@pytest.mark.parametrize(
    ("right", "left", "expected"),
    [(100.0, 100.0, 0.0), (110.0, 90.0, 20.0), (90.0, 110.0, -20.0), (5.0, 0.0, 200.0), (0.0, 0.0, None),
     (None, 3.0, None), (3.0, None, None)],
)  # fmt: skip
def test_asymmetry(right, left, expected):
    assert asymmetry_percent(right, left) == (None if expected is None else pytest.approx(expected))
