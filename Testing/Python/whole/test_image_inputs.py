"""Every odd image file is read as the scan that it holds, with what is doubtful told, or refused in one true sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_checks import TABLES, assert_same_in_the_patient, label_array
from image_inputs import ASSUMED, ASSUMED_INPUTS, NIFTI_INPUTS, SIDES, SIZES, ImageInput
from image_writing import detached, lopsided, meta, nifti, nrrd

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct import CTVolume, Geometry, read_ct, read_label_map, read_labels
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.provenance import input_digest
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.results.segmentation_file import write_ct

REAL_CT = Path(__file__).resolve().parents[4] / "shared" / "ct" / "pelvis_3mm.nii.gz"


ENTRIES = [pytest.param(entry, id=f"{kind}: {entry.name}") for kind, table in TABLES.items() for entry in table]


@pytest.mark.parametrize("entry", ENTRIES)
def test_read_as_the_scan_or_refused(entry: ImageInput, tmp_path: Path) -> None:
    wanted = lopsided()
    path = entry.make(tmp_path, wanted)
    if entry.refused:
        with pytest.raises(InputError, match=entry.refused) as caught:
            read_ct(path)
        sentence = str(caught.value)
        assert sentence.endswith(".") and ". " not in sentence and "\n" not in sentence
        return
    volume = read_ct(path)
    assert {finding.code for finding in volume.findings} == entry.codes
    # Findings go into results, which hold no names.
    assert not any(path.name in finding.sentence for finding in volume.findings)
    assert_same_in_the_patient(volume, wanted, entry.tolerance, "position_not_stated" not in entry.codes)


def test_the_same_scan_has_the_same_digest_in_every_format(tmp_path: Path) -> None:
    scan = lopsided()
    wanted = input_digest(scan)
    for make in (nifti(), nifti(sform_code=0), nrrd(), nrrd("space: RAS", frame=np.diag([-1, -1, 1])), meta()):
        assert input_digest(read_ct(make(tmp_path, scan))) == wanted
    noisy = replace(scan.geometry, direction=((1.0, -1e-9, 0.0), (1e-9, 1.0, -0.0), (0.0, 0.0, 1.0)))
    assert input_digest(CTVolume(scan.hu, noisy)) == wanted


@pytest.mark.skipif(not REAL_CT.exists(), reason="the shared real CT is absent")
@pytest.mark.parametrize(
    "name", ["sform only", "NIfTI-2", "vox_offset 0", "pixdim 1 beside the sform", "negative pixdim beside the sform", "metres",
             "slope 0 with an intercept", "qform mirrored", "codes 0"],
)  # fmt: skip
def test_a_real_ct_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    wanted = read_ct(REAL_CT)
    entry = next(entry for entry in NIFTI_INPUTS if entry.name == name)
    path = entry.make(tmp_path, wanted)
    if entry.refused:
        with pytest.raises(InputError, match=entry.refused):
            read_ct(path)
    elif name == "qform mirrored":
        assert SIDES in {finding.code for finding in read_ct(path).findings}
    else:
        assert_same_in_the_patient(read_ct(path), wanted)


def test_no_light_is_green_in_a_templates_space(tmp_path: Path) -> None:
    volume = read_ct(nifti(qform_code=0, sform_code=4)(tmp_path, lopsided()))
    assert scan_cautions(volume.findings) == ("the scan's file says that it lies in a template's space",)


@pytest.mark.parametrize("entry", ASSUMED_INPUTS, ids=lambda entry: entry.name)
def test_axes_that_the_user_states(entry: ImageInput, tmp_path: Path) -> None:
    scan = lopsided()
    path = entry.make(tmp_path, scan)
    with pytest.raises(InputError, match="--assume-orientation LPS or RAS"):
        read_ct(path)
    volume = read_ct(path, assume_orientation=entry.assume)
    assert [finding.code for finding in volume.findings] == [ASSUMED]
    # The numbers of the file in the frame that was said: for RAS the same array, turned by half about the body's axis.
    turned = CTVolume(scan.hu, Geometry(scan.geometry.size, scan.geometry.spacing, direction=((-1, 0, 0), (0, -1, 0), (0, 0, 1))))
    assert_same_in_the_patient(volume, scan if entry.assume == "LPS" else turned, places=False)


def test_what_the_file_states_outweighs_what_is_assumed(tmp_path: Path) -> None:
    volume = read_ct(nifti()(tmp_path, lopsided()), assume_orientation="RAS")
    assert volume.findings == ()
    assert_same_in_the_patient(volume, lopsided())
    with pytest.raises(InputError, match="say LPS or RAS"):
        read_ct(tmp_path / "scan.nii", assume_orientation="XYZ")


def test_doubts_about_sides_and_sizes_keep_lights_from_green(tmp_path: Path) -> None:
    for make, code, assume in (
        (nifti(qform_code=0, sform_code=0), ASSUMED, "LPS"),
        (nifti(quaternion=[0.0, 0.0, 0.0]), SIDES, None),
        (nifti(qform_code=0, pixdim=[1.0] * 8), SIZES, None),
    ):
        volume = read_ct(make(tmp_path, lopsided()), assume_orientation=assume)
        assert [finding.code for finding in volume.findings] == [code]
        assert len(scan_cautions(volume.findings)) == 1
        # A copy of the CT keeps the doubt.
        write_ct(tmp_path / "ct.nrrd", volume)
        copy = read_ct(tmp_path / "ct.nrrd")
        assert copy.findings == volume.findings
        assert_same_in_the_patient(copy, volume)


@pytest.mark.parametrize("kind", ["nrrd", "mhd"])
def test_voxels_behind_bytes_that_the_header_does_not_name_are_told(kind: str, tmp_path: Path) -> None:
    plain = nrrd("data file: scan.raw") if kind == "nrrd" else meta()
    path = detached("scan.nhdr" if kind == "nrrd" else "scan.mhd", "scan.raw", plain, bytes(108))(tmp_path, lopsided())
    assert [finding.code for finding in read_ct(path).findings] == ["bytes_left_over"]


@pytest.mark.parametrize(
    "fields",
    [
        {"data": label_array().astype(np.float64) + 1e-9, "datatype": 64, "bitpix": 64},
        {"data": label_array().astype(np.float32) * np.float32(1 + 1e-7), "datatype": 16, "bitpix": 32},
        {"data": (label_array() * 10).astype(np.int16), "slope": 0.1},
        {"data": (label_array() - 100).astype(np.int16), "slope": 1.0, "intercept": 100.0},
        {"data": label_array(), "slope": 0.0, "intercept": 7.0},
    ],
    ids=["1e-9 off", "float32", "scaled", "shifted", "slope 0"],
)
def test_labels_that_other_programs_store_as_numbers(fields: dict, tmp_path: Path) -> None:
    labels, _ = read_labels(nifti(**fields)(tmp_path, lopsided()), HIP_AND_THIGH)
    np.testing.assert_array_equal(labels, label_array())


def test_labels_in_between_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds the value 2.4"):
        read_labels(nifti(data=label_array() * 1.2, datatype=64, bitpix=64)(tmp_path, lopsided()), HIP_AND_THIGH)


def test_a_label_map_may_need_the_same_word_on_its_axes(tmp_path: Path) -> None:
    path = nifti(data=label_array(), qform_code=0, sform_code=0)(tmp_path, lopsided())
    with pytest.raises(InputError, match="--assume-orientation"):
        read_label_map(path, HIP_AND_THIGH)
    found = read_label_map(path, HIP_AND_THIGH, "LPS")
    np.testing.assert_array_equal(found.labels, label_array())
    assert [finding.code for finding in found.findings] == [ASSUMED]
