"""One structure on one side in a structured report: its numbers, its light with the reasons, where it lies."""

from __future__ import annotations

from typing import Any

from ..anatomy import Code
from ..anatomy.terminology import CATEGORY, side_code
from ..case_result import CaseResult, SegmentReport
from ..results.tables import cell_text, table_row
from .codes import (
    ABSENT,
    CODED_NUMBERS,
    CUT_BY,
    FOUND,
    LIGHT,
    LIGHT_REASON,
    ORGANIZATION,
    PAPER_LIGHT,
    PART_LIGHT,
    PRESENT,
    STATE,
    CodedNumber,
    light_code,
    state_code,
    verdict_code,
)
from .identity import Identity, algorithm_family, algorithm_name, algorithm_version, concept, is_given
from .source import SourceSeries


def measurement_group(
    report: SegmentReport, result: CaseResult, source: SourceSeries, identity: Identity, segmentation: Any
) -> Any:
    """TID 1411 with a reference to the segment, or TID 1501 for a segment that `segmentation` (may be None) does not hold."""
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        MeasurementsAndQualitativeEvaluations,
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    segment = report.segment
    side = side_code(segment.side)
    structure = concept(segment.structure.code)
    arguments: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(identity.uid("segment", segment.key), segment.key),
        "finding_category": concept(CATEGORY),
        "finding_type": structure,
        "finding_sites": [FindingSite(structure, laterality=concept(side) if side else None)],
        "algorithm_id": AlgorithmIdentification(
            name=algorithm_name(result),
            version=algorithm_version(result),
            family=algorithm_family(result),
            manufacturer=ORGANIZATION,
        ),
        "measurements": _measurements(report),
        "qualitative_evaluations": _evaluations(report, is_given(result)),
    }
    number = segment_number(segmentation, segment.key)
    group: Any
    if number is None:
        group = MeasurementsAndQualitativeEvaluations(**arguments)
    else:
        reference = ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=number,
            source_series=SourceSeriesForSegmentation(str(source.first.SeriesInstanceUID)),
        )
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=reference, **arguments)
    for name, text in _texts(report):
        group[0].ContentSequence.append(text_item(name, text))
    return group


def segment_number(segmentation: Any, key: str) -> int | None:
    """The number of a segment in a Segmentation data set (None where there is none), by its tracking identifier."""
    for item in segmentation.SegmentSequence if segmentation is not None else ():
        if item.TrackingID == key:
            return int(item.SegmentNumber)
    return None


def text_item(name: Code, text: str) -> Any:
    """A line of text that belongs to the item above it."""
    from highdicom.sr import TextContentItem
    from highdicom.sr.enum import RelationshipTypeValues

    return TextContentItem(name=concept(name), value=text, relationship_type=RelationshipTypeValues.CONTAINS)


def _measurements(report: SegmentReport) -> list[Any]:
    row = table_row(report)
    values = [(measure, row.get(measure.column)) for measure in CODED_NUMBERS]
    return [_measurement(measure, float(value)) for measure, value in values if value is not None]


def _measurement(measure: CodedNumber, value: float) -> Any:
    """A number for people as the table writes it, and for programs with all its digits."""
    from highdicom.sr import Measurement

    derivation = concept(measure.derivation) if measure.derivation else None
    measurement = Measurement(name=concept(measure.name), value=value, unit=concept(measure.unit), derivation=derivation)
    measured = measurement[0].MeasuredValueSequence[0]
    measured.NumericValue, measured.FloatingPointValue = cell_text(measure.column, value), value
    return measurement


def _evaluations(report: SegmentReport, given: bool) -> list[Any]:
    from highdicom.sr import QualitativeEvaluation

    coded = [
        (LIGHT, verdict_code(report)),
        (FOUND, PRESENT if report.measurements else ABSENT),
        (STATE, state_code(report.state, given)),
    ]
    coded += [
        (name, light_code(light)) for name, light in ((PAPER_LIGHT, report.paper_light), (PART_LIGHT, report.part_light)) if light
    ]
    return [QualitativeEvaluation(concept(name), concept(value)) for name, value in coded]


def _texts(report: SegmentReport) -> list[tuple[Code, str]]:
    cut = report.measurements.truncated_by if report.measurements else ()
    return [(LIGHT_REASON, reason) for reason in report.reasons] + [(CUT_BY, face) for face in cut]
