"""Which slices are proposed: by position, evenly, by vertebrae, and what is refused."""

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.sparse.levels import levels_at, levels_spread, parse_level, slice_positions, vertebrae_between
from MSKSegmentLib.sparse.proposing import LevelChoice, propose_levels

UPWARDS = Geometry((4, 4, 20), (1.0, 1.0, 5.0), (0.0, 0.0, -100.0))
DOWNWARDS = Geometry((4, 4, 20), (1.0, 1.0, 5.0), (0.0, 0.0, -5.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
SAGITTAL = Geometry((4, 20, 4), (1.0, 5.0, 1.0), direction=((0, 0, 1), (1, 0, 0), (0, 1, 0)))


def test_the_nearest_slice_is_taken_whichever_way_the_scan_runs():
    for geometry in (UPWARDS, DOWNWARDS):
        levels = levels_at(geometry, [("L4", -97.6), ("T12", -52.0)])
        assert [level.name for level in levels] == ["T12", "L4"], "from head to foot"
        assert [level.position_mm for level in levels] == [-50.0, -100.0]
        assert slice_positions(geometry)[levels[0].number] == -50.0
    assert levels_at(UPWARDS, [("a", -100.0)])[0].number == 0 and levels_at(DOWNWARDS, [("a", -100.0)])[0].number == 19


def test_levels_are_spread_evenly_and_each_has_a_slice_of_its_own():
    levels = levels_spread(UPWARDS, 4, (-100.0, -5.0))
    # 20 slices in 4 parts of 5: the middle one of each.
    assert [level.number for level in levels] == [17, 12, 7, 2]
    assert len({level.number for level in levels_spread(UPWARDS, 20, (-100.0, -5.0))}) == 20
    part = levels_spread(UPWARDS, 3, (-40.0, -61.0))
    assert all(-60 <= level.position_mm <= -40 for level in part) and [level.name for level in part][0] == "1 of 3"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: levels_at(UPWARDS, [("L4", -110.0)]), "L4 at -110 mm lies outside the scan"),
        (lambda: levels_at(UPWARDS, [("a", -99.0), ("b", -101.0)]), "fall on one slice"),
        (lambda: levels_spread(UPWARDS, 21, (-100.0, -5.0)), "cannot be spread over 20 slices"),
        (lambda: slice_positions(SAGITTAL), "not axial"),
        (lambda: parse_level("L4"), "no level"),
        (lambda: parse_level("L4=nan"), "no level"),
        (lambda: parse_level("=3"), "no level"),
        (lambda: vertebrae_between("T4", "L6"), "no vertebra 'L6'"),
    ],
)
def test_what_cannot_be_is_said(ask, words):
    with pytest.raises(InputError, match=words):
        ask()


@pytest.fixture
def spine(tmp_path):
    """Three vertebrae as TotalSegmentator numbers them, with a process that hangs down behind; the highest is cut."""
    labels = np.zeros((24, 30, 20), np.uint8)
    for value, low, high in ((28, 1, 10), (29, 11, 20), (30, 20, 24)):
        labels[low:high, 2:14, 5:15] = value
    # The process of the third lumbar vertebra hangs over the body of the fourth.
    labels[4:14, 18:28, 9:11] = 29
    geometry = Geometry(labels.shape[::-1], (2.0, 2.0, 3.0), (0.0, 0.0, 300.0))
    path = tmp_path / "vertebrae.nii.gz"
    sitk.WriteImage(geometry.image_of(labels), str(path))
    return path


def ct_like(spacing_z=3.0, first=300.0, depth=24):
    geometry = Geometry((20, 30, depth), (2.0, 2.0, spacing_z), (0.0, 0.0, first))
    return CTVolume(np.zeros(geometry.shape, np.int16), geometry)


def test_the_middle_of_a_vertebra_is_that_of_its_body(spine):
    found = propose_levels(ct_like(), LevelChoice(vertebrae=spine, labels="totalsegmentator"), HIP_AND_THIGH)
    # Bodies from slice 11 to 19 and from 1 to 9; with its process the upper one would reach from 4 to 19.
    assert [(level.name, level.number) for level in found.levels] == [("L3", 15), ("L4", 5)]
    assert found.notes[0].startswith("L2 is cut") and "T12" in found.notes[1] and "L2" not in found.notes[1]
    fourth = LevelChoice(vertebrae=spine, first="L4", last="L4", labels="totalsegmentator")
    finer = propose_levels(ct_like(1.0, 300.0, 70), fourth, HIP_AND_THIGH)
    assert [(level.name, level.position_mm) for level in finer.levels] == [("L4", 315.0)] and not finer.notes


def test_a_mask_that_tells_nothing_is_refused(spine):
    with pytest.raises(InputError, match="say with --labels whose numbers"):
        propose_levels(ct_like(), LevelChoice(vertebrae=spine), HIP_AND_THIGH)
    with pytest.raises(InputError, match="segmentation of the same CT"):
        propose_levels(ct_like(first=900.0), LevelChoice(vertebrae=spine, labels="totalsegmentator"), HIP_AND_THIGH)
    for choice in (LevelChoice(), LevelChoice(at=("a=1",), count=3)):
        with pytest.raises(InputError, match="in one way"):
            propose_levels(ct_like(), choice, HIP_AND_THIGH)
