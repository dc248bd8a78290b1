"""Pieces beside a muscle at its own level are removed; those above or below it, near ones, bones and other tasks are left alone."""

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.quality.guards import segment_cautions
from MSKSegmentLib.segmentation import without_pieces_beside
from MSKSegmentLib.tasks import load_task

GRID = Geometry(size=(60, 50, 40), spacing=(2.0, 2.0, 3.0))
PSOAS = HIP_AND_THIGH.segment("PSOAS_left")


def _labels(*blocks):
    """A psoas of 36 cc, and further ``(slices, label)``."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:30, 20:32, 30:40] = PSOAS.label
    for block, label in blocks:
        labels[block] = label
    return labels


BESIDE = np.s_[10:18, 20:32, 10:20]
ABOVE = np.s_[32:38, 20:32, 10:20]


def test_a_large_piece_beside_the_muscle_becomes_background_and_is_told():
    labels = _labels((BESIDE, PSOAS.label))
    before = labels.copy()
    found = without_pieces_beside(labels, GRID, HIP_AND_THIGH)
    assert np.array_equal(found.labels, _labels()) and np.array_equal(labels, before)
    (stray,) = found.strays
    assert (stray.structure, stray.voxels) == (PSOAS.structure.index, 8 * 12 * 10)
    assert np.allclose(stray.centroid, (13.5, 25.5, 14.5))
    (finding,) = found.findings
    assert finding.code == "piece_beside" and finding.where == "PSOAS_left" and " 12 cc " in finding.sentence
    assert segment_cautions(found.findings) == {"PSOAS_left": ("a piece beside it was labelled as the same muscle",)}


def test_a_small_piece_goes_without_a_word():
    labels = _labels((np.s_[10:12, 20:24, 10:14], PSOAS.label))
    found = without_pieces_beside(labels, GRID, HIP_AND_THIGH)
    assert np.array_equal(found.labels, _labels()) and len(found.strays) == 1 and not found.findings


@pytest.mark.parametrize(
    "block",
    [
        ABOVE,
        # Mostly above the muscle.
        np.s_[27:38, 20:32, 10:20],
        # 4 mm away.
        np.s_[10:18, 20:32, 19:29],
    ],
    ids=["above", "mostly above", "near"],
)
def test_what_may_be_the_muscle_stays(block):
    labels = _labels((block, PSOAS.label))
    found = without_pieces_beside(labels, GRID, HIP_AND_THIGH)
    assert found.labels is labels and not found.findings and not found.strays


def test_the_other_side_and_other_structures_are_no_pieces_of_it():
    other, sacrum, bone = (HIP_AND_THIGH.segment(key).label for key in ("PSOAS_right", "SACRUM", "FEMUR_left"))
    labels = _labels((BESIDE, other), (np.s_[0:4, 0:9, 0:9], sacrum), (np.s_[0:4, 30:39, 0:9], sacrum))
    labels[20:30, 40:50, 0:9], labels[20:30, 40:50, 20:25] = bone, bone
    found = without_pieces_beside(labels, GRID, HIP_AND_THIGH)
    assert found.labels is labels and not found.strays


def test_any_order_of_axes_gives_the_same():
    labels = _labels((BESIDE, PSOAS.label), (ABOVE, PSOAS.label))
    order = AxisOrder((2, 0, 1), (-1, 1, -1))
    turned, grid = np.ascontiguousarray(order.apply(labels)), order.geometry(GRID)
    straight, found = without_pieces_beside(labels, GRID, HIP_AND_THIGH), without_pieces_beside(turned, grid, HIP_AND_THIGH)
    assert np.array_equal(order.undo(found.labels), straight.labels) and (straight.labels[ABOVE] == PSOAS.label).all()
    places = [space.to_physical(one.strays[0].centroid[::-1]) for space, one in ((GRID, straight), (grid, found))]
    assert np.allclose(*places)


def test_only_the_task_of_hip_and_thigh_asks_for_it():
    assert load_task("hip-thigh-ct").runs("pieces_beside")
    assert not any(load_task(name).runs("pieces_beside") for name in ("trunk-ct", "lower-limb-mr", "proximal-femur-qct"))
