"""Virtual patients from a small made-up atlas: repeatable, labelled, and looking like CT to a histogram."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.cli import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual.atlas import Atlas, load_atlases, mirrored_table
from MSKSegmentLib.virtual.deformation import Shape, deform
from MSKSegmentLib.virtual.patient import class_table, make_patient

SPACING = (6.0, 5.0, 5.0)


def _ellipsoid(shape, centre, radii):
    grids = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii, strict=True)) < 1


@pytest.fixture(scope="module")
def atlas():
    """Hip bones, femora, sacrum, and four muscles a side at 4 mm; the right side lies at small x."""
    shape = (140, 60, 100)
    labels = np.zeros(shape, np.uint8)
    parts = {
        13: ((55, 30, 30), (40, 12, 12)),
        21: ((55, 24, 18), (45, 10, 8)),
        4: ((100, 50, 25), (22, 7, 16)),
        17: ((70, 18, 28), (50, 3, 4)),
        12: ((125, 22, 40), (30, 6, 6)),
        2: ((50, 28, 22), (49, 5, 5)),
        1: ((108, 32, 28), (22, 14, 8)),
    }
    for value, (centre, radii) in parts.items():
        labels[_ellipsoid(shape, centre, radii)] = value
        labels[_ellipsoid(shape, (*centre[:2], 99 - centre[2]), radii)] = value + 100
    labels[_ellipsoid(shape, (112, 46, 49.5), (14, 6, 10))] = 3
    return Atlas("made_up", labels, (4.0, 4.0, 4.0))


def test_a_seed_repeats_a_patient_and_another_differs(atlas):
    one, two, other = (make_patient((atlas,), seed, SPACING) for seed in (3, 3, 4))
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
    with_metal = make_patient((atlas,), 6, SPACING, metal=True)
    without = make_patient((atlas,), 6, SPACING, metal=False)
    assert np.sum(with_metal.volume.hu > 2000) > 20 > np.sum(without.volume.hu > 2500)
    assert np.array_equal(with_metal.labels, without.labels)


def _plain(mirrored=False, abduction=(0.0, 0.0)):
    return Shape((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), abduction, (), mirrored, 0.0)


def test_an_undeformed_patient_is_the_atlas(atlas):
    labels = deform(atlas, _plain(), np.random.default_rng(0), atlas.spacing, margin=0.0)
    assert np.mean(labels == atlas.labels) > 0.97


def test_mirroring_exchanges_the_labels_sides(atlas):
    plain = deform(atlas, _plain(), np.random.default_rng(0), atlas.spacing, margin=0.0)
    mirrored = deform(atlas, _plain(mirrored=True), np.random.default_rng(0), atlas.spacing, margin=0.0)
    assert np.array_equal(mirrored, mirrored_table()[plain[:, :, ::-1]])
    # Right stays at small x: the patient's right is where it was.
    assert np.nonzero(mirrored == 2)[2].mean() < np.nonzero(mirrored == 102)[2].mean()


def test_abduction_moves_the_knees_apart_and_not_the_hips(atlas):
    narrow, wide = (
        deform(atlas, _plain(abduction=(angle, angle)), np.random.default_rng(0), atlas.spacing, margin=60.0) for angle in (0, 6)
    )
    gap = [np.nonzero(m[5:15] == 102)[2].mean() - np.nonzero(m[5:15] == 2)[2].mean() for m in (wide, narrow)]
    assert gap[0] > gap[1] + 4
    assert np.array_equal(wide[-20:], narrow[-20:])


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
    arguments = ["virtual", "-n", "2", "-o", str(tmp_path / "cases"), "--seed", "7", "--spacing", "8", "6", "6"]
    assert main([*arguments, "--atlas", str(atlas_files)]) == 0
    folders = sorted((tmp_path / "cases").iterdir())
    assert [f.name for f in folders] == ["patient_000007", "patient_000008"]
    ct, labels = (sitk.ReadImage(str(folders[0] / name)) for name in ("ct.nii.gz", "labels.nii.gz"))
    assert ct.GetSize() == labels.GetSize() and ct.GetSpacing() == (6.0, 6.0, 8.0)
    assert json.loads((folders[0] / "facts.json").read_text())["seed"] == 7
    assert main([*arguments, "--atlas", str(atlas_files)]) == 0
    assert "there already" in capsys.readouterr().out


def test_no_atlas_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("MSKSEG_ATLAS", raising=False)
    with pytest.raises(InputError, match="--atlas"):
        load_atlases()
    with pytest.raises(InputError, match="holds no"):
        load_atlases(tmp_path)
