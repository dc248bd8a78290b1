"""Findings on good and doubtful scans, and the body's box."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ct_scans import two_thighs

from MSKSegmentLib.ct import CTVolume, Geometry, body_box, body_mask, check_volume, read_ct, refuse, to_working_grid
from MSKSegmentLib.ct.checks.hu_scale import estimated_shift
from MSKSegmentLib.errors import InputError

REAL_CT = Path(__file__).resolve().parents[4] / "shared" / "ct" / "pelvis_3mm.nii.gz"
SPACING = (4.0, 4.0, 5.0)


def volume_of(hu: np.ndarray, spacing: tuple[float, float, float] = SPACING) -> CTVolume:
    z, y, x = hu.shape
    return CTVolume(hu.astype(np.int16), Geometry((x, y, z), spacing, (-190.0, -130.0, -300.0)))


def thighs(slices: int = 20) -> CTVolume:
    return volume_of(two_thighs(slices))


def codes(volume: CTVolume) -> list[str]:
    return [finding.code for finding in check_volume(volume)]


def cylinder(radius_mm: tuple[float, float], bone: tuple[tuple[float, float, float], ...], lung: bool = False) -> CTVolume:
    """20 slices of an elliptic body of fat and muscle with round bones (x, y, radius in mm), or lungs."""
    y, x = np.mgrid[:64, :96] * 4.0
    x, y = x - 190, y - 126
    depth = np.hypot(x / radius_mm[0], y / radius_mm[1])
    section = np.select([depth > 1, depth > 0.85], [-1000, -100], 50)
    if lung:
        section[np.hypot((np.abs(x) - 70) / 55, y / 60) < 1] = -820
    for bx, by, radius in bone:
        section[np.hypot(x - bx, y - by) < radius] = 500
    noise = np.random.default_rng(2).normal(0, 12, (20, *section.shape))
    return volume_of(section + noise)


def test_good_thighs_pass_without_a_word() -> None:
    assert check_volume(thighs()) == ()


def test_one_leg_passes_without_a_word() -> None:
    hu = two_thighs(20)
    hu[:, :, 48:] = -1000
    assert check_volume(volume_of(hu)) == ()


def test_pelvis_like_section_passes_without_a_word() -> None:
    assert codes(cylinder((170, 110), ((-90, 0, 24), (90, 0, 24), (0, 70, 24)))) == []
    # Little dense bone is left in fragile hips.
    assert codes(cylinder((170, 110), ((-90, 0, 8), (90, 0, 8)))) == []


@pytest.mark.parametrize(
    "volume",
    [
        cylinder((170, 110), ((0, 60, 22),)),
        cylinder((170, 110), ((0, 60, 22),), lung=True),
        cylinder((75, 95), ((0, 0, 50),)),
    ],
    ids=["abdomen", "chest", "head"],
)
def test_other_regions_are_doubted_but_not_refused(volume: CTVolume) -> None:
    assert codes(volume) == ["no_hip_or_thigh"]
    assert "does not seem to show hips or thighs" in refuse(check_volume(volume))[0].sentence


def test_short_scan() -> None:
    assert codes(thighs(10)) == ["short"]


@pytest.mark.parametrize("side", ["right", "left", "anterior", "posterior"])
def test_body_cut_in_plane(side: str) -> None:
    hu = two_thighs(20)
    cut = {"right": hu[:, :, 14:], "left": hu[:, :, :-18], "anterior": hu[:, 16:], "posterior": hu[:, :-16]}[side]
    findings = check_volume(volume_of(np.ascontiguousarray(cut)))
    assert [f.code for f in findings] == ["cut_in_plane"]
    assert f"on the {side} side" in findings[0].sentence


def test_body_cut_by_the_round_field_of_view() -> None:
    hu = two_thighs(20, 96, 96)
    whole = volume_of(hu)
    y, x = np.mgrid[:96, :96] - 47.5
    for radius, cut in ((48, False), (36, True)):
        ring = np.where(np.hypot(x, y) <= radius, hu, -2000)
        low = round(47.5 - radius) if cut else 0
        window = np.ascontiguousarray(ring[:, low : 96 - low, low : 96 - low])
        assert ("cut_in_plane" in codes(volume_of(window))) is cut
    assert "cut_in_plane" not in codes(whole)


@pytest.mark.parametrize(("columns", "side"), [((25, 28), "on the right"), ((68, 71), "on the left")])
def test_metal_is_located(columns: tuple[int, int], side: str) -> None:
    volume = thighs()
    volume.hu[4:10, 30:33, columns[0] : columns[1]] = 2900
    (finding,) = check_volume(volume)
    assert finding.code == "metal" and finding.severity == "warning"
    assert side in finding.sentence and "from z = -280 to -255 mm" in finding.sentence
    assert "4.3 cc" in finding.sentence


def test_metal_outside_the_body_and_bright_noise_do_not_count() -> None:
    volume = thighs()
    volume.hu[4:10, 62:, 40:60] = 3000
    volume.hu[7, 30, 27] = 3000
    # 5 x 4 x 4 mm are 0.08 cc.
    assert check_volume(volume) == ()


@pytest.mark.parametrize("shift", [-70, -55, 55, 70])
def test_shifted_hu_are_told(shift: int) -> None:
    (finding,) = check_volume(volume_of(two_thighs(20) + shift))
    assert finding.code == "shift"
    assert ("too high" if shift > 0 else "too low") in finding.sentence
    assert estimated_shift((two_thighs(20) + shift).ravel()) == pytest.approx(shift, abs=8)


@pytest.mark.parametrize("shift", [-25, 0, 25])
def test_scanner_differences_are_not(shift: int) -> None:
    assert check_volume(volume_of(two_thighs(20) + shift)) == ()


def test_shift_is_unknown_without_two_modes() -> None:
    assert estimated_shift(np.random.default_rng(0).normal(50, 10, 5000)) is None


def test_padding_outside_the_circle_is_no_trouble() -> None:
    hu = two_thighs(20)
    hu[:, :5, :5] = -3024
    assert check_volume(volume_of(hu)) == ()


@pytest.mark.parametrize(
    ("spacing", "severity", "code"),
    [
        ((4.5, 4.5, 5.0), "warning", "in_plane_spacing"),
        ((6.5, 6.5, 5.0), "refusal", "in_plane_spacing"),
        ((4.0, 4.0, 7.0), "warning", "slices_far_apart"),
        ((4.0, 4.0, 10.5), "refusal", "slice_interval"),
    ],
)
def test_spacing(spacing: tuple[float, float, float], severity: str, code: str) -> None:
    found = check_volume(volume_of(two_thighs(20), spacing))
    assert [(f.severity, f.code) for f in found] == [(severity, code)]


def test_refusal_goes_before_warnings() -> None:
    findings = check_volume(volume_of(two_thighs(20) * 0 - 1000 + np.arange(96, dtype=np.int16), (4.5, 4.5, 5.0)))
    assert findings[0].severity == "refusal" and findings[-1].severity == "warning"
    with pytest.raises(InputError) as caught:
        refuse(findings)
    assert str(caught.value) == findings[0].sentence


def test_box_holds_both_legs_and_drops_the_table() -> None:
    hu = two_thighs(20)
    alone = body_box(volume_of(hu))
    hu[:, 60:62, :] = 100
    hu[:, 2, 10:80] = -150
    with_table = body_box(volume_of(hu))
    assert alone == with_table and alone is not None
    legs = np.argwhere(two_thighs(20) > -300)[:, ::-1]
    start, end = np.array(alone.start_xyz), np.array(alone.start_xyz) + alone.size_xyz
    assert (start <= legs.min(axis=0)).all() and (end > legs.max(axis=0)).all()
    # 10 mm are 3 voxels of 4 mm in plane; along z the box ends with the volume.
    assert (legs.min(axis=0)[:2] - start[:2] <= 4).all() and (end[:2] - legs.max(axis=0)[:2] <= 5).all()
    assert (start[2], end[2]) == (0, 20)
    assert two_thighs(20)[alone.slices].shape == alone.size_xyz[::-1]


def test_margin() -> None:
    narrow, wide = body_box(thighs(), 0.0), body_box(thighs(), 12.0)
    assert narrow is not None and wide is not None
    assert [a - b for a, b in zip(narrow.start_xyz, wide.start_xyz, strict=True)] == [3, 3, 0]


def test_no_body_no_box() -> None:
    air = volume_of(np.full((20, 64, 96), -1000))
    assert body_box(air) is None and body_mask(air) is None


def test_mask_follows_the_skin_and_holds_gas() -> None:
    volume = cylinder((170, 110), ((0, 60, 22),))
    truth = np.array(volume.hu > -500)
    volume.hu[:, 28:34, 46:52] = -950
    volume.hu[:, 61:63, :] = 200
    mask = body_mask(volume)
    assert mask is not None
    np.testing.assert_array_equal(mask, truth)


def test_fine_grid_is_quick_and_uses_little_memory() -> None:
    hu = np.repeat(np.repeat(two_thighs(60, 64, 64), 4, axis=1), 4, axis=2)
    volume = volume_of(hu, (1.5, 1.5, 2.5))
    before = time.process_time()
    box, mask, findings = body_box(volume), body_mask(volume), check_volume(volume)
    assert time.process_time() - before < 6
    assert box is not None and mask is not None and findings == ()
    skin = hu > -300
    assert np.count_nonzero(mask & skin) > 0.998 * np.count_nonzero(skin)


@pytest.mark.skipif(not REAL_CT.exists(), reason="the shared real CT is absent")
def test_real_pelvis() -> None:
    volume = to_working_grid(read_ct(REAL_CT)).volume
    findings = check_volume(volume)
    assert {f.code for f in findings} == {"cut_in_plane", "metal"}
    assert "lies on the left" in next(f.sentence for f in findings if f.code == "metal")
    assert all(f.severity == "warning" for f in findings)
    shifted = replace(volume, hu=(volume.hu + 80).astype(np.int16))
    assert "shift" in codes(shifted)
    mask = body_mask(volume)
    assert mask is not None
    # The table, two thin lines near the last rows, is not body; nearly all that is above -300 HU is.
    tissue = volume.hu > -300
    assert 0.95 < np.count_nonzero(mask & tissue) / np.count_nonzero(tissue) < 1
    assert not mask[:, 99:].any()
