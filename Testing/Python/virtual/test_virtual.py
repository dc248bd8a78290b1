"""Virtual patients from a small made-up atlas: repeatable, labelled, and looking like CT to a histogram."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from virtual_cases import ellipsoid, made_up_atlas

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual.atlas import load_atlases, mirrored_table
from MSKSegmentLib.virtual.cases import clinical_spacing
from MSKSegmentLib.virtual.coverage import Coverage, cut_to, mix_intervals, random_coverage
from MSKSegmentLib.virtual.deformation import Shape, deform
from MSKSegmentLib.virtual.disease import Disease, waste_muscles, wear_joints
from MSKSegmentLib.virtual.implants import METAL, add_implant
from MSKSegmentLib.virtual.patient import class_table, make_patient
from MSKSegmentLib.virtual.pose import LegPose
from MSKSegmentLib.virtual.specimen import bone_depth, load_specimen, make_specimen, save_specimen

SPACING, COARSE = (6.0, 5.0, 5.0), (8.0, 8.0, 8.0)


@pytest.fixture(scope="module")
def atlas():
    return made_up_atlas()


def test_a_seed_repeats_a_patient_and_another_differs(atlas):
    one, two, other = (make_patient((atlas,), seed, (12.0, 10.0, 10.0)) for seed in (3, 3, 4))
    assert np.array_equal(one.volume.hu, two.volume.hu) and np.array_equal(one.labels, two.labels)
    assert one.volume.hu.shape != other.volume.hu.shape or not np.array_equal(one.volume.hu, other.volume.hu)


def test_a_patient_looks_like_ct(atlas):
    patient = make_patient((atlas,), 5, SPACING, metal=False)
    hu, labels = patient.volume.hu, patient.labels
    assert hu.dtype == np.int16 and labels.dtype == np.uint8 and hu.shape == labels.shape
    assert set(np.unique(labels)) <= {0, *range(1, 23), *range(101, 123)} and {1, 2, 3, 4, 101, 102, 104} <= set(np.unique(labels))
    assert np.mean(hu < -900) > 0.2
    assert -20 < np.median(hu[np.isin(labels, (13, 113, 21, 121))]) < 90
    assert np.median(hu[np.isin(labels, (2, 102))]) > 90
    # There is fat and soft tissue that no label names.
    unlabelled = hu[labels == 0]
    assert np.mean((unlabelled > -140) & (unlabelled < -60)) > 0.02 and np.mean((unlabelled > 10) & (unlabelled < 90)) > 0.008


def test_metal_is_seen_when_asked_for(atlas):
    with_metal = make_patient((atlas,), 6, COARSE, metal=True)
    without = make_patient((atlas,), 6, COARSE, metal=False)
    assert np.sum(with_metal.volume.hu > 2000) > 20 > np.sum(without.volume.hu > 2500)
    # A replaced joint counts as the bones it replaces; nothing else changes its name.
    differs = with_metal.labels != without.labels
    assert set(np.unique(with_metal.labels[differs])) <= {1, 2, 101, 102} and differs.mean() < 0.02


def _plain(pose=None, **changes):
    return Shape(legs=(pose or LegPose(), pose or LegPose()), **changes)


def _posed(atlas, pose):
    """Labels, and per side the centres in mm ``(z, y, lateral)`` of the femur's upper and lower end."""
    labels = deform(atlas, _plain(pose), np.random.default_rng(0), atlas.spacing, margin=60.0)
    ends = []
    for femur, lateral in ((2, -1), (102, 1)):
        at = np.argwhere(labels == femur) * (4.0, 4.0, 4.0 * lateral)
        ends.append((at[at[:, 0] > at[:, 0].max() - 12].mean(axis=0), at[at[:, 0] < at[:, 0].min() + 12].mean(axis=0)))
    return labels, ends


@pytest.fixture(scope="module")
def at_rest(atlas):
    return _posed(atlas, LegPose())


def test_an_undeformed_patient_is_the_atlas(atlas):
    labels = deform(atlas, _plain(), np.random.default_rng(0), atlas.spacing, margin=0.0)
    assert np.mean(labels == atlas.labels) > 0.97


def test_mirroring_exchanges_the_labels_sides(atlas):
    plain = deform(atlas, _plain(), np.random.default_rng(0), atlas.spacing, margin=0.0)
    mirrored = deform(atlas, _plain(mirrored=True), np.random.default_rng(0), atlas.spacing, margin=0.0)
    assert np.array_equal(mirrored, mirrored_table()[plain[:, :, ::-1]])
    # Right stays at small x: the patient's right is where it was.
    assert np.nonzero(mirrored == 2)[2].mean() < np.nonzero(mirrored == 102)[2].mean()


@pytest.mark.parametrize(
    ("pose", "axis", "sign"),
    [(LegPose(abduction=8), 2, 1), (LegPose(abduction=-6), 2, -1), (LegPose(flexion=12), 1, -1), (LegPose(flexion=-8), 1, 1)],
)
def test_hip_pose_moves_the_knees_and_leaves_the_hips(atlas, at_rest, pose, axis, sign):
    plain, rest = at_rest
    labels, moved = _posed(atlas, pose)
    angle = abs(pose.abduction + pose.flexion)
    for (top, knee), (top_moved, knee_moved) in zip(rest, moved, strict=True):
        # Relative to the hip, since a flexed leg needs a deeper array.
        travelled = (knee_moved - top_moved)[axis] - (knee - top)[axis]
        length = np.linalg.norm(knee - top)
        assert sign * travelled == pytest.approx(length * np.sin(np.radians(angle)), rel=0.25)
    assert np.sum(labels == 1) == pytest.approx(np.sum(plain == 1), rel=0.04)


def test_outward_rotation_turns_what_lies_before_the_femur_outwards(atlas, at_rest):
    rest, _ = at_rest
    turned, _ = _posed(atlas, LegPose(rotation=25))
    for vastus, femur, lateral in ((13, 2, -1), (113, 102, 1)):
        before = [lateral * (np.argwhere(m == vastus)[:, 2].mean() - np.argwhere(m == femur)[:, 2].mean()) for m in (rest, turned)]
        back = [np.argwhere(m == vastus)[:, 1].mean() - np.argwhere(m == femur)[:, 1].mean() for m in (rest, turned)]
        # The muscle is medial of and behind this atlas' femur: turned outwards it comes further forwards.
        assert back[1] < back[0] - 0.3 and abs(before[1]) <= abs(before[0]) + 0.5


def test_a_thigh_grows_around_an_unchanged_bone(atlas, at_rest):
    plain, _ = at_rest
    strong, _ = _posed(atlas, LegPose(bulk=0.3))
    # At 4 mm a voxel more or less around the bone is a lot; what counts is that the muscle grows more.
    muscle, bone = (np.sum(strong == label) / np.sum(plain == label) for label in (113, 102))
    assert muscle > 1.3 and bone < muscle - 0.1


def test_wasted_muscles_get_thinner_and_their_neighbours_stay(atlas):
    labels = atlas.labels.copy()
    waste_muscles(labels, Disease({13: 0.4, 113: 0.15}), atlas.spacing, np.random.default_rng(0))
    left = {label: np.sum(labels == label) / np.sum(atlas.labels == label) for label in (13, 113, 21)}
    assert left[13] < left[113] < 0.95 and left[13] < 0.7 and left[21] == 1
    assert set(np.unique(labels[labels != atlas.labels])) == {0}


def test_worn_joints_grow_bone_beside_the_joint_only():
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[ellipsoid(labels.shape, (20, 20, 20), (7, 7, 7))] = 2
    labels[ellipsoid(labels.shape, (20, 20, 31), (9, 9, 3))] = 1
    sick = labels.copy()
    wear_joints(sick, Disease({}, (1.0, 0.0)), (2.0, 2.0, 2.0), np.random.default_rng(0))
    grown = np.argwhere(sick != labels)
    assert len(grown) > 10 and set(np.unique(sick)) == {0, 1, 2}
    assert np.mean(grown[:, 2] > 20) > 0.85
    healthy = labels.copy()
    wear_joints(healthy, Disease({}, (0.0, 1.0)), (2.0, 2.0, 2.0), np.random.default_rng(0))
    assert np.array_equal(healthy, labels)


def test_bone_depth_counts_from_the_surface():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[4:15, 4:15, 4:15] = 2
    labels[4:15, 4:15, 15:18] = 13
    depth = bone_depth(labels, (1.0, 1.0, 1.0))
    assert depth[9, 9, 4] == 5 and depth[9, 9, 9] == 55 and depth[9, 9, 16] == 0 and depth[0, 0, 0] == 0


def test_implants_lie_in_a_femur(atlas):
    kinds = set()
    for seed in range(8):
        tissue, depth = atlas.labels.copy(), np.zeros(atlas.labels.shape, np.uint8)
        kinds.add(add_implant(tissue, depth, atlas.spacing, np.random.default_rng(seed)))
        metal = np.argwhere(depth == METAL)
        assert 30 < len(metal) < 4000
        assert np.mean(np.isin(tissue[depth == METAL], (1, 2, 101, 102))) > 0.4
    assert kinds == {"nail", "plate", "replacement"}
    assert add_implant(np.zeros((9, 9, 9), np.uint8), np.zeros((9, 9, 9), np.uint8), (1, 1, 1), np.random.default_rng(0)) is None


def test_a_specimen_survives_its_file(atlas, tmp_path):
    specimen = make_specimen((atlas,), 4, (8.0, 6.0, 6.0))
    save_specimen(specimen, tmp_path / "4.npy")
    again = load_specimen(tmp_path / "4.npy")
    assert np.array_equal(again.tissue, specimen.tissue) and np.array_equal(again.depth, specimen.depth)
    assert (again.femora, again.atrophy, again.spacing) == (specimen.femora, specimen.atrophy, specimen.spacing)
    slab = again.slab(3, 6, (slice(2, 9), slice(1, 5)))
    assert slab.tissue.shape == (3, 7, 4) and slab.femora[2][0] == again.femora[2][0] - 3


def test_a_finer_scan_shows_the_same_body(atlas, monkeypatch):
    monkeypatch.setattr("MSKSegmentLib.virtual.patient.FINEST_BODY_MM", COARSE)
    coarse, fine = (make_patient((atlas,), 8, spacing, metal=False) for spacing in (COARSE, tuple(mm / 2 for mm in COARSE)))
    assert fine.volume.hu.shape == tuple(2 * n for n in coarse.volume.hu.shape)
    assert np.mean(fine.labels[::2, ::2, ::2] == coarse.labels) > 0.97
    for label in (2, 13):
        cc = [np.sum(p.labels == label) * np.prod(p.volume.geometry.spacing) for p in (coarse, fine)]
        assert cc[0] == pytest.approx(cc[1], rel=0.02)
    muscle = [np.median(p.volume.hu[np.isin(p.labels, (13, 113))]) for p in (coarse, fine)]
    assert abs(muscle[0] - muscle[1]) < 15


def test_scans_may_show_a_part(atlas):
    specimen = make_specimen((atlas,), 1, (8.0, 6.0, 6.0), metal=False)
    sizes = {name: cut_to(specimen, Coverage(name)).tissue for name in ("whole", "pelvis", "thigh", "right leg", "left leg")}
    assert sizes["whole"].shape == specimen.tissue.shape
    assert np.sum(sizes["pelvis"] == 1) == np.sum(specimen.tissue == 1) and len(sizes["pelvis"]) < len(specimen.tissue)
    assert not np.any(sizes["thigh"] == 3) and np.sum(sizes["thigh"] == 13) > 0.8 * np.sum(specimen.tissue == 13)
    for name, mine, other in (("right leg", 13, 113), ("left leg", 113, 13)):
        assert np.sum(sizes[name] == mine) > 0.9 * np.sum(specimen.tissue == mine) > 0
        assert np.sum(sizes[name] == other) < 0.2 * np.sum(specimen.tissue == other)
    drawn = {random_coverage(np.random.default_rng(seed)).name for seed in range(60)}
    assert drawn == set(sizes)


def test_mixed_intervals_interpolate_the_slices_between():
    hu = np.arange(12, dtype=np.int16)[:, None, None] ** 2 * np.ones((1, 2, 2), np.int16)
    mixed = hu.copy()
    mix_intervals(mixed, Coverage(thick_below=0.5, thick_step=2))
    assert np.array_equal(mixed[6:], hu[6:]) and np.array_equal(mixed[[0, 2, 4]], hu[[0, 2, 4]])
    assert mixed[1, 0, 0] == 2 and mixed[3, 0, 0] == 10


def test_clinical_grids_are_in_the_usual_range():
    drawn = np.array([clinical_spacing(seed) for seed in range(200)])
    assert drawn[:, 0].min() == 0.5 and drawn[:, 0].max() == 6 and drawn[:, 1].min() >= 0.6 and drawn[:, 1].max() <= 1.0
    assert clinical_spacing(3) == clinical_spacing(3)


def test_class_table():
    table = class_table()
    assert table[4] == table[104] == 4 and table[3] == 3 and table[103] == 0 and table[200] == 0 and table[0] == 0


@pytest.fixture
def atlas_files(atlas, tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    image = sitk.GetImageFromArray(atlas.labels)
    image.SetSpacing([4.0, 4.0, 4.0])
    sitk.WriteImage(sitk.DICOMOrient(image, "RAS"), str(folder / "made_up_labels.nrrd"))
    return folder


def test_atlas_of_any_orientation_is_read_alike(atlas, atlas_files):
    (read,) = load_atlases(atlas_files)
    assert read.name == "made_up" and np.array_equal(read.labels, atlas.labels) and read.spacing == (4.0, 4.0, 4.0)


def test_command_writes_cases_that_can_be_read_again(atlas_files, tmp_path, capsys):
    arguments = ["virtual", "-n", "2", "-o", str(tmp_path / "cases"), "--seed", "7", "--spacing", "10", "8", "8"]
    assert main([*arguments, "--atlas", str(atlas_files)]) == 0
    folders = sorted((tmp_path / "cases").iterdir())
    assert [f.name for f in folders] == ["patient_000007", "patient_000008"]
    ct, labels = (sitk.ReadImage(str(folders[0] / name)) for name in ("ct.nii.gz", "labels.nii.gz"))
    assert ct.GetSize() == labels.GetSize() and ct.GetSpacing() == (8.0, 8.0, 10.0)
    assert json.loads((folders[0] / "facts.json").read_text())["seed"] == 7
    assert main([*arguments, "--atlas", str(atlas_files)]) == 0
    assert "there already" in capsys.readouterr().out


@pytest.mark.parametrize("also", [[], ["--stress", "noise", "--strength", "0.2", "0.2"]])
def test_command_varies_muscles_where_it_is_asked_to(atlas_files, tmp_path, also):
    arguments = ["virtual", "-n", "1", "--seed", "7", "--spacing", "10", "8", "8", "--atlas", str(atlas_files), *also]
    facts = []
    for name, more in (("plain", []), ("varied", ["--vary-muscles"])):
        assert main([*arguments, "-o", str(tmp_path / name), *more]) == 0
        facts.append(json.loads((tmp_path / name / "patient_000007" / "facts.json").read_text()))
    plain, varied = facts
    assert len(varied.pop("muscle_sizes")) == 10 and plain == varied


def test_no_atlas_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("MSKSEG_ATLAS", raising=False)
    with pytest.raises(InputError, match="--atlas"):
        load_atlases()
    with pytest.raises(InputError, match="holds no"):
        load_atlases(tmp_path)
