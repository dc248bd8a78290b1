"""Measures of an evaluation on cubes whose answers are known by hand, and the statistics over cases."""

import math
from dataclasses import replace

import numpy as np
import pytest

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.evaluation.agreement import (
    concordance,
    density_pairs,
    limits_of_agreement,
    pearson,
    spread,
    summarise,
    volume_pairs,
)
from MSKSegmentLib.evaluation.metrics import (
    Outcome,
    Scope,
    SegmentComparison,
    evaluate_labels,
    false_muscle_cc,
    overlap_rows,
    without_densities,
)
from MSKSegmentLib.evaluation.surface_distances import surface_distances
from MSKSegmentLib.evaluation.tables import row_from_json, row_json

SHAPE = (20, 30, 40)
GEOMETRY = Geometry(size=(40, 30, 20), spacing=(1.0, 2.0, 4.0))
EVERYTHING = Scope.everything(HIP_AND_THIGH, 20)
GMED_RIGHT, GMED_LEFT, FEMUR_RIGHT = 5, 105, 2


def _cube(label=GMED_RIGHT, shift=0, z=slice(4, 14), labels=None):
    labels = np.zeros(SHAPE, np.uint8) if labels is None else labels
    labels[z, 8:18, 10 + shift : 20 + shift] = label
    return labels


def _hu(value=50):
    return np.full(SHAPE, value, np.int16)


def _row(**changes):
    gmed = next(segment for segment in HIP_AND_THIGH.segments if segment.label == GMED_RIGHT)
    return replace(
        SegmentComparison(gmed, Outcome.COMPARED, 1000, 100.0, 100.0, 1.0, mean_hu_true=50.0, mean_hu_predicted=50.0), **changes
    )


def test_a_cube_against_itself_is_perfect():
    (row,) = evaluate_labels(_cube(), _cube(), GEOMETRY, _hu(), EVERYTHING)
    assert row.segment.key == "GMED_right" and row.outcome is Outcome.COMPARED
    assert (row.dice, row.asd_mm, row.hd95_mm, row.hd_mm, row.rve_percent, row.ave_percent, row.aie_hu) == (1, 0, 0, 0, 0, 0, 0)
    assert row.volume_true_cc == row.volume_predicted_cc == 1000 * 8 / 1000 and row.mean_hu_true == 50


@pytest.mark.parametrize("axis, spacing", [(2, 1.0), (1, 2.0), (0, 4.0)])
def test_distances_are_millimetres_along_every_axis(axis, spacing):
    truth = _cube()
    (row,) = evaluate_labels(truth, np.roll(truth, 3, axis), GEOMETRY, _hu(), EVERYTHING)
    assert row.dice == pytest.approx(0.7) and row.hd95_mm == row.hd_mm == pytest.approx(3 * spacing)
    # Two of six faces lie 3 voxels off; the other voxels of the surface lie on the other surface or near it.
    assert 0 < row.asd_mm < 3 * spacing


def test_distances_are_those_of_the_library_s_own_measures():
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    one = np.zeros(SHAPE, bool)
    one[4:14, 8:18, 10:20] = True
    two = np.zeros(SHAPE, bool)
    two[6:15, 5:17, 12:25] = True
    found = surface_distances(one, two, (4.0, 2.0, 1.0))
    pair = [torch.from_numpy(mask)[None, None].float() for mask in (one, two)]
    both = {"include_background": True, "spacing": (4.0, 2.0, 1.0)}
    assert found.average == pytest.approx(float(compute_average_surface_distance(*pair, symmetric=True, **both)), rel=1e-5)
    assert found.percentile_95 == pytest.approx(float(compute_hausdorff_distance(*pair, percentile=95, **both)), rel=1e-5)
    assert found.largest == pytest.approx(float(compute_hausdorff_distance(*pair, **both)), rel=1e-5)


def test_what_the_field_of_view_cuts_has_no_surface_there():
    through = np.zeros(SHAPE, bool)
    through[:, 8:18, 10:20] = True
    wider = np.zeros(SHAPE, bool)
    wider[:, 6:20, 8:22] = True
    found = surface_distances(through, wider, (4.0, 2.0, 1.0))
    # In the cut faces, the whole of the smaller one would lie at distance 0.
    flat = surface_distances(through[:1], wider[:1], (4.0, 2.0, 1.0))
    assert found.average == pytest.approx(flat.average) and 2.0 < found.average < 4.5
    assert surface_distances(np.ones(SHAPE, bool), wider, (1.0, 1.0, 1.0)) is None


def test_wrong_side_missed_and_false_segments():
    truth = _cube(GMED_RIGHT)
    rows = {row.segment.label: row for row in evaluate_labels(truth, _cube(GMED_LEFT), GEOMETRY, _hu(), EVERYTHING)}
    missed, false = rows[GMED_RIGHT], rows[GMED_LEFT]
    assert missed.outcome is Outcome.MISSED and missed.dice == 0 and missed.rve_percent == -100 and missed.ave_percent == 100
    assert missed.asd_mm is None and missed.hd95_mm is None and missed.aie_hu is None and missed.mean_hu_true == 50
    assert false.outcome is Outcome.FALSE and false.volume_predicted_cc == 8 and false.rve_percent is None
    # A voxel on the wrong side is wrong, but it is muscle.
    assert false_muscle_cc(truth, _cube(GMED_LEFT), GEOMETRY, EVERYTHING) == 0
    assert false_muscle_cc(truth, _cube(GMED_RIGHT, shift=4), GEOMETRY, EVERYTHING) == pytest.approx(0.4 * 8)
    assert false_muscle_cc(np.zeros_like(truth), truth, GEOMETRY, EVERYTHING) == 8


def test_a_sliver_is_told_apart():
    truth = np.zeros(SHAPE, np.uint8)
    truth[0, 0, :49] = GMED_RIGHT
    (row,) = overlap_rows(truth, truth, GEOMETRY, _hu(), EVERYTHING)
    assert row.outcome is Outcome.SLIVER and row.voxels_true == 40
    truth[0, 1, :10] = GMED_RIGHT
    assert overlap_rows(truth, truth, GEOMETRY, _hu(), EVERYTHING)[0].outcome is Outcome.COMPARED


def test_errors_of_volume_and_radiodensity():
    hu = _hu(0)
    hu[:, :, :15] = 60
    predicted = np.zeros(SHAPE, np.uint8)
    predicted[4:14, 8:18, 10:15] = GMED_RIGHT
    (row,) = evaluate_labels(_cube(), predicted, GEOMETRY, hu, EVERYTHING)
    assert row.rve_percent == -50 and row.ave_percent == 50
    assert (row.mean_hu_true, row.mean_hu_predicted, row.aie_hu) == (30, 60, 30)
    assert row.dice == pytest.approx(2 * 500 / 1500)


def test_rows_of_mr_have_no_densities_and_no_agreement_of_them():
    rows = without_densities(evaluate_labels(_cube(), _cube(shift=2), GEOMETRY, _hu(), EVERYTHING))
    assert [(row.mean_hu_true, row.mean_hu_predicted, row.aie_hu) for row in rows] == [(None, None, None)]
    assert density_pairs(rows)[0].size == 0 and volume_pairs(rows)[0].size == 1 and rows[0].hd_mm > 0


def test_only_labelled_slices_and_structures_count():
    truth = _cube(z=slice(5, 7))
    predicted = _cube(z=slice(0, 20))
    predicted[:, 20:28, 25:35] = FEMUR_RIGHT
    slices = np.zeros(SHAPE[0], bool)
    slices[[5, 6, 12]] = True
    structures = np.zeros(23, bool)
    structures[[0, 5]] = True
    (row,) = evaluate_labels(truth, predicted, GEOMETRY, _hu(), Scope(HIP_AND_THIGH, slices, structures))
    # In slice 12 the truth has nothing: 100 of 300 predicted voxels are wrong, and 24 mm away from any true one.
    assert row.segment.label == GMED_RIGHT and row.dice == pytest.approx(2 * 200 / 500)
    assert row.volume_predicted_cc == pytest.approx(300 * 8 / 1000)
    assert row.asd_mm == pytest.approx(24 * 36 / (2 * 36 + 3 * 36)) and row.hd95_mm == 24
    outside = np.zeros(SHAPE, bool)
    outside[12] = True
    (row,) = evaluate_labels(truth, predicted, GEOMETRY, _hu(), Scope(HIP_AND_THIGH, slices, structures, outside))
    assert row.dice == 1 and row.asd_mm == 0
    assert false_muscle_cc(truth, predicted, GEOMETRY, Scope(HIP_AND_THIGH, slices, structures)) == pytest.approx(100 * 8 / 1000)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shape"):
        evaluate_labels(_cube(), _cube()[1:], GEOMETRY, _hu(), EVERYTHING)
    with pytest.raises(ValueError, match="uint8"):
        evaluate_labels(_cube().astype(np.int16), _cube(), GEOMETRY, _hu(), EVERYTHING)


def test_statistics_against_numbers_worked_out_by_hand():
    true, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.0, 4.0, 5.0])
    # Variances 1.25, covariance 1.25, means 1 apart: 2.5 / (2.5 + 1).
    assert concordance(true, predicted) == pytest.approx(2.5 / 3.5)
    assert pearson(true, predicted) == pytest.approx(1) and concordance(true, true) == pytest.approx(1)
    assert concordance(true, -true + 5) == pytest.approx(-1) and pearson(true, np.ones(4)) is None
    assert concordance(true[:2], true[:2]) is None and limits_of_agreement(true[:2], true[:2]) is None
    limits = limits_of_agreement(true, true + np.array([1.0, -1.0, 1.0, -1.0]))
    assert limits.bias == 0 and limits.high == pytest.approx(1.96 * math.sqrt(4 / 3)) and limits.low == -limits.high
    found = spread([1.0, None, 2.0, 6.0])
    assert (found.n, found.mean, found.median, found.q1, found.q3) == (3, 3, 2, 1.5, 4)
    assert found.sd == pytest.approx(math.sqrt(7)) and spread([]).mean is None and spread([1.0]).sd is None


def test_summary_counts_missed_ones_and_leaves_out_slivers_and_false_ones():
    rows = [
        _row(dice=0.9, asd_mm=1.0, volume_predicted_cc=110.0),
        _row(dice=0.8, asd_mm=2.0, volume_true_cc=200.0, volume_predicted_cc=210.0),
        _row(dice=0.0, outcome=Outcome.MISSED, volume_true_cc=50.0, volume_predicted_cc=0.0, mean_hu_predicted=None),
        _row(dice=0.1, outcome=Outcome.SLIVER),
        _row(dice=0.0, outcome=Outcome.FALSE, volume_predicted_cc=7.0, voxels_true=0),
    ]
    femur = next(segment for segment in HIP_AND_THIGH.segments if segment.label == FEMUR_RIGHT)
    lines = {line.name: line for line in summarise({"a": rows[:2], "b": [*rows[2:], _row(segment=femur, dice=1.0)]}, HIP_AND_THIGH)}
    assert list(lines) == ["FEMUR", "GMED", "BONES", "MUSCLES", "ALL"]
    line = lines["GMED"]
    assert (line.n, line.cases, line.missed, line.slivers, line.false, line.false_cc) == (3, 2, 1, 1, 1, 7)
    assert line.spreads["dice"].mean == pytest.approx(1.7 / 3) and line.spreads["asd_mm"].n == 2
    assert line.volume.limits is None and line.volume.concordance is not None and line.density.concordance is None
    assert lines["MUSCLES"].volume.concordance == line.volume.concordance and lines["ALL"].n == 4


def test_sensitivity_and_specificity_count_what_was_found_and_what_was_left_alone():
    truth = _cube()
    (row,) = evaluate_labels(truth, np.roll(truth, 3, 2), GEOMETRY, _hu(), EVERYTHING)
    true = int(np.count_nonzero(truth))
    both = int(np.count_nonzero(truth & np.roll(truth, 3, 2)))
    assert row.sensitivity == pytest.approx(both / true)
    assert row.specificity == pytest.approx(1 - (true - both) / (truth.size - true))
    # Slices of which nothing is known do not count as left alone.
    some = replace(EVERYTHING, slices=truth.any(axis=(1, 2)))
    (fewer,) = evaluate_labels(truth, np.roll(truth, 3, 2), GEOMETRY, _hu(), some)
    assert fewer.sensitivity == row.sensitivity and fewer.specificity < row.specificity
    known = int(some.slices.sum()) * truth[0].size
    assert fewer.specificity == pytest.approx(1 - (true - both) / (known - true))
    rows = {one.segment.label: one for one in evaluate_labels(truth, _cube(GMED_LEFT), GEOMETRY, _hu(), EVERYTHING)}
    assert rows[GMED_LEFT].sensitivity is None and 0 < rows[GMED_LEFT].specificity < 1
    assert row_from_json(row_json(row), EVERYTHING.table) == row


def test_evaluations_of_before_have_neither():
    (row,) = evaluate_labels(_cube(), _cube(), GEOMETRY, _hu(), EVERYTHING)
    stored = {name: value for name, value in row_json(row).items() if name not in ("sensitivity", "specificity")}
    old = row_from_json(stored, EVERYTHING.table)
    assert (old.sensitivity, old.specificity) == (None, None) and (row.sensitivity, row.specificity) == (1.0, 1.0)
