"""A rated case on the phantom pelvis, with every light, shared by the tests of the review."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from label_overlap import dice
from segmentation_phantom import phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult, Light, ReviewState, Scores, SegmentReport
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.findings import warning
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.paper_rule import StructureCalibration
from MSKSegmentLib.quality.reports import asymmetries, make_reports
from MSKSegmentLib.quality.scores import structure_uncertainty
from MSKSegmentLib.review import ReviewSession, SegmentMask
from MSKSegmentLib.run_facts import RunFacts

LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}
PASSES = 10
HEIGHT_M = 1.6
# Mean uncertainty of some segments in 1e-4; the others have 1.
UNCERTAIN = {"GMAX_right": 9.0, "GMED_left": 8.0, "TFL_right": 5.0, "ST_left": 4.5}
# Not drawn by the network.
ABSENT = ("PI_left", "OE_right")
# Yellow above 4e-4, red above 7e-4; the predicted Dice falls from 0.97 by 0.3 per 1e-3.
FITTED = StructureCalibration(20, 40, 0.94, 0.01, -300.0, 0.97, -0.9, 0.85, 0.76, 4e-4, 7e-4, 3, 1, 0.99, 0.99)


def calibration() -> Calibration:
    fitted = {s.abbreviation: FITTED for s in HIP_AND_THIGH.structures if s.abbreviation != "GRAC"}
    return Calibration("2026-01-01", "test", PASSES, fitted, {"GRAC": "only 3 calibration patients show it"})


def make_case(turned: bool = False) -> tuple[CaseResult, CTVolume]:
    """A result with its CT. Turned, the slices lie along the array's last axis and count downwards."""
    labels, grid = phantom()
    random = np.random.default_rng(3)
    for key in ABSENT:
        labels[labels == LABEL[key]] = 0
    # The scan ends in the middle of the thigh muscles.
    labels, grid = labels[20:], grid.cropped((0, 0, 20), (*grid.size[:2], grid.size[2] - 20))
    hu = np.where(labels > 0, 55, -90) + random.normal(0, 25, labels.shape)
    level = np.full(256, 1e-4)
    for key, value in UNCERTAIN.items():
        level[LABEL[key]] = value * 1e-4
    uncertainty = (level[labels] * random.uniform(0.9, 1.1, labels.shape) * (labels > 0)).astype(np.float32)
    if turned:
        labels, hu, uncertainty = (np.ascontiguousarray(a[::-1].transpose(2, 1, 0)) for a in (labels, hu, uncertainty))
        top = grid.to_physical((0, 0, grid.size[2] - 1))
        direction = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
        x, y, z = grid.spacing
        grid = Geometry(labels.shape[::-1], (z, y, x), tuple(float(v) for v in top), direction)
    volume = CTVolume(np.rint(hu).astype(np.int16), grid)
    found = measure(labels, volume.hu, grid, HIP_AND_THIGH, HEIGHT_M)
    evidence = {label: Scores(mean_variance=mean) for label, mean in structure_uncertainty(labels, uncertainty).items()}
    reports = make_reports(HIP_AND_THIGH, found, evidence, calibration(), PASSES)
    reports = tuple(with_evidence(report) for report in reports)
    facts = RunFacts(height_m=HEIGHT_M, input_digest="a1", record={"input": {"size": list(grid.size)}})
    findings = (warning("part", "Only a part of the thigh was scanned."),)
    return CaseResult(labels, grid, reports, uncertainty, findings, facts), volume


def protected_case() -> tuple[CaseResult, CTVolume]:
    """A result with its CT for several sessions, whose labels nobody may write to."""
    result, volume = make_case()
    result.labels.flags.writeable = False
    return result, volume


def with_evidence(report: SegmentReport) -> SegmentReport:
    """A report with scores and, where a Dice coefficient is predicted, intervals and the probability of failure."""
    found, dice = report.measurements, report.predicted_dice
    if found is None:
        return report
    scores = Scores(
        mean_variance=report.uncertainty, mean_entropy=0.04, soft_dice=0.93, pairwise_dice=0.9, pairwise_iou=0.82,
        low_slice_dice=0.75, volume_cv=0.031, sd_mean_hu=1.2, sd_fat_fraction=0.011, stray_components=2, stray_share=0.04,
        volume_deviation=-1.5, position_deviation=0.8,
    )  # fmt: skip
    report = replace(report, scores=scores, paper_light=Light.GREEN)
    if dice is None:
        return report
    return replace(
        report,
        dice_interval=(dice - 0.08, min(1.0, dice + 0.04)),
        volume_interval_cc=(0.9 * found.volume_cc, 1.2 * found.volume_cc),
        mean_hu_interval=(found.mean_hu - 4, found.mean_hu + 3),
        failure_probability=min(1.0, max(0.0, (0.94 - dice) * 4)),
    )


def mask_of(array: np.ndarray) -> SegmentMask:
    """A bool array ``[z, y, x]`` of the whole grid as a mask."""
    return SegmentMask(Box((0, 0, 0), array.shape[::-1]), array)


def grown(labels: np.ndarray, key: str, voxels: int = 2) -> np.ndarray:
    """The segment and what lies up to so many voxels beside it, bool of the whole grid."""
    from scipy import ndimage

    return ndimage.binary_dilation(labels == LABEL[key], iterations=voxels)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


def assert_consistent(session: ReviewSession) -> None:
    """Every number of the session is that of its label map, measured from scratch."""
    result, automatic = session.result, session.automatic
    found = measure(result.labels, session.volume.hu, session.geometry, HIP_AND_THIGH, session.height_m)
    overlap = dice(automatic.labels, result.labels, np.array(list(LABEL.values())))
    differences = asymmetries(HIP_AND_THIGH, found)
    for report in result.reports:
        label = report.segment.label
        assert report.measurements == found.get(label), report.segment.key
        assert report.asymmetry_percent == differences.get(report.segment.structure.index)
        changed = not np.array_equal(result.labels == label, automatic.labels == label)
        assert report.dice_to_automatic == (pytest.approx(overlap[label]) if changed else None)
        assert (report.state is ReviewState.EDITED) == changed
