"""The comparison of real with virtual CT: quantities of known images, level matching, and the command's files."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.cli import main
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual.realism.compare import Patients, Row, compare, comparison_grid, made_patients
from MSKSegmentLib.virtual.realism.edges import positions, width_10_90
from MSKSegmentLib.virtual.realism.levels import match_levels, signature
from MSKSegmentLib.virtual.realism.measures import measure
from MSKSegmentLib.virtual.realism.quantities import QUANTITIES
from MSKSegmentLib.virtual.realism.scan import find_peak, prepare, read_scan
from MSKSegmentLib.virtual.realism.texture import correlation_length, power_spectrum

SPACING = (6.0, 3.0, 3.0)
FIELD_MM = (390.0, 264.0, 390.0)


def body_volume(
    spacing=SPACING,
    noise_hu=12.0,
    seed=0,
    size=1.0,
    muscle_hu=45.0,
    skin_mm=0.0,
    cortex_hu=800.0,
    first_mm=0.0,
    length_mm=None,
    stretch=1.0,
):
    """Hips over two thighs: skin, 36 mm of fat, muscle, hollow bones of a shape that changes from level to level.

    The image shows the body from `first_mm` over its lowest level on, on a grid of `spacing` ``(z, y, x)``; `size` scales it in
    plane and `stretch` along z.
    """
    from scipy import ndimage

    length = FIELD_MM[0] if length_mm is None else length_mm
    # Made on a finer grid and averaged down, as a scanner's voxels are.
    fine = 2 if min(spacing[1:]) > 1.5 else 1
    count = [round(length / spacing[0]), *(fine * round(f / s) for f, s in zip(FIELD_MM[1:], spacing[1:], strict=True))]
    y, x = ((np.arange(n) - (n - 1) / 2) * s / fine / size for n, s in zip(count[1:], spacing[1:], strict=True))
    y, x = y[:, None], x[None, :]
    hu = np.full(count, -1000.0, np.float32)
    for k, plane in enumerate(hu):
        level = (first_mm + k * spacing[0]) / stretch
        trunk = level > 200
        bones = []
        if trunk:
            depth = 110 - np.sqrt((y / 1.0) ** 2 + (x / 1.55) ** 2)
            away = 40 + 0.35 * (level - 200)
            bones = [16 - np.hypot((y - 10) / 1.8, abs(x) - away), 14 - np.hypot(y - 55 + 0.1 * (level - 200), x)]
        else:
            depth = np.maximum(*(80 - np.hypot(y, x - side) for side in (-86, 86)))
            bones = [17 + 0.02 * (level - 100) - np.hypot(y, abs(x) - 86 + 0.1 * level)]
        plane[depth > 0] = 60.0 if skin_mm else -104.0
        plane[depth > skin_mm] = -104.0
        plane[depth > 36] = muscle_hu
        for inside in bones:
            plane[inside > 0] = cortex_hu
            plane[inside > 3] = 140.0
    hu = hu.reshape(count[0], count[1] // fine, fine, count[2] // fine, fine).mean(axis=(2, 4))
    hu = ndimage.gaussian_filter(hu, (0, 0.6 / spacing[1], 0.6 / spacing[2]))
    hu += np.random.default_rng(seed).normal(0, noise_hu, hu.shape)
    return CTVolume(np.rint(hu).astype(np.int16), Geometry(hu.shape[::-1], spacing[::-1]))


def write(volume, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(path), useCompression=False)
    return path


@pytest.fixture(scope="module")
def patients_folder(tmp_path_factory):
    """Three stored patients of different sizes and noise, with muscle of 40 to 55 HU."""
    folder = tmp_path_factory.mktemp("patients")
    for number, (size, noise, muscle) in enumerate(((0.96, 9, 40), (1.0, 12, 46), (1.04, 16, 55))):
        write(
            body_volume(size=size, noise_hu=noise, muscle_hu=muscle, seed=number), folder / f"p{number}" / "ct.nii.gz"
        )
    return folder


@pytest.fixture(scope="module")
def measured():
    return measure(prepare("body", body_volume(length_mm=160.0, first_mm=210.0), SPACING)).values


def test_every_quantity_of_the_table_is_measured(measured):
    assert set(measured) == {quantity.name for quantity in QUANTITIES}
    assert len({quantity.name for quantity in QUANTITIES}) == len(QUANTITIES)
    assert all(np.isfinite(value) for value in measured.values())


def test_known_tissue_comes_out(measured):
    assert measured["fat_peak_hu"] == pytest.approx(-104, abs=4) and measured["muscle_peak_hu"] == pytest.approx(
        45, abs=4
    )
    assert measured["muscle_local_sd_hu"] == pytest.approx(12, rel=0.08)
    assert measured["fat_local_sd_hu"] == pytest.approx(12, rel=0.08)
    assert measured["muscle_over_fat_sd"] == pytest.approx(1, abs=0.1)
    assert measured["trabecular_p50_hu"] == pytest.approx(140, abs=10)
    assert 300 < measured["cortical_p50_hu"] < measured["cortical_p95_hu"] < 850
    assert measured["air_hu"] == pytest.approx(-1000, abs=10) and 0 <= measured["gas_share"] < 0.01
    assert (
        0.2 < measured["fat_share"] < 0.7
        and measured["fat_share"] + measured["soft_share"] + measured["bone_share"] < 1
    )


def test_more_noise_less_muscle_and_skin_move_their_quantities(measured):
    other = measure(
        prepare(
            "b",
            body_volume(length_mm=160.0, first_mm=210.0, noise_hu=24, muscle_hu=20, skin_mm=2.0, cortex_hu=1200),
            SPACING,
        )
    ).values
    assert other["muscle_local_sd_hu"] == pytest.approx(24, rel=0.1)
    assert other["muscle_peak_sd_below_hu"] > 1.5 * measured["muscle_peak_sd_below_hu"]
    assert other["muscle_peak_hu"] < measured["muscle_peak_hu"] - 15
    assert other["muscle_below_10_hu_share"] > 3 * measured["muscle_below_10_hu_share"]
    assert other["cortical_p75_hu"] > 1.2 * measured["cortical_p75_hu"]
    assert other["skin_excess_hu_mm"] > measured["skin_excess_hu_mm"] + 60


def test_the_spectrum_of_white_noise_is_its_variance_times_the_pixels_area():
    pixel = 1.5
    patches = np.random.default_rng(1).normal(0, 20, (2000, 24, 24))
    frequencies, power = power_spectrum(patches, pixel)
    assert power == pytest.approx(np.full(power.size, 400 * pixel**2), rel=0.05)
    assert frequencies[0] == pytest.approx(1 / (24 * pixel), rel=0.3) and np.all(np.diff(frequencies) > 0)
    assert correlation_length(patches, pixel) < pixel


def test_smoother_noise_has_a_longer_correlation_whatever_the_pixel():
    from scipy import ndimage

    noise = np.random.default_rng(2).normal(0, 1, (60, 64, 64))
    # A Gaussian of standard deviation s gives an autocorrelation exp(-d^2 / 4 s^2), which is 1/e at 2 s.
    for sigma in (1.5, 2.5):
        smooth = ndimage.gaussian_filter(noise, (0, sigma, sigma), mode="wrap")
        assert correlation_length(smooth, 0.8) == pytest.approx(2 * sigma * 0.8, rel=0.1)
        assert correlation_length(smooth[:, ::2, ::2], 1.6) == pytest.approx(2 * sigma * 0.8, rel=0.2)


def test_horizontal_streaks_show():
    volume = body_volume(length_mm=120.0, first_mm=210.0)
    rows = np.random.default_rng(3).normal(0, 15, volume.hu.shape[:2])[:, :, None]
    streaked = CTVolume(np.where(volume.hu > -500, volume.hu + rows, volume.hu).astype(np.int16), volume.geometry)
    plain, with_streaks = (measure(prepare("b", v, SPACING)).values for v in (volume, streaked))
    for tissue in ("muscle", "fat"):
        assert abs(plain[f"{tissue}_stripes"]) < 0.5 and with_streaks[f"{tissue}_stripes"] > 1


@pytest.mark.parametrize("sigma", [0.8, 1.6])
def test_the_width_of_a_blurred_step(sigma):
    from scipy.special import ndtr

    lines = -100 - 900 * ndtr((positions()[None] - np.array([[0.0], [1.3], [-2.0]])) / sigma)
    width = width_10_90(lines, np.full(3, -1000.0), np.full(3, -100.0))
    assert width == pytest.approx(np.full(3, 2.563 * sigma), rel=0.06)


def test_peaks_are_split_into_their_two_sides():
    rng = np.random.default_rng(4)
    # A normal distribution with a wider lower half, of one height at the peak.
    size = np.abs(rng.normal(0, 1, 200_000))
    peak = find_peak(40 + size * np.where(rng.random(size.size) < 30 / 42, -30, 12))
    assert peak.hu == pytest.approx(40, abs=5)
    assert peak.below == pytest.approx(30, rel=0.15) and peak.above == pytest.approx(12, abs=4)
    assert np.isnan(find_peak(np.zeros(5)).hu)


def test_a_finer_scan_is_averaged_and_a_coarser_one_left():
    fine = body_volume(spacing=(2.0, 1.5, 1.5), noise_hu=20, length_mm=60.0, first_mm=210.0)
    scan = prepare("fine", fine, (4.0, 3.0, 3.0))
    assert scan.spacing == (4.0, 3.0, 3.0) and scan.hu.shape == tuple(n // 2 for n in fine.hu.shape)
    muscle = scan.hu[scan.muscle_core()]
    # Eight voxels of white noise become one.
    assert muscle.std() == pytest.approx(20 / np.sqrt(8), rel=0.35) and muscle.mean() == pytest.approx(45, abs=2)
    coarse = prepare("coarse", body_volume(length_mm=60.0, first_mm=210.0), (1.0, 1.0, 1.0))
    assert coarse.spacing == SPACING


def test_slices_with_metal_do_not_count():
    volume = body_volume(length_mm=60.0, first_mm=210.0)
    volume.hu[5, 40:46, 60:66] = 3071
    scan = prepare("metal", volume, SPACING)
    assert not scan.body[5].any() and scan.body[4].any() and scan.body[6].any()


@pytest.mark.parametrize(
    ("first", "length", "stretch"), [(100.0, 200.0, 1.08), (100.0, 200.0, 0.92), (230.0, 60.0, 1.0)]
)
def test_levels_are_found_from_bones(first, length, stretch):
    real = signature(prepare("real", body_volume(first_mm=first, length_mm=length, seed=9), SPACING))
    virtual = signature(prepare("virtual", body_volume(stretch=stretch, seed=8), SPACING))
    match = match_levels(real, virtual)
    for level in (0.0, length):
        assert match.at(level) == pytest.approx(stretch * (first + level), abs=12)


def test_other_anatomy_and_air_have_no_common_levels():
    real = signature(prepare("real", body_volume(length_mm=60.0), SPACING))
    empty = type(real)(np.full((30, 4), np.nan), 4.0)
    assert match_levels(real, empty) is None and match_levels(empty, real) is None
    assert match_levels(real, type(real)(real.values + 1, real.step_mm)) is None
    assert match_levels(real, real) == type(match_levels(real, real))(0.0, 1.0, 0.0)


def test_the_verdict_of_a_row():
    def row(real, patients=8):
        return Row(QUANTITIES[0], real, 5.0, 4.0, 6.0, patients)

    assert [row(v).verdict for v in (3.9, 4.0, 5.5, 6.1, np.nan)] == ["below", "inside", "inside", "above", "unknown"]
    assert row(5.0, patients=2).verdict == "unknown"


def test_the_command_writes_tables_and_pictures(tmp_path, patients_folder, capsys):
    real = write(
        body_volume(first_mm=150, length_mm=180, noise_hu=40, muscle_hu=15, seed=20), tmp_path / "real one.nii.gz"
    )
    output = tmp_path / "out"
    assert main(["realism", str(real), "-o", str(output), "--virtual", str(patients_folder)]) == 0
    names = {path.name for path in output.iterdir()}
    assert names == {
        "realism.csv",
        "realism.md",
        *(f"real_one_{kind}.png" for kind in ("histograms", "texture", "slices")),
    }
    assert all(path.stat().st_size > 10_000 for path in output.glob("*.png"))
    with (output / "realism.csv").open(encoding="utf-8") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    assert list(rows) == [quantity.name for quantity in QUANTITIES]
    assert rows["muscle_peak_hu"]["real_lies"] == "below" and rows["fat_local_sd_hu"]["real_lies"] == "above"
    assert rows["fat_peak_hu"]["patients"] == "3"
    assert float(rows["muscle_peak_hu"]["virtual_p5"]) < float(rows["muscle_peak_hu"]["virtual_p95"]) < 60
    text = (output / "realism.md").read_text(encoding="utf-8")
    assert "**below**" in text and "real_one_slices.png" in text and "3 virtual patients" in text
    assert "muscle_peak_hu (below)" in capsys.readouterr().out
    # A second run does not overwrite it.
    assert main(["realism", str(real), "-o", str(output), "--virtual", str(patients_folder)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*partial"))


def test_a_few_slices_and_two_scans_of_one_name_will_do(tmp_path, patients_folder):
    volume = body_volume(first_mm=240, length_mm=30, seed=21)
    paths = [str(write(volume, tmp_path / place / "ct.nrrd")) for place in "ab"]
    assert read_scan(tmp_path / "a" / "ct.nrrd").hu.shape[0] == 5
    assert main(["realism", *paths, "-o", str(tmp_path / "out"), "--virtual", str(patients_folder)]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*_slices.png")} == {"ct_1_slices.png", "ct_2_slices.png"}


def test_a_scan_of_the_same_kind_lies_inside(patients_folder):
    from MSKSegmentLib.virtual.realism.compare import stored_patients

    patients = stored_patients(patients_folder)
    volume = body_volume(first_mm=150, length_mm=180, noise_hu=12.5, muscle_hu=47, seed=30)
    assert comparison_grid(volume, patients) == pytest.approx(SPACING)
    lines = []
    found = compare("same", volume, patients, SPACING, lambda: None, lines.append)
    verdicts = {row.quantity.name: row.verdict for row in found.rows}
    for name in ("muscle_peak_hu", "muscle_local_sd_hu", "fat_local_sd_hu", "air_sd_hu"):
        assert verdicts[name] == "inside", name
    assert len(lines) == 3 and found.levels_mm[0] == pytest.approx(0, abs=20) and found.levels_mm[1] > 140


def test_patients_are_made_on_the_scans_grid(tmp_path, monkeypatch):
    from MSKSegmentLib.virtual.patient import VirtualPatient
    from MSKSegmentLib.virtual.realism import compare as module

    asked = []

    def maker(atlases, seed, spacing_mm, metal=None):
        asked.append((seed, spacing_mm, metal))
        volume = body_volume(spacing=spacing_mm, seed=seed)
        return VirtualPatient(volume, np.zeros(volume.hu.shape, np.uint8), {})

    monkeypatch.setattr(module, "make_patient", maker)
    atlas = tmp_path / "a_labels.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 3, 3), np.uint8)), str(atlas))
    patients = made_patients(tmp_path, 3, 5)
    volume = body_volume(first_mm=150, length_mm=120)
    found = compare("real", volume, patients, comparison_grid(volume, patients), lambda: None, lambda line: None)
    assert [seed for seed, *_ in asked] == [5, 6, 7] and len(found.virtual) == 3
    assert all(spacing == pytest.approx(SPACING) and metal is False for _, spacing, metal in asked)


def test_cancelling_leaves_nothing(tmp_path, patients_folder):
    from MSKSegmentLib.virtual.realism.compare import stored_patients
    from MSKSegmentLib.virtual.realism.report import compare_scans

    real = write(body_volume(first_mm=150, length_mm=100), tmp_path / "scan" / "real.nrrd")

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_scans([real], tmp_path / "out", stored_patients(patients_folder), None, stop)
    assert {path.name for path in tmp_path.iterdir()} == {"scan"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--virtual", "{empty}"], "fewer than 3 virtual patients"),
        (["-n", "2", "--atlas", "{empty}"], "at least 3 virtual patients"),
        (["--virtual", "{patients}", "--spacing", "0", "3", "3"], "0.4 to 10 mm"),
        (["--virtual", "{patients}", "--spacing", "1", "1", "1"], "larger voxels"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path, patients_folder, capsys, arguments, sentence):
    real = write(body_volume(spacing=(2.0, 2.0, 2.0), first_mm=200, length_mm=40), tmp_path / "real.nrrd")
    (tmp_path / "empty").mkdir()
    places = {"empty": tmp_path / "empty", "patients": patients_folder}
    arguments = [argument.format(**places) for argument in arguments]
    assert main(["realism", str(real), "-o", str(tmp_path / "out"), *arguments]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_scan_without_a_body_is_refused():
    air = CTVolume(np.full((10, 60, 60), -1000, np.int16), Geometry((60, 60, 10), (3.0, 3.0, 3.0)))
    with pytest.raises(InputError, match="No body was found in air"):
        compare("air", air, Patients(lambda spacing: iter(())), SPACING, lambda: None)


def test_the_two_real_scans_can_be_measured(shared):
    pelvis = measure(
        prepare("pelvis", read_scan(shared / "ct" / "pelvis_3mm.nii.gz"), (3.0, 3.0, 3.0)).levels(10, 50)
    ).values
    slices = measure(prepare("slices", read_scan(shared / "ct" / "vhf_5_slices.nrrd"), (1.0, 1.0, 1.0))).values
    for values in (pelvis, slices):
        assert -115 < values["fat_peak_hu"] < -95 and 10 < values["muscle_peak_hu"] < 45
        assert 60 < values["skin_excess_hu_mm"] < 130 and values["fat_stripes"] > 0.5
    assert slices["skin_edge_mm"] < 2.5 < pelvis["skin_edge_mm"]
    assert slices["fat_local_sd_hu"] > 1.5 * pelvis["fat_local_sd_hu"]
