"""Uneven brightness of MR: what N4 takes out, and that the network's scale no longer knows the coil."""

from dataclasses import replace

import numpy as np
import pytest

from MSKSegmentLib.ct.bias_field import evened
from MSKSegmentLib.ct.cropping import coarse_body
from MSKSegmentLib.ct.intensity import on_scale
from MSKSegmentLib.ct.volume import CTVolume, Geometry


@pytest.fixture(scope="module")
def limb():
    """A round limb of fat (900) around muscle (400) with a bone, brighter towards one end and one side by a factor of about 2."""
    z, y, x = np.ogrid[:30, :48, :48]
    radius = np.hypot(y - 24, x - 24)
    even = np.where(radius < 20, 900.0, 5.0) + 0 * z
    even[:, (radius < 15)[0]] = 400.0
    even[:, (radius < 4)[0]] = 60.0
    uneven = even * np.exp(0.35 * (z - 15) / 15 + 0.3 * (x - 24) / 24)
    noise = np.random.default_rng(0).normal(0, 5, even.shape)
    values = np.clip(np.rint(uneven + noise), 0, 4000).astype(np.int16)
    volume = CTVolume(values, Geometry(size=(48, 48, 30), spacing=(4.0, 4.0, 5.0)), modality="MR")
    return volume, even == 400


def _unevenness(values, mask):
    """Coefficient of variation of the signal of muscle over blocks along and across the limb."""
    means = [values[k : k + 10, :, i : i + 16][mask[k : k + 10, :, i : i + 16]].mean() for k in (0, 10, 20) for i in (8, 24)]
    return np.std(means) / np.mean(means)


def test_n4_evens_the_brightness_and_keeps_its_mean(limb):
    volume, muscle = limb
    body = coarse_body(volume)
    result = evened(volume, body)
    before, after = (_unevenness(one.intensities.astype(float), muscle) for one in (volume, result))
    assert before > 0.15 and after < 0.3 * before
    assert result.intensities[muscle].mean() == pytest.approx(volume.intensities[muscle].mean(), rel=0.15)
    assert result.modality == "MR" and result.geometry == volume.geometry
    # Muscle, fat and bone stay apart.
    assert result.intensities[muscle].mean() < 0.6 * np.percentile(result.intensities, 95)


def test_the_scale_does_not_know_the_scanner_s_gain(limb):
    volume, muscle = limb
    louder = replace(volume, hu=(volume.hu * 2.5).astype(np.int16))
    one, other = (on_scale(scan, coarse_body(scan), "n4_body_percentiles").intensities for scan in (volume, louder))
    assert np.abs(one[muscle].mean() - other[muscle].mean()) < 10
    assert _unevenness(one.astype(float), muscle) < 0.1
    assert one.min() >= -1000 and np.percentile(one[muscle], 50) == pytest.approx(420, abs=120)
