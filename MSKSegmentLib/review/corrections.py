"""The report of a segment whose voxels differ from those of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..anatomy import StructureTable
from ..case_result import SUSPECT_WORD, Light, Measurements, ReviewState, SegmentReport
from ..measurement.extent import BEYOND_THE_CT, EDGE_OF_LABELS
from ..measurement.volume import height_of, volume_cc_per_m2
from ..quality.reports import asymmetries
from ..quality.traffic_light import cut_reason


def corrected(automatic: SegmentReport, measurements: Measurements | None, dice: float | None) -> SegmentReport:
    """The report of a corrected segment; `measurements` are those of its new content, None when nothing is left.

    Uncertainty, predicted Dice and light describe what the network drew, so they do not outlive an edit.
    """
    before = automatic.measurements
    if measurements and before:
        # A structure that went on beyond the CT, or beyond the label map that was given, still does.
        kept = [name for name in before.truncated_by if name in (BEYOND_THE_CT, EDGE_OF_LABELS)]
        measurements = replace(measurements, truncated_by=(*measurements.truncated_by, *kept))
    cut = measurements.truncated_by if measurements else ()
    return SegmentReport(
        segment=automatic.segment,
        light=Light.GREY,
        reasons=(_reason(automatic, measurements), *((cut_reason(cut),) if cut else ())),
        measurements=measurements,
        state=ReviewState.EDITED,
        dice_to_automatic=dice,
    )


def taken(report: SegmentReport, source: str) -> SegmentReport:
    """The report of a corrected segment whose content was taken from `source`, if that says anything, and not drawn by hand."""
    if not source or report.state is not ReviewState.EDITED:
        return report
    return replace(report, reasons=(f"taken from another result ({source}), and not judged", *report.reasons[1:]))


def _reason(automatic: SegmentReport, measurements: Measurements | None) -> str:
    if automatic.measurements is None:
        return "drawn by hand; the automatic version had not found it"
    done = "erased" if measurements is None else "edited"
    rated = automatic.light_word if automatic.light is Light.GREY else f"rated {automatic.light_word}"
    doubt = f", but {SUSPECT_WORD}" if automatic.suspect else ""
    return f"{done} by hand; the automatic version was {rated}{doubt}"


def with_asymmetries(table: StructureTable, reports: Mapping[str, SegmentReport]) -> dict[str, SegmentReport]:
    """The reports by key with the asymmetries that follow from their measurements."""
    found = {report.segment.label: report.measurements for report in reports.values() if report.measurements}
    differences = asymmetries(table, found)
    return {
        key: replace(report, asymmetry_percent=differences.get(report.segment.structure.index)) for key, report in reports.items()
    }


def with_height(reports: Iterable[SegmentReport], height_m: float | None) -> tuple[SegmentReport, ...]:
    """The reports with volumes normalised by another height; None leaves the normalised volume open."""
    return tuple(_with_height(report, height_m) for report in reports)


def _with_height(report: SegmentReport, height_m: float | None) -> SegmentReport:
    found = report.measurements
    if found is None:
        return report
    normalised = volume_cc_per_m2(found.volume_cc, height_of(report.segment, height_m))
    return replace(report, measurements=replace(found, volume_cc_per_m2=normalised))
