"""The comparison of real with virtual CT: quantities of known images, and level matching."""

import numpy as np
import pytest
from realism_scans import SPACING, body_volume

from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.virtual.realism.compare import QuantityRow
from MSKSegmentLib.virtual.realism.edges import positions, width_10_90
from MSKSegmentLib.virtual.realism.levels import match_levels, signature
from MSKSegmentLib.virtual.realism.measures import measure_realism
from MSKSegmentLib.virtual.realism.quantities import QUANTITIES
from MSKSegmentLib.virtual.realism.scan import find_peak, prepare
from MSKSegmentLib.virtual.realism.texture import correlation_length, power_spectrum


@pytest.fixture(scope="module")
def measured():
    return measure_realism(prepare("body", body_volume(length_mm=160.0, first_mm=210.0), SPACING)).values


def test_every_quantity_of_the_table_is_measured(measured):
    assert set(measured) == {quantity.name for quantity in QUANTITIES}
    assert len({quantity.name for quantity in QUANTITIES}) == len(QUANTITIES)
    assert all(np.isfinite(value) for value in measured.values())


def test_known_tissue_comes_out(measured):
    assert measured["fat_peak_hu"] == pytest.approx(-104, abs=4) and measured["muscle_peak_hu"] == pytest.approx(45, abs=4)
    assert measured["muscle_local_sd_hu"] == pytest.approx(12, rel=0.08)
    assert measured["fat_local_sd_hu"] == pytest.approx(12, rel=0.08)
    assert measured["muscle_over_fat_sd"] == pytest.approx(1, abs=0.1)
    assert measured["trabecular_p50_hu"] == pytest.approx(140, abs=10)
    assert 300 < measured["cortical_p50_hu"] < measured["cortical_p95_hu"] < 850
    assert measured["air_hu"] == pytest.approx(-1000, abs=10) and 0 <= measured["gas_share"] < 0.01
    assert 0.2 < measured["fat_share"] < 0.7 and measured["fat_share"] + measured["soft_share"] + measured["bone_share"] < 1


def test_more_noise_less_muscle_and_skin_move_their_quantities(measured):
    other = measure_realism(
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
    plain, with_streaks = (measure_realism(prepare("b", v, SPACING)).values for v in (volume, streaked))
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


@pytest.mark.parametrize(("first", "length", "stretch"), [(100.0, 200.0, 1.08), (100.0, 200.0, 0.92), (230.0, 60.0, 1.0)])
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
        return QuantityRow(QUANTITIES[0], real, 5.0, 4.0, 6.0, patients)

    assert [row(v).verdict for v in (3.9, 4.0, 5.5, 6.1, np.nan)] == ["below", "inside", "inside", "above", "unknown"]
    assert row(5.0, patients=2).verdict == "unknown"
