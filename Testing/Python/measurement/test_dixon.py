"""Shares of fat from fat and water images: the known share comes back, and what is not seen gets none."""

import numpy as np
import pytest

from MSKSegmentLib.measurement.dixon import DixonPair, dixon_fat_shares


def _scan():
    labels = np.zeros((6, 20, 20), np.uint8)
    labels[:, 2:10, 2:10], labels[:, 10:18, 10:18], labels[:2, 2:10, 12:18] = 4, 104, 7
    share = np.where(labels == 4, 0.1, np.where(labels == 104, 0.4, 0.2)).astype(np.float32)
    return labels, share


def test_known_shares_come_back_through_coil_and_noise():
    labels, share = _scan()
    rng = np.random.default_rng(1)
    coil = np.linspace(0.6, 1.6, 20, dtype=np.float32)
    fat, water = (
        np.hypot(500 * one * coil + rng.normal(0, 8, one.shape), rng.normal(0, 8, one.shape)) for one in (share, 1 - share)
    )
    found = dixon_fat_shares(labels, DixonPair(fat.astype(np.float32), water.astype(np.float32)))
    assert found.uncovered == () and list(found.fat_share) == [4, 7, 104]
    assert found.fat_share[4] == pytest.approx(0.1, abs=0.01) and found.fat_share[104] == pytest.approx(0.4, abs=0.01)


def test_what_the_images_do_not_show_gets_no_share():
    labels, share = _scan()
    fat, water = 500 * share, 500 * (1 - share)
    # Beyond the images' end, and in a hole without signal: half of one segment, a twentieth of another.
    fat[:, :, 14:], water[:, :, 14:] = np.nan, np.nan
    fat[0, 2:4, 2:10] = water[0, 2:4, 2:10] = 3.0
    found = dixon_fat_shares(labels, DixonPair(fat, water))
    assert found.uncovered == (7, 104) and found.fat_share == {4: pytest.approx(0.1, abs=1e-6)}
    nothing = dixon_fat_shares(labels, DixonPair(np.full_like(fat, np.nan), water))
    assert nothing.fat_share == {} and nothing.uncovered == (4, 7, 104)
    with pytest.raises(ValueError, match="one shape"):
        dixon_fat_shares(labels, DixonPair(fat[1:], water))
