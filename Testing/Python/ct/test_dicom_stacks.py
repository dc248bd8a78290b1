"""Slices at odd intervals, acquisitions that alternate, headers that contradict each other, and a real scan as DICOM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ct_scans import write_dicom
from dicom_inputs import SCAN, each, plain, stored_as
from pydicom.dataset import Dataset

from MSKSegmentLib.ct import CTVolume, check_volume, read_ct, to_working_grid
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.quality.guards import scan_cautions

REAL_CT = Path(__file__).resolve().parents[4] / "shared" / "ct" / "pelvis_3mm.nii.gz"
SPACING = 3.0


def thighs_at(levels: np.ndarray, shift_mm: float = 0.0) -> np.ndarray:
    """HU int16 ``[z, y, x]`` of two thighs, the left thinner, that grow thicker and drift along z; 3 mm pixels."""
    y, x = np.mgrid[:64, :96] * SPACING
    sections = []
    for z in levels:
        section = np.full(x.shape, -1000.0)
        for center, radius in ((80.0, 50.0 + 0.06 * z), (208.0, 42.0 + 0.06 * z)):
            distance = np.hypot(x - center - 0.1 * z - shift_mm, y - 96.0 + 0.05 * z)
            for edge, value in ((radius, -100.0), (0.8 * radius, 50.0), (0.25 * radius, 700.0)):
                # A boundary is one pixel wide.
                part = np.clip((edge - distance) / SPACING + 0.5, 0.0, 1.0)
                section += part * (value - section)
        sections.append(section)
    return np.rint(np.array(sections)).astype(np.int16)


def bone_cc(volume: CTVolume) -> tuple[float, float]:
    """Volume above 300 HU on the patient's right and left of the middle of the bone."""
    k, j, i = np.nonzero(volume.hu > 300)
    x = volume.geometry.to_physical(np.stack([i, j, k], axis=1))[:, 0]
    middle = (x.min() + x.max()) / 2
    cc = volume.geometry.voxel_volume_mm3 / 1000
    return float((x < middle).sum() * cc), float((x >= middle).sum() * cc)


def codes(volume: CTVolume) -> set[str]:
    """Of reading and of the checks."""
    return {f.code for f in (*volume.findings, *check_volume(to_working_grid(volume).volume))}


def read_levels(folder: Path, levels: np.ndarray, **options: object) -> CTVolume:
    return read_ct(write_dicom(folder / "s", thighs_at(levels), spacing=(SPACING, SPACING), levels=levels, **options))


REGULAR = SPACING * np.arange(40)
_jitter = np.random.default_rng(5).uniform(-0.6, 0.6, 40)


@pytest.mark.parametrize(
    ("levels", "interval", "kept"),
    [
        (np.append(REGULAR, REGULAR[-1] + 1.2), 3.0, 40),
        (np.append(-1.2, REGULAR), 3.0, 40),
        (np.append(REGULAR, REGULAR[-1] + 4.5), 3.0, 40),
        (REGULAR + 0.4 * (np.arange(40) == 17), 3.0, 39),
        (REGULAR + 1.0 * (np.arange(40) == 17), 3.0, 39),
        (np.sort(np.append(REGULAR, REGULAR[20] + 1.2)), 3.0, 40),
        (REGULAR + _jitter, None, 0),
        (np.append(REGULAR[:32], REGULAR[31] + 1.2 * np.arange(1, 9)), 3.0, 32),
        (np.append(REGULAR[:24], REGULAR[23] + 1.2 * np.arange(1, 41)), 3.0, 24),
        (np.append(1.2 * np.arange(40), 46.8 + 5.0 * np.arange(1, 6)), 1.2, 40),
    ],
    ids=[
        "last gap",
        "first gap",
        "large last gap",
        "off by 0.4",
        "off by 1",
        "one more",
        "jitter",
        "few fine",
        "many fine",
        "few coarse",
    ],
)
def test_the_interval_that_prevails_is_taken(levels: np.ndarray, interval: float | None, kept: int, tmp_path: Path) -> None:
    volume = read_levels(tmp_path, levels)
    assert volume.geometry.spacing[2] == pytest.approx(interval or 3.0, abs=1e-3 if interval else 0.15)
    z = volume.geometry.origin[2] + volume.geometry.spacing[2] * np.arange(len(volume.hu))
    assert z[0] >= levels[0] - 0.1 and z[-1] <= levels[-1] + 0.1 and len(z) * volume.geometry.spacing[2] > np.ptp(levels) - 3
    truth = thighs_at(z).astype(int)
    same = np.abs(volume.hu - truth).max(axis=(1, 2)) <= 1
    assert np.count_nonzero(same) >= kept
    # Interpolated slices are off at borders only, where the body changes between the scanned ones.
    assert np.abs(volume.hu - truth).mean() < 4
    expected = bone_cc(CTVolume(truth.astype(np.int16), volume.geometry))
    assert bone_cc(volume) == pytest.approx(expected, rel=0.01)
    assert "mixed_intervals" in codes(volume)
    barred = scan_cautions((*volume.findings, *check_volume(to_working_grid(volume).volume)))
    assert barred == ()


def test_a_scan_that_was_mostly_interpolated_is_found_behind_an_odd_gap(tmp_path: Path) -> None:
    """Slices that somebody interpolated stay recognisable, and slices that reading interpolates are not taken for these."""
    noise = np.random.default_rng(0).normal(0, 12, (21, 64, 96))
    scanned = thighs_at(6.0 * np.arange(21)) + noise
    between = (scanned[:-1] + scanned[1:]) / 2
    hu = np.empty((41, 64, 96), np.int16)
    hu[::2], hu[1::2] = np.rint(scanned), np.rint(between)
    levels = 3.0 * np.arange(41)
    levels[-1] -= 1.5
    volume = read_ct(write_dicom(tmp_path / "a", hu, spacing=(SPACING, SPACING), levels=levels))
    assert "interpolated" in codes(volume) and volume.resampled
    noisy = thighs_at(levels) + np.random.default_rng(0).normal(0, 12, (41, 64, 96))
    volume = read_ct(write_dicom(tmp_path / "b", np.rint(noisy), spacing=(SPACING, SPACING), levels=levels))
    assert "interpolated" not in codes(volume) and volume.resampled


def test_a_scan_that_reading_mostly_interpolates_is_told(tmp_path: Path) -> None:
    levels = np.append(np.arange(0, 30, 1.0), np.arange(30, 120, 6.0))
    volume = read_levels(tmp_path, levels)
    assert volume.geometry.spacing[2] == 1.0 and "interpolated" in codes(volume)


def _acquisitions(k: int, data: Dataset) -> None:
    data.AcquisitionNumber = 1 + k % 2


def _numbered_in_turn(k: int, data: Dataset) -> None:
    data.InstanceNumber = k // 2 + 1 + 20 * (k % 2)


@pytest.mark.parametrize(
    ("edit", "offset", "shift"),
    [
        (_acquisitions, 1.5, 0.0),
        (_numbered_in_turn, 1.5, 0.0),
        (None, 1.5, 6.0),
        (None, 0.9, 0.0),
        (_acquisitions, 0.4, 6.0),
    ],
    ids=["by number", "by instance", "by what they show", "by position", "close together"],
)
def test_alternating_acquisitions_are_told(edit: Callable | None, offset: float, shift: float, tmp_path: Path) -> None:
    first = SPACING * np.arange(20)
    levels = np.sort(np.concatenate([first, first + offset]))
    hu = np.empty((40, 64, 96), np.int16)
    hu[::2], hu[1::2] = thighs_at(first), thighs_at(first + offset, shift)
    volume = read_ct(write_dicom(tmp_path / "s", hu, spacing=(SPACING, SPACING), levels=levels, edit=edit))
    assert "interleaved" in codes(volume)
    assert any("two acquisitions" in reason for reason in scan_cautions(volume.findings))


def test_acquisitions_one_after_the_other_are_no_alternating_ones(tmp_path: Path) -> None:
    def edit(k: int, data: Dataset) -> None:
        data.AcquisitionNumber, data.InstanceNumber = 1 + k // 20, 40 - k

    assert read_levels(tmp_path, REGULAR, edit=edit).findings == ()


def _locations(factor: float, first: float = 0.0) -> Callable[[int, Dataset], None]:
    def edit(k: int, data: Dataset) -> None:
        data.SliceLocation = first + factor * SPACING * k

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_locations(1.0), None),
        (_locations(-1.0, 812.5), None),
        (_locations(0.0), None),
        (_locations(0.5), "locations are 1.50 mm apart"),
        (each(SpacingBetweenSlices=3.0, SliceThickness=5.0), None),
        (each(SpacingBetweenSlices=-3.0), None),
        (each(SpacingBetweenSlices=0), None),
        (each(SpacingBetweenSlices=1.25), "states 1.25 mm between slices"),
        (each(SliceThickness=0.6), "0.60 mm thick"),
        (each(SliceThickness=12.0), "12.00 mm thick"),
    ],
)
def test_statements_about_the_interval_are_held_against_the_positions(
    edit: Callable[[int, Dataset], None], told: str | None, tmp_path: Path
) -> None:
    volume = read_levels(tmp_path, REGULAR, edit=edit)
    assert volume.geometry.spacing[2] == pytest.approx(SPACING)
    assert [f.code for f in volume.findings] == (["contradictory_intervals"] if told else [])
    assert told is None or told in volume.findings[0].sentence
    assert len(scan_cautions(volume.findings)) == (told is not None)


def test_frames_of_reference_that_differ_are_told(tmp_path: Path) -> None:
    def edit(k: int, data: Dataset) -> None:
        data.FrameOfReferenceUID = "1.2.3" if k < 25 else "1.2.4"

    assert codes(read_levels(tmp_path, REGULAR, edit=edit)) >= {"frames_of_reference"}


def test_a_refusal_names_the_image_that_was_left_out(tmp_path: Path) -> None:
    def edit(k: int, data: Dataset) -> None:
        if k == 9:
            data.ImagePositionPatient = [-120.0, -100.0, 27.0]

    with pytest.raises(InputError, match=r"lacks 1 slice .*left out: image number 10 lies 30 mm beside the others"):
        read_levels(tmp_path, REGULAR, edit=edit)


def test_one_file_stands_for_a_series_whose_files_have_uids_of_their_own(tmp_path: Path) -> None:
    def edit(k: int, data: Dataset) -> None:
        data.SeriesInstanceUID = f"1.2.3.{k + 1}"

    series = plain(tmp_path, edit=edit)
    np.testing.assert_array_equal(read_ct(sorted(series.iterdir())[7]).hu, SCAN)


def test_what_was_left_out_is_named_by_its_number(tmp_path: Path) -> None:
    series = plain(tmp_path)
    scout = {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "SeriesInstanceUID": _uid(series),
        "InstanceNumber": 500,
    }
    write_dicom(series, SCAN[:1], prefix="DOE", edit=each(**scout))
    (finding,) = read_ct(series).findings
    assert "1 image of the series was left out: image number 500 is a localizer" in finding.sentence
    assert "DOE" not in finding.sentence


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (2, "each of the images number 500 and number 501 is a localizer"),
        (6, "each of the images number 500, number 501, number 502, number 503 and 2 more is a localizer"),
    ],
)
def test_several_that_were_left_out_are_one_sentence(tmp_path: Path, count: int, words: str) -> None:
    series = plain(tmp_path)
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": _uid(series)}
    for n in range(count):
        write_dicom(series, SCAN[:1], prefix=f"scout{n}", edit=each(**scout, InstanceNumber=500 + n))
    (finding,) = read_ct(series).findings
    assert f"{count} images of the series were left out: {words} (scout view)." in finding.sentence


def _uid(series: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True).SeriesInstanceUID)


@pytest.mark.skipif(not REAL_CT.exists(), reason="the shared real CT is absent")
def test_a_real_scan_as_odd_dicom(tmp_path: Path) -> None:
    working = to_working_grid(read_ct(REAL_CT)).volume
    hu = np.maximum(working.hu, -1024)
    levels = SPACING * np.arange(len(hu))
    options = {"spacing": (SPACING, SPACING), "levels": levels}
    truth = read_ct(write_dicom(tmp_path / "plain", hu, **options))
    np.testing.assert_array_equal(truth.hu, hu)
    y, x = np.mgrid[: hu.shape[1], : hu.shape[2]]
    corners = np.hypot(x - hu.shape[2] / 2, y - hu.shape[1] / 2) > 64
    padded = stored_as(change=lambda k, v: np.where(corners, 63536, v), PixelPaddingValue=("US", 63536))
    volume = read_ct(write_dicom(tmp_path / "padded", hu, edit=padded, **options))
    np.testing.assert_array_equal(volume.hu, np.where(corners, -1024, hu))
    assert volume.findings == ()
    # The same levels and one last gap of 1.2 mm: nothing moves, and no light is barred.
    options["levels"] = np.append(levels[:-1], levels[-2] + 1.2)
    volume = read_ct(write_dicom(tmp_path / "gap", hu, **options))
    np.testing.assert_array_equal(volume.hu, hu[:-1])
    assert bone_cc(volume) == pytest.approx(bone_cc(CTVolume(hu[:-1], volume.geometry)), rel=1e-6)
    assert scan_cautions((*volume.findings, *check_volume(volume))) == ()
