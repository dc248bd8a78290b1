"""The stored uncertainty is as right as it is said to be, and what is seen of it stays."""

import numpy as np
import pytest

from MSKSegmentLib.results.uncertainty_rounding import rounded_uncertainty


@pytest.fixture(scope="module")
def exact():
    random = np.random.default_rng(0)
    values = (10 ** random.uniform(-14, -0.6, (20, 60, 50))).astype(np.float32)
    values[random.random(values.shape) < 0.3] = 0
    return values


def test_from_1e_8_on_values_are_right_to_half_a_thousandth(exact):
    told = exact >= np.float32(1e-8)
    stored = rounded_uncertainty(exact)
    assert stored.dtype == np.float32 and stored.shape == exact.shape
    np.testing.assert_allclose(stored[told], exact[told], rtol=2**-11, atol=0)


def test_below_values_are_one_positive_number_and_zeros_stay_zeros(exact):
    stored = rounded_uncertainty(exact)
    below = stored[(exact > 0) & (exact < 9.9e-9)]
    assert len(np.unique(below)) == 1 and 0 < below[0] < 1e-8
    np.testing.assert_array_equal(stored == 0, exact == 0)


def test_a_percentile_of_the_positive_voxels_stays(exact):
    one, two = (np.percentile(values[values > 0], 99.5) for values in (exact, rounded_uncertainty(exact)))
    assert two == pytest.approx(one, rel=2**-11)


def test_rounding_twice_changes_nothing(exact):
    """Results are read and written again."""
    limit = np.float32(1e-8)
    around = limit + np.arange(-40000, 40000, dtype=np.float32) * np.spacing(limit)
    for values in (exact, around):
        stored = rounded_uncertainty(values)
        np.testing.assert_array_equal(rounded_uncertainty(stored), stored)


@pytest.mark.parametrize("value", [0.0, np.finfo(np.float32).smallest_subnormal, 2.0**-28, 2.0**-20, 0.25, 1.0])
def test_values_at_the_ends(value):
    stored = rounded_uncertainty(np.array([value], np.float32))
    assert stored[0] == (2.0**-28 if 0 < value < 1e-8 else value)


def test_a_view_is_rounded_as_it_lies_and_left_as_it_is(exact):
    view, before = exact.transpose(2, 0, 1), exact.copy()
    np.testing.assert_array_equal(rounded_uncertainty(view), rounded_uncertainty(exact).transpose(2, 0, 1))
    np.testing.assert_array_equal(exact, before)
