"""All measurements of a result as a DICOM Structured Report (TID 1500), with lights, reasons and predicted Dice coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..anatomy import Code, StructureTable
from ..case_result import CaseResult, HistoryEvent
from .codes import HISTORY, METHOD, NOTICE, ORGANIZATION, WARNING
from .identity import MODEL, Identity, algorithm_name, algorithm_version, finish
from .measurement_groups import measurement_group, text_item
from .source import SourceSeries

_NAME = "report"


def make_report(
    result: CaseResult, history: Sequence[HistoryEvent], source: SourceSeries, identity: Identity, segmentation: Any
) -> Any:
    """A Comprehensive SR data set with one measurement group for each segment of its table, also for those that are absent.

    `segmentation` is the data set that `make_segmentation` made, to whose segments the groups refer; None where there is none.
    """
    from highdicom.sr import (
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=identity.uid("device"),
        name=MODEL,
        manufacturer_name=ORGANIZATION,
        model_name=algorithm_name(result),
        serial_number=algorithm_version(result),
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    groups = [measurement_group(report, result, source, identity, segmentation) for report in result.reports]
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion if result.task.in_hounsfield else codes.LN.MRIUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    # Before the numbers, where readers meet them first.
    place = len(content[0].ContentSequence) - 1
    for name, text in reversed(_texts(result, history, source)):
        content[0].ContentSequence.insert(place, text_item(name, text))
    data = ComprehensiveSR(
        evidence=[*source.images, *([segmentation] if segmentation is not None else [])],
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        **identity.series(_NAME, 2, "measurements"),
    )
    return finish(data, identity, source.first)


def _texts(result: CaseResult, history: Sequence[HistoryEvent], source: SourceSeries) -> list[tuple[Code, str]]:
    """What concerns the whole report: restriction of use, how it came about, warnings, who did what."""
    texts = [(NOTICE, RESEARCH_USE_ONLY), (METHOD, f"{algorithm_name(result)}, version {algorithm_version(result)}.")]
    texts += [(METHOD, sentence) for sentence in (*_run(result), *_brought_back(source))]
    texts += [(WARNING, sentence) for sentence in result.warnings]
    return texts + [(HISTORY, _told(event, result.table)) for event in history]


def _run(result: CaseResult) -> list[str]:
    facts = result.facts
    told = []
    if facts.passes:
        told.append(f"{facts.passes} passes with dropout, seed {facts.seed}; lights by the rule {facts.lights!r}.")
    if facts.height_m:
        told.append(f"Volumes per squared height with a height of {facts.height_m:.2f} m.")
    if facts.preview:
        told.append("A preview of few slices and passes: nothing is rated.")
    return told


def _brought_back(source: SourceSeries) -> list[str]:
    """What the segmentation lost on its way to the scanned slices; the measurements were taken before."""
    if source.match.exact:
        return []
    told = [
        "The reader had shifted slices (gantry tilt) or brought them to equal intervals. Measurements were taken there; the "
        "segmentation shows the nearest pixel and slice, so that its volumes may differ a little."
    ]
    if source.match.unseen:
        told.append(f"{source.match.unseen} slices of the result lie between scanned slices and are not in the segmentation.")
    return told


def _told(event: HistoryEvent, table: StructureTable) -> str:
    what = f"{table.segment(event.key).name}: {event.what}" if event.key else event.what
    details = ", ".join(f"{name} {value}" for name, value in event.details.items())
    return f"{event.when}, {event.who or 'unnamed'}: {what}{f' ({details})' if details else ''}"
