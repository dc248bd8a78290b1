"""Virtual patients in MR: tissue contrast, coil and noise, true labels of the task's muscles, fat and water that add up."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from virtual_cases import made_up_atlas

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.virtual.atlas import load_atlases, mirrored_details
from MSKSegmentLib.virtual.mr_acquisition import coil_sensitivity, magnitude
from MSKSegmentLib.virtual.mr_patient import make_mr_patient
from MSKSegmentLib.virtual.mr_signal import FAT_T1_MS, FAT_T2_MS, Sequence

SPACING = (8.0, 5.0, 5.0)
TABLE = load_task("lower-limb-mr").table
GMAX, SART = (TABLE.structure(name).index for name in ("GMAX", "SART"))
VL, VI = (TABLE.structure(name).index for name in ("VL", "VI"))


def detailed_atlas():
    """The made-up body, its lateral vastus split into two muscles of the task: behind and before its middle."""
    atlas = made_up_atlas()
    details = np.zeros_like(atlas.labels)
    for own, muscle in ((4, GMAX), (17, SART)):
        details[atlas.labels == own], details[atlas.labels == own + 100] = muscle, muscle + 100
    behind = np.arange(atlas.labels.shape[1])[:, None] >= 24
    for offset in (0, 100):
        vastus = atlas.labels == 21 + offset
        details[vastus & behind], details[vastus & ~behind] = VI + offset, VL + offset
    return replace(atlas, details=details)


@pytest.fixture(scope="module")
def patient():
    return make_mr_patient((detailed_atlas(),), 5, SPACING, TABLE, dixon=True)


def test_tissues_have_the_contrast_of_t1(patient):
    values, labels = patient.volume.intensities, patient.labels
    assert patient.volume.modality == "MR" and values.dtype == np.int16 and values.min() >= 0
    muscle = np.median(values[labels > 0])
    # Most of what shines is fat; air is dark, but never empty: noise of a magnitude image has a mean.
    assert np.percentile(values[values > 0.5 * muscle], 90) > 1.4 * muscle
    corner = values[:, :6, :6]
    assert 0 < corner.mean() < 0.25 * muscle
    fat, water = Sequence().weight(FAT_T1_MS, FAT_T2_MS), Sequence().weight(1000, 40)
    assert fat > 1.7 * water > 0.4


def test_labels_are_the_task_s_muscles_on_both_sides(patient):
    present = set(np.unique(patient.labels).tolist())
    wanted = {one + offset for one in (GMAX, SART, VL, VI) for offset in (0, 100)}
    assert present - {0} == wanted and patient.known == tuple(one.abbreviation for one in TABLE.structures if one.index in wanted)
    _, _, columns = np.nonzero(patient.labels == VL)
    _, _, others = np.nonzero(patient.labels == VL + 100)
    assert columns.mean() < others.mean()


def test_fat_and_water_hold_the_share_of_fat_that_is_noted(patient):
    noted = patient.facts["fat_share"]
    assert set(noted) == {str(label) for label in np.unique(patient.labels) if label}
    for label, share in noted.items():
        inside = patient.labels == int(label)
        fat, water = patient.fat[inside].astype(float), patient.water[inside].astype(float)
        assert np.mean(fat / (fat + water)) == pytest.approx(share, abs=0.06) and 0 < share < 0.9


def test_without_details_the_labels_are_what_both_tables_share():
    patient = make_mr_patient((made_up_atlas(),), 5, SPACING, TABLE)
    assert {GMAX, SART, GMAX + 100} <= set(np.unique(patient.labels).tolist()) and patient.fat is None
    assert "VL" not in patient.known and {"GMAX", "SART", "VM", "RF"} <= set(patient.known)


def test_coil_and_noise_are_those_of_magnitude_images():
    rng = np.random.default_rng(0)
    coil = coil_sensitivity((40, 60, 60), (10.0, 8.0, 8.0), 0.2, rng)
    assert np.log(coil).std() == pytest.approx(0.2, rel=1e-3) and np.abs(np.diff(coil, axis=1)).max() < 0.1
    empty = magnitude(np.zeros((20, 50, 50), np.float32), 4.0, rng)
    assert empty.mean() == pytest.approx(4.0 * np.sqrt(np.pi / 2), rel=0.02)


def test_an_atlas_folder_may_hold_details_on_its_own_grid_only(tmp_path):
    atlas = detailed_atlas()
    for name, array in (("labels", atlas.labels), ("details", atlas.details)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(atlas.spacing)
        sitk.WriteImage(image, str(tmp_path / f"one_{name}.nrrd"))
    (found,) = load_atlases(tmp_path)
    assert np.array_equal(found.details, atlas.details)
    swapped = mirrored_details()
    assert swapped[VL] == VL + 100 and swapped[VL + 100] == VL and swapped[0] == 0
    sitk.WriteImage(sitk.GetImageFromArray(atlas.details[1:]), str(tmp_path / "one_details.nrrd"))
    with pytest.raises(InputError, match="another grid"):
        load_atlases(tmp_path)


def test_the_command_writes_scan_labels_fat_and_water(tmp_path, capsys):
    atlas = made_up_atlas()
    image = sitk.GetImageFromArray(atlas.labels)
    image.SetSpacing(atlas.spacing)
    (tmp_path / "atlas").mkdir()
    sitk.WriteImage(image, str(tmp_path / "atlas" / "one_labels.nrrd"))
    words = ["virtual", "-n", "1", "-o", str(tmp_path / "out"), "--atlas", str(tmp_path / "atlas"), "--spacing", "8", "6", "6"]
    assert main([*words, "--modality", "mr", "--dixon"]) == 0
    case = tmp_path / "out" / "patient_000000"
    assert sorted(path.name for path in case.iterdir()) == [
        "facts.json", "fat.nii.gz", "labelled.json", "labels.nii.gz", "mr.nii.gz", "water.nii.gz",
    ]  # fmt: skip
    facts = json.loads((case / "facts.json").read_text())
    assert facts["modality"] == "MR" and facts["fat_share"] and 0.05 < facts["scanner"]["bias"] < 0.35
    assert "GMAX" in json.loads((case / "labelled.json").read_text())["structures"]
    for extra, said in (
        ("--dixon", "add --modality mr"),
        ("--modality mr --parts", "leave out --stress"),
        ("--modality mr --task hip-thigh-ct", "one of CT"),
    ):
        assert main([*words[:4], str(tmp_path / "other"), *words[5:], *extra.split()]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
