"""Noise inside muscle is found whatever its kernel and texture, and told where it makes fat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.measurement.noise import false_fat_share, noise_findings, noise_sd
from MSKSegmentLib.pipeline import measure_case

MUSCLES = [segment for segment in HIP_AND_THIGH.segments if segment.structure.has_composition][:6]
SEGMENTS = HIP_AND_THIGH.segments


def scan(spacing=(1.0, 1.0, 5.0), shape=(6, 60, 120)):
    """Six muscles side by side, of the density of lean muscle."""
    labels = np.zeros(shape, np.uint8)
    for place, segment in enumerate(MUSCLES):
        labels[:, 5:-5, 20 * place + 1 : 20 * place + 19] = segment.label
    return np.full(shape, 50.0), labels, Geometry(shape[::-1], spacing)


def noisy(hu, sd, smooth_mm=0.0, spacing=1.0):
    noise = np.random.default_rng(3).normal(size=hu.shape)
    noise = ndimage.gaussian_filter(noise, (0, smooth_mm / spacing, smooth_mm / spacing))
    return np.rint(hu + sd * noise / noise.std()).astype(np.int16)


@pytest.mark.parametrize(("sd", "smooth_mm"), [(10, 0.0), (25, 0.8), (60, 0.8)])
def test_noise_is_found_for_sharp_and_soft_kernels(sd, smooth_mm):
    hu, labels, geometry = scan()
    assert noise_sd(noisy(hu, sd, smooth_mm), labels, geometry, SEGMENTS) == pytest.approx(sd, rel=0.08)


def test_fat_between_the_fibres_of_some_muscles_is_no_noise():
    hu, labels, geometry = scan()
    streaks = np.random.default_rng(1).random(hu.shape) < 0.4
    hu[(labels == MUSCLES[0].label) & streaks] = -90
    hu[(labels == MUSCLES[1].label) & streaks] = -90
    assert noise_sd(noisy(hu, 12), labels, geometry, SEGMENTS) == pytest.approx(12, rel=0.1)


def test_axes_in_any_order():
    hu, labels, geometry = scan()
    hu = noisy(hu, 20)
    expected = noise_sd(hu, labels, geometry, SEGMENTS)
    turned = Geometry((6, 60, 120), (5.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((0, 0, 1), (0, 1, 0), (1, 0, 0)))
    swapped = [np.ascontiguousarray(array.transpose(2, 1, 0)) for array in (hu, labels)]
    assert noise_sd(swapped[0], swapped[1], turned, SEGMENTS) == pytest.approx(expected)


def test_too_little_muscle_says_nothing():
    hu, labels, geometry = scan()
    labels[labels > MUSCLES[2].label] = 0
    labels[np.isin(labels, [segment.label for segment in MUSCLES[3:]])] = 0
    assert noise_sd(noisy(hu, 90), labels, geometry, SEGMENTS) is None and noise_findings(None) == ()


@pytest.mark.parametrize("sd", [20, 45, 70])
def test_the_share_told_is_the_share_that_noise_makes(sd):
    counted = np.mean(np.random.default_rng(0).normal(50, sd, 200_000) < -30)
    assert false_fat_share(sd) == pytest.approx(counted, abs=0.002)
    told = noise_findings(sd)
    assert bool(told) == (counted > 0.02)
    assert not told or f"about {100 * counted:.0f} %" in told[0].sentence and told[0].code == "noisy"


@pytest.mark.parametrize(("sd", "told"), [(15, False), (55, True)])
def test_a_result_tells_it(sd, told):
    hu, labels, geometry = scan()
    result = measure_case(labels, geometry, CTVolume(noisy(hu, sd), geometry))
    assert ("noisy" in [finding.code for finding in result.findings]) == told
