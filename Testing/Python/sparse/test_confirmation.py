"""What the network confirms in drawn slices, held against the drawing: only where, and of what, somebody drew."""

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.evaluation.cases import LabelledCase
from MSKSegmentLib.sparse.confirmation import ConfirmationGate, Confirmed, confirmed_on_drawn, joined

RIGHT, LEFT = HIP_AND_THIGH.segment("GMAX_right").label, HIP_AND_THIGH.segment("GMAX_left").label
FEMUR, OTHER = HIP_AND_THIGH.segment("FEMUR_right").label, HIP_AND_THIGH.segment("GMED_right").label
GRID = Geometry((10, 6, 3), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def case(**changes):
    """Three slices of which the middle one was drawn: ten voxels of a muscle on the right, ten on the left, ten of bone."""
    truth = np.zeros((3, 6, 10), np.uint8)
    truth[1, 0], truth[1, 1], truth[1, 2] = RIGHT, LEFT, FEMUR
    facts = {"slices": np.array([False, True, False]), "structures": np.ones(HIP_AND_THIGH.classes, bool), **changes}
    return LabelledCase("p", CTVolume(np.zeros(truth.shape, np.int16), GRID), truth, table=HIP_AND_THIGH, **facts)


def network():
    """Another muscle for that on the right in four voxels, the bone missed, the left muscle found and not confirmed."""
    labels = case().truth.copy()
    labels[1, 0, :4], labels[1, 2] = OTHER, 0
    labels[0] = FEMUR
    known = np.ones(labels.shape, bool)
    known[1, 1] = False
    return labels, known


def test_only_drawn_slices_count():
    found = confirmed_on_drawn(case(), *network())
    assert found == Confirmed(kept=10, right=6, drawn=30, missed=10)
    assert found.right_share == pytest.approx(0.6) and found.missed_share == pytest.approx(1 / 3)


def test_what_nobody_drew_is_no_mistake():
    structures = np.ones(HIP_AND_THIGH.classes, bool)
    structures[HIP_AND_THIGH.segment("FEMUR_right").structure.index] = False
    assert confirmed_on_drawn(case(structures=structures), *network()) == Confirmed(10, 6, 20, 0)
    known = np.ones((3, 256), bool)
    known[1, OTHER] = False
    assert confirmed_on_drawn(case(known=known), *network()) == Confirmed(6, 6, 30, 10)
    outside = np.zeros((3, 6, 10), bool)
    outside[1, 0, :4] = True
    assert confirmed_on_drawn(case(outside=outside), *network()) == Confirmed(6, 6, 26, 10)


def test_the_gate_asks_for_both():
    gate = ConfirmationGate(0.9, 0.1)
    assert gate.lets_through(Confirmed(100, 90, 100, 10))
    assert not gate.lets_through(Confirmed(100, 89, 100, 0)) and not gate.lets_through(Confirmed(100, 100, 100, 11))
    assert not gate.lets_through(Confirmed()), "nothing confirmed is no proof"
    assert joined([Confirmed(1, 1, 2, 0), Confirmed(3, 2, 4, 1)]) == Confirmed(4, 3, 6, 1)
