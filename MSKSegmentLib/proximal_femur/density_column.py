"""Bone mineral density of a result's bones, from their mean HU and the line of a calibration, beside their other numbers."""

from __future__ import annotations

from dataclasses import replace

from ..case_result import CaseResult, SegmentReport
from ..findings import warning
from .calibration import DensityCalibration
from .measures import MG_PER_G

BMD, BMC = "bmd_mg_cm3", "bmc_g"


def with_bone_density(result: CaseResult, calibration: DensityCalibration) -> CaseResult:
    """The result with integral density and mineral content of each bone found, and a finding that says how they came about.

    The line is linear, so that the mean density of a label is the line at its mean HU. Muscles get none.
    """
    line = f"{calibration.slope:.4f} x HU {calibration.intercept:+.1f}"
    sentence = (
        f"Bone mineral density is mg/cm3 = {line} ({calibration.source}; {calibration.equivalent}): volumetric, the mean over "
        "the whole label; no areal density and no T-score of DXA."
    )
    reports = tuple(_with_density(report, calibration) for report in result.reports)
    return replace(result, reports=reports, findings=(*result.findings, warning("bone_density", sentence)))


def _with_density(report: SegmentReport, calibration: DensityCalibration) -> SegmentReport:
    found = report.measurements
    if found is None or found.mean_hu is None or not report.segment.structure.is_bone:
        return report
    density = calibration.slope * found.mean_hu + calibration.intercept
    values = {BMD: density, BMC: density * found.volume_cc / MG_PER_G}
    return replace(report, measurements=replace(found, further={**found.further, **values}))
