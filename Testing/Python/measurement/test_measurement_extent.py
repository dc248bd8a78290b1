"""When a segment counts as cut by the limits of the scan."""

from __future__ import annotations

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.measurement import measure, measure_one

SHAPE = (20, 40, 40)
GEOMETRY = Geometry((40, 40, 20), (1.0, 1.0, 2.0))


def scan() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.full(SHAPE, 40, np.int16)


def cut(labels: np.ndarray, hu: np.ndarray, valid: np.ndarray | None = None, label: int = 4) -> tuple[str, ...]:
    found = measure(labels, hu, GEOMETRY, HIP_AND_THIGH, valid=valid)[label].truncated_by
    again = measure_one(labels, hu, GEOMETRY, HIP_AND_THIGH, label, valid=valid)
    assert again is not None and again.truncated_by == found
    return found


@pytest.mark.parametrize(
    ("face", "where"),
    [
        ("inferior", np.s_[0:9, 10:20, 10:20]),
        ("superior", np.s_[9:20, 10:20, 10:20]),
        ("anterior", np.s_[5:15, 0:10, 10:20]),
        ("posterior", np.s_[5:15, 30:40, 10:20]),
        ("right", np.s_[5:15, 10:20, 0:10]),
        ("left", np.s_[5:15, 10:20, 30:40]),
    ],
)
def test_each_face(face, where):
    labels, hu = scan()
    labels[where] = 4
    assert cut(labels, hu) == (face,)


def test_inside_is_not_cut():
    labels, hu = scan()
    labels[1:19, 1:39, 1:39] = 4
    assert cut(labels, hu) == ()


def test_whole_scan_is_cut_everywhere():
    labels, hu = scan()
    labels[:] = 4
    assert cut(labels, hu) == ("inferior", "superior", "anterior", "posterior", "right", "left")


@pytest.mark.parametrize(("voxels", "expected"), [(1, ()), (19, ()), (20, ("superior",))])
def test_a_tip_in_the_last_slice_is_no_cut(voxels, expected):
    """Below 20 mm2 nothing is said (the largest cross-section has 400 mm2, of which 5 % are 20)."""
    labels, hu = scan()
    labels[5:19, 10:30, 10:30] = 4
    labels[19, 20, 10 : 10 + voxels] = 4
    assert cut(labels, hu) == expected


def test_a_blunt_end_is_measured_against_its_own_size():
    """A femur's condyle that ends in the last slice: 60 mm2 of a bone with 1444 mm2."""
    labels, hu = scan()
    labels[5:19, 1:39, 1:39] = 2
    labels[19, 20:26, 20:30] = 2
    assert cut(labels, hu, label=2) == ()
    labels[19, 20:30, 20:30] = 2
    assert cut(labels, hu, label=2) == ("superior",)


def circle(radius: float) -> np.ndarray:
    y, x = np.mgrid[:40, :40] - 19.5
    return np.broadcast_to(x**2 + y**2 <= radius**2, SHAPE)


@pytest.mark.parametrize("padding", [-1024, -2000, -3024])
def test_round_field_of_view(padding):
    labels, hu = scan()
    seen = circle(19.0)
    hu[~seen] = padding
    labels[4:16, 12:28, 1:14] = 4
    labels[4:16, 15:25, 16:25] = 104
    labels[~seen] = 0
    assert cut(labels, hu) == ("field of view",)
    assert cut(labels, hu, label=104) == ()


def test_a_label_that_stops_a_voxel_short_of_the_padding_is_cut_too():
    labels, hu = scan()
    hu[~circle(19.0)] = -1024
    labels[4:16, 12:28, 1:14] = 4
    labels[~circle(17.8)] = 0
    assert cut(labels, hu) == ("field of view",)
    labels[~circle(15.0)] = 0
    assert cut(labels, hu) == ()


def test_given_mask_replaces_the_padding():
    labels, hu = scan()
    hu[:, 12:28, :3] = -1024
    labels[4:16, 12:28, 3:14] = 4
    assert cut(labels, hu) == ("field of view",)
    assert cut(labels, hu, valid=np.ones(SHAPE, bool)) == ()
    labels[4:16, 12:28, 3:14] = 0
    labels[4:16, 12:20, 15:25] = 4
    mask = np.ones(SHAPE[1:], bool)
    mask[:, 25:] = False
    assert cut(labels, hu, valid=np.broadcast_to(mask, SHAPE)) == ("field of view",)


def test_dark_streaks_inside_the_body_are_no_padding():
    labels, hu = scan()
    labels[4:16, 12:28, 10:25] = 4
    hu[:, 11:29, 25:30] = -1024
    assert cut(labels, hu) == ()
    hu[:, 15:20, 30:] = -1024
    assert cut(labels, hu) == ("field of view",)


def test_sheared_padding_above_a_segment():
    """A tilted scan brought upright is padded in whole wedges: a segment may end below one, slices before the last."""
    labels, hu = scan()
    hu[14:] = -1024
    labels[4:14, 10:20, 10:20] = 4
    assert cut(labels, hu) == ("field of view",)
    labels[13, 10:20, 10:20] = 0
    assert cut(labels, hu) == ()


def test_padding_beside_one_voxel_is_no_cut():
    labels, hu = scan()
    labels[4:16, 12:28, 10:25] = 4
    hu[8, 20, 26:] = -1024
    assert cut(labels, hu) == ()
