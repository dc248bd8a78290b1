"""Radiographs computed from a CT: sums along rays on the right axes, metal where the CT has it."""

from __future__ import annotations

import numpy as np
import pytest

from MSKSegmentLib.ct.checks.volume import METAL_HU
from MSKSegmentLib.ct.radiograph import STANDS_OUT_HU, RayDirection, both_radiographs
from MSKSegmentLib.ct.volume import Geometry

GRID = Geometry((6, 5, 4), (2.0, 3.0, 7.0))


def air() -> np.ndarray:
    return np.full(GRID.shape, -1000, np.int16)


@pytest.mark.parametrize(
    ("view", "step", "place", "pixel"),
    [(RayDirection.FRONTAL, 3.0, (2, 4), (7.0, 2.0)), (RayDirection.LATERAL, 2.0, (2, 1), (7.0, 3.0))],
)
def test_a_voxel_counts_by_its_density_where_its_ray_ends(view, step, place, pixel):
    hu = air()
    hu[2, 1, 4] = 0
    found = both_radiographs(hu, GRID)[view]
    assert found.pixel_mm == pixel and found.water_mm.shape == (4, 6 if view is RayDirection.FRONTAL else 5)
    expected = np.zeros(found.water_mm.shape)
    expected[place] = step
    np.testing.assert_allclose(found.water_mm, expected, atol=1e-6)
    assert not found.metal.any()


def test_bone_stands_out_and_less_than_air_is_nothing():
    hu = air()
    hu[0, :, 0] = STANDS_OUT_HU + 400
    hu[1, :, 0] = -3000
    water = both_radiographs(hu, GRID)[RayDirection.FRONTAL].water_mm
    assert water[0, 0] == pytest.approx(15.0 * (1 + (STANDS_OUT_HU + 800) / 1000)) and water[1, 0] == 0


def test_metal_is_where_the_volume_has_it():
    hu = np.full(GRID.shape, 40, np.int16)
    hu[1:3, 2, 3] = METAL_HU + 1
    hu[0, 0, 0] = METAL_HU
    for view, axis in ((RayDirection.FRONTAL, 1), (RayDirection.LATERAL, 2)):
        found = both_radiographs(hu, GRID)[view]
        # Of a ray across the patient 2 mm of metal are no more than noise; one from front to back meets 3 mm.
        assert np.array_equal(
            found.metal, (hu > METAL_HU).any(axis=axis) if view is RayDirection.FRONTAL else np.zeros((4, 5), bool)
        )
        assert found.limits[1] < found.water_mm.max() or not found.metal.any()


def test_an_image_of_air_can_be_shown():
    low, high = both_radiographs(air(), GRID)[RayDirection.FRONTAL].limits
    assert 0 <= low < high
