"""Right and left on an analytic phantom: whole, in parts, posed, fused, from any axis order."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scipy.ndimage import affine_transform, rotate
from segmentation_phantom import INDEX, KNEE_TO_HIP_MM, SPACING, classes_of, fused, grid_of, truth, without

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.findings import sentences
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.segmentation import split_sides
from MSKSegmentLib.segmentation.chirality import handedness, medial_is_left
from MSKSegmentLib.segmentation.side_field import CoarseGrid

HIP = int(KNEE_TO_HIP_MM / SPACING)
SACRUM = HIP_AND_THIGH.structure("SACRUM").index


def leg(side: str) -> np.ndarray:
    labels = truth()[0]
    chosen = labels > 100 if side == "left" else (labels < 100) & (labels != SACRUM)
    return np.where(chosen, labels, 0).astype(np.uint8)


def assert_sides(
    labels: np.ndarray,
    share: float = 1.0,
    geometry: Geometry | None = None,
    warned: bool = False,
    any_side: np.ndarray | None = None,
) -> None:
    classes = classes_of(labels)
    result = split_sides(classes, geometry or grid_of(labels), HIP_AND_THIGH)
    assert result.labels.dtype == np.uint8
    assert np.array_equal(classes_of(result.labels), classes), "splitting must not change the structures"
    assert bool(result.findings) is warned, result.findings
    inside = labels > 0 if any_side is None else (labels > 0) & ~any_side
    assert np.count_nonzero(result.labels[inside] == labels[inside]) >= share * np.count_nonzero(inside)


def test_phantom_has_all_structures_on_both_sides():
    labels = truth()[0]
    assert len(np.unique(labels)) == 1 + 43


def test_whole():
    assert_sides(truth()[0])


@pytest.mark.parametrize("part", ["pelvis", "thigh", "iliac wings"])
def test_part_of_both_sides(part):
    wings = int((KNEE_TO_HIP_MM + 100) / SPACING)
    slices = {"pelvis": slice(HIP, None), "thigh": slice(0, HIP), "iliac wings": slice(wings, None)}
    assert_sides(truth()[0][slices[part]])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("part", ["hip to knee", "thigh", "hip"])
def test_one_leg_without_midline(side, part):
    labels = leg(side)
    assert_sides(labels[{"hip to knee": slice(None), "thigh": slice(0, HIP), "hip": slice(HIP, None)}[part]])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("beyond_mm", [0, 30, 60, 90])
def test_field_of_view_of_one_side_with_a_piece_of_the_other(side, beyond_mm):
    labels = truth()[0]
    middle, more = labels.shape[2] // 2, int(beyond_mm / SPACING)
    part = labels[:, :, : middle + more] if side == "right" else labels[:, :, middle + 1 - more :]
    assert_sides(np.ascontiguousarray(part), 0.995)


@pytest.mark.parametrize("degrees", [-60, 90, 180])
@pytest.mark.parametrize("side", ["right", "left"])
def test_single_leg_turned_about_its_axis(side, degrees):
    assert_sides(rotate(leg(side)[:HIP], degrees, axes=(1, 2), order=0, reshape=True))


def test_two_bones_of_one_leg_are_enough():
    for side in ("right", "left"):
        labels = leg(side)[HIP:]
        bones = np.where(np.isin(classes_of(labels), (INDEX["PELVIS"], INDEX["FEMUR"])), labels, 0).astype(np.uint8)
        assert_sides(bones)


def test_undecidable_side_is_said():
    labels = np.zeros((30, 40, 40), np.uint8)
    labels[:, 10:20, 10:20] = INDEX["FEMUR"]
    geometry = Geometry((40, 40, 30), (3.0, 3.0, 3.0), (40.0, 0.0, 0.0))
    result = split_sides(labels, geometry, HIP_AND_THIGH)
    assert set(np.unique(result.labels)) == {0, 100 + INDEX["FEMUR"]}
    (sentence,) = sentences(result.findings)
    assert scan_cautions(result.findings), "a guess must not be green"
    assert "left" in sentence and sentence.endswith(".") and "\n" not in sentence


def test_without_bones_the_muscles_decide_and_it_is_said():
    assert_sides(without(truth()[0], "PELVIS", "FEMUR", "SACRUM"), warned=True)


@pytest.mark.parametrize("missing", [("SACRUM",), ("FEMUR",), ("PELVIS",), ("FEMUR", "SACRUM")])
def test_missing_bones(missing):
    assert_sides(without(truth()[0], *missing))


def test_one_femur_not_found():
    labels = truth()[0]
    assert_sides(np.where(labels == 100 + INDEX["FEMUR"], 0, labels).astype(np.uint8))


def test_thousands_of_specks_beside_one_femur_are_sampled_once_a_structure(monkeypatch):
    """What an untrained network draws: no component is large, so that each of them may be the leg's own."""
    rng, calls = np.random.default_rng(0), []
    labels = leg("right")
    specks = (rng.random(labels.shape) < 0.004) & (labels == 0)
    muscles = [structure.index for structure in HIP_AND_THIGH.structures if structure.paired and not structure.is_bone]
    classes = np.where(specks, rng.choice(muscles, labels.shape), classes_of(labels)).astype(np.uint8)
    classes[np.isin(classes, muscles) & ~specks] = 0
    sampled = CoarseGrid.component_samples
    monkeypatch.setattr(
        CoarseGrid, "component_samples", lambda grid, parts: calls.append(parts.voxels.size) or sampled(grid, parts)
    )
    split_sides(classes, grid_of(labels), HIP_AND_THIGH)
    assert max(calls) > 50 and sum(pieces > 1 for pieces in calls) < 5 * len(muscles)


def test_empty():
    labels = np.zeros((8, 9, 10), np.uint8)
    assert_sides(labels)


def test_sacrum_alone():
    labels = truth()[0]
    assert_sides(np.where(labels == SACRUM, labels, 0).astype(np.uint8))


@pytest.mark.parametrize("structure", ["PELVIS", "AD", "GRAC", "GMAX"])
def test_fused_in_the_midline(structure):
    iterations = {"PELVIS": 2, "AD": 9, "GRAC": 5, "GMAX": 4}[structure]
    labels = fused(truth()[0], INDEX[structure], iterations)
    from scipy.ndimage import label

    components = label(classes_of(labels) == INDEX[structure], np.ones((3, 3, 3)))[1]
    assert components == 1, "the case is only worth testing when both sides are one component"
    # The voxels in the middle are as near to either side, and a flood goes one way or the other: a voxel to and fro.
    middle = np.zeros(labels.shape, bool)
    middle[:, :, labels.shape[2] // 2 - 1 : labels.shape[2] // 2 + 2] = True
    assert_sides(labels, 0.998, any_side=middle)


def test_watershed_cuts_at_the_waist():
    """Hip bones fused off the middle: the cut follows the bridge, not the plane."""
    labels = truth()[0].copy()
    right, left = INDEX["PELVIS"], 100 + INDEX["PELVIS"]
    middle = labels.shape[2] // 2
    medial = middle - 1 - int((labels == right)[:, :, :middle].any(axis=(0, 1))[::-1].argmax())
    z, y = (int(found.mean()) for found in np.nonzero(labels[:, :, medial] == right))
    near, far = slice(z - 3, z + 4), slice(y - 3, y + 4)
    labels[near, far, medial : middle + 2] = right  # a stump of the right bone across the middle ...
    labels[z, y, middle + 2 : middle + 9][labels[z, y, middle + 2 : middle + 9] == 0] = left  # ... and a thin bridge
    assert_sides(labels, 0.9995)
    result = split_sides(classes_of(labels), grid_of(labels), HIP_AND_THIGH).labels
    assert np.mean(result[near, far, middle + 1] == right) > 0.75, "a plane would give this stump to the left"


@pytest.mark.parametrize("degrees", [8, 20])
@pytest.mark.parametrize("axes", [(1, 2), (0, 2)], ids=["rolled", "tilted"])
def test_turned_body(axes, degrees):
    assert_sides(rotate(truth()[0], degrees, axes=axes, order=0, reshape=True), 0.998)


@pytest.mark.parametrize("missed", ["right", "left"])
def test_pieces_above_each_other_are_of_one_side(missed):
    """The network misses a muscle on one side and breaks that of the other, which runs obliquely, in two comparable pieces."""
    labels = truth()[0].copy()
    muscle, gone = INDEX["RF"] + 100 * (missed == "right"), INDEX["RF"] + 100 * (missed == "left")
    labels[labels == gone] = 0
    slices = np.flatnonzero((labels == muscle).any(axis=(1, 2)))
    middle = int(slices[len(slices) // 2])
    whole = labels == muscle
    labels[whole] = 0
    inwards = round(20 / SPACING) * (1 if missed == "left" else -1)
    lower = np.roll(whole[: middle - 2], inwards, axis=2)
    labels[: middle - 2][lower & (labels[: middle - 2] == 0)] = muscle
    labels[middle + 2 :][whole[middle + 2 :]] = muscle
    assert_sides(labels)


def test_crossed_legs():
    """The right leg forwards and across, the left one back and across, until the knees have changed sides."""
    labels = truth()[0]
    shape = (labels.shape[0], labels.shape[1] + 60, labels.shape[2])
    posed = np.zeros(shape, np.uint8)
    for sign, side in ((1, leg("right")), (-1, leg("left"))):
        for k in range(HIP):
            down = (HIP - k) / HIP
            across, along = int(sign * 120 * down / SPACING), int(-sign * 90 * min(1.0, 2.5 * down) / SPACING) + 30
            slice_ = np.roll(np.pad(side[k], ((0, 60), (0, 0))), (along, across), axis=(0, 1))
            posed[k][slice_ > 0] = slice_[slice_ > 0]
    posed[HIP:, 30 : 30 + labels.shape[1]] = labels[HIP:]
    femur = [np.nonzero(posed[5] == INDEX["FEMUR"] + offset)[1].mean() for offset in (0, 100)]
    assert femur[0] > femur[1], "the knees are crossed"
    assert_sides(posed, 0.995)
    assert_sides(posed[:HIP], 0.995)


def test_thick_slices():
    labels = truth()[0][::2]
    geometry = replace(grid_of(labels), spacing=(SPACING, SPACING, 2 * SPACING))
    assert_sides(labels, geometry=geometry)


def test_asymmetric_body():
    """One side swollen by 15 % about the midline."""
    labels = truth()[0]
    middle = labels.shape[2] // 2
    swollen = affine_transform(leg("left"), (1, 1, 1 / 1.15), (0, 0, middle * (1 - 1 / 1.15)), order=0)
    assert_sides(np.where(swollen > 0, swollen, np.where(labels < 100, labels, 0)).astype(np.uint8), 0.998)


ORDERS = [AxisOrder((a, b, c), (i, j, k)) for a, b, c in permutations((0, 1, 2)) for i, j, k in product((1, -1), repeat=3)]


@pytest.mark.parametrize("order", ORDERS[::7], ids=str)
def test_any_axis_order(order):
    labels, geometry = truth()
    labels, geometry = labels[::2, ::2, ::2], replace(geometry, spacing=(2 * SPACING,) * 3)
    geometry = replace(geometry, size=(labels.shape[2], labels.shape[1], labels.shape[0]))
    assert_sides(order.apply(labels), geometry=order.geometry(geometry))


def test_front_and_back_swapped_is_noticed():
    labels = truth()[0][:, ::-1]
    assert_sides(np.ascontiguousarray(labels), warned=True)


def test_wrong_shape_is_an_error():
    with pytest.raises(ValueError, match="shape"):
        split_sides(np.zeros((3, 4, 5), np.uint8), Geometry((3, 4, 5), (1.0, 1.0, 1.0)), HIP_AND_THIGH)


def test_handedness_changes_sign_with_the_side_and_not_with_rotation():
    spacing = (SPACING,) * 3
    right, left = (handedness(classes_of(leg(side)), spacing, HIP_AND_THIGH) for side in ("right", "left"))
    assert right > 0.5 and left == pytest.approx(-right)
    assert handedness(np.rot90(classes_of(leg("right")), axes=(1, 2)), spacing, HIP_AND_THIGH) == pytest.approx(right, abs=0.02)


def test_medial_is_left_in_a_right_leg_only():
    spacing = (SPACING,) * 3
    assert medial_is_left(classes_of(leg("right")), spacing, HIP_AND_THIGH) > 0.5
    assert medial_is_left(classes_of(leg("left")), spacing, HIP_AND_THIGH) < -0.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(8))
def test_noise_is_split_somehow_and_structures_stay(seed):
    random = np.random.default_rng(seed)
    shape = tuple(int(size) for size in random.integers(1, 24, 3))
    classes = (random.integers(0, 23, shape) * (random.random(shape) < random.random())).astype(np.uint8)
    spacing = tuple(float(step) for step in random.uniform(0.4, 6.0, 3))
    result = split_sides(classes, Geometry((shape[2], shape[1], shape[0]), (spacing[0], spacing[1], spacing[2])), HIP_AND_THIGH)
    lost = classes_of(result.labels) != classes
    assert not result.labels[lost].any() and lost.sum() == sum(stray.voxels for stray in result.strays)
    assert not (result.labels == 100 + SACRUM).any()
