"""Virtual patients under stress: ordinary at strength 0, worse the stronger, with labels of what is still there."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from virtual_cases import made_up_atlas

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual import stress
from MSKSegmentLib.virtual.alterations import amputate, cut_beside, fill_with_metal, turn_body
from MSKSegmentLib.virtual.coverage import Coverage, cut_to
from MSKSegmentLib.virtual.disease import Disease, waste_muscles
from MSKSegmentLib.virtual.implants import METAL
from MSKSegmentLib.virtual.patient import make_patient
from MSKSegmentLib.virtual.specimen import Specimen, femur_levels
from MSKSegmentLib.virtual.stress import KINDS, draw_stress, make_stressed_patient
from MSKSegmentLib.virtual.tissue import BodyTissue

SPACING = (10.0, 8.0, 8.0)


@pytest.fixture(scope="module")
def atlas():
    return made_up_atlas()


@pytest.fixture(scope="module")
def ordinary(atlas):
    return make_patient((atlas,), 5, SPACING)


@pytest.fixture
def specimen(atlas):
    """The made-up body as it is, in air."""
    tissue = atlas.labels.copy()
    return Specimen(tissue, np.zeros(tissue.shape, np.uint8), atlas.spacing, femur_levels(tissue), {}, {})


@pytest.fixture
def drawn(atlas, monkeypatch):
    """What a stress makes of the parameters, without a body and a scan: a function of kind, strength and seed."""
    kept = {}
    alterations = ("amputate", "cut_beside", "fill_with_metal", "turn_body")

    def build(_, shape, build, disease, *rest):
        kept.update(shape=shape, build=build, disease=disease)

    def scan(_, what, settings, coverage, *rest):
        kept.update(what=what, settings=settings, coverage=coverage)

    monkeypatch.setattr(stress, "build_specimen", build)
    monkeypatch.setattr(stress, "scan_specimen", scan)
    for alteration in alterations:
        monkeypatch.setattr(stress, alteration, lambda specimen, name=alteration, **how: kept.update({name: how}))

    def drawn(kind, strength, seed):
        kept.update({alteration: {} for alteration in alterations})
        make_stressed_patient((atlas,), seed, kind, strength, (5.0, 2.5, 2.5))
        return dict(kept)

    return drawn


def test_without_strength_it_is_the_ordinary_patient(atlas, ordinary):
    for kind, strength in (("pose", 0.0), ("none", 0.8)):
        patient = make_stressed_patient((atlas,), 5, kind, strength, SPACING)
        assert np.array_equal(patient.volume.hu, ordinary.volume.hu) and np.array_equal(patient.labels, ordinary.labels)
        assert patient.facts == {**ordinary.facts, "stress": {"kind": kind, "strength": 0.0}}


@pytest.mark.parametrize("kind", ["pose", "atrophy", "contrast"])
def test_a_stressed_patient_is_still_a_ct_with_true_labels(atlas, ordinary, kind):
    one = make_stressed_patient((atlas,), 5, kind, 0.9, SPACING)
    assert one.facts["stress"] == {"kind": kind, "strength": 0.9}
    if kind == "pose":
        again = make_stressed_patient((atlas,), 5, kind, 0.9, SPACING)
        assert np.array_equal(one.volume.hu, again.volume.hu) and np.array_equal(one.labels, again.labels)
    assert one.volume.hu.dtype == np.int16 and one.labels.shape == one.volume.hu.shape
    assert set(np.unique(one.labels)) <= set(np.unique(ordinary.labels))
    muscle, before = (np.median(p.volume.hu[np.isin(p.labels, (13, 113, 21, 121))]) for p in (one, ordinary))
    if kind == "contrast":
        assert muscle > before + 40
    if kind == "atrophy":
        assert muscle < before - 60
        assert np.isin(one.labels, (13, 113)).sum() < 0.7 * np.isin(ordinary.labels, (13, 113)).sum()


def test_every_kind_changes_more_the_stronger_it_is(drawn):
    """Each kind's own quantity, larger for worse; the mean over patients, since each draws its own extreme."""
    worse = {
        "metal": lambda d: d["settings"].metal_streaks_hu + 1e4 * d["fill_with_metal"].get("strength", 0),
        "noise": lambda d: d["settings"].noise_hu,
        "kernel": lambda d: d["settings"].blur_mm + d["settings"].sharpening,
        "standing": lambda d: abs(d["settings"].cupping_hu) + abs(d["settings"].scale - 1) + d["shape"].buttocks,
        "one-sided": lambda d: d["amputate"].get("level", 0) + d["cut_beside"].get("share", 0),
        "view": lambda d: -d["settings"].view_mm - 1000 * d["coverage"].height,
        "pose": lambda d: sum(leg.flexion for leg in d["shape"].legs) + abs(d["turn_body"].get("degrees", 0)),
        "atrophy": lambda d: sum(d["disease"].atrophy.values()) + sum(d["what"].infiltration.values()),
        "contrast": lambda d: d["what"].artery_hu + d["what"].lean_hu,
        "hu-scale": lambda d: abs(d["settings"].offset_hu) + 1000 * abs(np.log(d["settings"].scale)),
        "thick": lambda d: d["settings"].slice_mm + d["coverage"].thick_step * (d["coverage"].thick_below > 0),
    }
    assert {*worse, "none"} == set(KINDS)
    for kind, measured in worse.items():
        levels = [np.mean([measured(drawn(kind, strength, seed)) for seed in range(12)]) for strength in (0.0, 0.3, 0.6, 1.0)]
        assert np.all(np.diff(levels) > 0), (kind, levels)


def test_no_strength_draws_what_no_scanner_or_body_can_have(drawn):
    for seed, kind in enumerate(KINDS * 4):
        d = drawn(kind, 1.0, seed)
        settings, what = d["settings"], d["what"]
        assert min(settings.blur_mm, settings.slice_mm, settings.noise_hu, settings.grain_mm, settings.scale, settings.view_mm) > 0
        assert max(what.infiltration.values()) < 1 and min(what.infiltration.values()) >= 0
        assert 0 < d["coverage"].height <= 1 and d["coverage"].thick_step >= 1
        assert d["build"].fat > 0 and 0 < d["build"].bowel_share < 1


def test_a_turned_body_keeps_its_tissues_and_its_distances(specimen):
    same = turn_body(specimen, 0.0)
    assert np.array_equal(same.tissue, specimen.tissue)
    side = turn_body(specimen, 90.0)
    assert side.tissue.shape == (140, 100, 60)
    assert np.array_equal(np.bincount(side.tissue.ravel()), np.bincount(specimen.tissue.ravel()))
    # By 90 degrees what was right and left comes to lie one above the other.
    y, x = (np.argwhere(side.tissue == 102) - np.argwhere(side.tissue == 2).mean(axis=0)).mean(axis=0)[1:]
    assert abs(y) > 50 and abs(x) < 1
    oblique = turn_body(specimen, -30.0)
    assert np.sum(oblique.tissue == 113) == pytest.approx(np.sum(specimen.tissue == 113), rel=0.03)
    assert oblique.tissue.shape[1] > 60 and oblique.tissue.shape[2] > 100


def test_turning_a_body_of_unequal_pixels_turns_millimetres():
    tissue = np.zeros((1, 30, 60), np.uint8)
    tissue[0, 5:25, 28:32] = 13
    plain = Specimen(tissue, tissue.copy(), (1.0, 2.0, 1.0), {}, {}, {})
    turned = turn_body(plain, 90.0)
    _, ys, xs = np.nonzero(turned.tissue)
    # 40 mm by 4 mm before, 4 mm by 40 mm after.
    assert np.ptp(ys) + 1 == 2 and np.ptp(xs) + 1 == 40


@pytest.mark.parametrize(("side", "mine", "other"), [(0, 13, 113), (1, 113, 13)])
def test_a_scan_beside_one_leg_loses_the_other_first(specimen, side, mine, other):
    whole = {label: np.sum(specimen.tissue == label) for label in (mine, other)}
    for share, keeps in ((0.0, (1, 1)), (0.5, (1, 0)), (1.0, (0.5, 0))):
        part = cut_beside(specimen, side, share)
        left = [np.sum(part.tissue == label) / whole[label] for label in (mine, other)]
        assert left[0] == pytest.approx(keeps[0], abs=0.45 if share == 1 else 0.02) and left[1] == pytest.approx(keeps[1], abs=0.02)
        assert part.depth.shape == part.tissue.shape


def test_an_amputation_takes_one_leg_below_its_level_and_pads_the_stump(specimen):
    full = np.bincount(specimen.tissue.ravel(), minlength=256)
    lowest = []
    for level in (0.05, 0.5, 0.8):
        stump = amputate(specimen, 1, level)
        left = np.bincount(stump.tissue.ravel(), minlength=256)
        assert left[2] == full[2] and left[13] == full[13] and left[3] == full[3]
        assert left[102] < full[102] and left[BodyTissue.FAT] > 10 and left[BodyTissue.SKIN] > 5
        low = np.flatnonzero((stump.tissue == 102).any(axis=(1, 2))).min()
        assert stump.femora[102][0] == low and not np.any(stump.tissue[: max(0, low - 6), :, 50:])
        lowest.append(low)
    assert lowest == sorted(lowest) and lowest[2] - lowest[0] > 50
    gone = amputate(specimen, 1, 1.0)
    assert 102 not in gone.femora and not np.any(gone.tissue == 113) and np.sum(gone.tissue == 2) == full[2]


def test_metal_fills_one_hip_then_both(specimen):
    sides = []
    for strength in (0.2, 0.5, 1.0):
        copy = Specimen(specimen.tissue.copy(), specimen.depth.copy(), specimen.spacing, specimen.femora, {}, {})
        filled = fill_with_metal(copy, strength, np.random.default_rng(3))
        metal = filled.depth == METAL
        sides.append((int(metal[:, :, :50].any()) + int(metal[:, :, 50:].any()), int(metal.sum())))
        assert filled.facts["implant"].count(",") + 1 == {0.2: 1, 0.5: 2, 1.0: 4}[strength]
    assert [count for count, _ in sides] == [1, 2, 2] and sides[2][1] > sides[0][1]


def test_fat_takes_the_place_of_muscle_where_the_outline_is_kept(atlas):
    labels = atlas.labels.copy()
    waste_muscles(labels, Disease({13: 1.0, 113: 0.4}, outline_kept=True), atlas.spacing, np.random.default_rng(0))
    changed = labels != atlas.labels
    assert not np.any(labels == 13) and np.any(labels == 113) and set(np.unique(labels[changed])) == {BodyTissue.FAT}


def test_a_slab_is_a_share_of_the_height(specimen):
    low, high = (cut_to(specimen, Coverage("slab", part, height=0.25)) for part in (0.0, 1.0))
    assert len(low.tissue) == len(high.tissue) == 35
    assert np.array_equal(low.tissue, specimen.tissue[:35]) and np.array_equal(high.tissue, specimen.tissue[-35:])
    assert len(cut_to(specimen, Coverage("slab", 0.5, height=0.001)).tissue) == 6


def test_a_cut_view_has_no_labels_outside(atlas, ordinary):
    # This seed's stress cuts in plane.
    patient = make_stressed_patient((atlas,), 5, "view", 0.9, SPACING)
    seen = patient.labels > 0
    assert 0 < seen.sum() < 0.4 * np.sum(ordinary.labels > 0)
    assert np.all(patient.labels[seen] == ordinary.labels[seen]) and np.mean(patient.volume.hu[seen] > -1024) > 0.99
    cut = ~seen & (ordinary.labels > 0)
    assert np.mean(patient.volume.hu[cut] == -1024) > 0.99


def test_consecutive_seeds_share_the_kinds_alike():
    kinds = KINDS[:5]
    drawn = [draw_stress(seed, kinds, (0.2, 0.7)) for seed in range(50)]
    assert drawn == [draw_stress(seed, kinds, (0.2, 0.7)) for seed in range(50)]
    assert {kind: [k for k, _ in drawn].count(kind) for kind in kinds} == dict.fromkeys(kinds, 10)
    assert [k for k, _ in drawn[:5]] != [k for k, _ in drawn[5:10]] or [k for k, _ in drawn[10:15]] != [k for k, _ in drawn[:5]]
    strengths = np.array([strength for _, strength in drawn])
    assert strengths.min() >= 0.2 and strengths.max() <= 0.7 and np.ptp(strengths) > 0.4


@pytest.mark.parametrize(
    ("kind", "strength", "says"),
    [("earthquake", 0.5, "choose from metal"), ("noise", 1.2, "between 0"), ("noise", -0.1, "between 0")],
)
def test_unknown_kinds_and_strengths_are_refused(atlas, kind, strength, says):
    with pytest.raises(InputError, match=says):
        make_stressed_patient((atlas,), 1, kind, strength)


def test_command_writes_stressed_cases(atlas, tmp_path, capsys):
    image = sitk.GetImageFromArray(atlas.labels)
    image.SetSpacing([4.0, 4.0, 4.0])
    sitk.WriteImage(image, str(tmp_path / "made_up_labels.nrrd"))
    arguments = ["virtual", "-n", "1", "-o", str(tmp_path / "cases"), "--spacing", "10", "8", "8", "--atlas", str(tmp_path)]
    assert main([*arguments, "--stress", "noise,thick", "--strength", "0.4", "0.4"]) == 0
    facts = json.loads((tmp_path / "cases" / "patient_000000" / "facts.json").read_text())
    assert facts["stress"]["kind"] in ("noise", "thick") and facts["stress"]["strength"] == 0.4
    assert facts["stress"]["kind"] + " 0.40" in capsys.readouterr().out
    assert main([*arguments, "--stress", "all", "--parts"]) == 2 and "not both" in capsys.readouterr().err
    assert main([*arguments, "--stress", "noise,,thick"]) == 2 and "choose from" in capsys.readouterr().err
