"""Reports of one structure under everything that lights may depend on, for tests that read what is said of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from quality_cases import observations

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.case_result import Measurements, ReviewState, Scores, SegmentReport
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.guards import SCAN_CAUTIONS
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.review.corrections import corrected
from MSKSegmentLib.settings import RULES

PASSES = 10
SOME = ("GMAX", "OE", "FEMUR", "SACRUM")
LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}
FACES = ((), ("superior",), ("inferior", "left"))
# How far the scores are from the usual ones: 0 usual, 1 hopeless.
BADNESS = (0.0, 0.03, 0.2, 0.5, 1.0)


@cache
def learned() -> Calibration:
    """A calibration from all evidence."""
    return calibrate(observations(60, only=SOME), "2026-01-01", "made up", PASSES)


@cache
def calibrations() -> dict[str, Calibration | None]:
    """Calibrations of every kind that lights treat differently."""
    whole = learned()
    few = calibrate(observations(12, only=SOME), "", "", PASSES)
    one = calibrate([item for item in observations(60, only=SOME) if item.patient == "p000"], "", "", PASSES)
    calm = [replace(item, dice=0.93 + 0.001 * (k % 7)) for k, item in enumerate(observations(40, hard=0.0, only=SOME))]
    return {
        "none": None,
        "whole": whole,
        "old": replace(whole, model=None, no_model=None),
        "few patients": few,
        "one patient": one,
        "nothing inaccurate": calibrate(calm, "", "", PASSES),
        "one inaccurate": calibrate([replace(calm[0], dice=0.5), *calm[1:]], "", "", PASSES),
        "pooled limits": _with_limits(whole, own=False, inaccurate=0),
        "pooled limits of one": _with_limits(whole, own=False, inaccurate=1),
        "pooled limits of some": _with_limits(whole, own=False, inaccurate=4),
        "nothing sure": _with_limits(whole, green_from=None),
        "strict bound": _with_limits(whole, lower_from=0.99),
    }


def _with_limits(calibration: Calibration, **changes: object) -> Calibration:
    limits = {name: replace(one, **changes) for name, one in calibration.model.limits.items()}
    return replace(calibration, model=replace(calibration.model, limits=limits))


def scores(name: str, badness: float, **changes: float | None) -> Scores:
    """Scores between the usual ones of a structure and those of a network that is lost."""
    usual = learned().model.limits[name].usual
    lost = {
        "mean_variance": 0.05, "mean_entropy": 1.2, "soft_dice": 0.2, "pairwise_dice": 0.1, "low_slice_dice": 0.0,
        "volume_cv": 0.5, "sd_mean_hu": 30.0, "stray_share": 0.5, "sd_fat_fraction": 0.2,
    }  # fmt: skip
    mixed = {key: value + badness * (lost.get(key, value) - value) for key, value in usual.items()}
    return Scores(**{**mixed, "stray_components": 2, **changes})


def measurements(cut: tuple[str, ...] = ()) -> Measurements:
    """Numbers of a segment that the faces `cut`."""
    return Measurements(1000, 200.0, 75.0, 50.0, 5.0, 50.0, 0.1, 0.2, 0.7, (1,), 1.0, 0.0, cut)


def report(
    key: str = "GMAX_right", badness: float = 0.0, kind: str = "whole", passes: int = PASSES, lights: str = "calibrated",
    cut: tuple[str, ...] = (), cautions: tuple[str, ...] = (), **changes: float | None,
) -> SegmentReport:  # fmt: skip
    """One report as a run makes it."""
    found = {LABEL[key]: measurements(cut)}
    evidence = {LABEL[key]: scores(key.split("_")[0], badness, **changes)}
    reports = make_reports(HIP_AND_THIGH, found, evidence, calibrations()[kind], passes, cautions, lights)
    return next(one for one in reports if one.segment.key == key)


def all_reports() -> Iterator[SegmentReport]:
    """Reports under combinations of rule, calibration, evidence, passes, field of view and cautions, and after edits."""
    near = {"metal_distance_mm": 12.0, "volume_deviation": -6.0, "position_deviation": 7.0}
    speaks_against = (((), {}), (tuple(SCAN_CAUTIONS.values()), {}), ((), near))
    around = [(PASSES, *one) for one in itertools.product(FACES, speaks_against)]
    around += [(passes, cut, speaks_against[2]) for passes in (2, 1) for cut in FACES[:2]]
    for key, kind, lights in itertools.product(("GMAX_right", "FEMUR_left"), calibrations(), RULES):
        for badness, (passes, cut, (cautions, changes)) in itertools.product(BADNESS, around):
            one = report(key, badness, kind, passes, lights, cut, cautions, **changes)
            yield one
            if changes or not (cautions or cut):
                yield from _reviewed(one, measurements(cut))
    for kind, lights in itertools.product(calibrations(), RULES):
        yield from make_reports(HIP_AND_THIGH, {}, {}, calibrations()[kind], PASSES, (), lights)[:2]
        strange = make_reports(
            HIP_AND_THIGH, {20: measurements()}, {20: scores("GMAX", 0.0)}, calibrations()[kind], PASSES, (), lights
        )
        yield from (one for one in strange if one.measurements)
    for one in make_reports(HIP_AND_THIGH, {4: measurements()}, None, learned(), PASSES):
        yield one
        yield from _reviewed(one, measurements())


def _reviewed(one: SegmentReport, found: Measurements) -> Iterator[SegmentReport]:
    yield replace(one, state=ReviewState.ACCEPTED)
    for now in (found, None):
        edited = corrected(one, now, 0.9)
        yield edited
        yield replace(edited, state=ReviewState.ACCEPTED)
