"""Slices to look at first, and the histogram of a segment."""

import numpy as np
import pytest
from review_cases import LABEL, make_case, mask_of

from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession, SegmentMask
from MSKSegmentLib.review.worst_slices import worst_slices

GRID = Geometry((30, 24, 40), (2.0, 2.0, 5.0), (-30.0, -20.0, 100.0))


def column():
    """A bar of 10 x 8 voxels from slice 5 to 34 with one-voxel tips at 4 and 35, and an uncertainty of 1 everywhere."""
    mask = np.zeros(GRID.shape, bool)
    mask[5:35, 8:16, 10:20] = True
    mask[[4, 35], 12, 15] = True
    return mask, np.ones(GRID.shape, np.float32)


def test_the_most_uncertain_slice_comes_first_and_the_point_lies_on_the_spot():
    mask, uncertainty = column()
    uncertainty[20, 9:12, 16:19] = 50
    uncertainty[28, 13:15, 11:13] = 30
    uncertainty[10, 0:5, 0:5] = 1000  # outside the segment
    first, second, *rest = worst_slices(mask_of(mask), uncertainty, GRID)
    assert (first.index, second.index) == (20, 28)
    assert first.uncertainty == pytest.approx((9 * 50 + 71) / 80) and first.area_cm2 == pytest.approx(80 * 0.04)
    i, j, k = GRID.to_index(first.point_lps)
    assert 16 <= i <= 18 and 9 <= j <= 11 and k == pytest.approx(20)
    assert {round(GRID.to_index(s.point_lps)[2]) for s in rest} == {s.index for s in rest}


def test_slices_are_apart_and_tips_come_last():
    mask, uncertainty = column()
    uncertainty[15:20] = np.array([5, 6, 7, 6, 5])[:, None, None]
    uncertainty[[4, 35]] = 100
    found = [s.index for s in worst_slices(mask_of(mask), uncertainty, GRID)]
    assert found[:3] == [17, 15, 19] and found[-1] == 35
    assert min(np.diff(sorted(found))) * GRID.spacing[2] >= 10
    assert [s.index for s in worst_slices(mask_of(mask), uncertainty, GRID, 2)] == found[:2]


def test_without_uncertainty_the_outline_that_jumps_comes_first():
    mask, _ = column()
    mask[22:24, 4:20, 10:20] = True
    found = worst_slices(mask_of(mask), None, GRID)
    assert found[0].index in (21, 22, 23, 24) and found[0].uncertainty is None
    for slice_ in found:
        i, j, k = (round(value) for value in GRID.to_index(slice_.point_lps))
        assert mask[k, j, i]


def test_a_point_on_a_bent_segment_lies_on_it():
    mask = np.zeros(GRID.shape, bool)
    y, x = np.mgrid[: GRID.shape[1], : GRID.shape[2]]
    far = np.hypot(y - 12, x - 15)
    mask[10:20] = (far < 10) & (far > 7)
    for uncertainty in (None, np.ones(GRID.shape, np.float32)):
        for slice_ in worst_slices(mask_of(mask), uncertainty, GRID):
            i, j, k = (round(value) for value in GRID.to_index(slice_.point_lps))
            assert mask[k, j, i]


def test_nothing_to_look_at():
    assert worst_slices(SegmentMask.empty(), None, GRID) == ()
    assert worst_slices(mask_of(np.zeros(GRID.shape, bool)), None, GRID) == ()


def test_other_slice_orders_lead_to_the_same_places():
    straight, turned = (ReviewSession(*make_case(turned)) for turned in (False, True))
    slices = straight.geometry.size[2]
    for key in ("GMAX_right", "FEMUR_left", "SACRUM"):
        one, two = straight.worst_slices(key), turned.worst_slices(key)
        assert [s.index for s in one] == [slices - 1 - s.index for s in two]
        np.testing.assert_allclose([s.point_lps for s in one], [s.point_lps for s in two])
        assert [s.area_cm2 for s in one] == pytest.approx([s.area_cm2 for s in two])
        assert straight.worst_slices(key, 1) == one[:1] and len(one) > 1


def test_after_an_edit_the_slices_are_those_of_the_new_label():
    session = ReviewSession(*make_case())
    before = session.worst_slices("GMAX_right")
    kept = session.result.labels == LABEL["GMAX_right"]
    kept[before[0].index] = False
    session.edit({"GMAX_right": mask_of(kept)})
    assert before[0].index not in [s.index for s in session.worst_slices("GMAX_right")]


def test_histogram_bands_are_exact_and_colour_every_bin():
    random = np.random.default_rng(2)
    labels = np.zeros((6, 20, 20), np.uint8)
    labels[1:5, 4:16, 4:16] = LABEL["VM_left"]
    hu = random.normal(10, 90, labels.shape).round().astype(np.int16)
    hu[2, 5, 5:9] = [-900, 2000, -30, 30]
    volume = CTVolume(hu, Geometry((20, 20, 6), (1.0, 1.0, 2.0)))
    session = ReviewSession(measure_case(labels, volume.geometry, volume), volume)
    found = session.histogram("VM_left")
    values = hu[labels > 0].astype(int)
    assert found.key == "VM_left" and found.title == "Vastus medialis, left"
    assert len(found.edges_hu) == 51 and (found.edges_hu[0], found.edges_hu[-1]) == (-200, 300)
    assert list(found.counts) == np.histogram(np.clip(values, -200, 299), found.edges_hu)[0].tolist()
    assert [(b.name, b.low_hu, b.high_hu) for b in found.bands] == [
        ("fat", -200, -30), ("composite", -30, 30), ("lean", 30, 300)
    ]  # fmt: skip
    shares = [np.mean(values < -30), np.mean((values >= -30) & (values <= 30)), np.mean(values > 30)]
    assert [b.percent for b in found.bands] == pytest.approx([100 * share for share in shares])
    names = [found.band_of(number).name for number in range(50)]
    assert names == ["fat"] * 17 + ["composite"] * 6 + ["lean"] * 27
    assert session.histogram("VM_right") is None
