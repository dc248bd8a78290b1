"""Rating: a stored result, imported or corrected, judged by the network and by what its mask shows, with lights as for our own."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..bundle import ModelBundle
from ..case_result import UNCONFIRMED_WORD, CaseResult, HistoryEvent, Light, ReviewState, SegmentReport
from ..ct.orientation import axis_order
from ..ct.volume import CTVolume
from ..engine.progress import JUDGING
from ..errors import InputError
from ..findings import Finding
from ..pipeline import StageProgress
from ..quality.given_labels import judge_given_labels
from ..quality.guards import metal_distances, scan_cautions
from ..quality.reports import make_reports
from ..run_facts import RunFacts
from .judged import Judgement, judged_report, lacking_report
from .look_here import SliceToLookAt, slices_to_look_at
from .mask_evidence import Usual, mask_evidence
from .missing import missing_labels
from .network_view import JUDGING_INTERVAL_MM
from .rating_calibration import JUDGING_PASSES, RatingCalibration, rating_of
from .scan_view import JudgeRun, ScanView, view_scan
from .told import CODES, is_tight, rating_findings, slice_numbers
from .whole_structures import wholes_in, with_wholes

# In the record of a result: that its segmentation was judged, and how.
RECORD = "rated"
# In the history of a case: what it is called, and who did it.
EVENT, AUTHOR = "rated", "mskseg rate"


@dataclass(frozen=True)
class Rated:
    """A judged case, and by key of each judged segment the slices worth a look, worst first."""

    result: CaseResult
    slices: Mapping[str, tuple[SliceToLookAt, ...]]


def rated_event(rated: Rated) -> HistoryEvent:
    """The step in the history of a case that its rating is."""
    record = rated.result.facts.record[RECORD]
    bundle, lights = record["bundle"], lights_of(rated.result)
    details = {"network": f"{bundle['name']} {bundle['version']}", "segments": record["segments"], "lights": lights}
    return HistoryEvent(record["date"], AUTHOR, EVENT, None, details)


def drawn_by_network(report: SegmentReport, facts: RunFacts) -> bool:
    """Whether a segment is as a run of our network drew it, so that its light is that of the run."""
    return facts.passes is not None and report.state is not ReviewState.EDITED and report.dice_to_automatic in (None, 1.0)


def check_to_rate(result: CaseResult) -> None:
    """Raises:
    InputError: there is nothing to judge in this result.
    """
    if not any(report.measurements for report in result.reports):
        raise InputError("The result holds no structure, so there is nothing to judge; import a segmentation first.")
    if not _keys_to_judge(result):
        raise InputError(
            "Every structure of this result is as the network drew it and has the lights of that run; rate judges imported "
            "results, and what was corrected by hand."
        )


def rate_case(
    result: CaseResult,
    volume: CTVolume,
    bundle: ModelBundle,
    device: str = "auto",
    seed: int | None = None,
    progress: StageProgress = lambda stage, done, total: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Rated:
    """Judge what in a case the network did not draw; everything else stays as it is.

    Args:
        result: the case, measured on the CT.
        volume: its CT.
        bundle: the network that judges, with its calibration for masks; without one all that it judges stays grey.
        device: where the network runs, a name of `settings.DEVICES`.
        seed: of the dropout passes; None: a random one.
        progress: called with (stage, done, total).
        checkpoint: called often, so that it can raise `Cancelled`.

    Raises:
        InputError: there is nothing to judge, the bundle is of another task, or the CT cannot be used.
        DeviceError: the device is missing or too small.
        BundleError: the bundle cannot be read.
    """
    from ..inference.devices import choose_device

    check_to_rate(result)
    if result.task.name != bundle.task.name:
        raise InputError(
            f"The result is one of the task {result.task.name}, and the bundle {bundle.manifest.name} is of {bundle.task.name}: "
            "its network cannot judge it; choose a bundle of the result's task."
        )
    calibration = rating_of(bundle)
    passes = calibration.calibration.passes if calibration else JUDGING_PASSES
    chosen = choose_device(device)
    run = JudgeRun(passes, secrets.randbelow(2**31) if seed is None else seed, chosen.name)
    seen = view_scan(volume, bundle, run, lambda done, total: progress(JUDGING, done, total), checkpoint)
    progress("measurement", 0, 1)
    mask = seen.on_judging_grid(result.labels)
    view, table, parts = with_wholes(seen.view, bundle.table, wholes_in(mask, result.table, bundle.table))
    seen = replace(seen, view=view)
    judgement = _judgement(result, volume, mask, seen, table, calibration)
    judgement = replace(judgement, parts=parts)
    checkpoint()
    reports, told = _reports(result, judgement, seen, table)
    keys = _keys_to_judge(result)
    # Of what the network does not know, its not drawing it says nothing.
    compared = [report for report in reports if report.segment.key in keys and report.scores is not None]
    labels = {report.segment.label: report.segment.key for report in compared}
    slices = slices_to_look_at(mask, seen.view, labels, volume.geometry)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    judged = [report for report in reports if report.segment.key in keys]
    tight = sum(is_tight(one) for label, one in judgement.evidence.agreements.items() if label in labels)
    known = {finding.code for finding in result.findings}
    new: tuple[Finding, ...] = tuple(finding for finding in seen.findings if finding.code not in known)
    kept = tuple(finding for finding in result.findings if finding.code not in CODES)
    findings = (*rating_findings(judged, name, told, tight, calibration is not None), *kept, *new)
    record = _record(bundle, run, chosen.description, seen, calibration) | {
        "segments": len(judged),
        "labels": _digest(result.labels),
    }
    facts = replace(result.facts, record={**result.facts.record, RECORD: record})
    progress("measurement", 1, 1)
    # Of a given mask, where the network that judged it was unsure; a run of ours keeps its own.
    uncertainty = seen.uncertainty if result.uncertainty is None else result.uncertainty
    return Rated(replace(result, reports=reports, findings=findings, facts=facts, uncertainty=uncertainty), slices)


def _keys_to_judge(result: CaseResult) -> set[str]:
    return {
        report.segment.key
        for report in result.reports
        if report.measurements is not None and not drawn_by_network(report, result.facts)
    }


def _judgement(
    result: CaseResult,
    volume: CTVolume,
    mask: np.ndarray,
    seen: ScanView,
    table: StructureTable,
    calibration: RatingCalibration | None,
) -> Judgement:
    measurements = {report.segment.label: report.measurements for report in result.reports if report.measurements is not None}
    metal_mm = metal_distances(result.labels, volume.hu, volume.geometry)
    evidence = mask_evidence(mask, seen.view, measurements, metal_mm, table)
    usual = Usual({}, {}) if calibration is None else calibration.usual
    scores = evidence.compared_with(usual, table)
    known = {
        segment.label
        for segment in result.table.segments
        if (own := table.segment_of_label(segment.label)) is not None and own.key == segment.key
    }
    cautions = scan_cautions({finding.code: finding for finding in (*result.findings, *seen.findings)}.values())
    fitted = None if calibration is None else calibration.calibration
    passes = fitted.passes if fitted else JUDGING_PASSES
    # Also of what is not judged: a scan in which the network fails shows in all structures.
    rated = make_reports(table, _of(measurements, known), _of(scores, known), fitted, passes, cautions)
    verdict = judge_given_labels(result.labels, result.geometry, result.task, measurements, usual.volumes)
    axis = axis_order(volume.geometry.direction).axes[2]
    numbers = slice_numbers(seen.view.geometry, volume.geometry, axis)
    return Judgement({report.segment.label: report for report in rated}, verdict, evidence, numbers, calibration is not None)


def _of(values: Mapping[int, Any], labels: set[int]) -> dict[int, Any]:
    return {label: value for label, value in values.items() if label in labels}


def _reports(
    result: CaseResult, judgement: Judgement, seen: ScanView, table: StructureTable
) -> tuple[tuple[SegmentReport, ...], list[str]]:
    """The reports, and the names of structures that the mask lacks."""
    keys = _keys_to_judge(result)
    lacking = missing_labels(seen.on_judging_grid(result.labels), seen.view) if keys else {}
    reports, told = [], []
    for report in result.reports:
        label = report.segment.label
        if report.segment.key in keys:
            reports.append(judged_report(report, judgement))
        elif report.measurements is None and label in lacking and table.segment_of_label(label) == report.segment:
            found = lacking_report(report, lacking[label])
            told += [report.segment.name] if found is not report else []
            reports.append(found)
        else:
            reports.append(report)
    return tuple(reports), told


def _record(
    bundle: ModelBundle, run: JudgeRun, device: str, seen: ScanView, calibration: RatingCalibration | None
) -> dict[str, Any]:
    """Who judged, and how; JSON-ready."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "bundle": {"name": bundle.manifest.name, "version": bundle.manifest.version, "digest": bundle.digest},
        "calibration": calibration and calibration.calibration.source,
        "passes": run.passes,
        "seed": run.seed,
        "device": device,
        "backends": list(seen.backends),
        "interval_mm": min(JUDGING_INTERVAL_MM, seen.view.geometry.spacing[2]),
    }


def _digest(labels: np.ndarray) -> str:
    """SHA-256 of the label map that was judged."""
    digest = hashlib.sha256()
    for plane in labels:
        digest.update(np.ascontiguousarray(plane).tobytes())
    return digest.hexdigest()


def lights_of(result: CaseResult) -> str:
    """How many segments have which light, in words."""
    counts = Counter(report.light_word for report in result.reports if report.measurements)
    words = (Light.GREEN.word, UNCONFIRMED_WORD, *(light.word for light in (Light.YELLOW, Light.RED, Light.GREY)))
    return ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
