"""The evidence on masks: each way of failing shows in the agreement with the network's passes or in the mask itself."""

import numpy as np
import pytest
from given_labels import body
from mask_cases import view_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.mask_damage import DAMAGE_KINDS, annotator_noise, damage
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.preview import coarse_geometry
from MSKSegmentLib.rating.agreement import pass_agreements
from MSKSegmentLib.rating.look_here import slices_to_look_at
from MSKSegmentLib.rating.mask_evidence import Usual, mask_evidence
from MSKSegmentLib.rating.mask_shape import jumps, mask_shapes
from MSKSegmentLib.rating.missing import missing_labels
from MSKSegmentLib.rating.network_view import judging_geometry, on_pixels
from MSKSegmentLib.rating.reference import form_deviations, form_of, make_forms
from MSKSegmentLib.rating.told import stretches

GMAX, AD, BF = (HIP_AND_THIGH.segment(f"{name}_right").label for name in ("GMAX", "AD", "BF"))


@pytest.fixture(scope="module")
def seen():
    """Every second slice of the phantom, as a network sees it."""
    labels, volume = body()
    geometry = coarse_geometry(volume.geometry, 2)
    truth = np.ascontiguousarray(labels[::2])
    return truth, np.ascontiguousarray(volume.hu[::2]), geometry, view_of(truth, geometry)


def _damaged(truth, geometry, kind, label=AD, strength=0.6):
    return damage(truth, label, kind, strength, geometry.spacing[::-1], np.random.default_rng(1))


def test_the_true_mask_agrees_and_shows_nothing_odd(seen):
    truth, _, geometry, view = seen
    agreed, shapes = pass_agreements(truth, view), mask_shapes(truth, geometry)
    assert set(agreed) == set(shapes) == {segment.label for segment in HIP_AND_THIGH.segments}
    large = [agreed[label] for label in (GMAX, AD, BF)]
    assert min(one.mean for one in large) > 0.85 and max(one.disagreeing_share for one in large) < 0.1
    assert all(0.9 < one.volume_ratio < 1.1 and one.dice.shape == (3,) for one in large)
    shape = shapes[AD]
    assert (shape.stray_components, shape.hole_share) == (0, 0.0) and shape.jump_share < 0.05 and not shape.jumping.any()


@pytest.mark.parametrize("kind", DAMAGE_KINDS)
def test_every_kind_of_damage_agrees_less_than_the_truth(seen, kind):
    truth, _, geometry, view = seen
    mask = _damaged(truth, geometry, kind)
    before = pass_agreements(truth, view)[AD]
    assert (mask != truth).any()
    if not (mask == AD).any():
        assert AD in missing_labels(mask, view)
        return
    after = pass_agreements(mask, view)[AD]
    assert after.mean < before.mean and after.low_slice <= before.low_slice


@pytest.mark.parametrize(
    ("kind", "score"), [("strays", "stray_share"), ("holes", "hole_share"), ("missed slices", "jump_share"), ("rough", "surface")]
)
def test_a_mask_shows_by_itself_what_was_done_to_it(seen, kind, score):
    truth, _, geometry, _ = seen
    # Of several places at random, holes may all lie at the border.
    masks = [damage(truth, AD, kind, 0.9, geometry.spacing[::-1], np.random.default_rng(seed)) for seed in range(3)]
    before = getattr(mask_shapes(truth, geometry)[AD], score)
    assert max(getattr(mask_shapes(mask, geometry)[AD], score) for mask in masks) > before + 0.01


def test_damage_touches_what_it_should(seen):
    truth, _, geometry, _ = seen
    eroded = _damaged(truth, geometry, "eroded")
    assert set(np.unique(truth[eroded != truth])) == {AD} and (eroded == AD).sum() < (truth == AD).sum()
    exchanged = _damaged(truth, geometry, "wrong side")
    assert ((exchanged == AD) == (truth == AD + 100)).all() and ((exchanged == AD + 100) == (truth == AD)).all()
    assert (
        _damaged(truth, geometry, "rough") is not truth
        and (_damaged(truth, geometry, "rough") == _damaged(truth, geometry, "rough")).all()
    )
    with pytest.raises(ValueError, match="label 77"):
        _damaged(truth, geometry, "eroded", label=77)
    noisy = annotator_noise(truth, geometry.spacing[::-1], np.random.default_rng(0))
    shared = 2 * ((noisy == GMAX) & (truth == GMAX)).sum() / ((noisy == GMAX).sum() + (truth == GMAX).sum())
    assert 0.85 < shared < 1


def test_scores_hold_agreement_and_shape_and_the_networks_own_doubt(seen):
    truth, hu, geometry, view = seen
    measured = measure(truth, hu, geometry, HIP_AND_THIGH, None)
    evidence = mask_evidence(truth, view, measured, {AD: 12.0}, HIP_AND_THIGH)
    scores = evidence.scores[AD]
    assert scores.metal_distance_mm == 12.0 and scores.mean_variance == pytest.approx(1e-4)
    assert 0 < scores.agreement_sd < 0.1 and scores.pairwise_dice == view.scores[AD].pairwise_dice > 0.8
    compared = evidence.compared_with(Usual({}, make_forms([evidence.forms] * 10, HIP_AND_THIGH)), HIP_AND_THIGH)[AD]
    assert compared.shape_deviation < 0.1 and abs(compared.density_deviation) < 0.1
    # Where the network found nothing, its passes agree on nothing.
    strange = mask_evidence(np.where(truth == AD, 104, truth), view, measured, {}, HIP_AND_THIGH).scores[104]
    assert strange.agreement < 0.8


def test_forms_far_from_the_usual_are_far(seen):
    truth, hu, geometry, _ = seen
    measured = measure(truth, hu, geometry, HIP_AND_THIGH, None)
    usual = make_forms([form_of(mask_shapes(truth, geometry), measured, HIP_AND_THIGH)] * 10, HIP_AND_THIGH)
    cut = _damaged(truth, geometry, "truncated", strength=0.9)
    form = form_of(mask_shapes(cut, geometry), measure(cut, hu, geometry, HIP_AND_THIGH, None), HIP_AND_THIGH)
    off = form_deviations(form, usual, HIP_AND_THIGH)
    assert off[AD][0] > 3 and off[GMAX][0] < 0.5
    assert make_forms([form] * 9, HIP_AND_THIGH) == {}


def test_missing_structures_are_those_that_the_network_is_sure_of(seen):
    truth, _, _, view = seen
    lacking = missing_labels(np.where(np.isin(truth, (AD, BF)), 0, truth), view)
    assert set(lacking) == {AD, BF} and lacking[AD] == pytest.approx((view.own == AD).sum() * 4 * 4 * 8 / 1000)
    assert missing_labels(truth, view) == {}


def test_the_worst_slices_are_where_the_mask_was_damaged(seen):
    truth, _, geometry, view = seen
    mask = truth.copy()
    shown = np.flatnonzero((truth == AD).any(axis=(1, 2)))
    lost = shown[len(shown) // 2 : len(shown) // 2 + 4]
    mask[lost] = np.where(mask[lost] == AD, 0, mask[lost])
    worst = slices_to_look_at(mask, view, {AD: "AD_right"}, geometry)["AD_right"]
    assert worst[0].slice_number in lost and worst[0].disagreement > 0.8
    assert [one.disagreement for one in worst] == sorted((one.disagreement for one in worst), reverse=True)


def test_jumps_of_slices():
    mask = np.zeros((6, 4, 4), bool)
    mask[:, 1:3, 1:3] = True
    assert not jumps(mask).any() and jumps(mask[:2]).tolist() == [0, 0]
    mask[2] = False
    assert jumps(mask).tolist() == [0, 0, 1, 0, 0, 0]
    mask[2, 0, 3] = True
    assert jumps(mask)[2] == 1


def test_pixels_and_their_places():
    labels = np.arange(2 * 6 * 9, dtype=np.uint8).reshape(2, 6, 9)
    coarse = on_pixels(labels, (2, 3))
    assert coarse.tolist() == labels[:, 1::3, 1::3].tolist() and on_pixels(labels, (6, 9)) is labels
    _, volume = body()
    grid = judging_geometry(volume.geometry, (volume.hu.shape[1] // 2, volume.hu.shape[2]))
    first, second = grid.to_physical([(0, 0, 0), (0, 1, 0)])
    assert first == pytest.approx(volume.geometry.to_physical((0, 0.5, 0))) and second[1] - first[1] == pytest.approx(8)


def test_stretches_of_slices():
    assert stretches([5], 1) == "5" and stretches([10, 4, 6, 8], 2) == "4-10"
    assert stretches([1, 3, 5, 7, 9, 11], 1) == "1, 3, 5, 7 and 2 more"
