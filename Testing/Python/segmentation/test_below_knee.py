"""Scans of whole legs: what is labelled farther below the hip than a femur is long goes, and no light is green."""

from __future__ import annotations

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.segmentation import cut_below_knee

FEMUR, GRACILIS = (HIP_AND_THIGH.structure(name).index for name in ("FEMUR", "GRAC"))
LEFT, SACRUM = 100, HIP_AND_THIGH.structure("SACRUM").index
INTERVAL = 10.0
LONGEST = 58  # slices


def legs(right=(40, 110), left=(40, 110), slices=120):
    """Labels ``[z, y, x]`` of 10 mm slices: two femora between the slices given, calves called gracilis below them."""
    labels = np.zeros((slices, 4, 8), np.uint8)
    for x, side, (low, high) in ((1, 0, right), (6, LEFT, left)):
        labels[low:high, 1, x] = FEMUR + side
        labels[:low, 1, x] = GRACILIS + side
    return labels, Geometry((8, 4, slices), (20.0, 20.0, INTERVAL))


def test_labels_beyond_the_longest_femur_go_and_are_told():
    labels, geometry = legs()
    before = labels.copy()
    result = cut_below_knee(labels, geometry, HIP_AND_THIGH)
    end = 110 - LONGEST
    assert not result.labels[:end].any() and np.array_equal(result.labels[end:], labels[end:])
    assert np.array_equal(labels, before)
    (finding,) = result.findings
    assert finding.code == "below_knee" and f"at least {end * INTERVAL:.0f} mm below the knee" in finding.sentence
    # Two legs of one voxel (20 x 20 x 10 mm) a slice.
    assert f"labels of {2 * end * 4:,} cc" in finding.sentence
    assert any("below the knee" in reason for reason in scan_cautions(result.findings))


def test_each_leg_is_cut_by_its_own_femur_and_the_sacrum_by_none():
    labels, geometry = legs(right=(40, 110), left=(40, 90))
    labels[0, 3, 3] = SACRUM
    result = cut_below_knee(labels, geometry, HIP_AND_THIGH)
    assert not np.isin(result.labels[: 110 - LONGEST], (FEMUR, GRACILIS)).any()
    assert np.array_equal(result.labels >= LEFT, (labels >= LEFT) & (np.arange(120) >= 90 - LONGEST)[:, None, None])
    assert result.labels[0, 3, 3] == SACRUM


def test_a_vertebra_called_femur_does_not_move_the_cut():
    labels, geometry = legs()
    labels[114:118, 1, 1] = FEMUR
    result = cut_below_knee(labels, geometry, HIP_AND_THIGH)
    assert (result.labels[110 - LONGEST, 1, 1], result.labels[109 - LONGEST, 1, 1]) == (FEMUR, 0)


@pytest.mark.parametrize("shown", ["hip to knee", "hip alone", "no femur"])
def test_scans_that_end_at_the_knee_stay_as_they_are(shown):
    labels, geometry = legs(right=(5, LONGEST + 1), left=(5, LONGEST + 1), slices=80)
    if shown == "hip alone":
        labels = np.ascontiguousarray(labels[40:])
        geometry = Geometry((8, 4, 40), geometry.spacing)
    elif shown == "no femur":
        labels[np.isin(labels, (FEMUR, FEMUR + LEFT))] = 0
    result = cut_below_knee(labels, geometry, HIP_AND_THIGH)
    assert result.labels is labels and result.findings == ()


def test_any_order_of_axes():
    labels, geometry = legs()
    turned = Geometry((8, 4, 120), geometry.spacing, (0.0, 0.0, 1190.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    upside_down = np.ascontiguousarray(labels[::-1])
    expected = cut_below_knee(labels, geometry, HIP_AND_THIGH)
    found = cut_below_knee(upside_down, turned, HIP_AND_THIGH)
    assert np.array_equal(found.labels[::-1], expected.labels) and found.findings == expected.findings
