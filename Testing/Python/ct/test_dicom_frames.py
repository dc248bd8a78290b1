"""Multi-frame CT: every frame lies where it says and has the densities it says, or the scan is refused in one sentence."""

import numpy as np
import pydicom
import pytest
from ct_scans import SPACING, two_thighs, write_dicom
from dicom_inputs import SCAN
from enhanced_ct import write_enhanced
from pydicom.uid import RLELossless, generate_uid

from MSKSegmentLib.ct.reading.files import list_series, read_ct
from MSKSegmentLib.errors import InputError


def assert_scan(volume, expected=SCAN):
    np.testing.assert_array_equal(volume.hu, expected)
    assert volume.geometry.spacing == pytest.approx(SPACING) and volume.geometry.origin == pytest.approx((-150, -100, 0))


@pytest.mark.parametrize("shared", [True, False], ids=["shared groups", "own groups"])
def test_frames_are_slices(tmp_path, shared):
    path = write_enhanced(tmp_path / "ct.dcm", SCAN, shared=shared)
    for place in (path, tmp_path):
        volume = read_ct(place)
        assert_scan(volume)
        assert not volume.findings
    slices = volume.source.slices
    assert [one.frame for one in slices] == list(range(1, len(SCAN) + 1))
    assert len(volume.source.identity.instances) == 1
    (info,) = list_series(tmp_path)
    assert info.usable and info.slices == len(SCAN)


def test_frames_in_any_order_with_rescaling_of_their_own(tmp_path):
    order = np.random.default_rng(1).permutation(len(SCAN)).tolist()
    write_enhanced(tmp_path / "ct.dcm", SCAN, order=order, rescale=lambda k: (1.0, -1024.0 - 10 * (k % 3)))
    volume = read_ct(tmp_path)
    assert_scan(volume)
    assert [one.frame - 1 for one in volume.source.slices] == np.argsort(order).tolist()


def test_compressed_frames(tmp_path):
    write_enhanced(tmp_path / "ct.dcm", SCAN, order=list(reversed(range(len(SCAN)))), compression=RLELossless)
    assert_scan(read_ct(tmp_path))


def test_a_concatenation_is_one_series(tmp_path):
    half = len(SCAN) // 2
    for name, order, offset in (("b", range(half), 0), ("a", range(half, len(SCAN)), half)):
        write_enhanced(
            tmp_path / f"{name}.dcm", SCAN, order=order, edit=lambda d, n=offset: setattr(d, "ConcatenationFrameOffsetNumber", n)
        )
    assert_scan(read_ct(tmp_path))


def test_an_image_made_by_another_program(tmp_path):
    """The kind into which whole archives of single slices were converted."""
    legacy = pytest.importorskip("highdicom.legacy", reason="highdicom is not installed")
    needed = {"FrameOfReferenceUID": generate_uid(), "SliceThickness": 5.0, "StudyID": "", "AccessionNumber": "", "PatientSex": ""}
    needed |= {"StudyDate": "", "StudyTime": "", "PatientBirthDate": "", "ReferringPhysicianName": "", "Manufacturer": "Phantom"}
    series = write_dicom(tmp_path / "series", SCAN, tags=needed)
    images = [pydicom.dcmread(path) for path in series.iterdir()]
    converted = legacy.LegacyConvertedEnhancedCTImage(
        images, series_instance_uid=generate_uid(), series_number=2, sop_instance_uid=generate_uid(), instance_number=1
    )
    (tmp_path / "converted").mkdir()
    converted.save_as(tmp_path / "converted" / "ct.dcm")
    assert_scan(read_ct(tmp_path / "converted"))


def _without_positions(data):
    for frame in data.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence


def _one_frame_less(data):
    data.NumberOfFrames = len(SCAN) + 1


def _cut(data):
    data.PixelData = data.PixelData[: len(data.PixelData) // 2]


def _two_phases(data):
    frames = data.PerFrameFunctionalGroupsSequence
    for k in range(1, len(frames), 2):
        frames[k].PlanePositionSequence = frames[k - 1].PlanePositionSequence


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_without_positions, "position"),
        (_one_frame_less, "frames do not say where they lie"),
        (_cut, "damaged or cut short"),
        (_two_phases, "Two different images lie at 12 slice positions"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, edit, words):
    write_enhanced(tmp_path / "ct.dcm", SCAN, edit=edit)
    with pytest.raises(InputError, match=words) as refusal:
        read_ct(tmp_path)
    assert "\n" not in str(refusal.value)


def test_localizer_frames_are_left_out(tmp_path):
    hu = np.concatenate([two_thighs(1, 64, 122, seed=5), SCAN])

    def edit(data):
        data.PerFrameFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0].FrameType = [
            "ORIGINAL",
            "PRIMARY",
            "LOCALIZER",
            "NONE",
        ]

    places = np.array([(-150.0, -100.0, SPACING[2] * (k - 1)) for k in range(len(hu))])
    write_enhanced(tmp_path / "ct.dcm", hu, positions=places, edit=edit)
    volume = read_ct(tmp_path)
    assert_scan(volume)
    assert [finding.code for finding in volume.findings] == ["images_left_out"]
