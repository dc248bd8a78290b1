"""From HU to bone mineral density: ``mg/cm3 = slope * HU + intercept``, by a calibration phantom or as a scanner states it.

The line is the least-squares fit of the rods' stated densities on their mean HU. What cannot be a calibration is refused, because a
wrong line gives wrong densities that look like right ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError

FEWEST_RODS = 3
# Densities closer together than this say little about the slope.
LEAST_RANGE_MG = 100.0
# Between 80 and 140 kV one HU stands for about 0.5 to 1.1 mg/cm3 of hydroxyapatite or dipotassium phosphate; wider by a margin.
SLOPE_RANGE = (0.35, 1.8)
LARGEST_INTERCEPT_MG = 120.0
LEAST_R_SQUARED = 0.99
# The largest residual, as a share of the range of the rods and at least.
LARGEST_RESIDUAL_SHARE, LARGEST_RESIDUAL_MG = 0.04, 8.0
# A rod whose HU change along the scan was not always the rod, or the scanner drifts.
LARGEST_DRIFT_HU = 20.0


@dataclass(frozen=True)
class RodReading:
    """A rod of the phantom as the scan shows it.

    `density_mg_cm3` is what its certificate states; `hu` and `sd_hu` are mean and standard deviation of `voxels` inside of it,
    `drift_hu` is the difference between the highest and the lowest mean along the scan. `centre_mm` is its middle in LPS.
    """

    density_mg_cm3: float
    hu: float
    sd_hu: float
    voxels: int
    drift_hu: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True)
class DensityCalibration:
    """A line from HU to mg/cm3, and where it comes from.

    `equivalent` names the mineral whose density is meant. `rods` are empty for a stated line; `residuals_mg_cm3` are stated minus
    fitted densities in their order, `r_squared` is the share of the rods' variance that the line explains.
    """

    slope: float
    intercept: float
    equivalent: str
    source: str
    rods: tuple[RodReading, ...] = ()
    residuals_mg_cm3: tuple[float, ...] = ()
    r_squared: float | None = None

    def density(self, hu: np.ndarray) -> np.ndarray:
        """Bone mineral density in mg/cm3 of HU of any shape, float32.

        >>> DensityCalibration(0.8, -4.0, "hydroxyapatite", "stated").density(np.array([255])).tolist()
        [200.0]
        """
        return (np.float32(self.slope) * hu + np.float32(self.intercept)).astype(np.float32)

    @property
    def highest_rod_mg_cm3(self) -> float | None:
        """Densities above this are extrapolated; None for a stated line."""
        return max(rod.density_mg_cm3 for rod in self.rods) if self.rods else None

    def to_json(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        rods = [
            {
                "stated_mg_cm3": rod.density_mg_cm3,
                "hu": rod.hu,
                "sd_hu": rod.sd_hu,
                "voxels": rod.voxels,
                "drift_hu": rod.drift_hu,
                "centre_mm": list(rod.centre_mm),
                "residual_mg_cm3": residual,
            }
            for rod, residual in zip(self.rods, self.residuals_mg_cm3, strict=True)
        ]
        return {
            "slope_mg_cm3_per_hu": self.slope,
            "intercept_mg_cm3": self.intercept,
            "equivalent": self.equivalent,
            "source": self.source,
            "r_squared": self.r_squared,
            "highest_rod_mg_cm3": self.highest_rod_mg_cm3,
            "rods": rods,
        }


def stated_calibration(slope: float, intercept: float, equivalent: str = "as the scanner states it") -> DensityCalibration:
    """The line that a scanner or a site states.

    Raises:
        InputError: no calibration of bone is like that.
    """
    _check_line(slope, intercept, "The stated calibration")
    return DensityCalibration(slope, intercept, equivalent, "slope and intercept as given")


def fitted_calibration(rods: Sequence[RodReading], equivalent: str, source: str) -> DensityCalibration:
    """The least-squares line through the rods of a phantom.

    Raises:
        InputError: there are too few rods, or the line is implausible; the sentence says what and what to do.
    """
    stated = np.array([rod.density_mg_cm3 for rod in rods], float)
    if len(rods) < FEWEST_RODS or np.ptp(stated) < LEAST_RANGE_MG:
        raise InputError(
            f"{len(rods)} rods over {np.ptp(stated) if len(rods) else 0:.0f} mg/cm3 do not make a calibration; give at least "
            f"{FEWEST_RODS} rods over {LEAST_RANGE_MG:.0f} mg/cm3, or --slope and --intercept."
        )
    for rod in rods:
        if rod.drift_hu > LARGEST_DRIFT_HU:
            raise InputError(
                f"The rod of {rod.density_mg_cm3:g} mg/cm3 changes by {rod.drift_hu:.0f} HU along the scan, so that its region is "
                "not all rod or the scanner drifts; mark the rods with --rods, in the slices of the hip alone."
            )
    hu = np.array([rod.hu for rod in rods], float)
    slope, intercept = (float(value) for value in np.polyfit(hu, stated, 1))
    _check_line(slope, intercept, "The line through the rods")
    residuals = stated - (slope * hu + intercept)
    r_squared = 1.0 - float((residuals**2).sum() / ((stated - stated.mean()) ** 2).sum())
    allowed = max(LARGEST_RESIDUAL_MG, LARGEST_RESIDUAL_SHARE * float(np.ptp(stated)))
    worst = int(np.abs(residuals).argmax())
    if r_squared < LEAST_R_SQUARED or abs(residuals[worst]) > allowed:
        raise InputError(
            f"The rods do not lie on a line (R2 {r_squared:.4f}; that of {stated[worst]:g} mg/cm3 is {residuals[worst]:+.0f} "
            f"mg/cm3 off it, {allowed:.0f} are allowed): check the order of the rods in the description, and metal or other "
            "things near them; or mark the rods with --rods."
        )
    return DensityCalibration(slope, intercept, equivalent, source, tuple(rods), tuple(map(float, residuals)), r_squared)


def _check_line(slope: float, intercept: float, what: str) -> None:
    low, high = SLOPE_RANGE
    if not (np.isfinite(slope) and low <= slope <= high):
        raise InputError(
            f"{what} has a slope of {slope:.4g} mg/cm3 per HU, which no scanner gives ({low:g} to {high:g}); check the rods' "
            "densities and their order, or the stated numbers (mg/cm3 per HU, not HU per mg/cm3)."
        )
    if not (np.isfinite(intercept) and abs(intercept) <= LARGEST_INTERCEPT_MG):
        raise InputError(
            f"{what} has an intercept of {intercept:g} mg/cm3, by which water would be bone or less than nothing; at most "
            f"{LARGEST_INTERCEPT_MG:g} either way is plausible: check the rods, or whether the CT is in HU."
        )
