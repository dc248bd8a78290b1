"""What is learned from: real cases on the network's grid, mixtures, and folds that keep patients apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from conftest import phantom_hu
from training_cases import PREPROCESSING, SPEC, classes_of, small_recipe, write_case

from MSKSegmentLib.ct import body_box, read_ct, to_working_grid
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.inference.slices import SliceReader, normalise, plan_slices
from MSKSegmentLib.training import data as training_data
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, USUAL_AUGMENTATION, Augmentation, augment, cut_slice
from MSKSegmentLib.training.data import choose_split, prepare_data
from MSKSegmentLib.training.folds import Split, parse_fold, read_split, split_fold, split_off, write_split
from MSKSegmentLib.training.mixing import MixedSource
from MSKSegmentLib.training.pairs import PairSlices, prepare_case
from MSKSegmentLib.training.recipes import PairsData, Validation, VirtualData, read_recipe
from MSKSegmentLib.training.sources import Batch
from MSKSegmentLib.training.stream import batches
from MSKSegmentLib.virtual.ingredients import PLAIN
from MSKSegmentLib.virtual.specimen import Specimen, save_specimen


def nothing():
    """Goes on."""


def prepared(folder, name, **options):
    write_case(folder, name, **options)
    files = next(case for case in find_labelled_cases(folder) if case.name == name)
    path = prepare_case(files, folder / "cache", SPEC, PREPROCESSING)
    return path, np.load(path), json.loads(path.with_suffix(".json").read_text())


def test_a_case_becomes_what_the_network_sees_at_inference(tmp_path):
    path, array, facts = prepared(tmp_path, "one")
    volume = to_working_grid(read_ct(tmp_path / "one" / "ct.nii.gz")).volume
    box = body_box(volume)
    body = CTVolume(volume.hu[box.slices].copy(), volume.geometry.cropped(box.start_xyz, box.size_xyz))
    plan = plan_slices(body, PREPROCESSING, SPEC)
    reader = SliceReader(body, plan, PREPROCESSING, 3)
    assert array.shape == (len(plan.levels), 4, *plan.grid) and array.dtype == np.int16
    for index in (0, 7, len(plan.levels) - 1):
        seen = reader.read(plan.levels[index])[0, :, : plan.grid[0], : plan.grid[1]]
        torch.testing.assert_close(normalise(torch.from_numpy(array[index, :-1]).float(), PREPROCESSING), seen, atol=2e-3, rtol=0)
    assert np.array_equal(array[:, -1], classes_of(phantom_hu())[box.slices])
    assert all(facts["known"]) and len(facts["known"]) == 23


def test_the_same_body_stored_along_other_axes_gives_the_same_slices(tmp_path):
    _, straight, _ = prepared(tmp_path, "straight")
    _, flipped, _ = prepared(tmp_path, "flipped", flipped=True)
    assert np.array_equal(straight, flipped)


def test_labels_follow_the_ct_to_another_grid(tmp_path):
    write_case(tmp_path, "one")
    finer = type(PREPROCESSING)(in_plane_spacing_mm=3.0, slice_interval_mm=12.0)
    array = np.load(prepare_case(find_labelled_cases(tmp_path)[0], tmp_path / "cache", SPEC, finer))
    hu, classes = array[:, 1].astype(float), array[:, -1]
    assert len(array) < 14 and set(np.unique(classes)) == {0, 2, 13}
    assert hu[classes == 2].mean() > 700 and 40 < hu[classes == 13].mean() < 70 and hu[classes == 0].mean() < -400


def test_what_was_not_drawn_is_unlabelled_or_unknown(tmp_path):
    labelled = {"slices": [3, [10, 12]], "structures": ["FEMUR", "GMAX"]}
    path, array, facts = prepared(tmp_path, "one", labelled=labelled)
    drawn = [3, 10, 11, 12]
    assert (array[[k for k in range(len(array)) if k not in drawn], -1] == -1).all()
    assert set(np.unique(array[drawn, -1])) == {0, 2}, "the adductors were not drawn and are background"
    assert [index for index, known in enumerate(facts["known"]) if known] == [0, 2, 4]
    batch = PairSlices([path], PREPROCESSING, (48, 64), 1, USUAL_AUGMENTATION).batch(12)
    assert (batch.classes >= 0).any(dim=2).any(dim=1).all(), "slices without labels are never drawn"
    assert batch.known.shape == (12, 23) and batch.known.sum(dim=1).tolist() == [3] * 12


def test_a_case_is_made_anew_only_when_its_files_change(tmp_path):
    path, _, _ = prepared(tmp_path, "one")
    files, before = find_labelled_cases(tmp_path)[0], path.stat().st_mtime_ns
    assert prepare_case(files, tmp_path / "cache", SPEC, PREPROCESSING) == path and path.stat().st_mtime_ns == before
    (tmp_path / "one" / "labelled.json").write_text('{"slices": [4]}')
    prepare_case(find_labelled_cases(tmp_path)[0], tmp_path / "cache", SPEC, PREPROCESSING)
    assert ((np.load(path)[:, -1] != -1).any(axis=(1, 2))).sum() == 1


def test_a_case_without_a_body_is_refused(tmp_path):
    case = write_case(tmp_path, "one")
    image = sitk.ReadImage(str(case / "ct.nii.gz"))
    sitk.WriteImage(sitk.Image(image * 0 - 1000), str(case / "ct.nii.gz"))
    with pytest.raises(InputError, match="'one' shows no body"):
        prepare_case(find_labelled_cases(tmp_path)[0], tmp_path / "cache", SPEC, PREPROCESSING)


def test_augmentation_keeps_labels_on_their_tissue_and_unlabelled_pixels_apart():
    hu = phantom_hu()[:8]
    images, labels = hu[:, None], classes_of(hu).astype(np.int16)
    labels[:, :, :10] = -1
    rng = np.random.default_rng(3)
    seen, classes = augment(images, labels, rng, Augmentation(rotation_deg=20, shear=0.2, uniform=True, intensity=0.0))
    assert set(classes.unique().tolist()) == {-1, 0, 2, 13}
    assert seen[:, 0][classes == 2].mean() > 700 and abs(seen[:, 0][classes == 13].mean() - 55) < 15
    plain, same = augment(images, labels, rng, NO_AUGMENTATION)
    assert torch.equal(plain, torch.from_numpy(images).float()) and torch.equal(same, torch.from_numpy(labels).long())
    image, label = cut_slice([hu[0], hu[1]], labels[0], (96, 40), rng, NO_AUGMENTATION)
    assert image.shape == (2, 96, 40) and (image[:, :16] == -1024).all() and (label[:16] == 0).all()
    assert np.array_equal(image[1, 16:80], hu[1][:, 20:60])


def test_elastic_displacements_are_smooth_and_as_large_as_stated():
    still = replace(NO_AUGMENTATION, elastic=0.03)
    # A ramp along x, and one along y, show how far each pixel was moved.
    y, x = np.mgrid[:64, :96]
    ramps = np.stack([np.stack([1000 + 10 * x, 1000 + 10 * y])] * 40).astype(np.int16)
    labels = np.repeat((x >= 48).astype(np.int16)[None], 40, axis=0)
    seen, classes = augment(ramps, labels, np.random.default_rng(5), still)
    moved = (seen - torch.from_numpy(ramps).float())[..., 16:48, 24:72] / 10
    assert abs(float(moved[:, 0].std()) / (0.03 * 96) - 0.75) < 0.3 and abs(float(moved[:, 1].std()) / (0.03 * 96) - 0.75) < 0.3
    assert float(moved.diff(dim=-1).abs().max()) < 2
    # Labels move with the image.
    inside = classes[:, 16:48, 24:72]
    agrees = (inside == 1) == (seen[:, 0, 16:48, 24:72] >= 1000 + 10 * 47.5)
    assert float(agrees.float().mean()) > 0.999


class Constant:
    """A source whose images hold one number."""

    def __init__(self, value):
        self.value = value

    def refresh(self):
        return 1

    def batch(self, size):
        classes = torch.zeros(size, 2, 2, dtype=torch.int64)
        known = torch.ones(size, 23, dtype=torch.bool)
        return Batch(torch.full((size, 1, 2, 2), self.value), classes, known, torch.full((size,), self.value))


def test_sources_are_mixed_by_weight():
    mixed = MixedSource([Constant(0.0), Constant(1.0)], [3, 1], seed=1)
    drawn = torch.cat([mixed.batch(8).images[:, 0, 0, 0] for _ in range(100)])
    # 800 draws with a share of 1/4: four standard deviations of the mean.
    assert abs(drawn.mean().item() - 0.25) < 4 * (0.25 * 0.75 / 800) ** 0.5
    assert mixed.refresh() == 2


def test_every_patient_is_held_out_once_and_all_scans_of_one_stay_together():
    cases = [f"p{number}@{scan}" for number in range(7) for scan in ("before", "after")]
    held_out = []
    for number in (1, 2, 3):
        split = split_fold(cases, ["body"], (number, 3))
        kept, away = ({case.partition("@")[0] for case in side} for side in (split.train_cases, split.held_out_cases))
        assert not kept & away and len(kept | away) == 7 and split.train_bodies is None
        held_out += sorted(away)
    assert sorted(held_out) == [f"p{number}" for number in range(7)]
    assert split_off(cases, [], "p3@after").held_out_cases == ("p3@before", "p3@after")
    assert split_fold([], ["vhf", "vhm"], (1, 2)).held_out_bodies != split_fold([], ["vhf", "vhm"], (2, 2)).held_out_bodies
    assert split_off([], ["vhf", "vhm"], "vhm") == Split((), (), ("vhf",), ("vhm",))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (lambda: parse_fold("3/2"), "such as 1/5"),
        (lambda: parse_fold("fold"), "such as 1/5"),
        (lambda: split_fold(["a", "b"], [], (1, 5)), "at most 2"),
        (lambda: split_off(["a", "b"], [], "c"), "choose one of a, b"),
        (lambda: split_off(["a"], [], "a"), "at least two patients"),
        (lambda: split_off([], ["vhf"], "vhf"), "at least two"),
    ],
)
def test_impossible_splits_are_refused(split, words):
    with pytest.raises(InputError, match=words):
        split()


def test_a_folder_keeps_its_split(tmp_path):
    split = split_fold(["a", "b", "c"], [], (1, 3))
    write_split(tmp_path / "run", split)
    write_split(tmp_path / "run", split)
    assert read_split(tmp_path / "run") == split and read_split(tmp_path) == Split()
    with pytest.raises(InputError, match="other patients"):
        write_split(tmp_path / "run", split_fold(["a", "b", "c"], [], (2, 3)))


def test_no_patient_is_learned_from_and_judged_on(tmp_path):
    """Each patient has a structure of its own, so that slices tell whose they are."""
    muscles = {f"p{number}": 4 + number for number in range(4)}
    for name, muscle in muscles.items():
        write_case(tmp_path / "pairs", name, muscle=muscle)
    recipe = small_recipe(sources=(PairsData(tmp_path / "pairs"),), validation=Validation(10, 8))
    split = choose_split(recipe, None, (2, 4), None)
    assert len(split.held_out_cases) == 1 and len(split.train_cases) == 3
    training, judged = prepare_data(recipe, tmp_path / "run", split, None, None, nothing)
    seen = {
        side: {int(value) for _ in range(8) for value in plan.open(5).batch(16).classes.unique()} - {0, 2}
        for side, plan in (("training", training), ("judged", judged))
    }
    assert seen["judged"] == {muscles[name] for name in split.held_out_cases}
    assert seen["training"] == {muscles[name] for name in split.train_cases}
    assert judged.augmentation == NO_AUGMENTATION and training.augmentation == USUAL_AUGMENTATION
    assert len(choose_split(recipe, None, None, None).held_out_cases) == 1, "a validation needs somebody"
    assert choose_split(small_recipe(sources=recipe.sources), None, None, None).held_out_cases == ()
    assert choose_split(recipe, None, None, "p2").held_out_cases == ("p2",)


@pytest.fixture
def atlas(tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    for body in ("anna", "bert"):
        sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 4, 4), np.uint8)), str(folder / f"{body}_labels.nrrd"))
    return folder


def made_up_patients(folder, atlases, seeds, spacing, ingredients=PLAIN):
    """Stands for the simulation: even seeds are anna, whose thighs are gracilis, odd ones bert, made of sartorius."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        tissue = np.full((6, 64, 80), 17 if seed % 2 else 15, np.uint8)
        facts = {"body": "bert" if seed % 2 else "anna"}
        save_specimen(Specimen(tissue, np.zeros_like(tissue), spacing, {}, {}, facts), folder / f"{seed}.npy")


def test_no_body_is_learned_from_and_judged_on(tmp_path, atlas, monkeypatch):
    monkeypatch.setattr(training_data, "fill_bank", made_up_patients)
    recipe = small_recipe(sources=(VirtualData(4, 10),), validation=Validation(10, 4, 2))
    split = choose_split(recipe, atlas, None, "bert")
    training, judged = prepare_data(recipe, tmp_path / "run", split, atlas, None, nothing)
    assert set(training.open(1).batch(12).classes.unique().tolist()) - {0} == {15}
    assert set(judged.open(1).batch(12).classes.unique().tolist()) - {0} == {17}
    everybody = choose_split(recipe, None, None, None)
    training, judged = prepare_data(recipe, tmp_path / "run", everybody, atlas, None, nothing)
    assert set(training.open(1).batch(12).classes.unique().tolist()) - {0} == {15, 17}
    assert not set(training.banks[0].seeds) & set(judged.banks[0].seeds)
    assert sorted(int(path.stem) for path in (tmp_path / "run" / "patients").glob("*.npy")) == [10, 11, 12, 13, 14, 15]


def test_plain_patients_and_those_with_varied_muscles_lie_apart(tmp_path, atlas, monkeypatch):
    asked = []

    def fill(folder, atlases, seeds, spacing, ingredients):
        asked.append((folder.name, *seeds, ingredients.muscle_variation, ingredients.abdomen))
        made_up_patients(folder, atlases, seeds, spacing)

    monkeypatch.setattr(training_data, "fill_bank", fill)
    sources = (VirtualData(2, 10, muscle_variation=True), VirtualData(1, 11), VirtualData(1, 11, abdomen=True))
    recipe = small_recipe(sources=sources, validation=Validation(10, 4, 1))
    split = choose_split(recipe, atlas, None, None)
    training, judged = prepare_data(recipe, tmp_path, split, atlas, tmp_path / "bank", nothing)
    # The same seed is one patient in each, and the validation's are of the first source's kind.
    varied = [("muscle_variation", seed, True, False) for seed in (10, 11, 12)]
    assert sorted(asked) == [("abdomen", 11, False, True), ("bank", 11, False, False), *varied]
    assert [bank.folder.name for bank in training.banks] == ["muscle_variation", "bank", "abdomen"]
    assert [(bank.folder.name, *bank.seeds) for bank in judged.banks] == [("muscle_variation", 12)]
    assert read_recipe(_written(recipe, tmp_path)).sources == sources


def _written(recipe, folder):
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe.to_json()))
    return path


def test_real_and_virtual_patients_are_mixed(tmp_path, atlas, monkeypatch):
    monkeypatch.setattr(training_data, "fill_bank", made_up_patients)
    write_case(tmp_path / "pairs", "p1", labelled={"structures": ["AD"]})
    recipe = small_recipe(sources=(VirtualData(1, 10, weight=1.0), PairsData(tmp_path / "pairs", weight=3.0)))
    training, judged = prepare_data(recipe, tmp_path / "run", choose_split(recipe, atlas, None, None), atlas, None, nothing)
    assert judged is None
    source = training.open(3)
    known = torch.cat([source.batch(10).known for _ in range(8)])
    real = (known.sum(dim=1) == 2).double().mean().item()
    assert abs(real - 0.75) < 4 * (0.25 * 0.75 / 80) ** 0.5


def test_processes_make_batches_that_differ(tmp_path):
    path, _, _ = prepared(tmp_path, "one")
    recipe = small_recipe(sources=(PairsData(tmp_path),))
    training, _ = prepare_data(recipe, tmp_path / "run", choose_split(recipe, None, None, None), None, None, nothing)
    for workers in (0, 2):
        stream = batches(training, 2, (7, 0), workers)
        drawn = [next(stream).images for _ in range(4)]
        stream.close()
        assert drawn[0].shape == (2, 3, 48, 64)
        assert not any(torch.equal(one, other) for k, one in enumerate(drawn) for other in drawn[:k])
    again = batches(training, 2, (7, 0), 0)
    resumed = batches(training, 2, (7, 20), 0)
    assert torch.equal(next(again).images, next(batches(training, 2, (7, 0), 0)).images)
    assert not torch.equal(next(again).images, next(resumed).images)
