"""Pieces in the middle that belong to no side get none: no volume changes sides by a voxel."""

from __future__ import annotations

import numpy as np
import pytest
from segmentation_phantom import LIMITS, SPACING, classes_of, phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.segmentation import clean_components, split_sides

PELVIS = 1
X, Y, Z = (np.arange(low, high + 1, SPACING) for low, high in (LIMITS["x"], LIMITS["y"], LIMITS["z"]))
ON_EITHER_SIDE = [-8.0, -4.0, -1.0, 0.0, 1.0, 4.0, 8.0]


def with_blob(labels: np.ndarray, centre, radii, index: int = PELVIS) -> np.ndarray:
    """Classes with an ellipsoid (x, y, z in mm of the phantom) in the background."""
    classes = classes_of(labels)
    inside = sum(
        ((axis - c) / r) ** 2 for axis, c, r in zip((X[None, None], Y[None, :, None], Z[:, None, None]), centre, radii, strict=True)
    )
    classes[(inside <= 1) & (classes == 0)] = index
    return classes


def vertebra(labels, x_mm, superior=568.0):
    """A piece of a vertebra, 20 cc, between the wings of the hip bones and apart from them."""
    return with_blob(labels, (x_mm, 30.0, superior), (24.0, 16.0, 12.0))


def volumes(labels, index=PELVIS):
    return int(np.sum(labels == index)), int(np.sum(labels == index + 100))


@pytest.fixture(scope="module")
def body():
    labels, geometry = phantom()
    return labels, geometry, volumes(split_sides(classes_of(labels), geometry, HIP_AND_THIGH).labels)


@pytest.mark.parametrize("x_mm", ON_EITHER_SIDE)
def test_a_vertebra_called_hip_bone_has_no_side(body, x_mm):
    labels, geometry, alone = body
    classes, removed = clean_components(vertebra(labels, x_mm), geometry, HIP_AND_THIGH)
    assert not removed, "it is large enough to be a part of its own"
    result = split_sides(classes, geometry, HIP_AND_THIGH)
    assert volumes(result.labels) == alone
    (stray,) = result.strays
    assert stray.structure == PELVIS and stray.voxels == np.sum(classes == PELVIS) - sum(alone)
    assert geometry.to_physical(stray.centroid[::-1])[0] == pytest.approx(x_mm, abs=SPACING)


def test_perturbed_voxels_move_no_volume_between_sides(body):
    labels, geometry, alone = body
    random = np.random.default_rng(0)
    classes = vertebra(labels, 0.0)
    for _ in range(8):
        changed = classes.copy()
        z, y, x = np.nonzero(classes == PELVIS)
        chosen = random.choice(z.size, 30, replace=False)
        changed[z[chosen], y[chosen], x[chosen]] = 0
        right, left = volumes(split_sides(changed, geometry, HIP_AND_THIGH).labels)
        assert abs(right - alone[0]) <= 30 and abs(left - alone[1]) <= 30


def test_the_rule_does_not_depend_on_the_order_of_axes(body):
    labels, geometry, alone = body
    from MSKSegmentLib.ct.orientation import AxisOrder

    order = AxisOrder((2, 0, 1), (-1, 1, -1))
    result = split_sides(np.ascontiguousarray(order.apply(vertebra(labels, 1.0))), order.geometry(geometry), HIP_AND_THIGH)
    assert volumes(result.labels) == alone
    centre = order.geometry(geometry).to_physical(result.strays[0].centroid[::-1])
    assert centre[0] == pytest.approx(1.0, abs=SPACING) and centre[2] == pytest.approx(568.0, abs=SPACING)


def test_a_piece_clearly_on_one_side_stays_there(body):
    labels, geometry, alone = body
    result = split_sides(with_blob(labels, (40.0, 30.0, 568.0), (16.0, 16.0, 12.0)), geometry, HIP_AND_THIGH)
    assert volumes(result.labels)[0] == alone[0] and volumes(result.labels)[1] > alone[1] and result.strays == ()


def test_a_piece_beside_one_body_goes_to_it_wherever_the_middle_is(body):
    labels, geometry, _ = body
    labels = labels.copy()
    # The left pubic bone is cut away, so that only the right one is near.
    labels[:, :, (X > 0) & (X < 36)] = np.where(labels[:, :, (X > 0) & (X < 36)] == 101, 0, labels[:, :, (X > 0) & (X < 36)])
    before = volumes(split_sides(classes_of(labels), geometry, HIP_AND_THIGH).labels)
    classes = with_blob(labels, (2.0, -32.0, 425.0), (3.0, 8.0, 8.0))
    extra = int(np.sum(classes == PELVIS)) - sum(before)
    result = split_sides(classes, geometry, HIP_AND_THIGH)
    assert extra > 0 and volumes(result.labels) == (before[0] + extra, before[1]) and result.strays == ()


def test_muscles_are_treated_alike(body):
    labels, geometry, _ = body
    gracilis = 15
    alone = volumes(split_sides(classes_of(labels), geometry, HIP_AND_THIGH).labels, gracilis)
    for x_mm in (-2.0, -0.5, 0.0, 0.5, 2.0):
        classes = with_blob(labels, (x_mm, -60.0, 330.0), (9.0, 9.0, 16.0), gracilis)
        result = split_sides(classes, geometry, HIP_AND_THIGH)
        assert volumes(result.labels, gracilis) == alone and [stray.structure for stray in result.strays] == [gracilis]


def test_far_from_its_bodies_a_piece_is_in_doubt_over_a_wider_zone():
    from MSKSegmentLib.segmentation.components import parts_of
    from MSKSegmentLib.segmentation.leftovers import NEAR_SURFACE, Sizes

    classes = np.zeros((80, 20, 20), np.uint8)
    classes[:20, 2:18, 2:8] = classes[:20, 2:18, 12:18] = classes[21:23, 5, 5] = classes[70:75, 8:12, 9:11] = 7
    (parts,) = parts_of(classes, HIP_AND_THIGH)
    sizes = Sizes.of(parts, (3.0, 2.0, 2.0))
    by_size = np.argsort(-parts.voxels)
    assert sizes.piece[by_size].tolist() == [False, False, True, True]
    assert sizes.near[by_size] == pytest.approx([NEAR_SURFACE, NEAR_SURFACE, 0.2 * np.hypot(150, 2), NEAR_SURFACE])
