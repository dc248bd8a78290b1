"""Anatomical levels, found on rendered bones and on two labelled bodies, and the cross-sections there."""

import numpy as np
import pytest
from rendered_bones import HEAD_RADIUS, HEAD_Z, SHAFT_RADIUS, TRUE_LEVELS, rendered_bones

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.measurement.levels import HEAD, LESSER_TROCHANTER, LEVEL_NAMES, MID_THIGH, ROOF, S1, UPPER_THIRD, find_levels
from MSKSegmentLib.measurement.sections import section_table


def _found(labels, grid):
    return find_levels(labels, grid, HIP_AND_THIGH.segments)


def _names(levels):
    return {(level.name, level.side) for level in levels}


ALL = {(S1, Side.MIDLINE), *((name, side) for name in LEVEL_NAMES if name != S1 for side in (Side.RIGHT, Side.LEFT))}


@pytest.mark.parametrize(
    ("spacing", "order"),
    [((2.0, 2.0, 2.0), None), ((1.7, 1.7, 5.0), None), ((2.0, 2.0, 3.0), ((2, 0, 1), (-1, 1, -1)))],
)
def test_every_level_lies_where_it_was_rendered(spacing, order):
    levels = _found(*rendered_bones(spacing, order=order))
    assert _names(levels) == ALL
    assert [level.name for level in levels] == sorted((level.name for level in levels), key=LEVEL_NAMES.index)
    for level in levels:
        # Half a slice of rounding, and what a coarse sphere or a rounded bump leaves open.
        assert level.z_mm == pytest.approx(TRUE_LEVELS[level.name], abs=0.5 * spacing[2] + 3), level


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ({"low": 100.0}, {UPPER_THIRD, MID_THIGH, "2/3 of the femur"}),
        ({"high": HEAD_Z + 10}, {name for name in LEVEL_NAMES}),
        ({"high": 500.0}, {S1}),
        ({"low": HEAD_Z - 78}, {UPPER_THIRD, MID_THIGH, "2/3 of the femur", LESSER_TROCHANTER}),
        ({"low": HEAD_Z - 30}, {UPPER_THIRD, MID_THIGH, "2/3 of the femur", LESSER_TROCHANTER, HEAD, ROOF}),
    ],
)
def test_what_the_scan_cuts_has_no_level(part, missing):
    levels = _found(*rendered_bones(**part))
    assert _names(levels) == {(name, side) for name, side in ALL if name not in missing}
    for level in levels:
        assert level.z_mm == pytest.approx(TRUE_LEVELS[level.name], abs=5), level


def test_bones_that_are_absent_take_their_levels_with_them():
    labels, grid = rendered_bones((3.0, 3.0, 3.0))
    labels[labels == HIP_AND_THIGH.segment("PELVIS_left").label] = 0
    labels[labels == HIP_AND_THIGH.segment("FEMUR_right").label] = 0
    assert _names(_found(labels, grid)) == {pair for pair in ALL if pair[1] is not Side.RIGHT and pair != (ROOF, Side.LEFT)}
    assert _found(np.zeros_like(labels), grid) == ()


def test_a_femur_without_head_has_no_levels():
    labels, grid = rendered_bones((3.0, 3.0, 3.0))
    femur = HIP_AND_THIGH.segment("FEMUR_right").label
    proximal = labels[grid.origin[2] + 3.0 * np.arange(grid.size[2]) > HEAD_Z - 2 * HEAD_RADIUS]
    labels[-len(proximal) :] = np.where(proximal == femur, 0, proximal)
    assert not [level for level in _found(labels, grid) if level.side is Side.RIGHT]


def test_levels_of_a_labelled_body(shared):
    """Both sides agree, the order is that of anatomy, and distances are those of adults."""
    labels, grid = read_labels(shared / "anatomy" / "vhf_labels.nrrd", HIP_AND_THIGH, 200)
    labels = np.where(labels >= 200, 0, labels)[::3, ::2, ::2].astype(np.uint8)
    grid = type(grid)(labels.shape[::-1], (2.0, 2.0, 3.0), grid.origin, grid.direction)
    levels = _found(labels, grid)
    assert _names(levels) == ALL
    z = {(level.name, level.side): level.z_mm for level in levels}
    for side in (Side.RIGHT, Side.LEFT):
        heights = [z[name, side] for name in LEVEL_NAMES[1:]]
        assert heights == sorted(heights, reverse=True) and z[S1, Side.MIDLINE] > heights[0]
        assert 20 < z[ROOF, side] - z[HEAD, side] < 35
        assert 45 < z[HEAD, side] - z[LESSER_TROCHANTER, side] < 75
    for name in LEVEL_NAMES[1:]:
        assert z[name, Side.RIGHT] == pytest.approx(z[name, Side.LEFT], abs=6), name


def test_cross_sections_have_area_density_and_fat():
    labels, grid = rendered_bones((2.0, 2.0, 4.0))
    muscle = HIP_AND_THIGH.segment("RF_right").label
    at = (slice(20, 40), slice(50, 55), slice(10, 20))
    labels[at] = muscle
    hu = np.where(labels > 0, 400, -100).astype(np.int16)
    hu[at] = 60
    hu[20:40, 50:55, 10:14] = -90
    table = section_table(labels, hu, grid, HIP_AND_THIGH.segments)
    sections = [section for section in table.sections if section.segment.label == muscle]
    assert [section.index for section in sections] == list(range(20, 40))
    for section in sections:
        assert section.area_cm2 == pytest.approx(5 * 10 * 0.04)
        assert section.fat_percent == pytest.approx(40) and section.mean_hu == pytest.approx(0)
        assert section.z_mm == pytest.approx(grid.origin[2] + 4 * section.index)
    assert sum(section.area_cm2 * 0.4 for section in table.sections) == pytest.approx(np.count_nonzero(labels) * 0.016)
    shaft = [
        (level, section) for level, section in table.at_levels() if level.name == MID_THIGH and section.segment.key == "FEMUR_left"
    ]
    assert len(shaft) == 1 and shaft[0][0].side is Side.LEFT and shaft[0][1].fat_percent is None
    assert shaft[0][1].area_cm2 == pytest.approx(np.pi * SHAFT_RADIUS**2 / 100, rel=0.1)
    sides = {section.segment.side for level, section in table.at_levels() if level.name == ROOF and level.side is Side.RIGHT}
    assert Side.LEFT not in sides
