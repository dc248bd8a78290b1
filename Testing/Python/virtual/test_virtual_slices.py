"""Training slices rendered on the fly: repeatable, labelled, varied; and what the simulated scanner does to a slice."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_virtual import atlas  # noqa: F401

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle.manifest import Preprocessing
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.disputed import open_classes
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, Augmentation
from MSKSegmentLib.training.virtual_slices import VirtualSlices, fill_bank
from MSKSegmentLib.virtual.acquisition import Acquisition, outside_view, random_acquisition, scan_slices
from MSKSegmentLib.virtual.noise import NoisePool
from MSKSegmentLib.virtual.tissue import smooth_noise

SPACING = (8.0, 6.0, 6.0)
PREPROCESSING = Preprocessing(in_plane_spacing_mm=6.0, slice_interval_mm=8.0)
CROP = (48, 64)
IDEAL = Acquisition(blur_mm=0.5, noise_hu=0.0)


@pytest.fixture(scope="module")
def bank(atlas, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("bank")
    fill_bank(folder, (atlas, replace(atlas, name="other")), range(3), SPACING)
    return folder


def _source(bank, seed=1, **changes):
    return VirtualSlices(bank, PREPROCESSING, 3, CROP, seed, **changes)


def test_batches_repeat_with_their_seed_and_hold_matching_classes(bank):
    batch, again, other = (_source(bank, seed).batch(12) for seed in (1, 1, 2))
    assert torch.equal(batch.images, again.images) and not torch.equal(batch.images, other.images)
    assert batch.images.shape == (12, 3, *CROP) and batch.images.dtype == torch.float32
    assert batch.classes.shape == (12, *CROP) and batch.classes.dtype == torch.int64 and bool(batch.known.all())
    assert float(batch.images.min()) >= 0 and float(batch.images.max()) <= 1
    middle = batch.images[:, 1]
    assert float(middle[batch.classes == 2].median()) > float(middle[batch.classes == 13].median()) > 0.15
    assert set(batch.classes.unique().tolist()) <= {0, 1, 2, 3, 4, 12, 13, 17, 21}


def test_borders_that_atlases_dispute_are_open_when_asked(bank):
    settled, opened = (_source(bank, augmentation=Augmentation(open_borders=wanted)).batch(24) for wanted in (False, True))
    is_open = opened.classes >= HIP_AND_THIGH.classes
    assert torch.equal(settled.images, opened.images) and torch.equal(settled.classes[~is_open], opened.classes[~is_open])
    choices = torch.from_numpy(open_classes())
    of_open = choices[opened.classes[is_open] - HIP_AND_THIGH.classes]
    assert bool(is_open.any()) and bool(of_open.gather(1, settled.classes[is_open][:, None]).all())


def test_patches_hold_neighbouring_slices_of_one_patient(bank):
    drawn = VirtualSlices(bank, PREPROCESSING, 1, (8, *CROP), 1, augmentation=NO_AUGMENTATION).batch(3)
    assert drawn.images.shape == (3, 1, 8, *CROP) and drawn.classes.shape == (3, 8, *CROP)
    assert bool((drawn.classes == 13).any())
    image = drawn.images[:, 0]
    assert float(image[drawn.classes == 2].median()) > float(image[drawn.classes == 13].median()) > 0.15
    # Neighbours share most of their pixels' classes; others do not.
    same = (drawn.classes[:, 1:] == drawn.classes[:, :-1]).float().mean()
    assert float(same) > 0.9 and bool((drawn.positions >= 0).all()) and bool((drawn.positions <= 1).all())


def test_each_slice_is_scanned_anew(bank):
    """The same slice of the same body, drawn twice, keeps its classes and gets another composition and scanner."""
    drawn = _source(bank, augmentation=NO_AUGMENTATION, seeds=[0]).batch(150)
    twins = {}
    for image, classes in zip(drawn.images, drawn.classes, strict=True):
        if bool((classes == 13).sum() > 30):
            twins.setdefault(classes.numpy().tobytes(), []).append(float(image[1][classes == 13].mean()))
    spreads = [max(found) - min(found) for found in twins.values() if len(found) > 1]
    assert len(spreads) >= 5 and np.median(spreads) > 0.005


def test_bodies_and_seeds_can_be_chosen(bank):
    everyone = _source(bank).refresh()
    bodies = [_source(bank, bodies=[name]).refresh() for name in ("made_up", "other") if _has(bank, name)]
    assert everyone == 3 and sum(bodies) == 3 and _source(bank, seeds=[1]).refresh() == 1
    with pytest.raises(InputError, match="holds no virtual patients"):
        _source(bank, bodies=["nobody"])


def _has(bank, name):
    return any(f'"body": "{name}"' in path.read_text() for path in bank.glob("*.json"))


def test_bodies_that_arrive_later_are_found(bank, tmp_path):
    for path in bank.glob("0.*"):
        (tmp_path / path.name).symlink_to(path)
    source = _source(tmp_path)
    assert source.refresh() == 1
    for path in bank.glob("1.*"):
        (tmp_path / path.name).symlink_to(path)
    assert source.refresh() == 2


def test_the_noise_pool_gives_unit_noise_of_the_wanted_smoothness():
    pool, rng = NoisePool((16, 96, 96), seed=3), np.random.default_rng(0)
    for sigma in ((0.0, 0.5, 0.5), (1.0, 3.0, 3.0)):
        fields = [pool(rng, (4, 60, 60), sigma) for _ in range(20)]
        assert np.std(fields) == pytest.approx(1, abs=0.2) and not np.array_equal(fields[0], fields[1])
        neighbours = [np.corrcoef(f[:, :, 1:].ravel(), f[:, :, :-1].ravel())[0, 1] for f in fields]
        fresh = smooth_noise(rng, (16, 96, 96), sigma)
        assert np.mean(neighbours) == pytest.approx(np.corrcoef(fresh[:, :, 1:].ravel(), fresh[:, :, :-1].ravel())[0, 1], abs=0.08)
    with pytest.raises(ValueError, match="does not fit"):
        pool(rng, (4, 97, 60), (1, 1, 1))


def _disc(radius=30.0, size=80):
    """A round body of 50 HU with two bones side by side, ``[2, size, size]`` at 4 mm; masks of body and of between the bones."""
    ys, xs = np.mgrid[:size, :size] - size / 2
    body = np.hypot(ys, xs) < radius
    hu = np.where(body, 50.0, -1000.0).astype(np.float32)
    for x in (-14, 14):
        hu[np.hypot(ys, xs - x) < 5] = 900
    return np.stack([hu, hu]), body, (np.abs(ys) < 2) & (np.abs(xs) < 5)


def _scanned(settings, metal=None, radius=30.0, seed=0):
    hu, body, between = _disc(radius)
    return scan_slices(hu, metal, (4.0, 4.0), settings, smooth_noise, np.random.default_rng(seed)), body, between


def test_an_ideal_scanner_changes_only_the_edges():
    hu, body, between = _scanned(IDEAL)
    assert hu[:, between] == pytest.approx(50, abs=0.5) and hu[:, 0, 0] == pytest.approx(-1000, abs=0.5)


def test_noise_is_as_strong_as_asked_and_grows_with_the_body():
    noise = {}
    for radius in (16.0, 36.0):
        hu, _, _ = _scanned(replace(IDEAL, noise_hu=20.0, grain_mm=0.5), radius=radius)
        ideal, body, _ = _scanned(IDEAL, radius=radius)
        noise[radius] = (hu - ideal)[:, body].std()
    assert noise[36.0] > 1.5 * noise[16.0] and 10 < noise[36.0] < 40


def test_beam_hardening_darkens_what_lies_between_bones():
    hu, _, between = _scanned(replace(IDEAL, beam_hardening_hu=30.0))
    assert -45 < hu[0][between].mean() - 50 < -8
    assert hu[0, 14, 40] == pytest.approx(50, abs=3)


def test_drift_cupping_and_starvation():
    hu, _, between = _scanned(replace(IDEAL, scale=1.02, offset_hu=10.0))
    assert hu[:, between] == pytest.approx(61, abs=0.6)
    cupped, _, _ = _scanned(replace(IDEAL, cupping_hu=20.0))
    assert cupped[0][between].mean() < 45
    streaked, body, _ = _scanned(replace(IDEAL, noise_hu=10.0, starvation=2.0), radius=38.0)
    plain, _, _ = _scanned(replace(IDEAL, noise_hu=10.0), radius=38.0)
    ideal, _, _ = _scanned(IDEAL, radius=38.0)
    rows, columns = ([(image - ideal)[0, 15:65, 15:65].mean(axis=axis).std() for image in (streaked, plain)] for axis in (1, 0))
    assert rows[0] > 2 * rows[1] and columns[0] < 2 * columns[1] and body[15, 40]


def test_metal_throws_streaks_and_reduction_weakens_them():
    metal = np.zeros((2, 80, 80), bool)
    metal[:, 38:43, 25:30] = True
    ideal, body, _ = _scanned(IDEAL)
    streaks = {}
    for repaired in (False, True):
        hu, _, _ = _scanned(replace(IDEAL, metal_streaks_hu=400.0, repaired=repaired), metal)
        difference = np.abs(hu - ideal)[0]
        streaks[repaired] = difference[body & ~metal[0]].mean()
        assert difference[35:46, 32:40].mean() > difference[35:46, 60:68].mean()
    assert streaks[False] > 2 * streaks[True] > 2


def test_the_field_of_view_is_a_circle_about_its_centre():
    outside = outside_view((100, 120), (2.0, 2.0), replace(IDEAL, view_mm=60.0, view_centre=(20.0, -30.0)))
    inside = np.argwhere(~outside)
    assert inside.mean(axis=0) == pytest.approx((60, 45), abs=1) and len(inside) * 4 == pytest.approx(np.pi * 60**2, rel=0.02)
    assert outside_view((100, 120), (2.0, 2.0), IDEAL) is None
    drawn = [random_acquisition(np.random.default_rng(seed)) for seed in range(200)]
    assert 0.05 < np.mean([one.view_mm < 1000 for one in drawn]) < 0.3
    assert min(one.noise_hu for one in drawn) >= 2 and max(one.noise_hu for one in drawn) <= 40
