"""Where a stroke of the brush lies in the scan."""

import numpy as np
import pytest
from scene_cases import GEOMETRIES

from MSKSegmentLib.ct.bounds import lps_and_ras, touched_box
from MSKSegmentLib.ct.boxes import Box

MIDDLE = (20, 15, 7)


def bounds_around(point_lps, radius_mm):
    right, anterior, superior = -point_lps[0], -point_lps[1], point_lps[2]
    return tuple(limit for value in (right, anterior, superior) for limit in (value - radius_mm, value + radius_mm))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_box_holds_every_voxel_within_the_brush(name):
    geometry = GEOMETRIES[name]
    centre = geometry.to_physical(MIDDLE)
    box = touched_box(lps_and_ras(bounds_around(centre, 4.0)), geometry)
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.size), indexing="ij"), axis=-1)
    near = np.argwhere(np.linalg.norm(geometry.to_physical(grid) - centre, axis=-1) <= 4.0)
    start, end = np.array(box.start_xyz), np.array(box.start_xyz) + box.size_xyz
    assert len(near) > 10
    assert (near >= start).all() and (near < end).all()
    # A box that were the whole scan would hold them as well.
    assert np.prod(box.size_xyz) < 0.5 * np.prod(geometry.size)


def test_a_stroke_beside_the_scan_touches_nothing():
    geometry = GEOMETRIES["axial"]
    far = geometry.to_physical((0, 0, 0)) - 500
    assert touched_box(lps_and_ras(bounds_around(far, 5.0)), geometry) is None


def test_a_stroke_over_the_edge_is_cut_at_it():
    geometry = GEOMETRIES["oblique"]
    box = touched_box(lps_and_ras(bounds_around(geometry.to_physical((0, 0, 0)), 3.0)), geometry)
    assert box.start_xyz == (0, 0, 0)


def test_a_margin_is_in_millimetres_and_stays_in_the_scan():
    geometry = GEOMETRIES["axial"]
    assert Box((10, 10, 2), (5, 5, 3)).grown_by_mm(3.2, geometry) == Box((6, 6, 0), (13, 13, 7))
    assert Box((0, 0, 0), (1, 1, 1)).grown_by_mm(1000.0, geometry) == Box((0, 0, 0), geometry.size)
