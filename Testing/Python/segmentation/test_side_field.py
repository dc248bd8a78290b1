"""The side field is the difference of scipy's distances, to the bit."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from MSKSegmentLib.segmentation.side_field import between


@pytest.mark.parametrize("shape", [(12, 9, 14), (1, 7, 9), (20, 1, 6)])
def test_the_field_is_the_difference_of_distances(shape):
    random, spacing = np.random.default_rng(0), (2.736, 2.9296875, 3.1)
    right, left = (random.random(shape) > 0.95 for _ in range(2))
    right.flat[0] = left.flat[-1] = True
    expected = distance_transform_edt(~right, sampling=spacing).astype(np.float32)
    expected -= distance_transform_edt(~left, sampling=spacing)
    found = between(right, left, spacing)
    assert found.dtype == np.float32 and np.array_equal(found, expected)
