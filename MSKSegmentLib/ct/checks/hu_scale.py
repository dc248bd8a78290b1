"""Check whether the values are Hounsfield units: air near -1000, fat near -100, muscle near 50."""

from __future__ import annotations

import numpy as np

from ...findings import Finding, refusal, warning
from ..cropping import coarse_stride, subsampled
from ..volume import CTVolume

# Ranges of a CT in HU: air around the body, and fat to muscle.
AIR_RANGE_HU = (-1100, -850)
SOFT_TISSUE_HU = (-180, 140)
FAT_MODE_HU, MUSCLE_MODE_HU = -100.0, 50.0
LEAST_AIR, LEAST_SOFT_TISSUE = 0.01, 0.02
# Outside the lungs a CT has hardly any values between air and fat. MR has its muscles there if its fat lies in the
# range of soft tissue.
BETWEEN_HU = (-800, -250)
NARROWEST_RANGE_HU = 300
TOLD_SHIFT_HU = 45.0


def scale_findings(volume: CTVolume) -> tuple[Finding, ...]:
    """Findings where values are constant, labels, windowed, stored without rescaling, shifted, or not CT at all."""
    values = subsampled(volume.hu, coarse_stride(volume.geometry, 3.0)).ravel().astype(np.int32)
    low, high = int(values.min()), int(values.max())
    if low == high:
        return (refusal("constant", f"All values of the image are {low}; choose the CT itself."),)
    if low >= 0 and high <= 255:
        if np.unique(values).size <= 64:
            return (
                refusal(
                    "label_map",
                    "The image looks like a label map and not like a CT; choose the CT that it was made on.",
                ),
            )
        return (
            refusal(
                "eight_bit",
                "The values lie between 0 and 255, as in a picture and not in a CT; export the scan in Hounsfield units.",
            ),
        )
    air, soft = share_within(values, AIR_RANGE_HU), share_within(values, SOFT_TISSUE_HU)
    if soft >= LEAST_SOFT_TISSUE and (air >= LEAST_AIR or low < AIR_RANGE_HU[0]):
        return _shift_findings(values)
    for offset in (1024, 1000):
        if _looks_offset(values, offset):
            return (
                refusal(
                    "offset",
                    f"Air lies near 0 instead of -1000 HU: the values seem stored with an offset of about {offset}; "
                    "export the scan with its rescale intercept applied.",
                ),
            )
    if low >= -400 and high - low >= NARROWEST_RANGE_HU and soft >= LEAST_SOFT_TISSUE:
        return _airless_findings(values, low)
    if air + share_within(values, (-32768, AIR_RANGE_HU[0])) > 0.95:
        return (refusal("air", "The image holds nothing but air; choose another scan."),)
    return (
        refusal(
            "not_ct",
            "The values do not look like CT in Hounsfield units (no air at -1000 with fat and muscle between -180 "
            "and 140); choose a CT scan, not MR or a derived image.",
        ),
    )


def share_within(values: np.ndarray, limits: tuple[int, int], offset: int = 0) -> float:
    """The share (0..1) of values within limits, ends included, after adding `offset` to both limits."""
    return float(np.count_nonzero((values >= limits[0] + offset) & (values <= limits[1] + offset)) / values.size)


def _looks_offset(values: np.ndarray, offset: int) -> bool:
    """Whether the values are those of a CT plus `offset`."""
    soft = share_within(values, SOFT_TISSUE_HU, offset)
    has_air = share_within(values, AIR_RANGE_HU, offset) >= LEAST_AIR
    return has_air and soft >= LEAST_SOFT_TISSUE and share_within(values, BETWEEN_HU, offset) < 0.5 * soft


def _airless_findings(values: np.ndarray, low: int) -> tuple[Finding, ...]:
    """Findings on soft tissue without air: a narrow window was saved, or the volume was cut out of the body."""
    if low < 0 and np.count_nonzero(values == low) < 0.01 * values.size:
        return (warning("no_air", "The image holds no air around the body; muscles at its border are probably cut off."),)
    if low < 0:
        return (
            refusal(
                "clipped",
                f"All values below {low} HU were cut off before the scan was saved; export it with its full range of "
                "Hounsfield units.",
            ),
        )
    return (
        refusal(
            "not_ct",
            "The values never fall below 0, so that they are no Hounsfield units of a body with fat; choose a CT scan "
            "(not MR) with its rescaling applied.",
        ),
    )


def _shift_findings(values: np.ndarray) -> tuple[Finding, ...]:
    shift = estimated_shift(values)
    if shift is None or abs(shift) < TOLD_SHIFT_HU:
        return ()
    return (
        warning(
            "shift",
            f"Fat and muscle lie about {abs(shift):.0f} HU too {'high' if shift > 0 else 'low'}; the scanner's "
            "calibration or the rescaling may be wrong, so do not trust densities.",
        ),
    )


def estimated_shift(values: np.ndarray) -> float | None:
    """The shift in HU of fat and muscle in a sample of `values` from -100 and 50 HU, or None without two clear modes.

    The two highest modes between -300 and 300 HU that lie 80 to 220 HU apart count as fat and muscle.
    """
    counts, edges = np.histogram(values, bins=np.arange(-300, 305, 5))
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 3.0) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same")
    centers = (edges[:-1] + edges[1:]) / 2
    inner = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1
    peaks = [i for i in inner if smooth[i] >= 0.1 * smooth.max()]
    pairs = [(a, b) for a in peaks for b in peaks if 80 <= centers[b] - centers[a] <= 220]
    if not pairs:
        return None
    fat, muscle = max(pairs, key=lambda pair: smooth[pair[0]] + smooth[pair[1]])
    return float(((centers[fat] - FAT_MODE_HU) + (centers[muscle] - MUSCLE_MODE_HU)) / 2)
