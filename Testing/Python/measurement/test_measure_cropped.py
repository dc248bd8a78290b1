"""A given label map that was cropped: what its own edge cuts inside the CT counts as cut."""

from __future__ import annotations

import numpy as np
import pytest
from given_labels import LABEL, SHARED_CT, box_of, by_key, tight, told

from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession

pytest_plugins = ("given_labels",)


@pytest.mark.parametrize("order", [AxisOrder((0, 1, 2), (1, 1, 1)), AxisOrder((2, 0, 1), (1, -1, -1))])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("last", [False, True])
def test_a_mask_cropped_through_a_structure_counts_as_cut(case, axis, last, order):
    labels, volume = case
    femur = LABEL["FEMUR_right"]
    where = np.argwhere(labels == femur)
    middle = int((where.min(axis=0)[axis] + where.max(axis=0)[axis]) // 2)
    start, stop = [0, 0, 0], list(labels.shape)
    (stop if last else start)[axis] = middle
    grid, part = box_of(volume.geometry, start, stop)
    cropped = np.ascontiguousarray(order.apply(labels[part]))
    result = measure_case(cropped, order.geometry(grid), volume)
    report, (sentence,) = by_key(result)["FEMUR_right"], told(result, "labels_cropped")
    assert report.measurements.truncated_by[-1] == "edge of the segmentation" and "Femur, right" in sentence
    assert any("edge of the segmentation" in reason for reason in report.reasons)
    assert report.asymmetry_percent is None and by_key(result)["FEMUR_left"].asymmetry_percent is None


def test_a_corrected_structure_is_still_cut_by_the_edge_of_the_map(case):
    from review_cases import mask_of

    labels, volume = case
    z, y, x = labels.shape
    grid, part = box_of(volume.geometry, (100, 0, 0), (z, y, x))
    session = ReviewSession(measure_case(labels[part], grid, volume), volume)
    mask = session.result.labels == LABEL["FEMUR_right"]
    mask[:103] = False
    session.edit({"FEMUR_right": mask_of(mask)})
    assert session.report("FEMUR_right").measurements.truncated_by == ("edge of the segmentation",)
    assert "cut by the edge of the segmentation" in " ".join(session.report("FEMUR_right").reasons)


def test_a_mask_of_one_slice_is_cut(case):
    labels, volume = case
    _, y, x = labels.shape
    grid, part = box_of(volume.geometry, (60, 0, 0), (61, y, x))
    result = measure_case(labels[part], grid, volume)
    assert by_key(result)["FEMUR_right"].measurements.truncated_by == ("edge of the segmentation",)


def test_a_mask_cropped_tightly_to_round_structures_is_silent(case):
    _, volume = case
    z, y, x = np.indices(volume.hu.shape)
    middle, radii = np.array([60, 28, 42]), (20, 12, 12)
    for off in (0.0, 0.45):
        inside = sum(((i - m - off) / r) ** 2 for i, m, r in zip((z, y, x), middle, radii, strict=True)) <= 1
        labels = np.where(inside, LABEL["GMAX_right"], 0).astype(np.uint8)
        grid, part = tight(labels, volume.geometry)
        result = measure_case(labels[part], grid, volume)
        assert by_key(result)["GMAX_right"].measurements.truncated_by == () and not told(result, "labels_cropped")


def test_a_shaft_that_the_ct_cuts_is_not_cut_twice(case):
    labels, volume = case
    x, y, z = volume.geometry.size
    upper = CTVolume(volume.hu[60:], volume.geometry.cropped((0, 0, 60), (x, y, z - 60)))
    femur = np.where(labels == LABEL["FEMUR_right"], labels, 0)[60:]
    grid, part = tight(femur, upper.geometry)
    assert grid.size != upper.geometry.size
    result = measure_case(femur[part], grid, upper)
    assert by_key(result)["FEMUR_right"].measurements.truncated_by == ("inferior",) and not told(result, "labels_cropped")


@pytest.mark.skipif(not SHARED_CT.exists(), reason="the shared data folder is not beside the project")
def test_a_mask_of_a_real_ct_cropped_through_its_bones():
    from scipy.ndimage import label

    from MSKSegmentLib.ct import read_ct

    volume = read_ct(SHARED_CT)
    pieces, _ = label(volume.hu > 200)
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    bones = (pieces == largest).astype(np.uint8)
    grid, part = box_of(volume.geometry, (30, 20, 10), (80, 90, 80))
    assert bones[part].any()
    result = measure_case(bones[part], grid, volume)
    assert by_key(result)["PELVIS_right"].measurements.truncated_by[-1] == "edge of the segmentation"
    assert told(result, "labels_cropped")
