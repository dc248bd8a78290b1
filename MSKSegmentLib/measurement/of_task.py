"""Measurements as a task takes them: without Hounsfield units and shares of tissue where these mean nothing."""

from __future__ import annotations

from dataclasses import replace

from ..case_result import COMPOSITION, CaseResult, Measurements
from ..tasks import Task

_DENSITY = ("mean_hu", "sd_hu", "median_hu")


def of_task(found: Measurements, task: Task) -> Measurements:
    """The measurements of one segment that a task takes; the others are None.

    Of scans without Hounsfield units the mean is kept as `mean_intensity`, by which a scan is told from another on its grid.
    """
    dropped: dict[str, object] = {}
    if not task.in_hounsfield:
        dropped |= {"mean_intensity": found.mean_hu, "histogram": ()}
    if not task.measures("mean_hu"):
        dropped |= dict.fromkeys(_DENSITY)
    if not task.measures("composition"):
        dropped |= dict.fromkeys(COMPOSITION)
    if not task.measures("height_normalised_volume"):
        dropped["volume_cc_per_m2"] = None
    return replace(found, **dropped) if dropped else found  # type: ignore[arg-type]


def in_words_of_task(result: CaseResult) -> CaseResult:
    """A result whose findings and reasons call the scan what its task calls it."""
    if result.task.in_hounsfield:
        return result
    say = result.task.in_words
    findings = tuple(replace(finding, sentence=say(finding.sentence)) for finding in result.findings)
    reports = tuple(replace(report, reasons=tuple(map(say, report.reasons))) for report in result.reports)
    return replace(result, findings=findings, reports=reports)
