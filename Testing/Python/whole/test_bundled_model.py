"""The bundle and the sample CT that come along: whole, small, and good enough to be recognised."""

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import ROOT
from label_overlap import dice

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle, verify_bundle
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.ct import read_ct, read_labels
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle():
    return resolve_bundle(None)


def every_second_slice(array, geometry):
    """The sample as a scan with an interval of 6 mm, within what the lights are calibrated on; it takes half the time."""
    image = geometry.image_of(array)[:, :, ::2]
    return sitk.GetArrayFromImage(image), Geometry.of_image(image)


@pytest.fixture(scope="module")
def result(sample_ct, bundle):
    volume = read_ct(sample_ct)
    return segment_case(CTVolume(*every_second_slice(volume.hu, volume.geometry)), bundle, Settings(device="cpu", seed=1))


@pytest.fixture(scope="module")
def truth(sample_ct, result):
    truth, geometry = every_second_slice(*read_labels(sample_ct.with_name("sample_labels.nii.gz"), HIP_AND_THIGH))
    assert geometry.matches(result.geometry)
    return truth


@pytest.fixture(scope="module")
def scores(truth, result):
    return dice(truth, result.labels, np.array([segment.label for segment in HIP_AND_THIGH.segments]))


def test_the_bundle_is_whole_small_and_honest(bundle):
    assert verify_bundle(bundle.folder) == []
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) < 6e6
    for word in ("virtual patients", "Research use only", "not a medical device", "CC BY 4.0", "not validated"):
        assert word.lower() in bundle.card.lower()


def test_the_calibration_says_what_it_rests_on(bundle):
    calibration = Calibration.from_json(bundle.calibration)
    assert calibration.passes == bundle.manifest.passes == 10 and "virtual" in calibration.source
    assert len(calibration.structures) + len(calibration.missing) == 22
    assert all(fitted.patients >= 10 and fitted.slope < 0 for fitted in calibration.structures.values())


def test_sample_is_small(sample_ct):
    assert sum(file.stat().st_size for file in sample_ct.parent.iterdir()) < 6e6


def test_anatomy_is_recognised_on_the_sample(scores):
    assert np.mean(list(scores.values())) > 0.87
    large = [
        scores[s.label] for s in HIP_AND_THIGH.segments if s.structure.abbreviation in ("FEMUR", "PELVIS", "GMAX", "AD", "VLVI")
    ]
    assert min(large) > 0.9


def test_sides_are_the_patients(truth, result):
    both = (truth > 0) & (result.labels > 0) & (truth != 3) & (result.labels != 3)
    assert np.mean((truth[both] > 100) == (result.labels[both] > 100)) > 0.999


def test_no_green_light_on_a_bad_segment_of_the_sample(result, scores):
    green = [report for report in result.reports if report.light is Light.GREEN]
    assert green, "no light is green on the sample"
    assert min(scores[report.segment.label] for report in green) > 0.7
    cut = [report for report in result.reports if report.measurements and report.measurements.truncated_by]
    assert cut and all(report.light is Light.GREY for report in cut)


def test_the_wasted_side_is_found(result):
    """The sample's right gluteal muscles are thin and fatty; the numbers have to say so."""
    found = {report.segment.key: report.measurements for report in result.reports if report.measurements}
    for name in ("GMAX", "GMED", "GMIN", "TFL"):
        right, left = found[f"{name}_right"], found[f"{name}_left"]
        assert right.volume_cc < 0.85 * left.volume_cc, name
        assert right.mean_hu < left.mean_hu - 15 and right.fat_fraction > 1.5 * left.fat_fraction, name


def test_the_card_in_the_documentation_is_the_bundles(bundle):
    assert (ROOT / "Docs" / "model_card.md").read_text(encoding="utf-8") == bundle.card


def test_real_pelvis(shared, bundle):
    """A real CT, coarse and with metal: the bones lie where bone is, nothing is found in the table or the air."""
    volume = read_ct(shared / "ct" / "pelvis_3mm.nii.gz")
    image = volume.geometry.image_of(volume.hu)[:, :, :48]
    hu = sitk.GetArrayFromImage(image)
    result = segment_case(CTVolume(hu, Geometry.of_image(image)), bundle, Settings(device="cpu", passes=3, seed=1))
    cc = {r.segment.key: r.measurements.volume_cc for r in result.reports if r.measurements}
    for key in ("PELVIS_right", "GMAX_right", "GMAX_left", "GMED_right", "GMED_left", "ILI_left", "ILI_right"):
        assert cc.get(key, 0) > 80, key
    bone = hu[np.isin(result.labels, [1, 101, 3])]
    muscle = hu[np.isin(result.labels, [4, 104, 5, 105])]
    # This patient's gluteal muscles are poor (about 15 HU) but far from fat.
    assert np.median(bone) > 150 and 0 < np.median(muscle) < 80
    assert np.mean(hu[result.labels > 0] < -500) < 0.01
    thigh = sum(cc.get(f"{name}_{side}", 0) for name in ("SM", "ST", "BF", "GRAC", "VM") for side in ("right", "left"))
    assert thigh < 60
    assert any("Metal" in warning for warning in result.warnings)
    assert all(r.light is not Light.GREEN for r in result.reports if r.measurements and r.measurements.truncated_by)
