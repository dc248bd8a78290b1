"""MR in DICOM and image files: its values are kept, and CT is told from it where that is certain."""

import numpy as np
import pytest
from conftest import phantom_volume
from ct_scans import two_thighs, write_dicom, write_volume
from mr_phantoms import SPACING, mr_volume, write_mr_dicom

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.ct.checks.volume import check_volume
from MSKSegmentLib.ct.cropping import coarse_body
from MSKSegmentLib.ct.intensity import on_scale
from MSKSegmentLib.ct.orientation import to_working_grid
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.prepared_scan import prepare_scan
from MSKSegmentLib.provenance import input_digest
from MSKSegmentLib.tasks import load_task

MR_TASK = load_task("lower-limb-mr")


@pytest.fixture(scope="module")
def volume():
    return mr_volume()


def test_dicom_is_read_as_it_is_stored(volume, tmp_path):
    read = read_ct(write_mr_dicom(tmp_path / "mr", volume), modality="MR")
    assert read.modality == "MR" and read.findings == ()
    assert np.array_equal(read.intensities, volume.hu) and read.geometry.matches(volume.geometry)
    assert read.source is not None
    # The same scan has the same digest in any kind of file.
    path = write_volume(tmp_path / "mr.nii.gz", volume.hu, SPACING)
    assert np.array_equal(read_ct(path, modality="MR").hu, volume.hu)
    assert input_digest(read) == input_digest(volume)


def test_the_other_modality_is_refused_by_its_headers(volume, tmp_path):
    mr, ct = write_mr_dicom(tmp_path / "mr", volume), write_dicom(tmp_path / "ct", two_thighs(12))
    with pytest.raises(InputError, match="holds no CT series that can be used: it is MR and not CT; choose a CT scan"):
        read_ct(mr)
    with pytest.raises(InputError, match="holds no MR series that can be used: it is CT and not MR; choose an MR scan"):
        read_ct(ct, modality="MR")
    # Of a folder with both, each task finds its own.
    for path in mr.iterdir():
        path.rename(ct / path.name)
    assert read_ct(ct).modality == "CT" and read_ct(ct, modality="MR").modality == "MR"


def test_the_other_modality_is_refused_by_its_values(volume):
    ct = phantom_volume()
    taken_for_mr = CTVolume(ct.hu, ct.geometry, modality="MR")
    with pytest.raises(InputError, match="The values are the Hounsfield units of a CT .*choose an MR scan, or a task for CT"):
        prepare_scan(taken_for_mr, task=MR_TASK)
    with pytest.raises(InputError, match="no Hounsfield units of a body with fat; choose a CT scan"):
        prepare_scan(CTVolume(volume.hu, volume.geometry))
    with pytest.raises(InputError, match="The scan is CT and the task lower-limb-mr is about MR"):
        prepare_scan(ct, task=MR_TASK)


def test_labels_and_constants_are_no_mr(volume):
    for values, code in ((volume.hu // 300, "label_map"), (np.full_like(volume.hu, 7), "constant")):
        found = check_volume(CTVolume(values, volume.geometry, modality="MR"), checks=MR_TASK.checks)
        assert [finding.code for finding in found] == [code]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda hu: hu.astype(np.float32), lambda hu: hu),
        (lambda hu: hu.astype(np.float32) / 2000, lambda hu: np.rint(hu * (10_000 / hu.max()))),
        (lambda hu: hu.astype(np.uint16) * 40, lambda hu: np.rint(hu * (10_000 / hu.max()))),
        (lambda hu: (hu // 5).astype(np.uint8), lambda hu: (hu // 5).astype(np.uint8)),
    ],
    ids=["float", "fractions", "beyond int16", "8 bits"],
)
def test_values_of_any_type_are_kept_or_scaled_by_one_factor(volume, tmp_path, values, expected):
    path = write_volume(tmp_path / "mr.nrrd", values(volume.hu))
    read = read_ct(path, modality="MR").hu
    assert np.abs(read.astype(float) - expected(volume.hu)).max() <= 1


def test_no_number_is_refused(volume, tmp_path):
    values = volume.hu.astype(np.float32)
    values[3, 2, 1] = np.nan
    with pytest.raises(InputError, match="values that are not numbers"):
        read_ct(write_volume(tmp_path / "mr.nrrd", values), modality="MR")


def test_the_body_and_the_scale_of_the_network_do_not_depend_on_the_gain(volume):
    body = coarse_body(volume)
    assert 0.15 < body.mask.mean() < 0.5
    louder = CTVolume(volume.hu * np.int16(7), volume.geometry, modality="MR")
    assert (coarse_body(louder).mask == body.mask).mean() > 0.995
    one, two = (on_scale(scan, body, "body_percentiles").hu for scan in (volume, louder))
    assert np.abs(one.astype(int) - two).max() <= 2
    assert np.percentile(one[volume.hu > 700], 99) <= 1200 and one.max() <= 4000


def test_an_mr_scan_keeps_its_modality_on_the_working_grid(volume):
    turned = CTVolume(np.ascontiguousarray(volume.hu[::-1]), volume.geometry, modality="MR")
    assert to_working_grid(turned).volume.modality == "MR"
    scan = prepare_scan(volume, task=MR_TASK, intensity="body_percentiles")
    assert scan.body.modality == "MR" and scan.findings == ()
    assert prepare_scan(volume, task=MR_TASK).body.hu.max() == volume.hu.max()
