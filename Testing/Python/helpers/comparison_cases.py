"""Results of a made-up patient at two dates, without a network: reports on the phantom, all green, with intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from segmentation_phantom import phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult, Light, Scores, SegmentReport
from MSKSegmentLib.comparison.examination import Examination
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.results.result_folder import CT, write_result
from MSKSegmentLib.results.segmentation_file import write_ct
from MSKSegmentLib.run_facts import RunFacts

LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}


def report_of(segment, found):
    """A green report whose volume may be 10 % too large or too small, and whose mean HU 4 HU."""
    if found is None:
        return SegmentReport(segment, Light.GREY, ("not found in this scan",))
    return SegmentReport(
        segment,
        Light.GREEN,
        ("predicted Dice 0.95",),
        replace(found, truncated_by=()),
        predicted_dice=0.95,
        volume_interval_cc=(0.9 * found.volume_cc, 1.1 * found.volume_cc),
        mean_hu_interval=(found.mean_hu - 4, found.mean_hu + 4),
        scores=Scores(mean_variance=1e-4),
    )


def phantom_case(lost=(), digest="a", noise=20.0, **facts):
    """The phantom scanned; of segments by the keys `lost` every second slice is taken away, which halves them."""
    labels, grid = phantom()
    for key in lost:
        thinned = labels[::2]
        thinned[thinned == LABEL[key]] = 0
    found = measure(labels, phantom_scan(labels, grid, noise).hu, grid, HIP_AND_THIGH, 1.7)
    reports = tuple(report_of(segment, found.get(segment.label)) for segment in HIP_AND_THIGH.segments)
    facts = {"height_m": 1.7, "passes": 10, "lights": "calibrated", **facts}
    return CaseResult(labels, grid, reports, None, (), RunFacts(input_digest=digest, **facts))


def phantom_scan(labels, grid, noise=20.0):
    """A CT in which these labels are muscle among fat."""
    hu = np.where(labels > 0, 55, -90) + np.random.default_rng(1).normal(0, noise, labels.shape)
    return CTVolume(np.rint(hu).astype(np.int16), grid)


def write_visit(folder, case, keep_ct=True, noise=20.0):
    """A result folder of a case, with its scan."""
    scan = phantom_scan(case.labels, case.geometry, noise)
    return write_result(folder, case, None, (lambda partial: write_ct(partial / CT, scan)) if keep_ct else None)


def examination(name, case, **known):
    return Examination(name, case, **known)


def with_report(case, key, **changes):
    """The case with one report changed."""
    return replace(case, reports=tuple(replace(r, **changes) if r.segment.key == key else r for r in case.reports))
