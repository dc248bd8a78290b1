"""Small made-up results and grids shared by the tests of scene and segmentation files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult, DiceLimits, Light, ReviewState, Scores, SegmentReport
from MSKSegmentLib.ct.volume import CTVolume, Geometry

SHAPE = (14, 30, 40)


def _rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _grid(direction: np.ndarray) -> Geometry:
    rows = tuple(tuple(float(value) for value in row) for row in direction)
    return Geometry((40, 30, 14), (0.8, 0.9, 3.1), (-71.5, 33.25, -410.0), rows)


GEOMETRIES = {
    "axial": _grid(np.eye(3)),
    "feet_first": _grid(np.diag([-1.0, 1.0, -1.0])),
    "left_handed": _grid(np.diag([1.0, 1.0, -1.0])),
    "permuted": _grid(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])),
    "oblique": _grid(_rotation((1, 2, 3), 37)),
    "oblique_left_handed": _grid(_rotation((-2, 1, 1), 65) @ np.diag([-1.0, 1.0, 1.0])),
}

NASTY_REASONS = ('a|b: c; d "quoted" back\\slash', "日本語の理由", "line\nbreak ~ ^ &")

# key -> box (z, y, x); all others are absent
BOXES = {
    "SACRUM": np.s_[2:6, 4:10, 15:22],
    "GMAX_right": np.s_[3:12, 12:28, 3:16],
    "GMAX_left": np.s_[3:12, 12:28, 24:37],
    "VM_left": np.s_[0:2, 0:4, 38:40],
}

LIGHTS = {"SACRUM": Light.GREEN, "GMAX_right": Light.YELLOW, "GMAX_left": Light.RED, "VM_left": Light.GREY}


def report_of(segment) -> SegmentReport:
    report = SegmentReport(segment, Light.GREY, ("not found",))
    if segment.key not in BOXES:
        return report
    report = replace(report, light=LIGHTS[segment.key], reasons=NASTY_REASONS, uncertainty=2.7e-4)
    if segment.key == "GMAX_left":
        return replace(
            report,
            state=ReviewState.ACCEPTED,
            predicted_dice=0.91,
            dice_interval=(0.85, 0.95),
            dice_limits=DiceLimits(0.9, 0.8),
            volume_interval_cc=(700.0, 812.5),
            mean_hu_interval=(-3.5, 61.0),
            failure_probability=0.125,
            scores=Scores(mean_variance=2.7e-4, soft_dice=0.923456789, stray_components=2),
            paper_light=Light.GREEN,
        )
    return report


def make_labels() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for segment in HIP_AND_THIGH.segments:
        if segment.key in BOXES:
            labels[BOXES[segment.key]] = segment.label
    # not box-shaped, so that a flip along any axis shows
    labels[3, 12, 3:9] = 0
    labels[11, 20:28, 24:30] = 0
    return labels


def make_result(geometry: Geometry, with_uncertainty: bool = True) -> CaseResult:
    random = np.random.default_rng(5)
    uncertainty = np.where(make_labels() > 0, random.gamma(2.0, 1e-3, SHAPE), 0).astype(np.float32)
    reports = tuple(report_of(segment) for segment in HIP_AND_THIGH.segments)
    return CaseResult(make_labels(), geometry, reports, uncertainty if with_uncertainty else None)


def make_ct(geometry: Geometry) -> CTVolume:
    random = np.random.default_rng(6)
    hu = np.full(SHAPE, -1000)
    hu[:, 2:-2, 2:-2] = 55 + random.normal(0, 8, (SHAPE[0], SHAPE[1] - 4, SHAPE[2] - 4))
    return CTVolume(hu.astype(np.int16), geometry)


def lps_of_ras(point) -> np.ndarray:
    return np.asarray(point) * [-1, -1, 1]


def tag(segment, name: str) -> str | None:
    import vtk

    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None
