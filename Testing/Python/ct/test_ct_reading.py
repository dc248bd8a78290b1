"""Every format is read to the same HU in the same place; DICOM is sorted, rescaled and repaired."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from ct_scans import AXIAL, SPACING, two_thighs, write_dicom, write_volume

from MSKSegmentLib.ct import CTVolume, Geometry, list_series, read_ct
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.findings import sentences

ROOT = Path(__file__).resolve().parents[3]
REAL_CT = ROOT.parent / "shared" / "ct" / "pelvis_3mm.nii.gz"


def test_importing_the_package_loads_no_toolkit() -> None:
    code = "import sys, MSKSegmentLib.ct; print({'SimpleITK', 'pydicom', 'torch', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "A.NII.GZ", "右大腿 CT.nrrd"])
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_each_format_and_pixel_type(name: str, kind: type, tmp_path: Path) -> None:
    hu = two_thighs()
    image = sitk.GetImageFromArray(hu.astype(kind) + (0.25 if np.dtype(kind).kind == "f" else 0))
    image.SetSpacing(SPACING)
    image.SetOrigin((-11.5, 20.25, -300.0))
    folder = tmp_path / "患者 データ"
    folder.mkdir()
    # The toolkit chooses the writer by the ending in small letters.
    sitk.WriteImage(image, str(folder / name.lower()))
    (folder / name.lower()).rename(folder / name)
    volume = read_ct(folder / name)
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.geometry.matches(Geometry.of_image(image))
    assert volume.height_m is None and volume.findings == ()


def test_values_beyond_int16_are_held_to_its_range(tmp_path: Path) -> None:
    values = two_thighs().astype(np.int32)
    values[3, 4, 5], values[3, 4, 6] = 70_000, -70_000
    hu = read_ct(write_volume(tmp_path / "a.nrrd", values)).hu
    assert (hu[3, 4, 5], hu[3, 4, 6]) == (32767, -32768)


def test_dicom_is_sorted_and_placed(tmp_path: Path) -> None:
    hu = two_thighs(12)
    volume = read_ct(write_dicom(tmp_path / "検査" / "CT 右", hu, levels=-400 + 2.5 * np.arange(12)))
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.geometry.spacing == pytest.approx((4.0, 4.0, 2.5))
    assert volume.geometry.origin == pytest.approx((-150.0, -100.0, -400.0))
    assert volume.findings == ()


def test_dicom_agrees_with_the_toolkits_own_series_reader(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "s", two_thighs(12), orientation=(-1, 0, 0, 0, 0.8, 0.6), positions=[
        (150.0, -100.0 - 3 * k * 0.6, 50.0 + 3 * k * 0.8) for k in range(12)
    ])  # fmt: skip
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    volume = read_ct(folder)
    assert volume.geometry.matches(Geometry.of_image(image))
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(image))


def test_rescale_may_vary_between_slices(tmp_path: Path) -> None:
    hu = two_thighs(12)
    folder = write_dicom(tmp_path / "s", hu, rescale=lambda k: (0.5 if k % 2 else 2.0, -1024.0 + 8 * k))
    difference = np.abs(read_ct(folder).hu.astype(int) - hu)
    assert difference[1::2].max() == 0
    assert difference[::2].max() <= 1


@pytest.mark.parametrize(("size", "height", "told"), [(1.63, 1.63, False), (0, None, False), (163, None, True), (0.2, None, True)])
def test_patient_height(size: float, height: float | None, told: bool, tmp_path: Path) -> None:
    volume = read_ct(write_dicom(tmp_path / "s", two_thighs(8), tags={"PatientSize": size}))
    assert volume.height_m == height
    assert any("height" in note for note in sentences(volume.findings)) is told


def study(tmp_path: Path) -> Path:
    """Two scans in folders of their own, a localizer with the number of the first, and an MR series."""
    write_dicom(tmp_path / "study" / "thin", two_thighs(20, seed=1), levels=2.0 * np.arange(20), number=3)
    write_dicom(tmp_path / "study" / "thick", two_thighs(10, seed=2), number=4)
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_dicom(tmp_path / "study", two_thighs(1), number=3, prefix="scout", tags=scout)
    write_dicom(tmp_path / "study" / "mr", two_thighs(9), number=7, tags={"Modality": "MR"})
    (tmp_path / "study" / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(40))
    (tmp_path / "study" / "readme.txt").write_text("hello")
    return tmp_path / "study"


def test_series_are_listed(tmp_path: Path) -> None:
    infos = list_series(study(tmp_path))
    assert sorted((i.number, i.modality, i.slices, i.usable) for i in infos) == [
        ("3", "CT", 1, False),
        ("3", "CT", 20, True),
        ("4", "CT", 10, True),
        ("7", "MR", 9, False),
    ]
    assert next(i for i in infos if i.slices == 20).spacing == pytest.approx((4.0, 4.0, 2.0))


def test_series_is_chosen_by_number_uid_or_file(tmp_path: Path) -> None:
    folder = study(tmp_path)
    with pytest.raises(InputError, match="2 CT series"):
        read_ct(folder)
    # The localizer of the same number does not stand in the way.
    assert len(read_ct(folder, "3").hu) == 20
    assert len(read_ct(folder, " 4 ").hu) == 10
    uid = next(i.uid for i in list_series(folder) if i.number == "4")
    assert len(read_ct(folder, uid).hu) == 10
    assert len(read_ct(next((folder / "thick").glob("*.dcm"))).hu) == 10
    with pytest.raises(InputError, match="MR and not CT"):
        read_ct(folder, "7")


def test_localizer_and_short_series_do_not_compete_with_a_scan(tmp_path: Path) -> None:
    folder = study(tmp_path)
    for path in (folder / "thick").iterdir():
        path.unlink()
    write_dicom(folder / "thick", two_thighs(4), number=5)
    assert len(read_ct(folder).hu) == 20


def test_localizer_within_the_series_is_left_out(tmp_path: Path) -> None:
    def edit(k: int, data: object) -> None:
        if k == 0:
            data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]  # type: ignore[attr-defined]
            data.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]  # type: ignore[attr-defined]

    assert len(read_ct(write_dicom(tmp_path / "s", two_thighs(12), edit=edit)).hu) == 11


def test_copied_files_do_not_count(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "s", two_thighs(9))
    (folder / "copy").mkdir()
    for path in sorted(folder.glob("*.dcm"))[:3]:
        (folder / "copy" / path.name).write_bytes(path.read_bytes())
    volume = read_ct(folder)
    assert len(volume.hu) == 9
    assert sentences(volume.findings) == ("3 slice files are copies of another and did not count.",)


def test_varying_intervals_are_interpolated_to_the_finest(tmp_path: Path) -> None:
    """The intervals of the method's own scans: 2 mm in the pelvis, 6 mm along the shaft, 1 mm distally."""
    levels = np.concatenate([np.arange(0, 8, 1.0), np.arange(8, 38, 6.0), np.arange(38, 50, 2.0)])
    ramp = np.rint(10 * levels)[:, None, None].astype(np.int16) + two_thighs(1)
    volume = read_ct(write_dicom(tmp_path / "s", ramp, levels=levels))
    assert volume.geometry.spacing[2] == pytest.approx(1.0)
    np.testing.assert_allclose(volume.hu[:, 5, 5], 10 * np.arange(49) + ramp[0, 5, 5], atol=0.51)
    assert [finding.code for finding in volume.findings] == ["mixed_intervals", "interpolated"]
    assert "varies from 1.00 to 6.00 mm" in volume.findings[0].sentence


def test_intervals_below_one_millimetre_are_not_interpolated_finer(tmp_path: Path) -> None:
    levels = np.concatenate([np.arange(0, 6, 0.5), np.arange(6, 30, 4.0)])
    volume = read_ct(write_dicom(tmp_path / "s", two_thighs(len(levels)), levels=levels))
    assert volume.geometry.spacing[2] == 1.0


def test_rounded_positions_are_regular(tmp_path: Path) -> None:
    hu = two_thighs(12)
    volume = read_ct(write_dicom(tmp_path / "s", hu, levels=np.round(0.625 * np.arange(12), 1)))
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.findings == ()


def tilted(tmp_path: Path, degrees: float, slices: int = 20) -> tuple[CTVolume, np.ndarray]:
    """A straight bar along z, scanned by a gantry tilted about x; also the bar's positions in LPS."""
    angle = np.radians(degrees)
    column = np.array([0.0, np.cos(angle), np.sin(angle)])
    origins = np.array([(-64.0, -64.0, 3.0 * k) for k in range(slices)])
    i, j = np.meshgrid(np.arange(64) * 2.0, np.arange(64) * 2.0)
    hu = np.empty((slices, 64, 64), np.int16)
    for k, origin in enumerate(origins):
        x, y = origin[0] + i, origin[1] + j * column[1]
        hu[k] = np.where(np.hypot(x, y) < 30, 50, -1000)
    folder = write_dicom(
        tmp_path / "s", hu, spacing=(2.0, 2.0), orientation=(1, 0, 0, *column), positions=origins,
        tags={"GantryDetectorTilt": degrees},
    )  # fmt: skip
    volume = read_ct(folder)
    body = np.argwhere(volume.hu > -475)[:, ::-1]
    return volume, volume.geometry.to_physical(body)


@pytest.mark.parametrize("degrees", [12.0, -20.0])
def test_gantry_tilt_is_straightened(degrees: float, tmp_path: Path) -> None:
    volume, points = tilted(tmp_path, degrees)
    assert any(f"{abs(degrees):.1f} degrees" in note for note in sentences(volume.findings))
    # Every slice held the whole bar, so it must fill its place on the grid and nothing else; read without correction it
    # would lean by the tilt, 11 to 20 mm at the ends.
    indices = np.moveaxis(np.indices(volume.hu.shape)[::-1], 0, -1)
    distance = np.hypot(*np.moveaxis(volume.geometry.to_physical(indices)[..., :2], -1, 0))
    assert (volume.hu[distance < 28] == 50).all()
    assert (volume.hu[distance > 32] <= -1000).all()
    assert np.hypot(points[:, 0], points[:, 1]).max() < 32


def test_tiny_tilt_is_ignored(tmp_path: Path) -> None:
    volume, _ = tilted(tmp_path, 0.3)
    assert volume.findings == ()
    assert volume.hu.shape == (20, 64, 64)


def test_tilt_in_the_header_only_is_told(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "s", two_thighs(8), orientation=AXIAL, tags={"GantryDetectorTilt": 15})
    assert "gantry tilt of 15.0 degrees" in read_ct(folder).findings[0].sentence


@pytest.mark.skipif(not REAL_CT.exists(), reason="the shared real CT is absent")
def test_real_ct() -> None:
    volume = read_ct(REAL_CT)
    assert volume.hu.shape == (112, 101, 122)
    assert (int(volume.hu.min()), int(volume.hu.max())) == (-1207, 3382)
